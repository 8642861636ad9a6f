"""What the centre keeps of events.

An event's key is (site, door, journal, sequence): a door that had to begin a new journal counts from one again under another journal id, so
its new events are never taken for repetitions of old ones. The same key with another event id is no repetition either: something is wrong,
and both are kept.

Numbers `n` grow in the order in which rows become visible, in PostgreSQL too: writers of events wait for each other. So whoever reads on
from the last number it knows misses nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    func,
    insert,
    select,
    union_all,
)

from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.engine import reading, writing
from central.database.tables_events import CONFLICTS, EVENTS, GAPS, JOURNALS, UNREADABLE
from central.database.types import to_us
from central.history.clocks import settle
from central.history.counting import Heard, fill_gaps, highest_of, ids_of, missing_of, note_heard, open_gaps
from central.history.kept import Gap, JournalKey, Kept, Outcome, Unreadable, alert_of, key_of, person_of
from central.history.patterns import fits, says
from central.history.usual import count_in

MAX_UNREADABLE = 10_000
"""So many unreadable messages are kept; of more, only the newest."""
SEARCHED = 200_000
"""A question for text looks at so many rows and no more: a second or so. The answer says how far it came."""
PAGE = 5_000
MOST = 1_000_000
_LOCK = 0x446F6F72
"""PostgreSQL's name for 'somebody commits events'."""

Row_ = dict[str, Any]


class Wanted(Struct, frozen=True, kw_only=True):
    """Which events; an empty word stands for all, and so does a time that is None."""

    site: str = ""
    door: str = ""
    kind: str = ""
    """May end in '*'."""
    person: str = ""
    text: str = ""
    alerts: bool = False
    """Only those that somebody was to be told of at once."""
    without: tuple[str, ...] = ()
    """None whose kind begins so: whoever may not see them learns neither how many there are nor when."""
    begin: datetime | None = None
    end: datetime | None = None
    """By the door's clock; the end is not within."""
    after: int = 0
    before: int = 0
    """Only numbers behind this one, and below this one; 0 is no bound."""
    newest_first: bool = False
    limit: int = MOST


class Page(Struct, frozen=True):
    """Some events, and how far was looked: where a search for text stopped early, ask again `before` (or `after`) this number."""

    events: list[Kept]
    stopped_at: int
    """0: everything was looked at, or the page is full."""


