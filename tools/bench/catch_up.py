"""Doors that were away and come back with full journals: how long until everything is in the database, and what others wait meanwhile."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

from msgspec import Struct

from agent.clock import SystemClock
from agent.errors import DoorwardError
from tools.bench.figures import Figure, Section, Setting, median, percentile
from tools.bench.recording import DECISION
from tools.fleet.door import FleetDoor
from tools.fleet.site import SITE, FleetSite

OTHERS, PAUSE_S = 20, 0.25
"""Doors that were never away, and how often each says something."""
LITTLE, MUCH, HOUSE, EACH = 10_000, 100_000, 200, 500
TIMES, HOUSES = 3, 2
CALM_S, WAIT_S, TICK_S, ENDS_S = 5.0, 300.0, 0.02, 0.2
OTHERS_WAIT_MS = 1000.0


def catch_up(setting: Setting) -> Section:
    """One door with much to say, then a house of them."""
    little, much, each = (count // 10 if setting.quick else count for count in (LITTLE, MUCH, EACH))
    folder = setting.folder / "catch-up"
    site = FleetSite(folder, sys.executable, historian_alone=False)
    site.start()
    try:
        with Others(site.port) as others:
            calm = others.waits_while(lambda: time.sleep(CALM_S))
            few = [_one_door(others, folder / f"door-{n}", site.port, little) for n in range(TIMES)]
            many = _one_door(others, folder / "much", site.port, much)
            house = [_house(others, site.port, n, each) for n in range(HOUSES)]
    finally:
        site.stop()
    return Section(
        name="catch_up", title="Doors that were away come back",
        how="Mosquitto and the whole centre, on SQLite. A door (its own journal and link, a process of its own) comes back with "
            f"{little:,} events of the size of a decision, {TIMES} times, and once with {much:,}: counted is from the start of its "
            f"link until the centre has acknowledged all of them and its journal is empty. Then {HOUSE} doors at once with {each} "
            f"each, {HOUSES} times (the same words on the wire, their journals in memory). {OTHERS} doors that were never away say "
            f"{OTHERS / PAUSE_S:.0f} events a second meanwhile: how long each waits for its acknowledgement. Medians of the runs; all "
            "waits of the others together.",
        figures=(
            *_figures(f"a door with {little:,}", little, few),
            *_figures(f"a door with {much:,}", much, [many]),
            *_figures(f"{HOUSE} doors with {each} each", HOUSE * each, house),
            Figure(what="another door's event while nobody comes back, p95", value=percentile(calm, 0.95), unit="ms"),
        ),
    )  # fmt: skip


class _Came(Struct, frozen=True):
    seconds: float
    others_ms: list[float]


def _figures(what: str, events: int, runs: list[_Came]) -> tuple[Figure, ...]:
    seconds, waits = median([run.seconds for run in runs]), [wait for run in runs for wait in run.others_ms]
    return (
        Figure(what=f"{what}: until all is in the database", value=seconds, unit="s"),
        Figure(what=f"{what}: rate", value=events / seconds, unit="events a second"),
        Figure(what=f"{what}: another door's event meanwhile, p50", value=percentile(waits, 0.5), unit="ms"),
        Figure(
            what=f"{what}: another door's event meanwhile, p95", value=percentile(waits, 0.95), unit="ms", most=OTHERS_WAIT_MS
        ),
    )


# -- one door --------------------------------------------------------------------------------------------------------------------


def _one_door(others: Others, folder: Path, port: int, events: int) -> _Came:
    command = [sys.executable, "-m", "tools.bench.catch_up_child", str(folder), SITE, folder.name, str(port), str(events)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            _answer(child)
            told: list[list[str]] = []
            waits = others.waits_while(lambda: told.append(_go(child)))
        finally:
            child.kill()
    if told[0][1] != "0":
        raise DoorwardError(f"{told[0][1]} events still wait at a door that came back")
    return _Came(float(told[0][0]), waits)


def _go(child: subprocess.Popen[bytes]) -> list[str]:
    if child.stdin is not None:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    return _answer(child)


def _answer(child: subprocess.Popen[bytes]) -> list[str]:
    words = child.stdout.readline().decode().split() if child.stdout is not None else []
    if not words:
        raise DoorwardError("a door that was to come back has ended")
    return words


# -- many doors ------------------------------------------------------------------------------------------------------------------


def _house(others: Others, port: int, run: int, each: int) -> _Came:
    doors = [_door(f"house-{run}-{n}", port, others) for n in range(HOUSE)]
    for door in doors:
        others.call(lambda door=door: [door.say("access.granted", DECISION) for _ in range(each)])  # type: ignore[misc]
    ended_s: list[float] = []
    began_s = time.monotonic()
    waits = others.waits_while(lambda: ended_s.append(others.bring(doors)))
    return _Came(ended_s[0] - began_s, waits)


def _door(name: str, port: int, watcher: Others, *, is_watched: bool = False) -> FleetDoor:
    return FleetDoor(SITE, name, port, SystemClock(), random.Random(name), watcher if is_watched else Unwatched())  # noqa: S311


def _look_after(doors: list[FleetDoor]) -> None:
    for door in doors:
        door.look_after(time.monotonic())


class Unwatched:
    """Of those that come back only the end counts."""

    def acknowledged(self, waited_s: float, made_s: float) -> None:
        """Nobody counts."""


class Others:
    """Doors that were never away, in a thread with a loop of its own; `bring` adds those that come back."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="others", daemon=True)
        self._doors = [_door(f"other-{n}", port, self, is_watched=True) for n in range(OTHERS)]
        self._waits: list[tuple[float, float]] = []
        """When an event was made, and how long it waited, in seconds."""

    def acknowledged(self, waited_s: float, made_s: float) -> None:
        self._waits.append((made_s, waited_s))

    def __enter__(self) -> Others:
        self._thread.start()
        self._tasks = [self.begin(work) for door in self._doors for work in (door.connection.run(), self._talk(door))]
        self.wait(lambda: len(self._waits) > 2 * OTHERS, "the centre acknowledges nothing")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end(self._tasks)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def end(self, tasks: list[Future[None]]) -> None:
        """Returns when they have closed what they had opened."""
        for task in tasks:
            task.cancel()
        self.begin(asyncio.sleep(ENDS_S)).result()

    def begin(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Callable[[], object]) -> None:
        """In the loop's thread; returns when it is done."""

        async def now() -> None:
            work()

        self.begin(now()).result()

    async def _talk(self, door: FleetDoor) -> None:
        while True:
            door.say("door.opened", {"expected": True})
            door.look_after(time.monotonic())
            await asyncio.sleep(PAUSE_S)

    def waits_while(self, work: Callable[[], object]) -> list[float]:
        """What the others' events waited for their acknowledgement, in milliseconds, while something else goes on."""
        began_s = time.monotonic()
        work()
        return [1000 * waited_s for made_s, waited_s in list(self._waits) if made_s >= began_s]

    def bring(self, doors: list[FleetDoor]) -> float:
        """Returns when all that they had to say was acknowledged; then they are gone again."""
        tasks = [self.begin(door.connection.run()) for door in doors]
        self.wait(lambda: all(door.oldest_s is None for door in doors), "doors that came back are not rid of their events", doors)
        ended_s = time.monotonic()
        self.end(tasks)
        return ended_s

    def wait(self, is_so: Callable[[], bool], what: str, doors: list[FleetDoor] | None = None) -> None:
        until_s, looked_s = time.monotonic() + WAIT_S, time.monotonic()
        while not is_so():
            now_s = time.monotonic()
            if now_s > until_s:
                raise DoorwardError(f"catch-up: after {WAIT_S:.0f} s: {what}")
            if now_s - looked_s > 0.5:
                looked_s = now_s
                self.call(lambda: _look_after(doors or []))
            time.sleep(TICK_S)
