"""The watcher in its program: its files, its guard, and the floor that holds for the camera's frames.

Whatever is wrong here costs what is measured of people, and never a frame or an identity: it is told as a fault of vision.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from msgspec.structs import replace

from agent.behaviour.floor import FloorPlan, FloorValidity, default_plan, parse_floor
from agent.behaviour.ground import assumed_ground
from agent.behaviour.measures import BEFORE_DOOR
from agent.behaviour.watch import Watcher, WatchSettings
from agent.clock import Clock
from agent.config import Config, stress_signs_allowed
from agent.core.conduct import Conduct, DoorNews, Evidence
from agent.core.messages import Box, Observation
from agent.errors import ConfigError
from agent.files import write_whole
from agent.norms_file import NormsKeeper
from agent.vision.guard import Guard
from agent.vision.left_objects import ObjectWatch, StrangeThing
from hw.interfaces import Pixels

log = logging.getLogger(__name__)

Region = tuple[tuple[float, float], ...]
LEAST_CORNERS = 3
MOVED_FILE = "floor.moved"
"""In the records: the marking of the floor that no longer holds, because the camera was moved."""


class Watching:
    """What the vision loop hands its observations to (agent.vision.loop.Watches)."""

    def __init__(self, config: Config, camera: str, clock: Clock) -> None:
        """`camera`: its lasting name. Raises nothing: a floor that cannot be read is a fault, and the lens is assumed."""
        self._config, self._camera, self._clock = config, camera, clock
        self._moved_file = Path(config.records.folder) / MOVED_FILE
        self._guard, self._guard_things = Guard("behaviour"), Guard("things left behind")
        self._objects = ObjectWatch()
        self._region: Region = ()
        self._floor_fault = self._disk_fault = ""
        self._frame_px: tuple[int, int] | None = None
        self._watcher: Watcher | None = None
        self._keeper: NormsKeeper | None = None
        self._validity = FloorValidity("")

    @property
    def fault(self) -> str:
        """What is wrong, in words; empty when nothing is."""
        kept = self._keeper.fault if self._keeper is not None else ""
        return "; ".join(
            fault for fault in (self._guard.fault, self._guard_things.fault, self._floor_fault, self._disk_fault, kept) if fault
        )

    def news(self, news: DoorNews) -> None:
        if self._watcher is not None:
            self._guard.run(lambda: self._hear(news), news.at_s)

    def see(self, observation: Observation, pixels: Pixels, tamper: tuple[str, ...]) -> Conduct | None:
        """Never raises. `pixels`: the observation's frame."""
        things = self._guard_things.run(lambda: self._things(observation, pixels), observation.taken_s) or ()
        return self._guard.run(lambda: self._see(observation, tamper, things), observation.taken_s)

    def save(self) -> None:
        if self._keeper is not None:
            self._keeper.save()

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _hear(self, news: DoorNews) -> None:
        if self._watcher is not None:
            self._watcher.news(news)

    def _see(self, observation: Observation, tamper: tuple[str, ...], things: Sequence[Evidence]) -> Conduct | None:
        watcher = self._watcher if self._watcher is not None and observation.frame_px == self._frame_px else None
        watcher = watcher or self._begin(observation.frame_px)
        if self._validity.take(tamper):
            self._keep_moved()
        watcher.floor = watcher.plan.ground.kind if self._validity.valid else "moved"
        wall = self._clock.wall().astimezone()
        conduct = watcher.see(observation, wall, things, tamper)
        if self._keeper is not None:
            self._keeper.turn(observation.taken_s, wall)
        return conduct

    def _things(self, observation: Observation, pixels: Pixels) -> list[Evidence]:
        """What was left on the floor before the door or carried off; nothing while nobody knows where in the picture that floor is."""
        if len(self._region) < LEAST_CORNERS or not self._validity.valid:
            return []
        return strange_things(self._objects, observation, pixels, self._region)

    def _begin(self, frame_px: tuple[int, int]) -> Watcher:
        """With the first frame, and again should the camera change its format."""
        self._floor_fault = ""
        plan = self._plan(frame_px)
        self._validity = FloorValidity(plan.marking, self._known_moved())
        self.save()
        emotional = stress_signs_allowed(self._config)
        place = f"{self._camera} {plan.marking or 'assumed'}"
        self._keeper = NormsKeeper(Path(self._config.records.folder), place, self._config.behaviour.norms, emotional=emotional)
        self._watcher = Watcher(plan, self._keeper.norms, WatchSettings(emotional=emotional))
        self._frame_px, self._region = frame_px, floor_region(plan, frame_px)
        log.info("behaviour floor=%s zones=%d norms=%s", plan.ground.kind, len(plan.zones), self._keeper.norms.edition)
        return self._watcher

    def _plan(self, frame_px: tuple[int, int]) -> FloorPlan:
        lens = self._config.behaviour
        assumed = assumed_ground(frame_px, lens.across_deg, lens.above_floor_m, lens.tilt_deg)
        try:
            plan = parse_floor(Path(lens.floor).read_text("utf-8"), lens.floor, assumed)
        except FileNotFoundError:
            return default_plan(assumed)
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            self._floor_fault = f"floor: {error}; metres are assumed"
            log.error("floor not used path=%s why=%r", lens.floor, str(error))
            return default_plan(assumed)
        return self._fitted(plan, frame_px, default_plan(assumed))

    def _fitted(self, plan: FloorPlan, frame_px: tuple[int, int], otherwise: FloorPlan) -> FloorPlan:
        """The plan for frames of this size, if it was marked for this camera and for frames of this shape."""
        if plan.camera and plan.camera != self._camera:
            self._floor_fault = f"floor: {self._config.behaviour.floor} was marked for the camera {plan.camera}; mark it anew"
            return otherwise
        ground = plan.ground.scaled(frame_px)
        if ground is None:
            shape = f"{frame_px[0]}x{frame_px[1]}"
            self._floor_fault = (
                f"floor: {self._config.behaviour.floor} was marked for frames of another shape than {shape}; mark it anew"
            )
            return otherwise
        return replace(plan, ground=ground)

    def _known_moved(self) -> str:
        try:
            return self._moved_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def _keep_moved(self) -> None:
        log.warning(
            "floor moved: the camera hangs otherwise than when the floor was marked; nothing is told in metres until it is marked anew"
        )
        try:
            write_whole(self._moved_file, f"{self._validity.moved}\n".encode())
            self._disk_fault = ""
        except OSError as error:
            self._disk_fault = f"floor: {self._moved_file} cannot be written: {error}"