class EventStore:
    """May be used by several threads. Raises StoreError."""

    def __init__(self, engine: Engine, zone: tzinfo = timezone.utc) -> None:
        """`zone`: what the hours of the week are counted in."""
        self.engine, self._zone = engine, zone

    def commit(self, events: Sequence[Told], unreadable: Sequence[Unreadable], received: datetime) -> Outcome:
        """Store a batch in one transaction that is on the disk when this returns."""
        return self.take([(told, received) for told in events], unreadable, received)

    def take(self, arrived: Sequence[tuple[Told, datetime]], unreadable: Sequence[Unreadable], now: datetime) -> Outcome:
        """As `commit`, with the time at which each event was received."""
        rows = [_row(told, received) for told, received in arrived]
        with writing(self.engine) as db:
            _one_writer(db)
            sorted_out = _SortedOut(db, [told for told, _ in arrived], rows)
            counted = settle(db, sorted_out.new)
            if sorted_out.new:
                _add_events(db, [row for _, row in sorted_out.new])
            conflicts = [told for told, row in sorted_out.conflicts if _add_conflict(db, row)]
            gaps = _count(db, sorted_out, now)
            count_in(db, counted, self._zone)
            _keep_unreadable(db, unreadable, now)
        added = len(sorted_out.new)
        return Outcome(added, len(arrived) - added - len(conflicts), tuple(conflicts), tuple(gaps))

    def events(self, *, site: str = "", door: str = "", kind: str = "", person: str = "", text: str = "", after: int = 0, before: int = 0,
               newest_first: bool = False, limit: int = MOST) -> list[Kept]:  # fmt: skip
        """Events in the order in which they were committed, or the newest first: the fields of Wanted."""
        return self.page(Wanted(site=site, door=door, kind=kind, person=person, text=text, after=after, before=before,
                                newest_first=newest_first, limit=limit)).events  # fmt: skip

    def page(self, wanted: Wanted) -> Page:
        """At most `limit` events."""
        with reading(self.engine) as db:
            bounded, stop = _within_reach(db, wanted)
            found = _find(db, bounded)
        return Page(found, stop if len(found) < wanted.limit else 0)

    def stream(self, wanted: Wanted) -> Iterator[Kept]:
        """All that is wanted, oldest first, page by page: no reader holds a transaction for as long as it takes to write a file."""
        left, after = wanted.limit, wanted.after
        while left > 0:
            found = self.page(msgspec.structs.replace(wanted, after=after, limit=min(left, PAGE), newest_first=False))
            yield from found.events
            left -= len(found.events)
            if len(found.events) < PAGE and not found.stopped_at:
                return
            after = found.events[-1].n if not found.stopped_at else found.stopped_at

    def by_number(self, n: int) -> Kept | None:
        with reading(self.engine) as db:
            row = db.execute(select(EVENTS).where(EVENTS.c.n == n)).first()
        return None if row is None else _kept(row)

    def by_id(self, begins: str, limit: int = 20) -> list[Kept]:
        """Events whose id begins so, oldest first."""
        with reading(self.engine) as db:
            ask = select(EVENTS).where(*_begins(db, EVENTS.c.id, begins)).order_by(EVENTS.c.n).limit(limit)
            return [_kept(row) for row in db.execute(ask)]

    def newest(self, *kinds: str) -> Kept | None:
        """The event that was committed last of these kinds, each as in `events`."""
        found = [kept for kind in kinds for kept in self.events(kind=kind, newest_first=True, limit=1)]
        return max(found, key=lambda kept: kept.n, default=None)

    def last_number(self) -> int:
        """The number of the newest event; 0 when there is none."""
        with reading(self.engine) as db:
            return _last(db)

    def gaps(self, *, closed: bool = False) -> list[Gap]:
        """Gaps that are open; with `closed`, also those that were filled."""
        ask = select(*(GAPS.c[name] for name in Gap.__struct_fields__)).order_by(GAPS.c.n)
        with reading(self.engine) as db:
            return [Gap(*row) for row in db.execute(ask if closed else ask.where(GAPS.c.closed.is_(None)))]

    def conflicts(self) -> list[Kept]:
        """Events whose key was taken by another event."""
        with reading(self.engine) as db:
            return [_kept(row) for row in db.execute(select(CONFLICTS).order_by(CONFLICTS.c.n))]

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        with reading(self.engine) as db:
            return {
                table.name: db.scalar(select(func.count()).select_from(table)) or 0
                for table in (EVENTS, CONFLICTS, GAPS, UNREADABLE)
            }


# -- committing ----------------------------------------------------------------------------------------------------------------


class _SortedOut:
    """Which events of a batch are new, which claim another's number, and which were there before."""

    def __init__(self, db: Connection, told: Sequence[Told], rows: Sequence[Row_]) -> None:
        self._db = db
        self.new: list[tuple[Told, Row_]] = []
        """In the order in which they came."""
        self.conflicts: list[tuple[Told, Row_]] = []
        self.ahead: dict[JournalKey, list[int]] = {}
        self.late: dict[JournalKey, list[int]] = {}
        by_key: dict[JournalKey, list[tuple[Told, Row_]]] = {}
        for each, row in zip(told, rows, strict=True):
            by_key.setdefault(key_of(each), []).append((each, row))
        self.highest = highest_of(db, by_key)
        fresh = {id(row) for key, batch in by_key.items() for row in self._sort(key, batch)}
        self.new = [pair for pair in zip(told, rows, strict=True) if id(pair[1]) in fresh]
        self.heard = {key: self._heard(key, [row["received"] for _, row in batch]) for key, batch in by_key.items()}

    def _heard(self, key: JournalKey, received: list[datetime]) -> Heard:
        return Heard(max([self.highest[key], *self.ahead.get(key, [])]), min(received), max(received))

    def _sort(self, key: JournalKey, batch: list[tuple[Told, Row_]]) -> Iterator[Row_]:
        """Yields those that are new."""
        highest = self.highest[key]
        late = {told.event.sequence for told, _ in batch if told.event.sequence <= highest}
        ids = ids_of(self._db, key, late) if late else {}
        unknown = late - ids.keys()
        missing = missing_of(self._db, key, min(unknown), max(unknown)) if unknown else []
        for told, row in batch:
            sequence = told.event.sequence
            if sequence in ids:
                if ids[sequence] != told.event.id:
                    self.conflicts.append((told, row))
            elif sequence > highest or any(first <= sequence <= last for first, last in missing):
                ids[sequence] = told.event.id
                (self.ahead if sequence > highest else self.late).setdefault(key, []).append(sequence)
                yield row


