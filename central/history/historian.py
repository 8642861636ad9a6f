"""The historian: every event of every door, committed to the database first and acknowledged to the door after.

Two threads: the session's takes messages from the wire, the committer's takes all that has come meanwhile, commits it as one batch and hands
the acknowledgements back. While the disk makes one batch durable the next one gathers, so the batches grow with the load by themselves.
What cannot be committed is not acknowledged, and the doors send it again: nothing needs to be kept here.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import timezone, tzinfo

from msgspec import Struct
from sqlalchemy import Engine
from sqlalchemy.exc import DataError

from agent.clock import Clock
from agent.errors import WireError
from agent.link.acks import Ack, as_ranges, encode_ack
from agent.link.cloudevents import Told, from_cloudevent
from agent.link.session import Address, Say, Session
from central.database.engine import StoreError
from central.history.events import EventStore
from central.history.kept import JournalKey, Outcome, Unreadable, key_of
from central.history.waiting import Waiting

log = logging.getLogger(__name__)

MAX_BATCH = 4000
"""A commit writes each page that it touches once: four thousand events of a fleet cost half as much each as a thousand."""
_KEPT_BYTES = 64 * 1024
_RANGES_PER_ACK = 1000


class Totals(Struct):
    """What the historian has done since it started."""

    committed: int = 0
    repeated: int = 0
    conflicts: int = 0
    unreadable: int = 0
    turned_away: int = 0
    batches: int = 0
    faults: int = 0


class Historian:
    """`start`, then `stop`. `on_commit` is told of every batch that is safe, in the committer's thread."""

    def __init__(self, address: Address, engine: Engine, clock: Clock, *, zone: tzinfo = timezone.utc,
                 on_commit: Callable[[list[Told], Outcome], None] | None = None, client_id: str = "doorward-historian") -> None:  # fmt: skip
        """`engine`: of a database that is up to date. `zone`: the hours in which people there live."""
        self._store = EventStore(engine, zone)
        self._clock = clock
        self._on_commit = on_commit
        self._incoming = Waiting()
        self._acks: deque[tuple[str, bytes]] = deque()
        self._greeted: deque[tuple[str, str]] = deque()
        self._bell = threading.Event()
        self._stopping = False
        self._stores = True
        self.totals = Totals()
        # Nothing is lost by a clean session: what came while we were away was not acknowledged, so the doors send it again
        self._session = Session(address, client_id, self, clean=True, in_flight=1000)
        self._committer = threading.Thread(target=self._run, name="historian", daemon=True)

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    @property
    def stores(self) -> bool:
        """Whether the database took what doors told last. Where it does not, doors keep it, and no alert is made of it."""
        return self._stores

    def start(self) -> None:
        self._committer.start()
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping = True
        self._bell.set()
        self._committer.join(timeout_s)
        self._session.stop(timeout_s)

    # -- the session's thread ------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/evt", "doorward/+/+/online")

    def turn(self, say: Say, now_s: float) -> float:
        while self._acks:
            topic, payload = self._acks.popleft()
            say.publish(topic, payload)
        while self._greeted:
            site, door = self._greeted.popleft()
            say.publish(f"doorward/{site}/{door}/ack", encode_ack(Ack("", [], resend=True)))
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = topic.split("/")
        if levels[3:] == ["online"]:
            # Retained: the door was there before us, and may be waiting for its next repetition
            if retained and payload == b"true":
                self._greeted.append((levels[1], levels[2]))
            return
        if not self._incoming.put(topic, payload):
            self.totals.turned_away += 1
        self._bell.set()

    def leaving(self, say: Say) -> None:
        self.turn(say, 0.0)

    # -- the committer's thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._stopping and not self._incoming):
            self._bell.wait(1.0)
            self._bell.clear()
            while self._incoming:
                self._try_to_take(self._incoming.take(MAX_BATCH))

    def _try_to_take(self, batch: list[tuple[str, bytes]]) -> None:
        """A message that nobody foresaw may neither end the thread nor hold up what other doors have said."""
        try:
            self._take(batch)
        except Exception:
            if len(batch) > 1:
                half = len(batch) // 2
                self._try_to_take(batch[:half])
                self._try_to_take(batch[half:])
                return
            self.totals.faults += 1
            log.exception("historian not committed topic=%s", batch[0][0])

    def _take(self, batch: list[tuple[str, bytes]]) -> None:
        events, unreadable = _sort(batch)
        try:
            outcome = self._store.commit(events, unreadable, self._clock.wall())
        except StoreError as error:
            if isinstance(error.__cause__, DataError):  # one of them is at fault, and not the database
                raise
            self.totals.faults += 1
            self._stores = False
            log.error("historian not committed events=%d error=%s", len(events), error)
            return
        self._stores = True
        self._acknowledge(events)
        self._tell(events, unreadable, outcome)

    def _acknowledge(self, events: list[Told]) -> None:
        by_journal: dict[JournalKey, list[int]] = {}
        for told in events:
            by_journal.setdefault(key_of(told), []).append(told.event.sequence)
        for key, sequences in by_journal.items():
            ranges = as_ranges(sequences)
            for start in range(0, len(ranges), _RANGES_PER_ACK):
                ack = Ack(key.journal, ranges[start : start + _RANGES_PER_ACK])
                self._acks.append((f"doorward/{key.site}/{key.door}/ack", encode_ack(ack)))
        self._session.wake()

    def _tell(self, events: list[Told], unreadable: list[Unreadable], outcome: Outcome) -> None:
        totals = self.totals
        totals.batches += 1
        totals.committed += outcome.new
        totals.repeated += outcome.repeated
        totals.conflicts += len(outcome.conflicts)
        totals.unreadable += len(unreadable)
        for bad in unreadable:
            log.warning("historian unreadable topic=%s bytes=%d error=%s", bad.topic, len(bad.payload), bad.error)
        for told in outcome.conflicts:
            log.error("historian conflict site=%s door=%s journal=%s sequence=%d id=%s: another event has this number; both are kept",
                      told.site, told.door, told.event.journal, told.event.sequence, told.event.id)  # fmt: skip
        for gap in outcome.gaps:
            log.warning(
                "historian gap site=%s door=%s journal=%s sequences=%d..%d", gap.site, gap.door, gap.journal, gap.first, gap.last
            )
        if self._on_commit is not None:
            self._on_commit(events, outcome)


def _sort(batch: list[tuple[str, bytes]]) -> tuple[list[Told], list[Unreadable]]:
    events, unreadable = [], []
    for topic, payload in batch:
        try:
            events.append(_read(topic, payload))
        except WireError as error:
            unreadable.append(Unreadable(topic, str(error)[:500], payload[:_KEPT_BYTES]))
    return events, unreadable


def _read(topic: str, payload: bytes) -> Told:
    told = from_cloudevent(payload)
    # The broker vouches for the topic (only this door may publish there), not for what is written inside
    if topic != f"doorward/{told.site}/{told.door}/evt":
        raise WireError(f"source /doorward/{told.site}/{told.door} on the topic of another door")
    if "\0" in told.event.id:
        raise WireError("an id with a NUL in it, which no database keeps as text")
    return told
