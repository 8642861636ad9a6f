"""The record of who watched: written before the door is asked, and once more when it is over."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import Engine, Row, delete, insert, select, update

from central.database.engine import reading, writing
from central.database.tables_accounts import ACCOUNTS
from central.database.tables_live import LIVE_SESSIONS as T
from central.gateway.audit import AuditLog

KEPT = timedelta(days=730)
"""As long as other records of who looked at what."""


class Asked(Struct, frozen=True, kw_only=True):
    """Somebody wants to watch."""

    session: str
    site: str
    door: str
    who: str
    why: str
    unmasked: bool


class Watching(Struct, frozen=True, kw_only=True):
    """Somebody does."""

    session: str
    who: str
    why: str
    unmasked: bool
    since: datetime


class Sessions:
    """Rows of `live_sessions`, and beside them the audit log. All raise StoreError."""

    def __init__(self, engine: Engine, audit: AuditLog) -> None:
        self._engine, self._audit = engine, audit

    def asked(self, asked: Asked, now: datetime) -> None:
        """On record, in one transaction with the audit log: without it nobody sees anything."""
        with writing(self._engine) as connection:
            connection.execute(
                insert(T).values(session=asked.session, site=asked.site, door=asked.door, who=asked.who, why=asked.why,
                                 unmasked=asked.unmasked, asked=now, outcome="")
            )  # fmt: skip
            details = {"session": asked.session, "why": asked.why, "unmasked": asked.unmasked}
            self._audit.write(asked.who, "live.asked", f"{asked.site}/{asked.door}", details, connection=connection)

    def answered(self, session: str, now: datetime) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(T).where(T.c.session == session).values(answered=now))

    def ended(self, session: str, now: datetime, outcome: str, by: str, at: tuple[str, str] | None = None) -> None:
        """Once: what is over is over. `at`: only a session at this door, for no door speaks of another's."""
        with writing(self._engine) as connection:
            is_open = (T.c.session == session) & T.c.ended.is_(None)
            if at is not None:
                is_open &= (T.c.site == at[0]) & (T.c.door == at[1])
            row = connection.execute(select(T.c.site, T.c.door, T.c.who, T.c.asked, T.c.unmasked).where(is_open)).one_or_none()
            if row is None:
                return
            connection.execute(update(T).where(T.c.session == session).values(ended=now, outcome=outcome[:200]))
            details = {"session": session, "who": row.who, "unmasked": row.unmasked, "outcome": outcome[:200],
                       "seconds": round((now - row.asked).total_seconds(), 1)}  # fmt: skip
            self._audit.write(by, "live.ended", f"{row.site}/{row.door}", details, connection=connection)

    def watching(self, site: str, door: str) -> list[Watching]:
        """Who watches a door now."""
        open_here = (T.c.site == site) & (T.c.door == door) & T.c.ended.is_(None) & T.c.answered.is_not(None)
        with reading(self._engine) as connection:
            rows = connection.execute(select(T).where(open_here).order_by(T.c.asked)).all()
        return [Watching(session=r.session, who=r.who, why=r.why, unmasked=r.unmasked, since=r.answered) for r in rows]

    def find(self, session: str) -> Asked | None:
        """A session that is not over."""
        with reading(self._engine) as connection:
            r = connection.execute(select(T).where((T.c.session == session) & T.c.ended.is_(None))).one_or_none()
        return _asked(r) if r else None

    def open_of_others_than(self, roles: Collection[str]) -> list[Asked]:
        """Sessions that are not over of people who may no longer watch: their account is disabled, has another role, or other sites.

        An account that was changed since, as by a new password after a laptop was stolen, has to ask anew.
        """
        columns = (ACCOUNTS.c.disabled, ACCOUNTS.c.role, ACCOUNTS.c.sites, ACCOUNTS.c.changed)
        both = select(T, *columns).join(ACCOUNTS, ACCOUNTS.c.name == T.c.who)
        with reading(self._engine) as connection:
            rows = connection.execute(both.where(T.c.ended.is_(None))).all()
        return [
            _asked(r)
            for r in rows
            if r.disabled or r.role not in roles or (r.sites and r.site not in r.sites) or r.changed > r.asked
        ]

    def begun_anew(self, now: datetime) -> None:
        """The centre starts: whom it lost sight of counts as gone (the doors' own events tell exactly), and old rows go."""
        with reading(self._engine) as connection:
            open_ones = connection.execute(select(T.c.session).where(T.c.ended.is_(None))).scalars().all()
        for session in open_ones:
            self.ended(session, now, "the centre was started anew; the door's own record tells when it ended", "centre")
        with writing(self._engine) as connection:
            connection.execute(delete(T).where(T.c.asked < now - KEPT))


def _asked(row: Row[Any]) -> Asked:
    return Asked(session=row.session, site=row.site, door=row.door, who=row.who, why=row.why, unmasked=row.unmasked)