def floor_region(plan: FloorPlan, frame_px: tuple[int, int]) -> Region:
    """Where the floor before the door lies in the picture: the hull of what is seen of the zones before it; empty where nothing is."""
    steps = range(-40, 41)
    places = [(x / 10, y / 10) for x in steps for y in range(51) if plan.zone_at((x / 10, y / 10)).kind in BEFORE_DOOR]
    seen = [px for place in places if (px := plan.ground.to_px(place)) is not None and _is_in(px, frame_px)]
    if len(seen) < LEAST_CORNERS:
        return ()
    hull = cv2.convexHull(np.asarray(seen, np.float32))
    return tuple((float(x), float(y)) for x, y in hull[:, 0])


def strange_things(objects: ObjectWatch, observation: Observation, pixels: Pixels, region: Region) -> list[Evidence]:
    """What was left in a region of the picture or carried off from it; `pixels` is the observation's frame."""
    bodies = [body.box_px for body in observation.persons]
    faces = [_body_below(face.box_px) for face in observation.faces]
    numbers = [*(body.track for body in observation.persons), *(0 for _ in faces)]
    found = objects.take(pixels, observation.taken_s, [*bodies, *faces], region, numbers)
    return [_evidence(thing, observation.taken_s) for thing in found]


def _is_in(px: tuple[float, float], frame_px: tuple[int, int]) -> bool:
    return 0.0 <= px[0] < frame_px[0] and 0.0 <= px[1] < frame_px[1]


def _body_below(face_px: Box) -> Box:
    """Where the body of a face is, roughly: three faces wide, down to the edge of the picture."""
    x, y, width, height = face_px
    return x - width, y - height / 2, 3 * width, 9 * height


def _evidence(thing: StrangeThing, now_s: float) -> Evidence:
    kind = "object_left" if thing.what == "left" else "object_taken"
    return Evidence(kind=kind, value=round(now_s - thing.since_s, 1), confidence=round(thing.confidence, 3), track=thing.person or None,
                    at_s=now_s)  # fmt: skip
