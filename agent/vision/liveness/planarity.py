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
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct

from agent.vision.faces import Floats
from agent.vision.head_pose import Doubles
from agent.vision.liveness.patch import DEPTH, EYES_PX, Patch

WINDOW_PX = 13
LEAST_POINTS = 36
ROUNDS = 4
MOST_STEP_PX = 14.0
"""Farther from the mesh's guess a point is not believed: it slid along an edge."""
_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 12, 0.02)


class Parallax(Struct, frozen=True, kw_only=True):
    """What two views of a face say: sines of angles, to the right and down."""

    relief: tuple[float, float]
    """Turn that only depth beyond any bent sheet explains."""
    flat: tuple[float, float]
    """Turn that only depth beyond a flat sheet explains: a bent sheet has it as well."""
    noise: float
    """Standard deviation of each part of `relief`, and of `flat`."""
    flat_noise: float
    turned: tuple[float, float]
    """What the mesh says that the head turned."""
    residual: float
    """Root mean square of what remains, in distances of the outer eye corners."""
    points: int


def compare(before: Patch, now: Patch) -> Parallax | None:
    """None where too few points can be followed."""
    moved, good = _follow(before, now)
    if np.count_nonzero(good) < LEAST_POINTS:
        return None
    weight = np.where(good, np.minimum(1.0, before.detail / 400.0), 0.0)
    shift = (moved - before.points) / EYES_PX
    place = (before.points - before.points[good].mean(axis=0)) / EYES_PX
    return _explain(place, shift, weight, (sine(before.yaw_deg, now.yaw_deg), -sine(before.pitch_deg, now.pitch_deg)))


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


def _explain(place: Floats, shift: Floats, weight: Floats, turned: tuple[float, float]) -> Parallax | None:
    """Both models fitted, each with the points that it suits."""
    own = weight.astype(np.float64)
    bent = _relief(_bent_sheet(place), shift, own)
    flat = _relief(_flat_sheet(place), shift, own)
    if bent is None or flat is None:
        return None
    return Parallax(relief=bent.relief, flat=flat.relief, noise=bent.noise, flat_noise=flat.noise, turned=turned, residual=bent.residual,
                    points=bent.points)  # fmt: skip


class _Relief(NamedTuple):
    relief: tuple[float, float]
    noise: float
    residual: float
    points: int


def _flat_sheet(place: Floats) -> Doubles:
    """2 n x 10: what a flat sheet's points can move by (a homography to second order), then depth in either direction."""
    x, y = place.T.astype(np.float64)
    one, none = np.ones_like(x), np.zeros_like(x)
    across = [one, x, y, none, none, none, x * x, x * y, DEPTH, none]
    down = [none, none, none, one, x, y, x * y, y * y, none, DEPTH]
    return np.concatenate([np.stack(across, axis=1), np.stack(down, axis=1)])


def _bent_sheet(place: Floats) -> Doubles:
    """2 n x 18: the same for a sheet that is bent as well."""
    x, y = place.T.astype(np.float64)
    sheet = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y, x**3, y**3, DEPTH], axis=1)
    none = np.zeros_like(sheet)
    both = np.concatenate([np.hstack([sheet, none]), np.hstack([none, sheet])])
    return both[:, [*range(8), *range(9, 17), 8, 17]]


def _relief(basis: Doubles, shift: Floats, weight: Doubles) -> _Relief | None:
    """The last two columns' share by least squares; points that do not fit lose their weight and it is done again (Tukey's biweight)."""
    target = shift.T.reshape(-1).astype(np.float64)
    own = weight.copy()
    if np.count_nonzero(weight > 0.05) < LEAST_POINTS // 2:
        return None
    for _ in range(ROUNDS):
        doubled = np.concatenate([own, own])
        weighted = basis * doubled[:, None]
        normal = weighted.T @ basis + 1e-8 * np.eye(basis.shape[1])
        found = np.linalg.solve(normal, weighted.T @ target)
        rest = (target - basis @ found).reshape(2, -1)
        size = np.hypot(rest[0], rest[1])
        spread = 4.0 * max(float(np.median(size[weight > 0.05])), 0.002)
        own = weight * np.clip(1 - (size / spread) ** 2, 0, None) ** 2
    count = int(np.count_nonzero(own > 0.05))
    if count < LEAST_POINTS // 2:
        return None
    residual = float(np.sqrt((own * size * size).sum() / own.sum() / 2))
    variance = float(np.linalg.inv(normal)[-2, -2])
    return _Relief((float(found[-2]), float(found[-1])), residual * max(variance, 0.0) ** 0.5, residual, count)


def turn_between(before: Patch, now: Patch) -> float:
    """How far the mesh says that the head turned, in degrees."""
    return hypot(now.yaw_deg - before.yaw_deg, now.pitch_deg - before.pitch_deg)