def _count(db: Connection, batch: _SortedOut, now: datetime) -> list[Gap]:
    gaps = [gap for key, ahead in batch.ahead.items() for gap in open_gaps(db, key, batch.highest[key], ahead, now)]
    for key, late in batch.late.items():
        fill_gaps(db, key, late, now)
    note_heard(db, batch.heard)
    return gaps


def _one_writer(db: Connection) -> None:
    """SQLite has one writer at a time anyway."""
    if db.dialect.name == "postgresql":
        db.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _add_events(db: Connection, rows: Sequence[Row_]) -> None:
    """Straight to the driver: on SQLAlchemy's way from a row to a driver's it takes as long as SQLite's own work."""
    names, mark = tuple(rows[0]), "?" if db.dialect.name == "sqlite" else "%s"
    statement = f"INSERT INTO events ({', '.join(names)}) VALUES ({', '.join(mark for _ in names)})"  # noqa: S608 - names of ours
    db.exec_driver_sql(statement, [_as_stored(row) for row in rows])


def _as_stored(row: Row_) -> tuple[Any, ...]:
    """As the columns' own types would do it (central/database/types.py)."""
    data = msgspec.json.encode(row["data"]).decode()
    told_at = None if row["told_at"] is None else to_us(row["told_at"])
    return tuple({**row, "at": to_us(row["at"]), "received": to_us(row["received"]), "data": data, "told_at": told_at}.values())


def _add_conflict(db: Connection, row: Row_) -> bool:
    """False when it was on record already."""
    same = [CONFLICTS.c[name] == row[name] for name in ("site", "door", "journal", "sequence", "id")]
    if db.scalar(select(CONFLICTS.c.n).where(*same)) is not None:
        return False
    db.execute(insert(CONFLICTS), [row])
    return True


def _keep_unreadable(db: Connection, unreadable: Sequence[Unreadable], now: datetime) -> None:
    if not unreadable:
        return
    db.execute(insert(UNREADABLE), [{"received": now, "topic": bad.topic, "error": bad.error.replace("\0", "?"), "payload": bad.payload}
                                    for bad in unreadable])  # fmt: skip
    newest = db.scalar(select(func.max(UNREADABLE.c.n))) or 0
    db.execute(UNREADABLE.delete().where(UNREADABLE.c.n <= newest - MAX_UNREADABLE))


def _row(told: Told, received: datetime) -> Row_:
    event = told.event
    return {
        "site": told.site, "door": told.door, "journal": event.journal, "sequence": event.sequence, "id": event.id, "kind": event.kind,
        "at": event.at, "received": received, "mono_s": event.mono_s, "data": event.data, "person": person_of(event.data),
        "alert": alert_of(event.data), "boot": event.boot, "clock": event.clock, "told_at": None,
    }  # fmt: skip


# -- asking --------------------------------------------------------------------------------------------------------------------


def _find(db: Connection, wanted: Wanted) -> list[Kept]:
    """Numbers first, which indexes hold; rows only of those that are told."""
    parts = [_numbers(wanted, part) for part in _parts(db, wanted)]
    if not parts:
        return []
    numbers = parts[0] if len(parts) == 1 else _merged(wanted, parts)
    rows = db.execute(select(EVENTS).where(EVENTS.c.n.in_(select(numbers.subquery().c.n))).order_by(_order(wanted, EVENTS.c.n)))
    return [_kept(row) for row in rows]


def _numbers(wanted: Wanted, part: list[ColumnElement[bool]]) -> Select[Any]:
    """Walks along one index in the order of n and stops when it has enough, however many rows there are."""
    return select(EVENTS.c.n).where(*_conditions(wanted), *part).order_by(_order(wanted, EVENTS.c.n)).limit(wanted.limit)


