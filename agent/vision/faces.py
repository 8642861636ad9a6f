"""What the stages hand to each other: squares of the frame, and faces found in them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.core.messages import Box

Floats = NDArray[np.float32]

RIGHT_EYE, LEFT_EYE, NOSE, MOUTH, RIGHT_EAR, LEFT_EAR = range(6)
"""The detector's six points in its order (BlazeFace, arXiv 1907.05047): right and left are the person's own."""


class Region(NamedTuple):
    """A square of the frame in whole pixels; may reach past the frame's edges."""

    x: int
    y: int
    side: int


class Face(NamedTuple):
    """A face that was found. `points_px` is 6 x 2 (x, y), in pixels of the frame."""

    box_px: Box
    score: float
    points_px: Floats


def centre(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def overlap(a: Box, b: Box) -> float:
    """Area of the intersection in square pixels."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union, 0..1."""
    common = overlap(a, b)
    union = a[2] * a[3] + b[2] * b[3] - common
    return common / union if union > 0 else 0.0


def covered(a: Box, b: Box) -> float:
    """The share of the smaller box that lies in the other, 0..1."""
    smaller = min(a[2] * a[3], b[2] * b[3])
    return overlap(a, b) / smaller if smaller > 0 else 0.0


def square_around(box: Box, times: float) -> Region:
    """The square about a box's centre, `times` its longer side, rounded to 4 px so that it can be halved twice."""
    x, y = centre(box)
    side = max(8, 4 * round(times * max(box[2], box[3]) / 4))
    return Region(round(x - side / 2), round(y - side / 2), side)
