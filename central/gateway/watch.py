"""Reads on in the history as it grows, remembers each door's last event, and tells whoever listens. One thread of its own.

The historian's bell only wakes it: what is told is what the database has committed, in that order, and nothing is left out.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine, func, select

from central.database.engine import StoreError, reading
from central.database.tables_events import EVENTS, JOURNALS
from central.gateway.door_book import Key
from central.gateway.door_rows import Last, sentence_of
from central.history.events import EventStore
from central.history.kept import Kept

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""Another program may have committed: nobody rings for that."""
BATCH = 500


class Watch:
    """`start`, `stop`, `wake` from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._store = engine, EventStore(engine)
        self._lock, self._bell, self._stopping = threading.Lock(), threading.Event(), threading.Event()
        self._last: dict[Key, Last] = {}
        self._told = 0
        self._on_events: list[Callable[[list[Kept]], None]] = []
        self._each_turn: list[Callable[[], None]] = []
        self._thread = threading.Thread(target=self._run, name="gateway watch", daemon=True)

    def on_events(self, callback: Callable[[list[Kept]], None]) -> None:
        """Called in this thread with what is new; to be called before `start`."""
        self._on_events.append(callback)

    def each_turn(self, callback: Callable[[], None]) -> None:
        """Called at least every LOOK_EVERY_S, in this thread."""
        self._each_turn.append(callback)

    def start(self) -> None:
        """Reads each door's last event first. Raises StoreError."""
        self._begin()
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def wake(self, *told: object) -> None:
        """There is something new, perhaps."""
        self._bell.set()

    @property
    def told(self) -> int:
        """The number of the last event that was told."""
        return self._told

    def last(self, site: str, door: str) -> Last | None:
        with self._lock:
            return self._last.get((site, door))

    def doors(self) -> list[Key]:
        """All that have ever told something."""
        with self._lock:
            return list(self._last)

    def _begin(self) -> None:
        """One step of the index for each door, however many events there are."""
        newest = select(func.max(EVENTS.c.n)).where(EVENTS.c.site == JOURNALS.c.site, EVENTS.c.door == JOURNALS.c.door)
        numbers = select(newest.correlate(JOURNALS).scalar_subquery().label("n")).select_from(JOURNALS).distinct().subquery()
        ask = select(EVENTS.c.n, EVENTS.c.site, EVENTS.c.door, EVENTS.c.kind, EVENTS.c.at, EVENTS.c.data)
        with reading(self._engine) as connection:
            self._told = connection.scalar(select(func.max(EVENTS.c.n))) or 0
            for row in connection.execute(ask.join(numbers, numbers.c.n == EVENTS.c.n)):
                self._last[row.site, row.door] = Last(row.n, row.kind, row.at, sentence_of(row.kind, row.data))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                more = self._turn()
            except StoreError as error:
                log.error("gateway watch error=%s", error)
                more = False
            except Exception:
                log.exception("gateway watch fault")
                more = False
            if not more:
                self._bell.wait(LOOK_EVERY_S)

    def _turn(self) -> bool:
        """Whether there may be more."""
        found = self._store.events(after=self._told, limit=BATCH)
        newest = {(kept.told.site, kept.told.door): kept for kept in found}
        # One sentence of a door that was away for a week, and not a thousand
        last = {key: last_of(kept) for key, kept in newest.items()}
        with self._lock:
            self._last |= last
        if found:
            self._told = found[-1].n
            for tell in self._on_events:
                tell(found)
        for callback in self._each_turn:
            callback()
        return len(found) == BATCH


def last_of(kept: Kept) -> Last:
    event = kept.told.event
    return Last(kept.n, event.kind, event.at, sentence_of(event.kind, event.data))
