"""What people in the scene do: where each one is, how fast and which way the head is turned, as pure functions of time."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Literal

from msgspec import Struct

from demo.catalogue import Portrait

SMOOTHED_S = 0.15
"""Nobody starts or stops at once: positions are averaged over this long before and after."""
STEP_M = 0.72
"""Length of one step at an ordinary pace; the head rises once with each."""
BOB_M = 0.02
GLANCE_RAMP_S = 0.25
THROUGH_M = 0.35
"""So near the person has gone past the camera, through the door."""


class Waypoint(Struct, frozen=True):
    """Where somebody is at a time; straight lines join them."""

    at_s: float
    x_m: float
    z_m: float


class Glance(Struct, frozen=True):
    """Head turned aside for a while; positive is to the picture's right."""

    at_s: float
    for_s: float
    yaw_deg: float


class Place(Struct, frozen=True):
    """Where somebody is at one moment; speeds in metres a second."""

    x_m: float
    z_m: float
    x_m_s: float
    z_m_s: float
    bob_m: float
    bob_m_s: float
    yaw_deg: float
    roll_deg: float


class Walk(Struct, frozen=True, kw_only=True):
    """One person's way through the scene, from the first waypoint's time to the last one's."""

    portrait: Portrait
    path: tuple[Waypoint, ...]
    height_m: float = 1.75
    glances: tuple[Glance, ...] = ()
    holds_up: Portrait | None = None
    """A printed photograph held before the face."""
    sway_deg: float = 4.0
    """How far the head turns by itself while walking."""
    turns_round: bool = False
    """The head turns as a round one (demo.round_head): for looks over the shoulder."""

    @property
    def starts_s(self) -> float:
        return self.path[0].at_s

    @property
    def ends_s(self) -> float:
        return self.path[-1].at_s

    def at(self, t_s: float) -> Place | None:
        """Where and how this person is at a time, or None before and after."""
        if not self.starts_s <= t_s <= self.ends_s:
            return None
        x_m, z_m = self._smooth(t_s)
        before, after = self._smooth(t_s - 0.01), self._smooth(t_s + 0.01)
        bob_m, bob_before_m = self._bob(t_s), self._bob(t_s - 0.01)
        phase = self._steps(t_s) * math.pi
        return Place(x_m=x_m, z_m=z_m, x_m_s=(after[0] - before[0]) / 0.02, z_m_s=(after[1] - before[1]) / 0.02,
                     bob_m=bob_m, bob_m_s=(bob_m - bob_before_m) / 0.01, yaw_deg=self._yaw(t_s),
                     roll_deg=1.2 * math.sin(phase) + 0.3 * math.sin(1.7 * t_s))  # fmt: skip

    def _corner(self, t_s: float) -> tuple[float, float]:
        """Position on the straight lines."""
        number = bisect_right(self.path, t_s, key=lambda point: point.at_s)
        if number in (0, len(self.path)):
            point = self.path[min(number, len(self.path) - 1)]
            return point.x_m, point.z_m
        start, end = self.path[number - 1], self.path[number]
        share = (t_s - start.at_s) / (end.at_s - start.at_s)
        return start.x_m + share * (end.x_m - start.x_m), start.z_m + share * (end.z_m - start.z_m)

    def _smooth(self, t_s: float) -> tuple[float, float]:
        points = [self._corner(t_s + share * SMOOTHED_S) for share in (-1.0, -0.5, 0.0, 0.5, 1.0)]
        return sum(x_m for x_m, _ in points) / 5, sum(z_m for _, z_m in points) / 5

    def _steps(self, t_s: float) -> float:
        """Steps taken so far."""
        length_m = 0.0
        for start, end in zip(self.path, self.path[1:], strict=False):
            if t_s <= start.at_s:
                break
            share = min(1.0, (t_s - start.at_s) / (end.at_s - start.at_s))
            length_m += share * math.hypot(end.x_m - start.x_m, end.z_m - start.z_m)
        return length_m / STEP_M

    def _bob(self, t_s: float) -> float:
        return BOB_M * abs(math.sin(self._steps(t_s) * math.pi)) - BOB_M / 2

    def _yaw(self, t_s: float) -> float:
        yaw_deg = self.sway_deg * (0.7 * math.sin(1.3 * t_s + self.starts_s) + 0.3 * math.sin(3.1 * t_s))
        for glance in self.glances:
            share = min((t_s - glance.at_s) / GLANCE_RAMP_S, (glance.at_s + glance.for_s - t_s) / GLANCE_RAMP_S, 1.0)
            if share > 0:
                yaw_deg += (glance.yaw_deg - yaw_deg) * share * share * (3 - 2 * share)
        return yaw_deg


def walk_up(portrait: Portrait, *, starts_s: float, from_m: float = 4.0, to_m: float = 1.0, speed_m_s: float = 1.3,
            x_m: float = 0.0, waits_s: float = 4.0, leaves: Literal["through", "aside", "stays"] = "aside",
            glances: tuple[Glance, ...] = (), holds_up: Portrait | None = None) -> Walk:  # fmt: skip
    """Somebody walks up to the door, waits, then goes `through` it, steps `aside` out of view, or `stays` until the end.

    The approach drifts 25 cm sideways, as people walk, and ends at `x_m`.
    """
    arrives_s = starts_s + abs(from_m - to_m) / speed_m_s
    turns_s = arrives_s + waits_s
    path = [Waypoint(starts_s, x_m - 0.25, from_m), Waypoint(arrives_s, x_m, to_m), Waypoint(turns_s, x_m, to_m)]
    if leaves == "through":
        path.append(Waypoint(turns_s + (to_m - THROUGH_M) / speed_m_s, x_m + 0.3, THROUGH_M))
    elif leaves == "aside":
        path.append(Waypoint(turns_s + 1.6 / speed_m_s, x_m + 1.6, to_m + 0.2))
    return Walk(portrait=portrait, path=tuple(path), glances=glances, holds_up=holds_up)


def stand(portrait: Portrait, *, from_s: float, until_s: float, at_m: float = 1.2, x_m: float = 0.0,
          glances: tuple[Glance, ...] = (), holds_up: Portrait | None = None) -> Walk:  # fmt: skip
    """Somebody who stands and waits."""
    path = (Waypoint(from_s, x_m, at_m), Waypoint(until_s, x_m, at_m))
    return Walk(portrait=portrait, path=path, glances=glances, holds_up=holds_up)


def pass_by(portrait: Portrait, *, starts_s: float, at_m: float = 2.5, speed_m_s: float = 1.3, to_right: bool = True) -> Walk:
    """Somebody who crosses the view without coming to the door."""
    half_m = 0.45 * at_m + 0.5
    side = 1.0 if to_right else -1.0
    path = (Waypoint(starts_s, -side * half_m, at_m), Waypoint(starts_s + 2 * half_m / speed_m_s, side * half_m, at_m))
    return Walk(portrait=portrait, path=path)
