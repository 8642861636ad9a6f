"""All doors of the fleet, and how long their acknowledgements take."""

from __future__ import annotations

import random

from agent.clock import Clock
from tools.fleet.day import Times, read
from tools.fleet.door import FleetDoor, Name

STATES = {"lock": "secured", "contact": "closed", "mode": "Locked", "alarm": "none"}
CALM_NEVER_S = float("inf")


class Fleet:
    """In the loop's thread."""

    def __init__(self, site: str, doors: int, reads: int, day_s: float, seed: int, port: int, clock: Clock) -> None:
        self._rng = rng = random.Random(seed)  # noqa: S311 - makes traffic, hides nothing
        self._clock = clock
        self.doors = [FleetDoor(site, f"door-{n:05d}", port, clock, random.Random(rng.random()), self)  # noqa: S311
                      for n in range(doors)]  # fmt: skip
        self._times = [Times(reads, day_s, rng) for _ in self.doors]
        self.calm: list[float] = []
        self.stormy: list[float] = []
        self.calm_since_s = CALM_NEVER_S
        """What is made from here on belongs to no storm."""

    # -- what doors do

    def begin(self) -> None:
        for door in self.doors:
            for name, value in STATES.items():
                door.show(name, value)
            door.say("door.started", {"mode": "Locked", "profile": "fleet"})

    def live(self, day_now_s: float) -> None:
        """What happens at all doors until now."""
        for door, times in zip(self.doors, self._times, strict=True):
            for _ in range(times.due(day_now_s)):
                self._read(door)

    def _read(self, door: FleetDoor) -> None:
        for word in read(self._rng):
            if word.state:
                door.show(word.name, word.data)
            else:
                door.say(word.name, word.data)

    def look_after(self) -> None:
        now_s = self._clock.mono_s()
        for door in self.doors:
            door.look_after(now_s)

    def cut(self) -> None:
        """All connections at once."""
        for door in self.doors:
            door.connection.cut()

    # -- how they are

    def acknowledged(self, waited_s: float, made_s: float) -> None:
        (self.calm if made_s >= self.calm_since_s else self.stormy).append(waited_s)

    @property
    def committed(self) -> int:
        """So many events were acknowledged."""
        return len(self.calm) + len(self.stormy)

    @property
    def present(self) -> int:
        return sum(door.connection.is_there for door in self.doors)

    @property
    def away(self) -> int:
        return len(self.doors) - self.present

    @property
    def cuts(self) -> int:
        """Connections that ended so far."""
        return sum(door.connection.ended for door in self.doors)

    @property
    def waiting(self) -> int:
        """Events that nobody has acknowledged."""
        return sum(door.unacknowledged for door in self.doors)

    def is_empty(self, until_s: float) -> bool:
        """Nothing that was made until then waits for its acknowledgement."""
        return all((oldest_s := door.oldest_s) is None or oldest_s > until_s for door in self.doors)

    # -- what they have said

    @property
    def names(self) -> set[Name]:
        """Of all events."""
        return {name for door in self.doors for name in door.names()}

    @property
    def said(self) -> int:
        return sum(door.said for door in self.doors)

    @property
    def event_bytes(self) -> int:
        return sum(door.event_bytes for door in self.doors)

    @property
    def wire_bytes(self) -> int:
        return sum(door.connection.bytes for door in self.doors)
