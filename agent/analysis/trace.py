"""What one person did in a film, as a plot needs it: where they were and how fast, where they looked, and when nobody could tell."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import hypot
from typing import Literal, NamedTuple

from msgspec import Struct

Side = Literal["left", "right", "back", "up", "down"]


class Place(NamedTuple):
    """Where somebody was; metres on the floor as in agent.core.conduct."""

    at_s: float
    x_m: float
    y_m: float


class Speed(NamedTuple):
    at_s: float
    m_s: float | None
    """None where it could not be measured."""


class Glance(NamedTuple):
    at_s: float
    side: Side
    """Of the picture."""


class Stretch(NamedTuple):
    """A time in which somebody's look was measured, or was not."""

    from_s: float
    to_s: float
    state: Literal["measured", "away", "not_measured"]


class Trace(Struct, frozen=True, kw_only=True):
    """One person, from when they came to when they went."""

    number: int
    """As in the summary."""
    first_s: float
    last_s: float
    places: tuple[Place, ...] = ()
    speeds: tuple[Speed, ...] = ()
    dwell_s: dict[str, float] = {}
    glances: tuple[Glance, ...] = ()
    looks: tuple[Stretch, ...] = ()
    unmeasured: str = ""
    """Why their look could not be measured, for most of the time in which it could not."""

    @property
    def lasts_s(self) -> float:
        return self.last_s - self.first_s


def smoothed(places: Sequence[Place], over_s: float = 0.8) -> list[Place]:
    """The mean place over so long around each, less at the ends: feet and boxes shake by a few centimetres that nobody walks."""
    found: list[Place] = []
    times = [place.at_s for place in places]
    for at_s in times:
        half_s = min(over_s / 2, at_s - times[0], times[-1] - at_s)
        around = places[bisect_left(times, at_s - half_s - 1e-6) : bisect_right(times, at_s + half_s + 1e-6)]
        x_m, y_m = (sum(values) / len(around) for values in ([p.x_m for p in around], [p.y_m for p in around]))
        found.append(Place(at_s, x_m, y_m))
    return found


def unbroken(places: Sequence[Place], most_gap_s: float = 1.0) -> list[list[Place]]:
    """The way in parts: where nobody saw the person for longer than `most_gap_s` nothing is drawn."""
    parts: list[list[Place]] = []
    for place in places:
        if not parts or place.at_s - parts[-1][-1].at_s > most_gap_s:
            parts.append([])
        parts[-1].append(place)
    return parts


def corners(places: Sequence[Place], step_m: float = 0.25) -> list[Place]:
    """Places of a smoothed way that lie apart, and its end: who stands and sways goes nowhere."""
    found = list(places[:1])
    for place in places:
        if hypot(place.x_m - found[-1].x_m, place.y_m - found[-1].y_m) >= step_m:
            found.append(place)
    return [*found, places[-1]] if len(found) > 1 and found[-1] != places[-1] else found


def length_m(places: Sequence[Place]) -> float:
    """How far somebody went, across gaps in a straight line."""
    return sum(hypot(b.x_m - a.x_m, b.y_m - a.y_m) for a, b in pairwise(corners(smoothed(places))))


def straightness(places: Sequence[Place]) -> float | None:
    """From the first to the last place, by the way between: 1 is a line. None for a way of less than two steps."""
    way = corners(smoothed(places))
    if len(way) < 3:
        return None
    return min(1.0, hypot(way[-1].x_m - way[0].x_m, way[-1].y_m - way[0].y_m) / length_m(places))
