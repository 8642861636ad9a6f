"""The floor seen from above with the ways that people took: metres, the door at the bottom, zones as tints, a colour for each person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, cos, floor, hypot, pi, sin
from typing import NamedTuple

from agent.analysis.trace import Place, Trace, smoothed, unbroken
from agent.evaluation.canvas import Area, Dot, Field, Line, Point, Shape, Words

WIDE = 480
"""On a telephone of 390 px letters of 15 are still 12 px high."""
LEFT, RIGHT = 48.0, 16.0
INK, QUIET, GRID, PAPER = "#222222", "#5f5f5f", "#d4d8dc", "#ffffff"
PEOPLE = ("#0072b2", "#d55e00", "#009e73", "#a8467f", "#b07800", "#3a3a3a")
"""After Okabe and Ito, 'Color Universal Design' (2008), three of them darker so that lines and figures stand out on tints: told apart with
every kind of colour blindness. Numbers say it too."""
TINTS = {"public": "#f2f5f7", "approach": "#dde8f1", "threshold": "#bdd3e6", "restricted": "#f3d9c6", "no_linger": "#f6e7bd"}
OTHER_TINT = "#e6e6e6"
ALWAYS = ("threshold", "restricted")
MOST_HIGH = 450.0
MARGIN_M = 0.3
FARTHEST_M = 12.0
"""Whoever is placed farther away was placed wrongly; the picture is for the approach."""
ARROW_EACH_M = 0.9
CLOSEST_MARK_PX = 7.0
RING_PX = 14.0
TURNS = tuple(pi * n / 6 for n in (6, 0, 5, 1, 4, 2, 3, 7, 11, 8, 10, 9))
"""Where a ring goes that has no room: to the sides first, away from the ways."""


class Marked(NamedTuple):
    """A zone as it is drawn."""

    name: str
    kind: str
    corners_m: tuple[tuple[float, float], ...]
    """Empty: everywhere."""


class Crossed(NamedTuple):
    """A line that people are counted at."""

    name: str
    from_m: tuple[float, float]
    to_m: tuple[float, float]


class Extent(NamedTuple):
    """The part of the floor that is drawn, metres."""

    left: float
    near: float
    right: float
    far: float


class Floor:
    """Metres to places on the paper, y upwards."""

    def __init__(self, extent: Extent, top: float) -> None:
        self.extent = extent
        room = WIDE - LEFT - RIGHT
        self.scale = min(room / (extent.right - extent.left), MOST_HIGH / (extent.far - extent.near))
        self._left = LEFT + (room - self.scale * (extent.right - extent.left)) / 2
        self.top = top
        self.bottom = top + self.scale * (extent.far - extent.near)
        self.right = self._left + self.scale * (extent.right - extent.left)

    @property
    def left(self) -> float:
        return self._left

    def at(self, x_m: float, y_m: float) -> Point:
        return self._left + (x_m - self.extent.left) * self.scale, self.bottom - (y_m - self.extent.near) * self.scale


def floor_figure(
    traces: Sequence[Trace], zones: Sequence[Marked], lines: Sequence[Crossed], top: float
) -> tuple[list[Shape], float]:
    """Shapes, and how far down they reach."""
    ways = [(trace, smoothed([place for place in trace.places if _is_near(place)])) for trace in traces]
    plan = Floor(extent_of([place for _, way in ways for place in way], zones), top)
    shapes = [*_ground(plan, zones), *_grid(plan), *(_crossed(plan, line) for line in lines), *_door(plan), *_names(plan, zones)]
    for number, (_, way) in enumerate(ways):
        shapes += _way(plan, way, colour_of(number))
    return [*shapes, *_ends(plan, ways)], plan.bottom + 46


def colour_of(number: int) -> str:
    """Of the nth person drawn; after the last colour they begin anew, and the numbers tell people apart."""
    return PEOPLE[number % len(PEOPLE)]


def tint_of(kind: str) -> str:
    return TINTS.get(kind, OTHER_TINT)


def extent_of(places: Iterable[Place], zones: Sequence[Marked]) -> Extent:
    """All the ways, and the zones that matter even where nobody was; never less than 3 m by 3 m, the door at the bottom."""
    points = [(place.x_m, place.y_m) for place in places]
    points += [_within(corner) for zone in zones if zone.kind in ALWAYS for corner in zone.corners_m]
    half = max([1.5, *(abs(x) + MARGIN_M for x, _ in points)])
    return Extent(
        -half, min([-MARGIN_M, *(y - MARGIN_M for _, y in points)]), half, max([3.2, *(y + MARGIN_M for _, y in points)])
    )


def _within(corner: tuple[float, float]) -> tuple[float, float]:
    half = FARTHEST_M / 2
    return max(-half, min(half, corner[0])), max(0.0, min(FARTHEST_M, corner[1]))


def _is_near(place: Place) -> bool:
    return abs(place.x_m) <= FARTHEST_M and -2.0 <= place.y_m <= FARTHEST_M


def _ground(plan: Floor, zones: Sequence[Marked]) -> list[Shape]:
    """Larger zones under smaller ones."""
    extent = plan.extent
    size = (plan.right - plan.left, plan.bottom - plan.top)
    shapes: list[Shape] = [Field((plan.left, plan.top), size, TINTS["public"])]
    cut = [(zone, clipped(zone.corners_m, extent)) for zone in zones]
    for zone, corners in sorted(cut, key=lambda pair: -area(pair[1])):
        if len(corners) >= 3:
            shapes.append(Area([plan.at(*corner) for corner in corners], tint_of(zone.kind)))
    return shapes


def _grid(plan: Floor) -> list[Shape]:
    """A line each metre, or each second one where they would be dense; figures in metres from the middle of the threshold."""
    extent, shapes = plan.extent, list[Shape]()
    step = 1 if plan.scale >= 34 else 2
    for x_m in _steps(extent.left, extent.right, step):
        x, y = plan.at(x_m, extent.near)
        shapes += [Line([(x, y), plan.at(x_m, extent.far)], GRID), Words(str(x_m), (x, y + 20), 15, "middle", QUIET)]
    for y_m in _steps(extent.near, extent.far, step):
        x, y = plan.at(extent.left, y_m)
        shapes += [Line([(x, y), plan.at(extent.right, y_m)], GRID), Words(str(y_m), (x - 8, y + 5), 15, "end", QUIET)]
    middle = (plan.left + plan.right) / 2
    return [*shapes, Words("m to the right of the picture", (middle, plan.bottom + 40), 15, "middle", QUIET),
            Words("m from the door", (plan.left, plan.top - 10), 15, "start", QUIET)]  # fmt: skip


def _steps(low: float, high: float, step: int) -> list[int]:
    return [value for value in range(ceil(low), floor(high) + 1) if value % step == 0]


def _door(plan: Floor) -> list[Shape]:
    half = 0.45
    left, right = plan.at(-half, 0.0), plan.at(half, 0.0)
    jambs = [Line([plan.at(x, 0.0), plan.at(x, -0.14)], INK, 3) for x in (-half, half)]
    return [Line([left, right], INK, 6), *jambs, Words("door", (right[0] + 8, right[1] + 15), 15, "start", INK)]


def _crossed(plan: Floor, line: Crossed) -> Shape:
    return Line([plan.at(*line.from_m), plan.at(*line.to_m)], "#8a8f94", 1.5)


def _names(plan: Floor, zones: Sequence[Marked]) -> list[Shape]:
    """In the far left corner of each zone: people come down the middle."""
    shapes: list[Shape] = []
    for zone in zones:
        corners = clipped(zone.corners_m or _all(plan.extent), plan.extent)
        if len(corners) >= 3:
            x, y = min((plan.at(*corner) for corner in corners), key=lambda point: point[0] + point[1])
            shapes.append(Words(zone.name, (x + 6, y + 19), 15, "start", QUIET))
    return shapes


def _all(extent: Extent) -> tuple[Point, ...]:
    return ((extent.left, extent.near), (extent.right, extent.near), (extent.right, extent.far), (extent.left, extent.far))


def _way(plan: Floor, way: Sequence[Place], colour: str) -> list[Shape]:
    """White under the line, so that ways that cross stay apart; arrows as far apart as steps are, a dot for each whole second."""
    shapes: list[Shape] = []
    for part in unbroken(way):
        line = [plan.at(place.x_m, place.y_m) for place in part]
        shapes += [Line(line, PAPER, 6), Line(line, colour, 2.6), *_seconds(plan, part, colour), *_arrows(plan, part, colour)]
    return shapes


def _seconds(plan: Floor, part: Sequence[Place], colour: str) -> list[Shape]:
    marks: list[Shape] = []
    last: Point | None = None
    for before, place in pairwise(part):
        here = plan.at(place.x_m, place.y_m)
        apart_px = CLOSEST_MARK_PX if last is None else hypot(here[0] - last[0], here[1] - last[1])
        if floor(place.at_s) > floor(before.at_s) and apart_px >= CLOSEST_MARK_PX:
            marks.append(Dot(here, 3.4, colour))
            last = here
    return marks


def _arrows(plan: Floor, part: Sequence[Place], colour: str) -> list[Shape]:
    shapes: list[Shape] = []
    since_m = ARROW_EACH_M / 2
    for i in range(1, len(part)):
        since_m += hypot(part[i].x_m - part[i - 1].x_m, part[i].y_m - part[i - 1].y_m)
        back, ahead = part[max(0, i - 3)], part[min(len(part) - 1, i + 3)]
        if since_m >= ARROW_EACH_M and hypot(ahead.x_m - back.x_m, ahead.y_m - back.y_m) > 0.15:
            tail, tip, here = (plan.at(place.x_m, place.y_m) for place in (back, ahead, part[i]))
            shapes.append(_arrow(tail, tip, here, colour))
            since_m = 0.0
    return shapes


def _arrow(start: Point, end: Point, at: Point, colour: str, long: float = 15.0, half: float = 6.0) -> Shape:
    across, down = end[0] - start[0], end[1] - start[1]
    length = hypot(across, down) or 1.0
    u, v = across / length, down / length
    tip, tail = (at[0] + u * long / 2, at[1] + v * long / 2), (at[0] - u * long / 2, at[1] - v * long / 2)
    return Area([tip, (tail[0] - v * half, tail[1] + u * half), (tail[0] + v * half, tail[1] - u * half)], colour)


def _ends(plan: Floor, ways: Sequence[tuple[Trace, Sequence[Place]]]) -> list[Shape]:
    """A ring with the person's number where they came, a square where they were last seen; rings lie above all else."""
    marks: list[Shape] = []
    rings: list[Shape] = []
    taken: list[Point] = []
    for number, (trace, way) in enumerate(ways):
        if not way:
            continue
        colour, (began, ended) = colour_of(number), (plan.at(place.x_m, place.y_m) for place in (way[0], way[-1]))
        at = _free(began, taken)
        taken.append(at)
        marks += _square(ended, colour)
        if at != began:
            marks += [Line([began, at], colour, 1.5), Dot(began, 4, colour)]
        rings += _ring(at, trace.number, colour)
    return [*marks, *rings]


