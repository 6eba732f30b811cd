"""The tables, one file per aggregate."""

from app.models.audit import AuditEntry
from app.models.base import Base, new_id, now
from app.models.contribution import Contribution, Remark, UnseenChange
from app.models.example import Annotation, Example
from app.models.export import VersionExport
from app.models.import_update import ImportUpdate
from app.models.job import ACTIVE_STATES, FINAL_STATES, Import, Job
from app.models.label_issue import LabelIssue
from app.models.project import FrameImport, Member, Project, Roleset
from app.models.run import Run, RunLog, RunPoint, RunTag, RunTracking
from app.models.search import Search
from app.models.user import ApiToken, KnownBrowser, LoginSession, LoginThrottle, User
from app.models.version import DatasetVersion, DecidedSplit, NearDuplicate
from app.models.worker import Worker

__all__ = [
    "ACTIVE_STATES",
    "FINAL_STATES",
    "Annotation",
    "ApiToken",
    "AuditEntry",
    "Base",
    "Contribution",
    "DatasetVersion",
    "DecidedSplit",
    "Example",
    "FrameImport",
    "Import",
    "ImportUpdate",
    "Job",
    "KnownBrowser",
    "LabelIssue",
    "LoginSession",
    "LoginThrottle",
    "Member",
    "NearDuplicate",
    "Project",
    "Remark",
    "Roleset",
    "Run",
    "RunLog",
    "RunPoint",
    "RunTag",
    "RunTracking",
    "Search",
    "UnseenChange",
    "User",
    "VersionExport",
    "Worker",
    "new_id",
    "now",
]
