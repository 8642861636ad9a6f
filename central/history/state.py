"""In what state a database is, of whatever age."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Engine, func, inspect, select, text

from central.database.engine import reading
from central.database.leading import Leader, db_leader
from central.database.migrate import newest, revision_of
from central.database.opening import name_of
from central.database.tables_events import CONFLICTS, EVENTS, GAPS, JOURNALS, UNREADABLE
from central.history.retention import Removal, removals

FORMER = "former"
"""The revision of a database from before there were migrations."""


class State(Struct, frozen=True, kw_only=True):
    """`revision` is '' for an empty database and 'former' for one of an older Doorward; counts are told of one that is up to date."""

    database: str
    revision: str
    newest: str
    size_bytes: int
    rows: dict[str, int] = {}
    doors: int = 0
    open_gaps: int = 0
    oldest: datetime | None = None
    latest: datetime | None = None
    removed: list[Removal] = []
    active: Leader | None = None
    """Of two centres that share it: the one that works, or was the last to."""

    @property
    def up_to_date(self) -> bool:
        return self.revision == self.newest


def state_of(engine: Engine, most_removals: int = 20) -> State:
    """Reads only. Raises StoreError."""
    revision = revision_of(engine) or ""
    with reading(engine) as db:
        if not revision and inspect(db).has_table("events"):
            revision = FORMER
        about: dict[str, Any] = {"database": name_of(engine), "revision": revision, "newest": newest(), "size_bytes": _size(db)}
        if revision != newest():
            return State(**about)
        counts, active = _counts(db), db_leader(db)
    return State(**about, **counts, removed=removals(engine, most_removals), active=active)


def _counts(db: Connection) -> dict[str, Any]:
    tables = (EVENTS, CONFLICTS, UNREADABLE)
    return {
        "rows": {table.name: db.scalar(select(func.count()).select_from(table)) for table in tables},
        "doors": db.scalar(select(func.count()).select_from(select(JOURNALS.c.site, JOURNALS.c.door).distinct().subquery())),
        "open_gaps": db.scalar(select(func.count()).select_from(GAPS).where(GAPS.c.closed.is_(None))),
        "oldest": db.scalar(select(func.min(EVENTS.c.at))),
        "latest": db.scalar(select(func.max(EVENTS.c.at))),
    }


def _size(db: Connection) -> int:
    ask = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    return int(db.scalar(text(ask if db.dialect.name == "sqlite" else "SELECT pg_database_size(current_database())")) or 0)
