"""How far each journal has counted, and what is missing of it. Works inside the transaction that commits the events.

Open gaps are exactly the numbers that are missing below the highest: so a number at or below it that is in no open gap was committed once,
even if its row is gone by now because its time was over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Table, and_, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agent.link.acks import as_ranges
from central.database.tables_events import EVENTS, GAPS, JOURNALS
from central.history.kept import Gap, JournalKey

AT_ONCE = 500
"""So many values are asked for in one question."""

T = TypeVar("T")


def insert_or(db: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say ON CONFLICT: both databases have it, SQLAlchemy's common one has not."""
    return sqlite.insert(table) if db.dialect.name == "sqlite" else postgresql.insert(table)


def portions(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))


def highest_of(db: Connection, keys: Collection[JournalKey]) -> dict[JournalKey, int]:
    """How far these journals have counted; 0 for one that was never heard of."""
    found = dict.fromkeys(keys, 0)
    ask = select(JOURNALS.c.site, JOURNALS.c.door, JOURNALS.c.journal, JOURNALS.c.highest)
    for names in portions(sorted({key.journal for key in keys})):
        for site, door, journal, highest in db.execute(ask.where(JOURNALS.c.journal.in_(names))):
            if (key := JournalKey(site, door, journal)) in found:
                found[key] = highest
    return found


def ids_of(db: Connection, key: JournalKey, sequences: Collection[int]) -> dict[int, str]:
    """Which of these numbers have an event, and its id."""
    ask = select(EVENTS.c.sequence, EVENTS.c.id).where(_of(EVENTS, key))
    rows = (row for portion in portions(sorted(sequences)) for row in db.execute(ask.where(EVENTS.c.sequence.in_(portion))))
    return {row.sequence: row.id for row in rows}


def missing_of(db: Connection, key: JournalKey, low: int, high: int) -> list[tuple[int, int]]:
    """The open gaps of a journal that have a part from `low` to `high`, both ends included."""
    ask = select(GAPS.c.first, GAPS.c.last).where(
        _of(GAPS, key), GAPS.c.closed.is_(None), GAPS.c.first <= high, GAPS.c.last >= low
    )
    return [(first, last) for first, last in db.execute(ask)]


def open_gaps(db: Connection, key: JournalKey, highest: int, ahead: Collection[int], received: datetime) -> list[Gap]:
    """Note what was skipped on the way from `highest` through the numbers `ahead` of it."""
    opened = []
    for first, last in as_ranges(list(ahead)):
        if first > highest + 1:
            opened.append(Gap(*_words(key), highest + 1, first - 1, received))
        highest = last
    _note(db, opened)
    return opened


def fill_gaps(db: Connection, key: JournalKey, late: Collection[int], received: datetime) -> None:
    """Events came that were missing: what they fill of a gap is closed, what they leave stays open."""
    for low, high in as_ranges(list(late)):
        within = and_(_of(GAPS, key), GAPS.c.closed.is_(None), GAPS.c.first <= high, GAPS.c.last >= low)
        for n, first, last, noticed in db.execute(
            select(GAPS.c.n, GAPS.c.first, GAPS.c.last, GAPS.c.noticed).where(within)
        ).all():
            start, end = max(first, low), min(last, high)
            db.execute(update(GAPS).where(GAPS.c.n == n).values(first=start, last=end, closed=received))
            left = ((first, start - 1), (end + 1, last))
            _note(db, [Gap(*_words(key), *span, noticed) for span in left if span[0] <= span[1]])


class Heard(Struct, frozen=True):
    """How far a journal has counted, and when it was heard in a batch."""

    highest: int
    first: datetime
    last: datetime


def note_heard(db: Connection, heard: Mapping[JournalKey, Heard]) -> None:
    """These journals have counted so far."""
    add = insert_or(db, JOURNALS)
    add = add.on_conflict_do_update(
        index_elements=[JOURNALS.c.site, JOURNALS.c.door, JOURNALS.c.journal],
        set_={"highest": add.excluded.highest, "last_heard": add.excluded.last_heard},
    )
    rows = [
        {"site": key.site, "door": key.door, "journal": key.journal, "highest": each.highest, "first_heard": each.first,
         "last_heard": each.last} for key, each in heard.items()
    ]  # fmt: skip
    if rows:
        db.execute(add, rows)


def _note(db: Connection, gaps: Sequence[Gap]) -> None:
    if gaps:
        db.execute(insert(GAPS), [
            {"site": gap.site, "door": gap.door, "journal": gap.journal, "first": gap.first, "last": gap.last, "noticed": gap.noticed,
             "closed": None} for gap in gaps
        ])  # fmt: skip


def _of(table: Table, key: JournalKey) -> ColumnElement[bool]:
    return and_(table.c.site == key.site, table.c.door == key.door, table.c.journal == key.journal)


def _words(key: JournalKey) -> tuple[str, str, str]:
    return key.site, key.door, key.journal
