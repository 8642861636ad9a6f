"""What people do in one film, measured as the vision program measures it before a door, and gathered for the summary and the plot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from math import inf
from pathlib import Path
from typing import NamedTuple

from agent.analysis.conducted import Behaviour, Recorder
from agent.analysis.trace import Trace
from agent.behaviour.floor import FloorPlan, default_plan, parse_floor, read_floor
from agent.behaviour.ground import Ground, assumed_ground
from agent.behaviour.norms import Norms, NormsError
from agent.behaviour.watch import Watcher, WatchSettings
from agent.config import Config, stress_signs_allowed
from agent.core.conduct import Conduct
from agent.core.messages import Observation
from agent.core.risk import lawful
from agent.errors import ConfigError, FilmError
from agent.risk_settings import risk_policy
from agent.vision.left_objects import ObjectWatch
from agent.watching import LEAST_CORNERS, floor_region, strange_things
from hw.interfaces import Pixels

NOON = datetime(2024, 1, 1, 12, tzinfo=timezone.utc)
"""A film does not say when it was taken: a Monday at noon, unless somebody says so."""

Plan = tuple[FloorPlan, str]
"""The floor, and in words where its metres come from."""
PlanOf = Callable[[tuple[int, int]], Plan]
"""The floor in pictures of a size (width, height)."""


class Lens(NamedTuple):
    """A camera that nobody marked a floor for, roughly."""

    across_deg: float
    above_floor_m: float
    tilt_deg: float

    def ground(self, frame_px: tuple[int, int]) -> Ground:
        return assumed_ground(frame_px, self.across_deg, self.above_floor_m, self.tilt_deg)

    def __str__(self) -> str:
        return f"lens {self.across_deg:g} deg across, {self.above_floor_m:g} m above the floor, looking down by {self.tilt_deg:g} deg"


def assumed(lens: Lens) -> PlanOf:
    """A floor that nobody marked."""
    return lambda frame_px: (default_plan(lens.ground(frame_px)), f"assumed: {lens}; only a marked floor is exact (--floor)")


def marked(path: Path, lens: Lens, said: str = "") -> PlanOf:
    """The floor that an installer marked. Raises ConfigError for a file that is none; a film of another shape raises FilmError.

    `said`: the words with which the lens was described on the command line, which a floor with marked points has no use for.
    """
    text = _read(path)
    if not read_floor(text, str(path)).points:
        return lambda frame_px: (
            parse_floor(text, str(path), lens.ground(frame_px)),
            f"assumed: {lens}; zones as drawn in {path.name}",
        )
    plan = parse_floor(text, str(path))
    if said:
        raise ConfigError(f"{said}: the floor in {path} was marked, and knows its camera better; leave it out")
    return lambda frame_px: (_fitting(plan, frame_px, path), f"measured: the floor marked in {path.name}")


def learned(path: Path) -> bytes:
    """A door's norms; empty where there are none yet. Raises ConfigError for a file that is no norms."""
    try:
        raw = path.read_bytes()
        Norms.decode(raw)
    except FileNotFoundError:
        return b""
    except (OSError, NormsError) as error:
        raise ConfigError(
            f"{path}: cannot be read as norms: {error}; run as a user who may read it, or analyse without --config"
        ) from error
    return raw


def _fitting(plan: FloorPlan, frame_px: tuple[int, int], path: Path) -> FloorPlan:
    ground = plan.ground.scaled(frame_px)
    if ground is None:
        (width, height), (wide, high) = frame_px, plan.ground.frame_px
        raise FilmError(f"{path}: marked on pictures of {wide} x {high} px, and this film's are {width} x {height}: another shape, so another"
                        " camera or a cut; mark the floor on a picture of this film, or leave --floor out")  # fmt: skip
    return FloorPlan(
        ground=ground, zones=plan.zones, lines=plan.lines, camera=plan.camera, place=plan.place, marking=plan.marking
    )


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; `doorward floor mark` writes one (docs/FLOOR.md)") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a floor: {error}") from error


class Measuring:
    """One film's people. Call `take` with each observation; the floor is known with the first."""

    def __init__(self, plan_of: PlanOf, config: Config, began: datetime = NOON, norms: bytes = b"") -> None:
        """`norms`: what a door has learned, as its file has it; empty: nothing yet. Nothing is learned from a film."""
        self._plan_of, self._began, self._norms = plan_of, began, norms
        self._policy, self._emotional = risk_policy(config.risk), stress_signs_allowed(config)
        self._objects, self._region = ObjectWatch(), tuple[tuple[float, float], ...]()
        self._parts: tuple[Watcher, Recorder, tuple[int, int]] | None = None
        self.plan: FloorPlan | None = None
        self.newest: Conduct | None = None

    def take(self, observation: Observation, pixels: Pixels | None = None) -> Conduct | None:
        """What is known of everybody, five times a second; None between. Raises FilmError for a floor of another shape.

        `pixels`: the observation's frame; without it nobody looks for things that were left behind.
        """
        watcher, recorder, frame_px = self._parts or self._begin(observation.frame_px)
        if observation.frame_px != frame_px:  # a camera that changes its size in the middle: nobody marked that
            return None
        seen = pixels is not None and len(self._region) >= LEAST_CORNERS
        things = strange_things(self._objects, observation, pixels, self._region) if pixels is not None and seen else ()
        conduct = watcher.see(observation, self._began + timedelta(seconds=observation.taken_s), things)
        if conduct is not None:
            conduct = self.newest = lawful(conduct, self._emotional)[0]
        recorder.take(observation, conduct)
        return conduct

    def behaviour(self) -> Behaviour | None:
        return None if self._parts is None else self._parts[1].behaviour()

    def traces(self) -> tuple[Trace, ...]:
        return () if self._parts is None else self._parts[1].traces()

    def _begin(self, frame_px: tuple[int, int]) -> tuple[Watcher, Recorder, tuple[int, int]]:
        try:
            self.plan, says = self._plan_of(frame_px)
        except ConfigError as error:  # zones in pixels that lie outside this film's pictures
            raise FilmError(str(error)) from error
        self._region = floor_region(self.plan, frame_px)
        watcher = Watcher(self.plan, self._usual(self.plan), WatchSettings(emotional=self._emotional, least_visit_s=inf))
        self._parts = (watcher, Recorder(self.plan, says, self._policy), frame_px)
        return self._parts

    def _usual(self, plan: FloorPlan) -> Norms:
        """What is usual at this door; of what is measured in metres nothing where its floor was another."""
        if not self._norms:
            return Norms(emotional=self._emotional, learns=False)
        norms = Norms.decode(self._norms, emotional=self._emotional)
        norms.moved(f"{norms.place.rpartition(' ')[0]} {plan.marking or 'assumed'}")
        return norms
