"""Real doors, as far as events go: a journal on the disk and the real link, with somebody who counts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import asdict

from agent.clock import Clock
from agent.config import parse_config
from agent.link.mqtt import Link
from agent.link.session import Address
from agent.records.journal import Journal, Pending

ACK_TIMEOUT_S = 2.0


class CountedJournal:
    """A journal for a link that remembers when each event was made, and when it was acknowledged for the first time."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.journal, self._clock = Journal(folder, clock), clock
        self.made: dict[int, tuple[str, float]] = {}
        """By sequence: id and time."""
        self.acknowledged_s: dict[int, float] = {}

    def append(self, number: int) -> None:
        now_s = self._clock.mono_s()
        data = {"number": number, "reasons": ["face_match"]}
        event = self.journal.append("access.granted", data, self._clock.wall(), now_s)
        self.made[event.sequence] = (event.id, now_s)

    def pending(self, after: int = 0, limit: int = 100) -> list[Pending]:
        return self.journal.pending(after, limit)

    def acknowledge(self, ranges: Sequence[tuple[int, int]], journal: str | None = None) -> None:
        self.journal.acknowledge(ranges, journal)
        now_s = self._clock.mono_s()
        for first, last in ranges:
            for sequence in range(first, last + 1):
                self.acknowledged_s.setdefault(sequence, now_s)

    def listen(self, listener: Callable[[], None]) -> None:
        self.journal.listen(listener)


class ClusterDoor:
    """`start`, `close`; meanwhile it makes events."""

    def __init__(self, site: str, name: str, address: Address, folder: Path, clock: Clock, every_s: float) -> None:
        self.name, self._every_s = name, every_s
        self.journal = CountedJournal(folder, clock)
        config = parse_config({"site": site, "door": name, "link": {**asdict(address), "ack_timeout_s": ACK_TIMEOUT_S}})
        self.link = Link(config, self.journal, lambda command: None, clock=clock)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"makes events at {name}", daemon=True)

    def start(self) -> None:
        self.link.start()
        self._thread.start()

    def fall_silent(self) -> None:
        """No more events; the link goes on."""
        self._over.set()
        self._thread.join()

    def close(self) -> None:
        self.fall_silent()
        self.link.close()
        self.journal.journal.close()

    @property
    def left(self) -> int:
        """Events that the journal keeps, because nobody has acknowledged them."""
        self.journal.journal.flush(0.1)
        return len(self.journal.pending(0, 100_000))

    def first_after_s(self, then_s: float) -> float | None:
        """When an event was acknowledged for the first time that was made after a time; None: none yet."""
        done = self.journal.acknowledged_s.copy()
        return min(
            (done[n] for n, (_, made_s) in self.journal.made.copy().items() if made_s > then_s and n in done), default=None
        )

    def _run(self) -> None:
        number = 0
        while not self._over.wait(self._every_s):
            self.journal.append(number)
            number += 1