def _merged(wanted: Wanted, parts: list[Select[Any]]) -> Select[Any]:
    together = union_all(*(select(part.subquery().c.n) for part in parts)).subquery()
    return select(together.c.n).order_by(_order(wanted, together.c.n)).limit(wanted.limit)


def _order(wanted: Wanted, number: ColumnElement[int]) -> ColumnElement[int]:
    return number.desc() if wanted.newest_first else number


def _parts(db: Connection, wanted: Wanted) -> list[list[ColumnElement[bool]]]:
    """A pattern of kinds is asked kind by kind: each part can be read in order from an index. []: nothing fits."""
    if wanted.kind in ("", "*"):
        return [[]]
    kinds = _kinds(db, wanted.kind)
    if wanted.person or wanted.door or wanted.text or wanted.alerts:
        return [[EVENTS.c.kind.in_(kinds)]] if kinds else []
    return [[EVENTS.c.kind == kind] for kind in kinds] if _is_known(db, wanted.site) else []


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    by_site = (
        EVENTS.c.site if wanted.door or not (wanted.kind or wanted.alerts) else EVENTS.c.site.concat("")
    )  # not by the site's index
    columns = ((by_site, wanted.site), (EVENTS.c.door, wanted.door), (EVENTS.c.person, wanted.person))
    conditions: list[ColumnElement[bool]] = [column == word for column, word in columns if word]
    conditions += [EVENTS.c.n > wanted.after] if wanted.after else []
    conditions += [EVENTS.c.n < wanted.before] if wanted.before else []
    conditions += [EVENTS.c.at >= wanted.begin] if wanted.begin else []
    conditions += [EVENTS.c.at < wanted.end] if wanted.end else []
    conditions += [EVENTS.c.alert] if wanted.alerts else []
    conditions += [EVENTS.c.kind.not_like(f"{begins}%") for begins in wanted.without]
    return conditions + ([says(wanted.text)] if wanted.text else [])


def _kinds(db: Connection, pattern: str) -> list[str]:
    """The kinds that there are and that fit: one step of the index for each."""
    if not pattern.endswith("*"):
        return [pattern]
    found: list[str] = []
    kind = db.scalar(select(func.min(EVENTS.c.kind)))
    while kind is not None:
        found.append(kind)
        kind = db.scalar(select(func.min(EVENTS.c.kind)).where(EVENTS.c.kind > kind))
    return [kind for kind in found if fits(kind, pattern)]


def _is_known(db: Connection, site: str) -> bool:
    return not site or db.scalar(select(JOURNALS.c.site).where(JOURNALS.c.site == site).limit(1)) is not None


def _begins(db: Connection, column: Column[str], begins: str) -> list[ColumnElement[bool]]:
    """By the index in SQLite, which sorts by code points; how PostgreSQL sorts is its owner's choice."""
    bounds = [column >= begins, column <= begins + chr(sys.maxunicode)] if db.dialect.name == "sqlite" else []
    return [*bounds, column.startswith(begins, autoescape=True)]


def _last(db: Connection) -> int:
    return db.scalar(select(func.max(EVENTS.c.n))) or 0


def _within_reach(db: Connection, wanted: Wanted) -> tuple[Wanted, int]:
    """A search for text is cut to SEARCHED rows; returns the number where it stops, 0 when it reaches the end."""
    if not wanted.text:
        return wanted, 0
    if wanted.newest_first:
        floor = (wanted.before or _last(db) + 1) - SEARCHED - 1
        return (wanted, 0) if floor <= wanted.after else (msgspec.structs.replace(wanted, after=floor), floor + 1)
    top = wanted.after + SEARCHED + 1
    end = wanted.before or _last(db) + 1
    return (wanted, 0) if top >= end else (msgspec.structs.replace(wanted, before=top), top - 1)


def _kept(row: Row[Any]) -> Kept:
    event = Event(
        sequence=row.sequence, journal=row.journal, id=row.id, kind=row.kind, at=row.at, mono_s=row.mono_s, data=row.data,
        boot=row.boot, clock=row.clock,
    )  # fmt: skip
    return Kept(row.n, Told(row.site, row.door, event), row.received, row.person, row.alert, row.told_at)
