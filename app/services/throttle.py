"""Slows down the guessing of passwords, and locks nobody out: docs/decisions/0018-guessing-passwords.md."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.db import session_scope
from app.errors import TooManyAttempts
from app.i18n import gettext as _
from app.models import LoginThrottle, now
from app.security.addresses import network_of

_KEEP = timedelta(days=1)
"""By then every bucket has run dry."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures are free, and how soon one is forgotten. A wait never exceeds that time."""

    free: int
    forget_seconds: float
    doubling: bool = False
    """Beyond the free ones each failure doubles the wait, from two seconds on."""

    def wait(self, failures: float, since: float) -> float:
        """Seconds until the next try, if so many failures count and the last was `since` seconds ago."""
        if self.doubling:
            over = math.ceil(failures - 1e-6) - self.free
            return min(2.0 ** (over + 1), self.forget_seconds) - since if over >= 0 else 0.0
        return (failures - self.free + 1) * self.forget_seconds


PAIR = Limit(5, 900, doubling=True)
"""Of one account from one network, or from one browser that it has logged in with before."""
ADDRESS = Limit(100, 9)
"""Of all accounts from one network: a team may sit behind it."""
ACCOUNT = Limit(50, 60)
"""Of one account from all networks."""

Counted = Sequence[tuple[str, Limit]]
"""What a try counts against."""


def counted(email: str, address: str, *, known_browser: str | None) -> Counted:
    """What a try for an account counts against.

    A browser that this account has logged in with before (`known_browser` is its hash) has a count of its
    own, and no failures of others hold it up.
    """
    account = hashlib.sha256(email.encode()).hexdigest()[
        :32
    ]  # people type passwords there by mistake
    if known_browser is not None:
        return [(f"browser:{account}:{known_browser[:32]}", PAIR)]
    network = network_of(address)
    return sorted(
        [
            (f"pair:{account}:{network}", PAIR),
            (f"address:{network}", ADDRESS),
            (f"account:{account}", ACCOUNT),
        ]
    )  # in one order, so that two who lock the same rows wait and do not deadlock


def reserve(subjects: Counted) -> None:
    """Count a try as failed before it is made, so that those made at once are all seen.

    Raises TooManyAttempts, which itself counts for nothing.
    """
    with session_scope(read_only=True) as session:
        _check(subjects, _failures(session, subjects, lock=False))
    with session_scope() as session:
        rows = [{"subject": subject, "failures": 0.0, "at": now()} for subject, _limit in subjects]
        insert = postgresql.insert if _is_postgresql(session) else sqlite.insert
        session.execute(insert(LoginThrottle).values(rows).on_conflict_do_nothing())
        found = _failures(session, subjects, lock=True)
        _check(subjects, found)
        for subject, limit in subjects:
            row = found[subject]
            row.failures, row.at = _left(row, limit) + 1, now()


def release(session: Session, subjects: Counted) -> None:
    """The try was right: it counts no longer, nor do those for the same account from the same place."""
    found = _failures(session, subjects, lock=True)
    for subject, limit in subjects:
        row = found.get(subject)
        if row is None:
            continue
        row.failures = 0.0 if limit is PAIR else max(0.0, _left(row, limit) - 1)
        row.at = now()


def tidy() -> None:
    """Forget what counts no longer."""
    with session_scope() as session:
        session.execute(delete(LoginThrottle).where(LoginThrottle.at < now() - _KEEP))


def forget(session: Session, email: str) -> None:
    """All tries for an account: they guessed at a password that it no longer has."""
    account = hashlib.sha256(email.encode()).hexdigest()[:32]
    for kind in ("pair", "browser", "account"):
        session.execute(
            delete(LoginThrottle).where(LoginThrottle.subject.startswith(f"{kind}:{account}"))
        )


def _failures(session: Session, subjects: Counted, *, lock: bool) -> dict[str, LoginThrottle]:
    names = [subject for subject, _limit in subjects]
    query = (
        select(LoginThrottle)
        .where(LoginThrottle.subject.in_(names))
        .order_by(LoginThrottle.subject)
    )
    rows = session.scalars(query.with_for_update() if lock else query)
    return {row.subject: row for row in rows}


def _check(subjects: Counted, found: dict[str, LoginThrottle]) -> None:
    waits = [
        limit.wait(_left(found[subject], limit), _since(found[subject].at))
        for subject, limit in subjects
        if subject in found
    ]
    longest = math.ceil(max(waits, default=0.0))
    if longest > 0:
        raise TooManyAttempts(
            _("Too many wrong passwords. Try again in %(wait)s.", wait=_duration(longest)),
            retry_after=longest,
        )


def _left(row: LoginThrottle, limit: Limit) -> float:
    """The failures that still count."""
    return max(0.0, row.failures - _since(row.at) / limit.forget_seconds)


def _since(at: datetime) -> float:
    return max(0.0, (now() - at).total_seconds())


def _duration(seconds: int) -> str:
    if seconds < 100:
        return _("%(n)s seconds", n=seconds)
    return _("%(n)s minutes", n=math.ceil(seconds / 60))


def _is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
