"""How people move before a door, in metres and seconds: the walks of demo.walks with speeds and accelerations that were published.

Speeds. Comfortable 1.27 to 1.46 m/s by age and sex, the fastest walk 1.75 to 2.53 (Bohannon, Age and Ageing 26, 1997, 15-19); at
crossings 1.51 m/s for the young and 1.25 for those over 65 in the mean, 15th percentiles 1.25 and .97 (Knoblauch, Pietrucha and
Nitzburg, Transportation Research Record 1538, 1996, 27-38). People change from a walk to a run at about 2 m/s (Thorstensson and
Roberthson, Acta Physiologica Scandinavica 131, 1987, 211-214). Nobody stops at once: ending a walk takes about two steps, so speeds here
change by about 1 m/s2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from demo.catalogue import Portrait
from demo.walks import Glance, Walk, Waypoint

Point = tuple[float, float]
"""x and z (away from the door), metres."""

STEP_S = 0.1
ORDINARY_M_S2 = 1.0
"""How fast an unhurried person gains and loses speed, on average."""
SLOWEST_M_S = 0.05
THROUGH: Point = (0.25, 0.35)
"""Past the camera, through the door."""


class Go(Struct, frozen=True):
    """Walk to a point."""

    to: Point
    speed_m_s: float
    m_s2: float = ORDINARY_M_S2


class Wait(Struct, frozen=True):
    """Stay where one is, shifting one's weight."""

    for_s: float
    sway_m: float = 0.02


Part = Go | Wait


def way(portrait: Portrait, start: Point, parts: Sequence[Part], *, starts_s: float = 0.0, glances: tuple[Glance, ...] = (),
        height_m: float = 1.75, sway_deg: float = 4.0, holds_up: Portrait | None = None,
        turns_round: bool = True) -> Walk:  # fmt: skip
    """A walk of parts, each beginning where and when the one before ended."""
    points = [Waypoint(starts_s, *start)]
    for part in parts:
        points += _gone(points[-1], part) if isinstance(part, Go) else _waited(points[-1], part)
    return Walk(portrait=portrait, path=tuple(points), glances=glances, height_m=height_m, sway_deg=sway_deg, holds_up=holds_up,
                turns_round=turns_round)  # fmt: skip


def times(walk_parts: Sequence[Part], start: Point, starts_s: float = 0.0) -> list[float]:
    """When each part ends."""
    ends, here, at_s = [], start, starts_s
    for part in walk_parts:
        if isinstance(part, Go):
            at_s += _duration_s(math.dist(here, part.to), part)
            here = part.to
        else:
            at_s += part.for_s
        ends.append(at_s)
    return ends


def _duration_s(metres: float, go: Go) -> float:
    ramp_m = go.speed_m_s**2 / go.m_s2
    if metres >= ramp_m:
        return metres / go.speed_m_s + go.speed_m_s / go.m_s2
    return 2 * math.sqrt(metres / go.m_s2)


def _gone(begin: Waypoint, go: Go) -> list[Waypoint]:
    """Less speed where the way is too short for all of it."""
    metres = math.dist((begin.x_m, begin.z_m), go.to)
    if metres < 1e-6:
        return []
    total_s = _duration_s(metres, go)
    count = max(2, math.ceil(total_s / STEP_S))
    points = []
    for number in range(1, count + 1):
        share = _metres_after(total_s * number / count, metres, total_s, go) / metres
        points.append(Waypoint(begin.at_s + total_s * number / count, begin.x_m + share * (go.to[0] - begin.x_m),
                               begin.z_m + share * (go.to[1] - begin.z_m)))  # fmt: skip
    return points


def _metres_after(t_s: float, metres: float, total_s: float, go: Go) -> float:
    """Speed rises along an S (3 s^2 - 2 s^3), and falls along another: nobody's acceleration begins at once."""
    if t_s > total_s / 2:
        return metres - _metres_after(total_s - t_s, metres, total_s, go)
    ramp_s = min(go.speed_m_s / go.m_s2, total_s / 2)
    top_m_s = metres / (total_s - ramp_s)
    share = min(t_s / ramp_s, 1.0)
    return top_m_s * ramp_s * (share**3 - share**4 / 2) + top_m_s * max(0.0, t_s - ramp_s)


def _waited(begin: Waypoint, wait: Wait) -> list[Waypoint]:
    """Weight goes from one foot to the other every two to three seconds."""
    count = max(1, round(wait.for_s / 0.5))
    points = []
    for number in range(1, count + 1):
        t_s = wait.for_s * number / count
        fade = min(1.0, t_s, wait.for_s - t_s) if wait.sway_m else 0.0
        points.append(Waypoint(begin.at_s + t_s, begin.x_m + fade * wait.sway_m * math.sin(2.4 * (begin.at_s + t_s)),
                               begin.z_m + 0.5 * fade * wait.sway_m * math.sin(1.7 * (begin.at_s + t_s))))  # fmt: skip
    return points


def pace_of(chance: np.random.Generator, *, hurry: bool = False, slow: bool = False) -> float:
    """One adult's walking speed, m/s: mean and deviation over both sexes of 20 to 79 years, and of the fastest walk for who hurries."""
    mean, deviation = (1.85, 0.15) if hurry else (1.0, 0.12) if slow else (1.37, 0.17)
    return float(np.clip(chance.normal(mean, deviation), 0.6, 2.3))
