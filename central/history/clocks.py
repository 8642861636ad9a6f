"""When it was: events of a door that did not know what time it was get the right time as soon as the door knows it.

Each event carries monotonic seconds and which start of the machine counts them. When that clock is set at last the door tells wall minus
monotonic time (`clock.synchronised`), and everything of that start is corrected: what comes later, and what is kept already. Until then, and
for ever where the power went before any time server answered, only this is known: it happened before it was received. The smallest
difference between receiving and monotonic seconds that any event of that start has shown bounds all of them, and is right to a
moment as soon as one of them came at once. So `at` is the latest that it can have been, `clock` says 'unsure', and `told_at` keeps what
the door's clock said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import BigInteger, Connection, case, cast, func, select, tuple_, type_coerce, update

from agent.core.clock_watch import corrected, to_us
from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.tables_events import CLOCKS, EVENTS
from central.history.counting import insert_or, portions

TOLD = "clock.synchronised"
UNSURE, CORRECTED = "unsure", "corrected"
MOST_S = 1e9
"""Thirty years without a restart: no controller counts further, and whatever says so is left as it is."""
SINCE_S, UNTIL_S = 0.0, datetime(2200, 1, 1, tzinfo=timezone.utc).timestamp()
TIGHTER_US = 1_000_000
"""A bound that is better by less is not worth writing to the rows that are kept."""

Row_ = dict[str, Any]


class Start(Struct, frozen=True, order=True):
    """One start of one door's machine."""

    site: str
    door: str
    boot: str


class Offset(Struct, frozen=True):
    """Wall minus monotonic time in microseconds: told by the door, or the most that it can be."""

    us: int
    told: bool

    def better(self, before: Offset | None) -> Offset:
        """What is known with what was known before. The door's word stands above every bound; of two bounds the smaller counts, of two words
        the first."""
        if before is None or self.told != before.told:
            return self if before is None or self.told else before
        return self if not self.told and self.us < before.us else before


def settle(db: Connection, new: Sequence[tuple[Told, Row_]]) -> list[Told]:
    """Give new rows of unsure doors their times, and the rows before them where more is known now.

    Returns the events whose hour is sure now, as they count: to be called before the rows are added, in the same transaction.
    """
    known, settled = _better(db, _heard(new))
    for told, row in new:
        if (start := _start_of(told)) is not None and start in known:
            _set(row, told.event, known[start])
    return [*settled, *(_as_kept(told, row) for told, row in new if row["clock"] != UNSURE)]


def _as_kept(told: Told, row: Row_) -> Told:
    return told if row["told_at"] is None else Told(told.site, told.door, replace(told.event, at=row["at"]))


def _set(row: Row_, event: Event, offset: Offset) -> None:
    row["told_at"], row["at"] = event.at, corrected(event.mono_s, offset.us)
    row["clock"] = CORRECTED if offset.told else UNSURE


# -- what is known of each start -----------------------------------------------------------------------------------------------


def _heard(new: Iterable[tuple[Told, Row_]]) -> dict[Start, Offset]:
    """What these events say."""
    found: dict[Start, Offset] = {}
    for told, row in new:
        start, says = _start_of(told), _says(told)
        if start is not None:
            bound = Offset(to_us(row["received"]) - round(told.event.mono_s * 1e6), told=False)
            found[start] = bound.better(found.get(start))
        if says is not None:
            key = Start(told.site, told.door, told.event.boot)
            found[key] = says.better(found.get(key))
    return found


def _start_of(told: Told) -> Start | None:
    """Of an event whose time is to be found out."""
    event = told.event
    if event.clock != UNSURE or not event.boot or not 0 <= event.mono_s < MOST_S:
        return None
    return Start(told.site, told.door, event.boot)


def _says(told: Told) -> Offset | None:
    """The door's own word. Data is what a door sent, of whatever shape."""
    event = told.event
    offset_s = event.data.get("offset_s") if event.kind == TOLD and event.boot else None
    if isinstance(offset_s, bool) or not isinstance(offset_s, int | float) or not math.isfinite(offset_s):
        return None
    return Offset(round(offset_s * 1e6), told=True) if SINCE_S <= offset_s < UNTIL_S else None


def _better(db: Connection, heard: Mapping[Start, Offset]) -> tuple[dict[Start, Offset], list[Told]]:
    """With what was known before, and the kept events whose time is sure now: what is new is kept, and the rows that are there follow it."""
    if not heard:
        return {}, []
    known = _known(db, list(heard))
    found = {start: offset.better(known.get(start)) for start, offset in heard.items()}
    found = {start: known[start] if _is_as_good(known.get(start), offset) else offset for start, offset in found.items()}
    better = {start: offset for start, offset in sorted(found.items()) if offset != known.get(start)}
    _keep(db, better)
    return found, [told for start, offset in better.items() for told in _correct(db, start, offset)]


def _is_as_good(before: Offset | None, now: Offset) -> bool:
    return before is not None and before.told == now.told and before.us - now.us < TIGHTER_US


def _known(db: Connection, starts: list[Start]) -> dict[Start, Offset]:
    found = {}
    for some in portions(starts):
        wanted = tuple_(CLOCKS.c.site, CLOCKS.c.door, CLOCKS.c.boot).in_([(each.site, each.door, each.boot) for each in some])
        for row in db.execute(select(CLOCKS).where(wanted)):
            found[Start(row.site, row.door, row.boot)] = Offset(row.offset_us, row.told)
    return found


def _keep(db: Connection, better: Mapping[Start, Offset]) -> None:
    if not better:
        return
    add = insert_or(db, CLOCKS)
    add = add.on_conflict_do_update(
        index_elements=[CLOCKS.c.site, CLOCKS.c.door, CLOCKS.c.boot],
        set_={"offset_us": add.excluded.offset_us, "told": add.excluded.told},
    )
    db.execute(add, [{"site": start.site, "door": start.door, "boot": start.boot, "offset_us": offset.us, "told": offset.told}
                     for start, offset in better.items()])  # fmt: skip


def _correct(db: Connection, start: Start, offset: Offset) -> list[Told]:
    """Rows that are kept already. Their first time stays in `told_at`. Returns the events whose time is sure now."""
    c = EVENTS.c
    where = [
        c.site == start.site,
        c.door == start.door,
        c.boot == start.boot,
        c.clock == UNSURE,
        c.mono_s >= 0,
        c.mono_s < MOST_S,
    ]
    rows = db.execute(select(EVENTS).where(*where).order_by(c.n)).all() if offset.told else []
    at_us = cast(func.round(c.mono_s * 1_000_000), BigInteger) + offset.us
    db.execute(
        update(EVENTS)
        .where(*where)
        .values(told_at=case((c.told_at.is_(None), c.at), else_=c.told_at), at=type_coerce(at_us, EVENTS.c.at.type),
                clock=CORRECTED if offset.told else UNSURE)
    )  # fmt: skip
    return [Told(row.site, row.door, Event(sequence=row.sequence, journal=row.journal, id=row.id, kind=row.kind,
                 at=corrected(row.mono_s, offset.us), mono_s=row.mono_s, data=row.data)) for row in rows]  # fmt: skip
