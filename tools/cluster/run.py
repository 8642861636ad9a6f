"""Kills nodes and the active centre under load, one after the other, and counts what was lost and for how long nothing went through."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.clock import SystemClock
from agent.errors import DoorwardError
from central.database.engine import StoreError
from tools.cluster.doors import ClusterDoor
from tools.cluster.site import NODES, SITE, ClusterSite

PATIENCE_S = 120.0


class Options(Struct, frozen=True, kw_only=True):
    doors: int = 4
    every_s: float = 0.05
    """Between two events of a door."""
    nodes: int = 3
    """So often a node is killed."""
    centres: int = 1
    """So often the active centre is."""
    seed: int = 1


class Kill(Struct, frozen=True, kw_only=True):
    """One program killed with SIGKILL."""

    what: str
    gap_s: float
    """Until every door had an event acknowledged that was made after the kill."""
    takeover_s: float | None = None
    """Of a centre: until the other one was active."""


class Report(Struct, frozen=True, kw_only=True):
    made: int
    kept: int
    lost: int
    twice: int
    conflicts: int
    left: int
    """In the doors' journals at the end."""
    resent: int
    kills: list[Kill]
    wait_ms: dict[str, float]
    """From an event's making to its acknowledgement: p50, p99, worst."""

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.twice or self.conflicts or self.left)


def run_cluster(options: Options, folder: Path, database: str, tell: Callable[[str], None] = lambda words: None) -> Report:
    """`database`: of PostgreSQL, empty. Raises DoorwardError when something does not come back."""
    site = ClusterSite(folder, sys.executable, database)
    clock = SystemClock()
    names = [f"door-{number}" for number in range(options.doors)]
    doors = [ClusterDoor(SITE, name, site.enrol(name), folder / "journals" / name, clock, options.every_s) for name in names]
    try:
        site.start()
        for door in doors:
            door.start()
        _until(lambda: _flows_since(doors, 0.0) is not None, "no events arrive", folder)
        kills = [_kill(site, doors, what, folder, tell) for what in plan_of(options)]
        for door in doors:
            door.fall_silent()
        _until(lambda: not any(door.left for door in doors), "journals are not empty", folder)
        return _report(site, doors, kills)
    finally:
        for door in doors:
            door.close()
        site.stop()


def words(report: Report) -> str:
    centre = [kill for kill in report.kills if kill.takeover_s is not None]
    lines = [
        f"lost {report.lost} of {report.made} events, {report.twice} twice, {report.conflicts} conflicts, {report.left} left at doors; "
        f"{report.resent} said again",
        f"{len(report.kills) - len(centre)} nodes killed: events flowed again after " + _spread(report, lambda kill: kill.takeover_s is None),
        f"{len(centre)} active centres killed: events flowed again after " + _spread(report, lambda kill: kill.takeover_s is not None)
        + (f"; the other one was active after {max(kill.takeover_s or 0.0 for kill in centre):.1f} s at most" if centre else ""),
        "from an event to its acknowledgement: " + ", ".join(f"{name} {value:.0f} ms" for name, value in report.wait_ms.items()),
    ]  # fmt: skip
    return "\n".join(lines)


def _spread(report: Report, which: Callable[[Kill], bool]) -> str:
    gaps = sorted(kill.gap_s for kill in report.kills if which(kill))
    return f"{gaps[len(gaps) // 2]:.1f} s in the middle, {gaps[-1]:.1f} s at worst" if gaps else "-"


def plan_of(options: Options) -> list[str]:
    """Every node in turn, in an order of its own each time; the active centre now and then between them."""
    rng = random.Random(options.seed)  # noqa: S311 - an order, no secret
    rounds = [rng.sample(list(NODES), len(NODES)) for _ in range(options.nodes // len(NODES) + 1)]
    plan = [name for each in rounds for name in each][: options.nodes]
    for number in range(options.centres):
        plan.insert((number + 1) * (len(plan) + 1) // (options.centres + 1), "centre")
    return plan


def _kill(site: ClusterSite, doors: list[ClusterDoor], what: str, folder: Path, tell: Callable[[str], None]) -> Kill:
    _until(site.is_whole, "a node does not come back", folder)
    kill = _kill_centre(site, doors, folder) if what == "centre" else _kill_node(site, doors, what, folder)
    tell(f"{kill.what} killed: events flow again after {kill.gap_s:.1f} s")
    return kill


def _kill_node(site: ClusterSite, doors: list[ClusterDoor], name: str, folder: Path) -> Kill:
    then_s = time.monotonic()
    site.nodes[name].kill(signal.SIGKILL)
    return Kill(what=name, gap_s=_gap_s(doors, then_s, folder))


def _kill_centre(site: ClusterSite, doors: list[ClusterDoor], folder: Path) -> Kill:
    """The next one is started only when the other has taken over, or it could be the same again."""
    before = site.active()
    active = next((each for each in site.centres.values() if before is not None and before.who.endswith(f" {each.pid}")), None)
    if before is None or active is None:
        raise DoorwardError(f"nobody knows which centre is active: {before}")
    then_s = time.monotonic()
    active.kill(signal.SIGKILL)
    _until(lambda: (leader := site.active()) is not None and leader.term > before.term, "no centre takes over", folder)
    takeover_s = time.monotonic() - then_s
    return Kill(what="centre", gap_s=_gap_s(doors, then_s, folder), takeover_s=takeover_s)


def _gap_s(doors: list[ClusterDoor], then_s: float, folder: Path) -> float:
    _until(lambda: _flows_since(doors, then_s) is not None, "no events arrive any more", folder)
    return (_flows_since(doors, then_s) or then_s) - then_s


def _flows_since(doors: list[ClusterDoor], then_s: float) -> float | None:
    """When the last door had an event acknowledged that was made after a time."""
    firsts = [first for door in doors if (first := door.first_after_s(then_s)) is not None]
    return max(firsts) if len(firsts) == len(doors) else None


def _report(site: ClusterSite, doors: list[ClusterDoor], kills: list[Kill]) -> Report:
    made = {(door.name, door.journal.journal.id, sequence, id_)
            for door in doors for sequence, (id_, _) in door.journal.made.items()}  # fmt: skip
    kept = site.kept()
    waits = sorted(done - door.journal.made[n][1] for door in doors for n, done in door.journal.acknowledged_s.items())
    return Report(
        made=len(made), kept=len(kept), lost=len(made - set(kept)), twice=len(kept) - len(set(kept) & made), conflicts=site.conflicts(),
        left=sum(door.left for door in doors), resent=sum(door.link.health()["resent"] for door in doors), kills=kills,
        wait_ms={name: round(1000 * waits[min(len(waits) - 1, int(share * len(waits)))], 1)
                 for name, share in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0))},
    )  # fmt: skip


def _until(is_so: Callable[[], bool], what: str, folder: Path) -> None:
    """Raises DoorwardError with the programs' last words."""
    until_s = time.monotonic() + PATIENCE_S
    while not _try(is_so):
        if time.monotonic() > until_s:
            last = {path.name: path.read_text("utf-8", "replace")[-600:] for path in folder.glob("*.log")}
            raise DoorwardError(f"after {PATIENCE_S:.0f} s: {what}\n{msgspec.json.format(msgspec.json.encode(last)).decode()}")
        time.sleep(0.02)


def _try(is_so: Callable[[], bool]) -> bool:
    try:
        return is_so()
    except StoreError:  # no tables yet
        return False
