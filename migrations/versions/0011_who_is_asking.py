"""Tokens that expire; wrong passwords counted by account and network; e-mail addresses in one form."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import idna
import sqlalchemy as sa
from alembic import op

from app.models.base import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"
_TOKEN_DAYS = 90


def upgrade() -> None:
    op.drop_table("login_failures")
    op.create_table(
        "login_throttles",
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("failures", sa.Double(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_throttles")),
    )
    op.create_index(op.f("ix_login_throttles_at"), "login_throttles", ["at"])
    op.create_table(
        "known_browsers",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_known_browsers_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_known_browsers")),
    )
    op.create_index(op.f("ix_known_browsers_user_id"), "known_browsers", ["user_id"])
    op.add_column("api_tokens", sa.Column("expires_at", UtcDateTime(), nullable=True))
    op.add_column("api_tokens", sa.Column("used_from", sa.String(length=45), nullable=True))
    # Tokens that are in use go on as long as a new one would, which leaves time to replace them.
    tokens = sa.table("api_tokens", sa.column("expires_at", UtcDateTime()))
    until = datetime.now(UTC) + timedelta(days=_TOKEN_DAYS)
    op.execute(tokens.update().values(expires_at=until))
    with op.batch_alter_table("api_tokens") as batch:
        batch.alter_column("expires_at", existing_type=UtcDateTime(), nullable=False)
    _tidy_people()


def downgrade() -> None:
    with op.batch_alter_table("api_tokens") as batch:
        batch.drop_column("used_from")
        batch.drop_column("expires_at")
    op.drop_table("known_browsers")
    op.drop_table("login_throttles")
    op.create_table(
        "login_failures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_failures")),
    )
    op.create_index(op.f("ix_login_failures_subject"), "login_failures", ["subject"])


def _tidy_people() -> None:
    """Bring addresses and names into one form. Two accounts are never made one: the one that is in that form
    already keeps it, and the other keeps what it has, with which it can still log in."""
    users = sa.table("users", sa.column("id"), sa.column("email"), sa.column("name"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(users.c.id, users.c.email, users.c.name)).all()
    wished = {row.id: _tidied(row.email, _email) for row in rows}
    taken = {row.email for row in rows}
    for row in sorted(rows, key=lambda row: row.id):
        values = {}
        name = _tidied(row.name, _name)
        if name != row.name:
            values["name"] = name
        email = wished[row.id]
        if email != row.email and email not in taken:
            taken.add(email)
            values["email"] = email
        if values:
            connection.execute(users.update().where(users.c.id == row.id).values(**values))


def _tidied(value: str, tidy: Callable[[str], str]) -> str:
    """The value in its form; as it is, if it has none."""
    try:
        return tidy(value) or value
    except (UnicodeError, idna.IDNAError):
        return value


def _email(value: str) -> str:
    local, at, domain = _visible(value).replace(" ", "").lower().rpartition("@")
    if not local:
        return value
    encoded = idna.encode(domain, uts46=True) if not domain.isascii() else domain
    known = idna.decode(encoded, uts46=True) if encoded else ""
    tidied = unicodedata.normalize("NFC", local) + at + known
    return tidied if len(tidied) <= 254 else value


def _name(value: str) -> str:
    return " ".join(_visible(value, keep=_JOINERS).split())[:100]


def _visible(value: str, keep: str = "") -> str:
    value = unicodedata.normalize("NFC", " ".join(value.split()))
    return "".join(c for c in value if c in keep or unicodedata.category(c) not in _INVISIBLE)
