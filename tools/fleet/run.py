"""A day of the whole fleet, with its storms, and then as much as goes through. One event loop serves all doors."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct

from agent.clock import Clock, SystemClock
from agent.errors import DoorwardError
from agent.progress import Progress
from tools.bench.machine import cores_now, load_average, machine, others_percent
from tools.fleet.day import Times, read
from tools.fleet.door import FleetDoor
from tools.fleet.report import Report, Storm, waits
from tools.fleet.site import SITE, Cost, FleetSite, Meter, used

TICK_S = 0.05
PATIENCE_S = 180.0
STATES = {"lock": "secured", "contact": "closed", "mode": "Locked", "alarm": "none"}


class Options(Struct, frozen=True, kw_only=True):
    doors: int = 1000
    day_s: float = 120.0
    reads: int = 20
    """Of each door on that day."""
    storms: int = 0
    """How often all connections are cut."""
    kill: tuple[str, ...] = ()
    saturate: int = 20
    """Events of each door at once, at the end; 0 for none."""
    historian_alone: bool = False
    database: str = ""
    seed: int = 1


class Fleet:
    """All doors. Also counts how long acknowledgements take."""

    def __init__(self, options: Options, port: int, clock: Clock) -> None:
        rng = random.Random(options.seed)  # noqa: S311 - makes traffic, hides nothing
        self._clock, self._rng = clock, rng
        self.doors = [FleetDoor(SITE, f"door-{n:05d}", port, clock, random.Random(rng.random()), self)  # noqa: S311
                      for n in range(options.doors)]  # fmt: skip
        self._times = [Times(options.reads, options.day_s, rng) for _ in self.doors]
        self.calm: list[float] = []
        self.stormy: list[float] = []
        self.calm_since_s = float("inf")

    def acknowledged(self, waited_s: float, made_s: float) -> None:
        (self.calm if made_s >= self.calm_since_s else self.stormy).append(waited_s)

    def show_all(self) -> None:
        for door in self.doors:
            for name, value in STATES.items():
                door.show(name, value)
            door.say("door.started", {"mode": "Locked", "profile": "fleet"})

    def live(self, day_now_s: float) -> None:
        """What happened at all doors until now."""
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

    @property
    def away(self) -> int:
        return sum(not door.is_there for door in self.doors)

    def is_empty(self, until_s: float) -> bool:
        """Nothing that was made until then waits for its acknowledgement."""
        return all((oldest_s := door.oldest_s) is None or oldest_s > until_s for door in self.doors)

    @property
    def bytes_an_event(self) -> float:
        """Of the CloudEvent alone, without topic and packet."""
        return sum(door.bytes for door in self.doors) / max(1, sum(len(door.ids) for door in self.doors))

    @property
    def made(self) -> set[tuple[str, str, int, str]]:
        return {(door.name, door.journal, number, each) for door in self.doors for number, each in enumerate(door.ids, 1)}


class Day:
    """Plays a day. `run` once."""

    def __init__(self, fleet: Fleet, site: FleetSite, options: Options, clock: Clock, progress: Progress) -> None:
        self._fleet, self._site, self._options, self._clock, self._progress = fleet, site, options, clock, progress
        self.storms: list[Storm] = []
        self.first_all_there_s = 0.0
        self._day_began_s: float | None = None
        self._told_s = 0

    async def begin(self) -> None:
        began_s = self._clock.mono_s()
        self._fleet.show_all()
        await self._until(lambda: self._fleet.away == 0, "not all doors reach the broker")
        self.first_all_there_s = round(self._clock.mono_s() - began_s, 2)
        await self._until(lambda: self._fleet.is_empty(self._clock.mono_s()), "the centre acknowledges nothing")

    async def run(self) -> None:
        """The day, its storms spread over it; returns when everything is acknowledged. Raises DoorwardError."""
        self._day_began_s = began_s = self._clock.mono_s()
        self._fleet.calm_since_s = began_s
        plan = ["connections"] * self._options.storms + list(self._options.kill)
        for number, what in enumerate(plan, 1):
            due_s = began_s + self._options.day_s * number / (len(plan) + 1)
            await self._until(lambda due_s=due_s: self._clock.mono_s() >= due_s, "", patience_s=self._options.day_s + PATIENCE_S)  # type: ignore[misc]
            await self._storm(what, began_s)
        await self._until(
            lambda: self._clock.mono_s() >= began_s + self._options.day_s, "", patience_s=self._options.day_s + PATIENCE_S
        )
        self._fleet.live(self._options.day_s)
        self._day_began_s = None
        now_s = self._clock.mono_s()
        await self._until(lambda: self._fleet.is_empty(now_s), "events wait for their acknowledgement")

    async def _storm(self, what: str, day_began_s: float) -> None:
        began_s = self._clock.mono_s()
        self._fleet.calm_since_s = float("inf")
        if what == "connections":
            for door in self._fleet.doors:
                door.cut()
        else:
            await asyncio.to_thread(self._site.kill, what)
        await asyncio.sleep(TICK_S)  # until the end of a connection is noticed
        away = self._fleet.away
        await self._until(lambda: self._fleet.away == 0, f"not all doors are back after {what}")
        back_s = self._clock.mono_s()
        await self._until(lambda: self._fleet.is_empty(back_s), f"events wait for their acknowledgement after {what}")
        now_s = self._fleet.calm_since_s = self._clock.mono_s()
        self.storms.append(Storm(what=what, at_s=round(began_s - day_began_s, 1), away=away, all_back_s=round(back_s - began_s, 2),
                                 caught_up_s=round(now_s - began_s, 2)))  # fmt: skip

    async def saturate(self) -> float:
        """All doors have much to say at once; events a second from the first to the last acknowledgement."""
        self._fleet.calm_since_s = float("inf")
        began_s = self._clock.mono_s()
        for number in range(self._options.saturate):
            for door in self._fleet.doors:
                door.say(
                    "access.denied", {"reasons": ["unknown_credential"], "read": {"key": f"H10301:1:{number}"}, "decided_ms": 0.6}
                )
            await asyncio.sleep(0)
        now_s = self._clock.mono_s()
        await self._until(lambda: self._fleet.is_empty(now_s), "events wait for their acknowledgement after saturation")
        return len(self._fleet.doors) * self._options.saturate / (self._clock.mono_s() - began_s)

    async def _until(self, is_so: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
        """Life at the doors goes on meanwhile."""
        until_s, looked_s = self._clock.mono_s() + patience_s, 0.0
        while True:
            now_s = self._clock.mono_s()
            if self._day_began_s is not None:
                self._fleet.live(now_s - self._day_began_s)
                self._tell(now_s - self._day_began_s)
            if now_s - looked_s >= 0.5:
                self._fleet.look_after()
                looked_s = now_s
            if is_so():
                return
            if now_s > until_s:
                raise DoorwardError(f"after {patience_s:.0f} s: {what}; {self._fleet.away} doors are away")
            await asyncio.sleep(TICK_S)

    def _tell(self, day_now_s: float) -> None:
        while self._told_s < min(int(day_now_s), int(self._options.day_s)):
            self._told_s += 1
            self._progress.step()


def run_fleet(options: Options, folder: Path, clock: Clock | None = None) -> Report:
    """Raises DoorwardError when a program does not come up, or doors do not come back in time."""
    site = FleetSite(folder, sys.executable, historian_alone=options.historian_alone, database=options.database)
    try:
        return asyncio.run(_run(options, site, folder, clock or SystemClock()))
    finally:
        site.stop()


class _Found(Struct, frozen=True):
    """A stretch of the run: what it gave and what it cost."""

    value: float | None
    costs: dict[str, Cost]


async def _run(options: Options, site: FleetSite, folder: Path, clock: Clock) -> Report:
    load, before = load_average(), cores_now()
    await asyncio.to_thread(site.start)
    fleet = Fleet(options, site.port, clock)
    progress = Progress(int(options.day_s), "seconds of the day", sys.stderr, time.monotonic)
    day = Day(fleet, site, options, clock, progress)
    tasks = [asyncio.create_task(door.run()) for door in fleet.doors]
    try:
        await day.begin()
        lived = await _metered(site, day.run)
        calm, stormy = waits(fleet.calm), waits(fleet.stormy)
        full = await _metered(site, day.saturate) if options.saturate else _Found(None, {})
    finally:
        progress.finish()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.to_thread(site.stop)
    made, (kept, conflicts) = fleet.made, site.kept()
    return Report(
        doors=options.doors, day_s=options.day_s, events=len(made), messages=sum(door.sent for door in fleet.doors), committed=len(made & kept),
        lost=len(made - kept), strange=len(kept - made) + conflicts, bytes_an_event=round(fleet.bytes_an_event, 1),
        database_bytes_an_event=_file_bytes_each(folder, len(kept)), calm=calm, stormy=stormy, storms=day.storms,
        first_all_there_s=day.first_all_there_s, saturation_events=options.doors * options.saturate,
        saturation_per_s=None if full.value is None else round(full.value, 1), costs=lived.costs, saturation_costs=full.costs,
        others_percent=round(others_percent(before, cores_now()), 1), load_average=round(load, 2), machine=machine(),
        options={name: str(getattr(options, name)) for name in options.__struct_fields__ if name != "database"},
    )  # fmt: skip


async def _metered(site: FleetSite, work: Callable[[], Awaitable[float | None]]) -> _Found:
    own_before, began_s = used(os.getpid()), time.monotonic()
    with Meter(site.programs) as meter:
        value = await work()
    own_after = used(os.getpid())
    costs = meter.costs()
    if own_before is not None and own_after is not None:
        cpu_s = own_after[0] - own_before[0]
        costs["fleet"] = Cost(round(cpu_s, 2), round(100 * cpu_s / (time.monotonic() - began_s), 1), round(own_after[1], 1))
    return _Found(value, costs)


def _file_bytes_each(folder: Path, events: int) -> float | None:
    """None with PostgreSQL."""
    file = folder / "central.db"
    return round(file.stat().st_size / events, 1) if file.exists() and events else None
