"""Polygons and lines on the floor: what lies in them, how far from their edges, which edges cross. Metres, or any other unit."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

Pair = tuple[float, float]


def contains(corners: Sequence[Pair], at: Pair) -> bool:
    """Whether a point lies in a polygon, by counting the edges that a ray to the right of it meets."""
    inside = False
    for (x0, y0), (x1, y1) in edges(corners):
        if (y0 > at[1]) != (y1 > at[1]) and at[0] < x0 + (at[1] - y0) / (y1 - y0) * (x1 - x0):
            inside = not inside
    return inside


def border_m(corners: Sequence[Pair], at: Pair) -> float:
    """How far a point is from the nearest edge."""
    return min(_from_edge(start, end, at) for start, end in edges(corners))


def edges(corners: Sequence[Pair]) -> list[tuple[Pair, Pair]]:
    """Each corner with the next one, the last with the first."""
    return list(zip(corners, [*corners[1:], *corners[:1]], strict=True))


def area(corners: Sequence[Pair]) -> float:
    """Without sign."""
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in edges(corners))) / 2


def crossing_edges(corners: Sequence[Pair]) -> tuple[int, int] | None:
    """Two edges (counted from 0) of a polygon that meet where they should not; None for a polygon that is sound."""
    all_edges = edges(corners)
    for i, (a, b) in enumerate(all_edges):
        for j in range(i + 2, len(all_edges)):
            neighbours = i == 0 and j == len(all_edges) - 1
            if not neighbours and _meet(a, b, *all_edges[j]):
                return i, j
    return None


def side_of(start: Pair, end: Pair, at: Pair) -> float:
    """How far a point is to the left (negative: to the right) of the way from `start` to `end`, seen from above."""
    length = hypot(end[0] - start[0], end[1] - start[1])
    return _turn(start, end, at) / max(length, 1e-9)


def along(start: Pair, end: Pair, at: Pair) -> float:
    """How far along the way from `start` (0) to `end` (1) a point is."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    return ((at[0] - start[0]) * dx + (at[1] - start[1]) * dy) / max(dx * dx + dy * dy, 1e-18)


def _from_edge(start: Pair, end: Pair, at: Pair) -> float:
    share = min(max(along(start, end, at), 0.0), 1.0)
    return hypot(at[0] - start[0] - share * (end[0] - start[0]), at[1] - start[1] - share * (end[1] - start[1]))


def _meet(a: Pair, b: Pair, c: Pair, d: Pair) -> bool:
    """Whether two stretches have a point in common."""
    if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
        return True
    return any(_from_edge(*each) < 1e-9 for each in ((a, b, c), (a, b, d), (c, d, a), (c, d, b)))


def _turn(a: Pair, b: Pair, c: Pair) -> float:
    """Twice the area of a triangle; positive where its corners are told against the clock."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
