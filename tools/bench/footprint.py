"""What the programs weigh, how soon they guard and what they cost while nothing happens."""

from __future__ import annotations

import os
import time
from pathlib import Path

from agent.errors import DoorwardError
from demo.stage import OWNER_FOB, Stage, StageOptions
from tools.bench.figures import Figure, Section, Setting, median
from tools.bench.site import READY_WITHIN_S, cast, demand_audit, film_of_owner, pass_once, site

STARTS = 7
IDLE_S = 20.0
SETTLE_READS = 20
SITE = ("central", "broker")
"""Run on the site's server, not on a controller; the broker is the embedded one."""
DOOR_MB, VISION_MB, GUARDING_S = 45.0, 160.0, 3.0


def footprint(setting: Setting) -> Section:
    """Several starts, then a look at /proc while the door is guarded."""
    people = cast(setting)
    options = StageOptions()
    with site(setting, "footprint", options, people) as stage:
        stage.show(film_of_owner(people, options, setting.seed))
        stage.start("broker", "central")
        starts = [_start_once(setting, stage, number) for number in range(setting.repeats(STARTS))]
        for _ in range(SETTLE_READS):
            pass_once(stage, OWNER_FOB)
        memory = _memory(stage)
        shares = _core_shares(stage, IDLE_S / (10 if setting.quick else 1))
        demand_audit(stage)
    return Section(
        name="footprint", title="Memory, start and idle cost",
        how=f"Door and vision are started together {len(starts)} times on a site that is up, with their files in the page cache; "
            f"counted from just before the "
            "processes are made to the door's own time of the first fresh view (event vision.back), which comes after reader, "
            "inputs and lock. Memory is read from /proc "
            f"after {SETTLE_READS} passages, while vision follows the owner's face; core shares over {IDLE_S:g} s in which no fob is read.",
        figures=(
            *memory,
            Figure(what="start to guarding, median", value=median([all_s for _, all_s in starts]), unit="s", most=GUARDING_S),
            Figure(what="start to guarding, slowest", value=max(all_s for _, all_s in starts), unit="s"),
            Figure(what="start to a door that reads fobs, median", value=median([door_s for door_s, _ in starts]), unit="s"),
            Figure(what="start to a door that reads fobs, slowest", value=max(door_s for door_s, _ in starts), unit="s"),
            *shares,
        ),
        notes=("VmRSS counts shared libraries in full for each process; PSS shares them out among all who use them. The door's dead man is a "
               "forked child that shares its parent's memory, so its VmRSS is mostly the parent's counted again.",),
    )  # fmt: skip


def _start_once(setting: Setting, stage: Stage, number: int) -> tuple[float, float]:
    """Seconds until the door reads fobs, and until it also sees. The last start stays up."""
    setting.say(f"  start {number}")
    if number:
        for name in ("vision", "door"):
            stage.programs[name].stop()
    began_s = time.monotonic()
    stage.start("door", "vision")
    times: list[float] = []

    def there() -> bool:
        times[:] = [t for kind in ("door.started", "vision.back") if (t := _first_after(stage, kind, began_s)) is not None]
        return len(times) == 2

    stage.wait(there, READY_WITHIN_S, "the door is not guarded")
    return times[0] - began_s, times[1] - began_s


def _first_after(stage: Stage, kind: str, since_s: float) -> float | None:
    time.sleep(0.05)
    events = [kept.told.event for kept in stage.kept()]
    return min((event.mono_s for event in events if event.kind == kind and event.mono_s >= since_s), default=None)


def _memory(stage: Stage) -> list[Figure]:
    door, vision = _pid(stage, "door"), _pid(stage, "vision")
    figures = []
    for name, pid, most in (("door", door, DOOR_MB), ("vision", vision, VISION_MB)):
        figures += [
            Figure(what=f"{name}: resident (VmRSS)", value=_status_mb(pid, "VmRSS"), unit="MB", most=most),
            Figure(what=f"{name}: its share (PSS)", value=_pss_mb(pid), unit="MB"),
            Figure(what=f"{name}: highest so far (VmHWM)", value=_status_mb(pid, "VmHWM"), unit="MB"),
        ]
    children = Path(f"/proc/{door}/task/{door}/children").read_text().split()
    figures += [Figure(what="door's dead man: its share (PSS)", value=_pss_mb(int(child)), unit="MB") for child in children]
    figures += [
        Figure(what=f"{name}: resident (VmRSS)", value=_status_mb(_pid(stage, name), "VmRSS"), unit="MB") for name in SITE
    ]
    return figures


def _pid(stage: Stage, name: str) -> int:
    pid = stage.programs[name].pid
    if pid is None:
        raise DoorwardError(f"{name} does not run; see the logs in {stage.folder / 'logs'}")
    return pid


def _status_mb(pid: int, key: str) -> float:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines[key].split()[0]) * 1024 / 1e6


def _pss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6


def _core_shares(stage: Stage, for_s: float) -> list[Figure]:
    pids = {name: _pid(stage, name) for name in ("door", "vision")}
    before, began_s = {name: _cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(for_s)
    passed_s = time.monotonic() - began_s
    return [Figure(what=f"{name}: core share while nothing happens", value=100 * (_cpu_s(pid) - before[name]) / passed_s, unit="% of a core")
            for name, pid in pids.items()]  # fmt: skip


def _cpu_s(pid: int) -> float:
    """User and system seconds of a process so far (proc(5), fields 14 and 15; the name in brackets may hold blanks)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
