"""The floor drawn faintly into a camera's picture: a line each metre, the zones' edges, the lines at which people are counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.behaviour.floor import FloorPlan
from agent.behaviour.ground import Ground, Pair
from agent.vision.drawing import AMBER, WHITE, Colour, write
from hw.interfaces import Pixels

HALF_M, FAR_M = 3, 6
"""The grid: so far to both sides, and so far from the door."""
FINE_M = 0.25
"""Lines are drawn in pieces: a piece whose end lies behind the camera is left out."""
STRONG = 0.35
"""How much of a line covers the picture."""
LETTERS = 0.42


def draw_floor(picture: Pixels, plan: FloorPlan, scale: float) -> None:
    """Draws into the picture, in place; nothing where no floor is known."""
    if plan.ground.camera is None:
        return
    over = picture.copy()
    for points in _grid(plan.ground):
        _line(over, points, WHITE, max(1, round(scale)))
    for zone in plan.zones:
        _line(over, _fine(plan.ground, [*zone.corners_m, *zone.corners_m[:1]]), WHITE, max(1, round(2 * scale)))
    for line in plan.lines:
        _line(over, _fine(plan.ground, [line.from_m, line.to_m]), AMBER, max(1, round(3 * scale)))
    cv2.addWeighted(over, STRONG, picture, 1 - STRONG, 0, picture)
    for y_m in range(1, FAR_M + 1):
        _figure(picture, plan.ground, y_m, scale)


def _grid(ground: Ground) -> Iterator[list[Pair | None]]:
    for x_m in range(-HALF_M, HALF_M + 1):
        yield _fine(ground, [(x_m, 0.0), (x_m, FAR_M)])
    for y_m in range(FAR_M + 1):
        yield _fine(ground, [(-HALF_M, y_m), (HALF_M, y_m)])


def _fine(ground: Ground, corners: Sequence[Pair]) -> list[Pair | None]:
    """Pixels along a line through these places."""
    points: list[Pair | None] = []
    for (x0, y0), (x1, y1) in pairwise(corners):
        pieces = max(1, round(max(abs(x1 - x0), abs(y1 - y0)) / FINE_M))
        points += [ground.to_px((x0 + (x1 - x0) * n / pieces, y0 + (y1 - y0) * n / pieces)) for n in range(pieces + 1)]
    return points


def _line(picture: Pixels, points: Sequence[Pair | None], colour: Colour, thick: int) -> None:
    """Pieces that lie in the picture at least in part; far outside of it pixels are too many for OpenCV."""
    height, width = picture.shape[:2]
    for start, end in pairwise(points):
        if start is None or end is None or not any(-width < x < 2 * width and -height < y < 2 * height for x, y in (start, end)):
            continue
        ends: NDArray[np.int32] = np.clip(np.rint([start, end]), -30000, 30000).astype(np.int32)
        cv2.line(picture, ends[0].tolist(), ends[1].tolist(), colour, thick, cv2.LINE_AA)


def _figure(picture: Pixels, ground: Ground, y_m: int, scale: float) -> None:
    """How many metres from the door, at the right of the approach where that is in the picture."""
    for x_m in (1.5, 1.0, 0.5):
        at = ground.to_px((x_m, y_m))
        if at is not None and 0 <= at[0] < picture.shape[1] - 30 * scale and 16 * scale <= at[1] < picture.shape[0] - 26 * scale:
            write(picture, f"{y_m} m", (round(at[0]), round(at[1] - 3 * scale)), LETTERS * scale, WHITE)
            return
