"""The fob first, the face after: from the moment the face can be seen to the relay."""

from __future__ import annotations

import random
import time

from demo.catalogue import Portrait
from demo.people import find
from demo.scene import Scene, Seen
from demo.stage import CONTACT_PIN, OWNER_FOB, RELAY_PIN, Stage, StageOptions
from demo.walks import Walk, Waypoint
from hw.interfaces import Pixels
from tools.bench.figures import Figure, Section, Setting, distribution
from tools.bench.site import READY_WITHIN_S, cast, demand_audit, site

REPEATS = 30
WALKS_M_S = 1.3
AT_M = 1.3
ASIDE_M = 1.0
ANSWER_WITHIN_S = 4.0


class _Watched:
    """Draws the scene and notes the first frame in which the whole face could be seen."""

    def __init__(self, scene: Scene, options: StageOptions) -> None:
        self._scene, self._options = scene, options
        self.visible_s: float | None = None

    def __call__(self, now_s: float) -> Pixels:
        pixels = self._scene.frame(now_s)
        if self.visible_s is None and any(self._whole(seen) for seen in self._scene.truth(now_s)):
            self.visible_s = now_s
        return pixels

    def _whole(self, seen: Seen) -> bool:
        x, y, width, height = seen.face_box_px
        return x >= 0 and y >= 0 and x + width <= self._options.width_px and y + height <= self._options.height_px


def face_after_fob(setting: Setting) -> Section:
    """An empty view, a fob, then its owner steps in from the side."""
    people = cast(setting)
    options = StageOptions(face_wait_s=3.0)
    waits: list[float] = []
    repeats = setting.repeats(REPEATS)
    with site(setting, "face-after-fob", options, people) as stage:
        scene = Scene(options.width_px, options.height_px, setting.seed)
        scene.prepare(find(people, "owner"))
        watched = _Watched(scene, options)
        stage.show(watched)
        stage.start()
        stage.wait_until_guarding(READY_WITHIN_S)
        chance = random.Random(setting.seed)  # noqa: S311 - pauses, no secrets
        for number in range(repeats):
            setting.say(f"  arrival {number} of {repeats}")
            waits += _arrive(stage, scene, watched, people, chance)
        demand_audit(stage)
    return Section(
        name="face_after_fob", title="The face arrives after the fob",
        how=f"{repeats} times: nobody in view, the owner's fob is read, and 0.2 to 0.6 s later its owner steps in from the side "
            f"at 1.3 m/s, 1.3 m before the "
            "camera. Counted from the time of the first frame in which the whole face could be seen (the scene knows) to the "
            "relay; it holds the "
            "camera's interval, detection, embedding and decision.",
        figures=(
            *distribution("face visible to relay", waits),
            Figure(what="arrivals that did not open the door", value=float(repeats - len(waits)), unit="", most=0),
        ),
        samples={"face after the fob": tuple(waits)},
    )  # fmt: skip


def _arrive(stage: Stage, scene: Scene, watched: _Watched, people: list[Portrait], chance: random.Random) -> list[float]:
    """One arrival's milliseconds; [] when the door stayed shut."""
    scene.clear()
    time.sleep(1.3)  # tracks and views of the last one are forgotten
    watched.visible_s = None
    before = len(stage.rig.outputs)
    last_bit_s = stage.present(OWNER_FOB)
    scene.enter(_steps_in(find(people, "owner"), last_bit_s + chance.uniform(0.2, 0.6), chance.choice((-1.0, 1.0))))
    stage.rig.wait_for(lambda seen: any(o.pin == RELAY_PIN and bool(o.high) for o in seen[before:]), ANSWER_WITHIN_S)
    moved_s = next((o.at_s for o in stage.rig.outputs[before:] if o.pin == RELAY_PIN and o.high), None)
    stage.rig.set(CONTACT_PIN, True)
    time.sleep(0.2)
    stage.rig.set(CONTACT_PIN, False)
    return [] if moved_s is None or watched.visible_s is None else [1000 * (moved_s - watched.visible_s)]


def _steps_in(portrait: Portrait, starts_s: float, side: float) -> Walk:
    arrives_s = starts_s + ASIDE_M / WALKS_M_S
    path = (Waypoint(starts_s, side * ASIDE_M, AT_M), Waypoint(arrives_s, 0.0, AT_M), Waypoint(arrives_s + 10.0, 0.0, AT_M))
    return Walk(portrait=portrait, path=path)
