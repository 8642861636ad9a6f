"""What is removed when its time is over, and the record of it.

A privacy law wants movements forgotten after some weeks; an inquiry wants alerts and commands for longer. Age is told by both clocks, the
door's and the centre's, and the younger counts: a door whose clock stood in 1970 loses nothing. Rows go in small batches, so that the
historian never waits long. What is gone leaves a row in `removals` (how many of what kind, from when to when, by which rule), the count of
its hour of the week, and no gap.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Engine, Row, Table, delete, select, tuple_

from agent.clock import Clock
from central.database.engine import StoreError, reading, writing
from central.database.tables_events import CONFLICTS, EVENTS, REMOVALS, UNREADABLE
from central.database.types import EPOCH
from central.history.counting import insert_or, portions
from central.history.patterns import fits
from central.settings import History

log = logging.getLogger(__name__)

LOOKED_AT = 1_000
"""Rows that are looked at, and at most removed, at once: a transaction of some 20 ms."""
PAUSE_S = 0.05
"""Between two batches: whoever waits to write comes first."""
EVERY_S = 3600.0
MOST_TOLD = 1_000
WITNESSES = 25
"""Newest events, whose doors' clocks are asked whether the centre's is right."""
MOST_APART = timedelta(days=31)
"""So far the centre's clock may be ahead of what doors say. A clock that jumps by years may not empty the history; where no door has told
anything for a month nothing is removed either, until one does."""


class Removal(Struct, frozen=True):
    """Rows that are gone: of what and which kind, the times of the first and the last of them, and the rule."""

    ran_at: datetime
    what: str
    """events, alerts (events that somebody was told of), conflicts, unreadable."""
    kind: str
    rows: int
    oldest: datetime
    newest: datetime
    keep_days: int


class Rules:
    """How many days each event is kept."""

    def __init__(self, settings: History) -> None:
        self._settings = settings
        self._days = lru_cache(maxsize=1000)(self._longest)
        self.least = min(settings.keep_days.values())

    def days(self, kind: str, alert: bool) -> int:
        days = self._days(kind)
        return max(days, self._settings.keep_alerts_days) if alert else days

    @property
    def otherwise(self) -> int:
        return self._settings.keep_days["*"]

    def _longest(self, kind: str) -> int:
        """The days of the longest name that fits."""
        return max((len(name), days) for name, days in self._settings.keep_days.items() if fits(kind, name))[1]


class Keeper:
    """Removes what is due when it starts and every hour after. `start`, then `stop`."""

    def __init__(self, engine: Engine, settings: History, clock: Clock) -> None:
        self._engine, self._settings, self._clock = engine, settings, clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._over.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._look(self._clock.wall())
            except StoreError as error:
                log.error("history not removed error=%s", error)
            self._over.wait(EVERY_S)

    def _look(self, now: datetime) -> None:
        told = told_by_doors(self._engine)
        if told is not None and now - told > MOST_APART:
            log.error("history not removed: the clock says %s and the doors' newest events %s; is it right?", now, told)
            return
        removed = remove_due(self._engine, self._settings, now, lambda: self._over.wait(PAUSE_S))
        log.info("history removed rows=%d", removed)


def remove_due(engine: Engine, settings: History, now: datetime, pause: Callable[[], bool] = lambda: False) -> int:
    """Remove everything whose time is over; returns how many rows went. `pause` is called between batches; True ends it early.

    Raises StoreError; what was removed before stays removed and on record.
    """
    rules = Rules(settings)
    removed = 0
    for table in (EVENTS, CONFLICTS):
        for page in _old_enough(engine, table, now - timedelta(days=rules.least)):
            due = [(row, days) for row in page if _is_due(row, days := rules.days(row.kind, row.alert), now)]
            removed += _remove(engine, table, [_removal(table, row, days, now) for row, days in due], [row.n for row, _ in due])
            if pause():
                return removed
    return removed + _remove_unreadable(engine, rules.otherwise, now)


def told_by_doors(engine: Engine) -> datetime | None:
    """What time it is by the clocks of the doors that told something last: the middle one, for a door's own clock may be anywhere."""
    with reading(engine) as db:
        times = sorted(db.scalars(select(EVENTS.c.at).order_by(EVENTS.c.n.desc()).limit(WITNESSES)))
    return times[len(times) // 2] if times else None


def removals(engine: Engine, limit: int = MOST_TOLD) -> list[Removal]:
    """What was removed, the newest first. Raises StoreError."""
    ask = select(*(REMOVALS.c[name] for name in Removal.__struct_fields__))
    with reading(engine) as db:
        return [
            Removal(*row)
            for row in db.execute(ask.order_by(REMOVALS.c.ran_at.desc(), REMOVALS.c.what, REMOVALS.c.kind).limit(limit))
        ]


def _is_due(row: Row[Any], days: int, now: datetime) -> bool:
    return bool(max(row.at, row.received) < now - timedelta(days=days))


def _old_enough(engine: Engine, table: Table, until: datetime) -> Iterator[list[Any]]:
    """Rows from before a time, oldest first, page by page."""
    last = (EPOCH - timedelta(days=365 * 1969), 0)
    ask = select(table.c.n, table.c.kind, table.c.at, table.c.received, table.c.alert).where(table.c.at < until)
    while True:
        with reading(engine) as db:
            further = tuple_(table.c.at, table.c.n) > last
            page = db.execute(ask.where(further).order_by(table.c.at, table.c.n).limit(LOOKED_AT)).fetchall()
        if not page:
            return
        last = (page[-1].at, page[-1].n)
        yield list(page)


def _removal(table: Table, row: Row[Any], days: int, now: datetime) -> Removal:
    what = "alerts" if table is EVENTS and row.alert else table.name
    return Removal(now, what, row.kind, 1, row.at, row.at, days)


def _remove(engine: Engine, table: Table, due: list[Removal], numbers: list[int]) -> int:
    if not due:
        return 0
    with writing(engine) as db:
        for portion in portions(numbers):
            db.execute(delete(table).where(table.c.n.in_(portion)))
        _record(db, due)
    return len(numbers)


def _remove_unreadable(engine: Engine, days: int, now: datetime) -> int:
    is_due = UNREADABLE.c.received < now - timedelta(days=days)
    with writing(engine) as db:
        times = db.scalars(select(UNREADABLE.c.received).where(is_due)).all()
        db.execute(delete(UNREADABLE).where(is_due))
        _record(db, [Removal(now, "unreadable", "", 1, received, received, days) for received in times])
    return len(times)


def _record(db: Connection, gone: list[Removal]) -> None:
    """One row for each run, table and kind, which grows from batch to batch. Batches come in the order of time, oldest first."""
    add = insert_or(db, REMOVALS)
    add = add.on_conflict_do_update(
        index_elements=[REMOVALS.c.ran_at, REMOVALS.c.what, REMOVALS.c.kind],
        set_={"rows": REMOVALS.c.rows + add.excluded.rows, "newest": add.excluded.newest},
    )
    if gone:
        db.execute(add, [_together(list(same)) for _, same in groupby(sorted(gone, key=_which), key=_which)])


def _which(removal: Removal) -> tuple[str, str]:
    return removal.what, removal.kind


def _together(same: list[Removal]) -> dict[str, Any]:
    first = same[0]
    return {"ran_at": first.ran_at, "what": first.what, "kind": first.kind, "rows": len(same), "keep_days": first.keep_days,
            "oldest": min(each.oldest for each in same), "newest": max(each.newest for each in same)}  # fmt: skip
