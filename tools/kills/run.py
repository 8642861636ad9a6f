"""A run: the house comes up, people come and go, one program after the other is killed, and at the end everything is counted."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Engine, select

from agent.errors import DoorwardError
from agent.progress import Progress
from central.database.engine import StoreError, reading
from central.database.opening import open_to_read
from central.database.tables_events import EVENTS
from tools.bench.machine import cores_now, load_average, machine, others_percent
from tools.fleet.site import SITE
from tools.kills.audit import audit
from tools.kills.house import House
from tools.kills.life import GuardAtDesk, Passers
from tools.kills.report import Audit, Kill, Report

AGAIN_WITHIN_S, RESTS_WITHIN_S = 60.0, 10.0
LOOKS_EVERY_S = 0.02
AT_ONCE = 0.2
"""Share of kills that come before the one before is over."""


class Options(Struct, frozen=True, kw_only=True):
    kills: int = 100
    doors: int = 3
    """With a lock, a reader and people."""
    talkers: int = 2
    """Which say a hundred events a second."""
    database: str = ""
    """An address of PostgreSQL; empty for SQLite."""
    seed: int = 1


class _Blow(Struct, frozen=True):
    """A kill that is to come: after all is well and a pause, or after the pause alone."""

    victim: str
    pause_s: float
    waits: bool


def plan(options: Options, doors: list[str]) -> list[_Blow]:
    """As many of the broker as of the centre as of doors, shuffled; the same for the same seed."""
    dice = random.Random(options.seed)  # noqa: S311 - which is next is no secret
    kinds = [("broker", "central", "door")[number % 3] for number in range(options.kills)]
    dice.shuffle(kinds)
    return [
        _Blow(dice.choice(doors) if kind == "door" else kind, dice.uniform(0.0, 0.5), dice.random() >= AT_ONCE) for kind in kinds
    ]


def run_kills(options: Options, folder: Path, progress: Progress | None = None) -> Report:
    """Raises DoorwardError when the house does not come up, or never comes to rest."""
    load, before, began_s = load_average(), cores_now(), time.monotonic()
    house = House(folder, options.doors, options.talkers, options.database)
    with Run(house, options, progress) as run:
        run.come_up()
        run.strike(plan(options, [door.name for door in house.doors]))
        found = run.come_to_rest()
    return Report(
        seed=options.seed, database="postgresql" if options.database else "sqlite", doors=options.doors, talkers=options.talkers,
        lasted_s=round(time.monotonic() - began_s, 1), kills=run.kills, audit=found, stuck=run.stuck,
        others_percent=round(others_percent(before, cores_now()), 1), load_average=round(load, 2), machine=machine(),
    )  # fmt: skip


class Run:
    """With it the house starts, people come and go, a guard sits at the dashboard; behind it all of that has ended."""

    def __init__(self, house: House, options: Options, progress: Progress | None = None) -> None:
        self._house = house
        self._progress = progress or Progress(options.kills, "kills", sys.stderr, time.monotonic)
        self._names = {door.name for door in house.doors}
        self._guard = GuardAtDesk(house.gateway, [*self._names], [door.name for door in house.real], options.seed)
        self._people = [Passers(door, options.seed + number) for number, door in enumerate(house.real)]
        self._engine: Engine | None = None
        self._began_s = time.monotonic()
        self.kills: list[Kill] = []
        self.stuck: list[str] = []

    def __enter__(self) -> Run:
        try:
            self._house.start()
        except BaseException:
            self._house.stop()
            raise
        for someone in self._people:
            someone.start()
        self._guard.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.finish()
        self._hush()
        if self._engine is not None:
            self._engine.dispose()
        self._house.stop()

    def _hush(self) -> None:
        for someone in self._people:
            someone.stop()
        self._guard.stop()
        for talker in self._house.talkers:
            talker.hush()

    def come_up(self) -> None:
        began_s = time.monotonic()
        _wait(lambda: self._flows(began_s) and self._guard.all_there_s > began_s, "the house does not come up")

    def strike(self, blows: list[_Blow]) -> None:
        for blow, after in zip(blows, [*blows[1:], None], strict=True):
            time.sleep(blow.pause_s)
            self.kill(blow.victim, waits=after is None or after.waits)
            self._progress.step()

    def kill(self, victim: str, *, waits: bool = True) -> None:
        """And wait until all is well again, if told so. What does not come back in time is noted in `stuck`."""
        _wait(self._house.programs[victim].kill, f"{victim} is not there to be killed")
        killed_s = time.monotonic()
        found: tuple[float | None, float | None] = (None, None)
        if waits:
            try:
                found = self._again(killed_s)
            except DoorwardError as error:
                self.stuck.append(f"{victim} at {killed_s - self._began_s:.0f} s: {error}")
        is_alone = not self.kills or self.kills[-1].events_s is not None
        kind = victim.partition("-")[0] if is_alone else "several"
        self.kills.append(
            Kill(victim=victim, kind=kind, at_s=round(killed_s - self._began_s, 2), events_s=found[0], screen_s=found[1])
        )

    def _again(self, killed_s: float) -> tuple[float, float]:
        _wait(lambda: self._flows(killed_s), "not all doors' events flow again")
        flowed_s = time.monotonic()
        _wait(lambda: self._guard.all_there_s > flowed_s, "the page does not show all doors")
        return round(flowed_s - killed_s, 3), round(self._guard.all_there_s - killed_s, 3)

    def _flows(self, since_s: float) -> bool:
        """Whether the database has of each door something that happened since then: all programs here share one monotonic clock."""
        return all(self._newest_s(name) > since_s for name in self._names)

    def _newest_s(self, door: str) -> float:
        ask = select(EVENTS.c.mono_s).where(EVENTS.c.site == SITE, EVENTS.c.door == door).order_by(EVENTS.c.n.desc()).limit(1)
        with contextlib.suppress(StoreError):  # there is no database yet, or it is being repaired
            self._engine = self._engine or open_to_read(self._house.database)
            with reading(self._engine) as db:
                return float(db.scalar(ask) or 0.0)
        return 0.0

    def come_to_rest(self) -> Audit:
        """Nothing new is made; all that was made arrives. Raises DoorwardError when journals do not become empty."""
        self._hush()
        _wait(lambda: not any(self._house.waiting().values()), "events wait in journals")
        until_s = time.monotonic() + RESTS_WITHIN_S
        while (found := audit(self._house, self._guard.obeyed, time.monotonic())).faults and time.monotonic() < until_s:
            time.sleep(LOOKS_EVERY_S)  # who acts on events may still be reading them
        return found


def _wait(is_so: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + AGAIN_WITHIN_S
    while not is_so():
        if time.monotonic() > until_s:
            raise DoorwardError(f"after {AGAIN_WITHIN_S:.0f} s: {what}")
        time.sleep(LOOKS_EVERY_S)
