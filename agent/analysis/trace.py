"""What one person did in a film, as a plot needs it: where they were and how fast, where they looked, and when nobody could tell."""

from __future__ import annotations

from collections.abc import Sequence
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

    @property
    def lasts_s(self) -> float:
        return self.last_s - self.first_s


def smoothed(places: Sequence[Place], over_s: float = 0.8) -> list[Place]:
    """The mean place over so long around each: feet and boxes shake by a few centimetres that nobody walks. Gaps are not bridged."""
    found: list[Place] = []
    first = last = 0
    for place in places:
        while places[first].at_s < place.at_s - over_s / 2:
            first += 1
        while last < len(places) and places[last].at_s <= place.at_s + over_s / 2:
            last += 1
        around = places[first:last]
        x_m, y_m = (sum(values) / len(around) for values in ([p.x_m for p in around], [p.y_m for p in around]))
        found.append(Place(place.at_s, x_m, y_m))
    return found


def unbroken(places: Sequence[Place], most_gap_s: float = 1.0) -> list[list[Place]]:
    """The way in parts: where nobody saw the person for longer than `most_gap_s` nothing is drawn."""
    parts: list[list[Place]] = []
    for place in places:
        if not parts or place.at_s - parts[-1][-1].at_s > most_gap_s:
            parts.append([])
        parts[-1].append(place)
    return parts