def _free(at: Point, taken: Sequence[Point]) -> Point:
    """The nearest place for a ring that hides no other ring."""
    places = [at, *((at[0] + far * cos(turn), at[1] - far * sin(turn)) for far in (30, 45, 60, 80) for turn in TURNS)]
    return next((place for place in places if all(hypot(place[0] - x, place[1] - y) > 2 * RING_PX for x, y in taken)), at)


def _square(at: Point, colour: str) -> list[Shape]:
    x, y = at
    return [Field((x - 8, y - 8), (16, 16), PAPER), Field((x - 6, y - 6), (12, 12), colour)]


def _ring(at: Point, number: int, colour: str) -> list[Shape]:
    x, y = at
    return [Dot(at, RING_PX, PAPER), Dot(at, RING_PX - 1.5, colour), Dot(at, RING_PX - 4, PAPER),
            Words(str(number), (x, y + 5), 15, "middle", colour)]  # fmt: skip


def clipped(corners: Sequence[tuple[float, float]], extent: Extent) -> list[tuple[float, float]]:
    """The part of a polygon within the extent (Sutherland and Hodgman, 1974)."""
    sides = ((0, extent.left, 1), (0, extent.right, -1), (1, extent.near, 1), (1, extent.far, -1))
    kept = list(corners)
    for axis, bound, sign in sides:
        kept = _cut(kept, axis, bound, sign)
    return kept


def _cut(corners: Sequence[tuple[float, float]], axis: int, bound: float, sign: int) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for one, other in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        inside, next_inside = sign * (one[axis] - bound) >= 0, sign * (other[axis] - bound) >= 0
        if inside:
            kept.append(one)
        if inside != next_inside:
            share = (bound - one[axis]) / (other[axis] - one[axis])
            kept.append((one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1])))
    return kept


def area(corners: Sequence[tuple[float, float]]) -> float:
    """Square metres of a simple polygon."""
    pairs = zip(corners, [*corners[1:], *corners[:1]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2
