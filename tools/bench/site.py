"""A guarded door to measure: `demo.stage` with real processes, and a person in view who costs the simulator little."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from agent.core.messages import Event
from agent.errors import DoorwardError
from demo.catalogue import Portrait
from demo.people import fetch_people, find
from demo.scene import Scene
from demo.stage import CONTACT_PIN, D0_PIN, D1_PIN, RELAY_PIN, Stage, StageOptions
from demo.walks import stand
from hw.interfaces import Pixels
from hw.wiring import Level
from tools.bench.figures import Setting

READY_WITHIN_S = 60.0
ANSWER_WITHIN_S = 5.0
SPOILT_MS = 100.0
"""The door waits 150 ms, by the clock, for the rest of a frame; the difference is for the wire and the loop."""
STANDS_AT_M = 1.2
LOOP_S = 6.0


@contextmanager
def site(setting: Setting, name: str, options: StageOptions, people: list[Portrait] | None = None) -> Iterator[Stage]:
    """A stage that is closed whatever happens. With `people` their owner is enrolled; without, the cardholder has no template."""
    sys.setswitchinterval(0.0005)  # the rig's thread must not wait for the film's
    stage = Stage(setting.folder / name, options)
    try:
        if people is None:
            stage.write_access(())
        else:
            stage.enrol(tuple(Path(p.file) for p in people if (p.name, p.use) == ("owner", "enrolment")))
        yield stage
    finally:
        stage.close()


def cast(setting: Setting) -> list[Portrait]:
    """The demo's people."""
    return fetch_people(progress=setting.say)


def film_of_owner(people: list[Portrait], options: StageOptions, seed: int) -> Callable[[float], Pixels]:
    """The owner before the door, swaying, for ever. Drawn beforehand: on a real door nobody draws pictures on the same cores."""
    scene = Scene(options.width_px, options.height_px, seed)
    scene.enter(stand(find(people, "owner"), from_s=0.0, until_s=LOOP_S + 1, at_m=STANDS_AT_M))
    count = round(LOOP_S * options.frames_per_s)
    frames = [scene.frame(number / options.frames_per_s) for number in range(count)]

    def draw(now_s: float) -> Pixels:
        # To the end and back again: a jump would be a person who jumps
        place = round(now_s * options.frames_per_s) % (2 * count - 2)
        return frames[min(place, 2 * count - 2 - place)]

    return draw


class Passage(Struct, frozen=True):
    """What one fob came to. `relay_ms` is None where the relay did not move."""

    last_bit_s: float
    relay_ms: float | None
    rig_late_ms: float
    """How late the rig itself was with a bit, at worst: no fault of the door."""

    @property
    def opened(self) -> bool:
        return self.relay_ms is not None

    @property
    def spoilt(self) -> bool:
        """Not answered, and no wonder: the simulated reader itself fell silent so long in the frame's midst that the frame ended there."""
        return not self.opened and self.rig_late_ms > SPOILT_MS


def pass_once(stage: Stage, bits: str, interval_s: float = 0.001) -> Passage:
    """Hold out a fob, wait for the relay, open and shut the door, wait until it is secured again."""
    read = read_once(stage, bits, interval_s)
    if read.relay_ms is not None:
        for is_open in (True, False):
            _await_secured(stage, lambda is_open=is_open: stage.rig.set(CONTACT_PIN, is_open))  # type: ignore[misc]
    return read


def read_once(stage: Stage, bits: str, interval_s: float = 0.001) -> Passage:
    """Hold out a fob and wait for the relay."""
    before = len(stage.rig.outputs)
    last_bit_s = stage.rig.wiegand(bits, D0_PIN, D1_PIN, interval_s)
    late_ms = 1000 * stage.rig.late_s
    stage.rig.wait_for(lambda seen: any(map(_is_release, seen[before:])), ANSWER_WITHIN_S)
    moved_s = next((level.at_s for level in stage.rig.outputs[before:] if _is_release(level)), None)
    return Passage(last_bit_s, None if moved_s is None else 1000 * (moved_s - last_bit_s), late_ms)


def _await_secured(stage: Stage, change: Callable[[], None]) -> None:
    """The door drives its relay when it opens (relock) and again when it falls shut (end of the access)."""
    before = len(stage.rig.outputs)
    change()
    secured = stage.rig.wait_for(lambda seen: any(o.pin == RELAY_PIN and o.high is False for o in seen[before:]), ANSWER_WITHIN_S)
    if not secured:
        raise DoorwardError(
            f"the door was not secured again within {ANSWER_WITHIN_S:g} s; see the logs in {stage.folder / 'logs'}"
        )


def _is_release(level: Level) -> bool:
    return level.pin == RELAY_PIN and bool(level.high)


def told(stage: Stage, kind: str, count: int, within_s: float = 60.0) -> list[Event]:
    """The events of a kind that the historian holds, once they are `count`; raises DoorwardError when they never are."""
    found: list[Event] = []

    def there() -> bool:
        time.sleep(0.2)
        found[:] = [kept.told.event for kept in stage.kept() if kept.told.event.kind == kind]
        return len(found) >= count

    stage.wait(there, within_s, f"the historian does not hold {count} events {kind}")
    return found


def demand_audit(stage: Stage) -> None:
    """A run in which something was lost measured nothing: DoorwardError unless the historian holds exactly what the door counted."""
    if faults := stage.audit(60.0):
        raise DoorwardError(f"the run is worth nothing: {'; '.join(faults)}")
