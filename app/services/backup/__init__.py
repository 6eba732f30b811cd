"""Backups: the database and the files it names in one folder, verified, and their way back."""

from app.services.backup.creating import create
from app.services.backup.manifest import BackupError, Manifest, verify
from app.services.backup.restoring import restore

__all__ = ["BackupError", "Manifest", "create", "restore", "verify"]
