"""Puts a run together: site, doors, guard, screens, a day, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from pathlib import Path

from msgspec import Struct

from agent.clock import Clock, SystemClock
from agent.progress import Progress
from tools.bench.machine import Cores, cores_now, load_average, machine, others_percent
from tools.fleet.doors import Fleet
from tools.fleet.guard import Guard
from tools.fleet.meter import Cost, Meter, Own
from tools.fleet.play import Day
from tools.fleet.report import Orders, Report, Screens, waits
from tools.fleet.screen import Screen
from tools.fleet.site import SITE, FleetSite, until
from tools.fleet.standing import Standing

WATCHER = "watcher"


class Options(Struct, frozen=True, kw_only=True):
    doors: int = 1000
    day_s: float = 120.0
    reads: int = 6
    """Of each door on that day."""
    storms: int = 0
    """How often all connections are cut."""
    kill: tuple[str, ...] = ()
    orders: int = 60
    """A guard opens so many doors in the day."""
    screens: int = 2
    """Dashboards that are open."""
    saturate: int = 20
    """Events of each door at once, at the end; 0 for none."""
    historian_alone: bool = False
    database: str = ""
    seed: int = 1


def run_fleet(options: Options, folder: Path, clock: Clock | None = None) -> Report:
    """Raises DoorwardError when a program does not come up, or nothing moves any more."""
    site = FleetSite(folder, sys.executable, historian_alone=options.historian_alone, database=options.database)
    try:
        return asyncio.run(_Run(options, site, clock or SystemClock()).whole())
    finally:
        site.stop()


class _Found(Struct, frozen=True):
    """A stretch of the run: what it gave, what it cost, how many events were made in it, and how much it left."""

    value: float | None
    costs: dict[str, Cost]
    events: int
    wire_bytes: int
    database_bytes: int


class _Run:
    """`whole` once."""

    def __init__(self, options: Options, site: FleetSite, clock: Clock) -> None:
        self._options, self._site, self._clock = options, site, clock
        self._fleet = Fleet(SITE, options.doors, options.reads, options.day_s, options.seed, site.port, clock)
        self._progress = Progress(int(options.day_s), "seconds of the day", sys.stderr, time.monotonic)
        self._day = Day(self._fleet, options.day_s, clock, self._progress)
        self._screens: list[Screen] = []

    async def whole(self) -> Report:
        load, before = load_average(), cores_now()
        await asyncio.to_thread(self._site.start)
        standing = Standing(self._site.address, self._clock)
        try:
            async with _going(door.connection.run() for door in self._fleet.doors):
                await self._day.begin()
                await asyncio.to_thread(self._open_screens)
                guard, lived = await self._lived()
                calm, stormy, screens = waits(self._fleet.calm), waits(self._fleet.stormy), self._shown()
                full = await self._full()
                await asyncio.to_thread(self._site.programs["central"].stop)
                standing.open()
                wrong = await standing.wrong(self._fleet.doors)
            unsaid = await standing.not_gone(self._fleet.doors)
        finally:
            self._progress.finish()
            for screen in self._screens:
                screen.stop()
            await asyncio.to_thread(standing.close)
        await asyncio.to_thread(self._site.stop)
        made, (kept, conflicts) = self._fleet.names, self._site.kept()
        options, day, fleet = self._options, self._day, self._fleet
        return Report(
            doors=options.doors, day_s=options.day_s, events=len(made), messages=fleet.said, committed=len(made & kept),
            lost=len(made - kept), strange=len(kept - made) + conflicts, wrong_states=wrong, wills_unsaid=unsaid,
            event_bytes=round(fleet.event_bytes / max(1, len(made)), 1), wire_bytes=_each(lived.wire_bytes, lived.events) or 0.0,
            database_bytes=_each(lived.database_bytes, lived.events), calm=calm, stormy=stormy,
            orders=Orders(waits(guard.answered), guard.unanswered, guard.wrong), screens=screens,
            storms=day.storms, moments=day.moments, all_there_s=round(day.all_there_s, 2), all_heard_s=round(day.all_heard_s, 2),
            saturation_per_s=None if full is None or full.value is None else round(full.value, 1), costs=lived.costs, day_events=lived.events,
            saturation_costs={} if full is None else full.costs, saturation_events=0 if full is None else full.events,
            others_percent=_others(before), load_average=round(load, 2), machine=machine(),
            options={name: str(getattr(options, name)) for name in options.__struct_fields__ if name != "database"},
        )  # fmt: skip

    # -- the day

    async def _lived(self) -> tuple[Guard, _Found]:
        options = self._options
        names = [door.name for door in self._fleet.doors]
        pause_s = options.day_s / options.orders if options.orders else options.day_s * 2
        guard = Guard(self._site.address, names, pause_s, self._clock, random.Random(options.seed))  # noqa: S311
        try:
            async with _going([guard.run()] if options.orders else []):
                found = await self._metered(lambda: self._day.run(self._storms()))
        finally:
            await asyncio.to_thread(guard.close)
        return guard, found

    async def _full(self) -> _Found | None:
        each = self._options.saturate
        return await self._metered(lambda: self._day.saturate(each)) if each else None

    def _storms(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        async def cut() -> None:
            self._fleet.cut()

        def killer(name: str) -> Callable[[], Awaitable[None]]:
            return lambda: asyncio.to_thread(self._site.kill, name)

        return [("connections", cut)] * self._options.storms + [(name, killer(name)) for name in self._options.kill]

    async def _metered(self, work: Callable[[], Awaitable[float | None]]) -> _Found:
        fleet, site = self._fleet, self._site
        events, wire, database = len(fleet.names), fleet.wire_bytes, await asyncio.to_thread(site.database_bytes)
        with Meter({**site.programs, "fleet": Own()}) as meter:
            value = await work()
        grown = await asyncio.to_thread(site.database_bytes) - database
        return _Found(value, meter.costs(), len(fleet.names) - events, fleet.wire_bytes - wire, grown)

    # -- screens

    def _open_screens(self) -> None:
        if self._options.historian_alone or not self._options.screens:
            return
        password = secrets.token_urlsafe(18)
        self._site.add_account(WATCHER, password)
        self._screens = [Screen(self._site.gateway_port, WATCHER, password) for _ in range(self._options.screens)]
        for screen in self._screens:
            screen.start()
        until(lambda: all(screen.connections for screen in self._screens), "the dashboard's stream does not open")

    def _shown(self) -> Screens:
        screens = self._screens
        return Screens(
            len(screens), sum(screen.connections for screen in screens), min((len(screen.numbers) for screen in screens), default=0),
            sum(screen.missed for screen in screens), waits([wait_s for screen in screens for wait_s in screen.waits_s]),
        )  # fmt: skip


@contextlib.asynccontextmanager
async def _going(works: Iterable[Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """These go on meanwhile."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _each(total: int, events: int) -> float | None:
    return round(total / events, 1) if events else None


def _others(before: Cores) -> float:
    return round(others_percent(before, cores_now()), 1)
