"""Does a face move as a sheet or as a head? Points of its skin are followed in the picture itself and compared with both.

Between two views a flat sheet's points move by a homography, which for small turns is a polynomial of second order in x and y (Longuet-
Higgins, 1984: the visual motion of planar surfaces). A sheet bent about one axis adds the square of its bend and, as paper keeps its
length, a cube along it. All of these are taken out by least squares. What remains of a head that turns by an angle a is a * z, with z the
depth that a mean face has beyond such a sheet, its nose above all: (a_x, a_y) is found by a second least squares and called *relief*.
A picture of any kind gives 0; a head gives the sine of the angle that it turned. The mesh network's depth is not used: it sees a face
on paper as well.
"""

from __future__ import annotations

from math import hypot, radians

import cv2
import numpy as np
from msgspec import Struct

from agent.vision.faces import Floats
from agent.vision.liveness.patch import DEPTH, EYES_PX, Patch

WINDOW_PX = 13
LEAST_POINTS = 36
MOST_STEP_PX = 14.0
"""Farther from the mesh's guess a point is not believed: it slid along an edge."""
_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.02)


class Parallax(Struct, frozen=True, kw_only=True):
    """What two views of a face say. Angles as sines; lengths in distances of the outer eye corners."""

    relief_x: float
    relief_y: float
    noise: float
    """Standard deviation of each relief."""
    turned_x: float
    """What the mesh says that the head turned: sines of yaw and (downwards) pitch."""
    turned_y: float
    residual: float
    """Root mean square of what neither sheet nor relief explains."""
    flatness: float
    """Root mean square of what the sheet leaves."""
    points: int


def compare(before: Patch, now: Patch) -> Parallax | None:
    """None where too few points can be followed."""
    moved, good = _follow(before, now)
    if np.count_nonzero(good) < LEAST_POINTS:
        return None
    weight = np.where(good, np.minimum(1.0, before.detail / 400.0), 0.0)
    shift = (moved - before.points) / EYES_PX
    place = (before.points - before.points[good].mean(axis=0)) / EYES_PX
    return _explain(place, shift, weight, DEPTH, (sine(before.yaw_deg, now.yaw_deg), -sine(before.pitch_deg, now.pitch_deg)))


def sine(before_deg: float, now_deg: float) -> float:
    """Of the angle between two poses."""
    return float(np.sin(radians(now_deg - before_deg)))


def _follow(before: Patch, now: Patch) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Where the points are now (n x 2, px of the cut), by Lucas and Kanade's method from the mesh's guess, and which are believed."""
    guess = now.points.copy()
    moved, found, error = cv2.calcOpticalFlowPyrLK(before.grey, now.grey, before.points.reshape(-1, 1, 2), guess.reshape(-1, 1, 2),
                                                   winSize=(WINDOW_PX, WINDOW_PX), maxLevel=1, criteria=_CRITERIA,
                                                   flags=cv2.OPTFLOW_USE_INITIAL_FLOW, minEigThreshold=1e-4)  # fmt: skip
    after: Floats = np.asarray(moved.reshape(-1, 2), np.float32)
    error = error.reshape(-1)
    astray = np.hypot(*(after - now.points).T)
    good = (found.reshape(-1) > 0) & (astray < MOST_STEP_PX) & (error < max(12.0, 3 * float(np.median(error))))
    return after, np.asarray(good, np.bool_)


def _sheet(place: Floats) -> Floats:
    """What a flat or bent sheet's points can move by, n x 8, for each direction alike."""
    x, y = place.T
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x**3, y**3], axis=1)


def _explain(place: Floats, shift: Floats, weight: Floats, depth: Floats, turned: tuple[float, float]) -> Parallax | None:
    """Least squares twice; points that fit neither model lose their weight and it is done again (Tukey's biweight, two rounds)."""
    basis = _sheet(place).astype(np.float64)
    target = np.column_stack([shift, depth]).astype(np.float64)
    weight = weight.astype(np.float64)
    relief = np.zeros(2)
    for _ in range(3):
        normal = (basis * weight[:, None]).T @ basis + 1e-9 * np.eye(basis.shape[1])
        left = target - basis @ np.linalg.solve(normal, (basis * weight[:, None]).T @ target)
        bump = left[:, 2]
        power = float((weight * bump * bump).sum())
        if power < 1e-6:
            return None
        relief = (weight * bump) @ left[:, :2] / power
        rest = left[:, :2] - bump[:, None] * relief
        size = np.hypot(rest[:, 0], rest[:, 1])
        spread = 3.5 * max(float(np.median(size[weight > 0.05])), 0.002)
        kept = np.clip(1 - (size / spread) ** 2, 0, None) ** 2
        weight = np.where(
            weight > 0, np.maximum(weight.astype(bool) * kept * np.minimum(1, weight / max(weight.max(), 1e-9)), 0), 0
        )
    total = float(weight.sum())
    count = int(np.count_nonzero(weight > 0.05))
    if count < LEAST_POINTS // 2:
        return None
    residual = float(np.sqrt((weight * size * size).sum() / total / 2))
    flat = float(np.sqrt((weight[:, None] * left[:, :2] ** 2).sum() / total / 2))
    power = float((weight * bump * bump).sum())
    return Parallax(relief_x=float(relief[0]), relief_y=float(relief[1]), noise=residual / max(power, 1e-9) ** 0.5, turned_x=turned[0],
                    turned_y=turned[1], residual=residual, flatness=flat, points=count)  # fmt: skip


def turn_between(before: Patch, now: Patch) -> float:
    """How far the mesh says that the head turned, in degrees."""
    return hypot(now.yaw_deg - before.yaw_deg, now.pitch_deg - before.pitch_deg)
