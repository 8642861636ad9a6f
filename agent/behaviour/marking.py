"""A camera's place, view and lens from points of the floor that were marked once: {pixel, metres}.

First the homography from floor to picture (normalised direct linear transformation: Hartley, "In defense of the eight-point algorithm",
PAMI 19, 1997); from its two constraints the focal length, for square pixels and an axis in the middle of the picture (Zhang, "A flexible new
technique for camera calibration", PAMI 22, 2000); then all seven numbers at once, so that the marks lie as near as their errors allow
(Levenberg and Marquardt). How those seven could be otherwise becomes `Ground.also`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import hypot, isfinite, log, radians, sqrt, tan
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.behaviour.ground import Camera, Ground, Pair
from agent.errors import ConfigError

Reals = NDArray[np.floating[Any]]
Mark = tuple[Pair, Pair]
"""Pixel and metres of a point on the floor."""

LEAST_MARKS = 4
MARK_PX = 1.5
"""How well a point is read off a picture 640 px wide,"""
TAPE_M = 0.01
"""and measured on the floor; standard deviations."""
LENS_SPREAD = 0.03
"""How well a lens's declared angle is known (its focal length, relative),"""
UNKNOWN_SPREAD = 0.5
"""and how far lenses are from the usual one that nobody declares."""
USUAL_DEG = 65.0
MOST_OFF_M = 0.3
MOST_OFF_SHARE = 0.02
"""Of the picture's width: marks that miss their places by more do not go together."""
THIN_M = 0.15
THIN_PX = 5.0
STARTS_DEG = (40.0, 65.0, 95.0)
STEPS, QUICK_STEPS = 60, 15
MOST_SUSPECTED = 12
"""Among more marks nobody looks for the wrong one: it would take long, and the farthest off is told anyway."""


class Marked(Struct, frozen=True, kw_only=True):
    """What the marks say of a camera."""

    ground: Ground
    residual_cm: float
    """Root mean square of how far the marks lie on the floor from where they were said to be."""
    worst_cm: float
    worst: int
    """Which mark that is, from 1."""
    across_deg: float
    across_sigma_deg: float
    height_m: float
    tilt_deg: float


class _Pose(NamedTuple):
    """Rotation from the floor's axes into the camera's (rows: right, down, forward), place and focal length."""

    rotation: Reals
    at_m: Reals
    focal_px: float


class _Fit(NamedTuple):
    pose: _Pose
    cost: float
    """Sum of squares, each in standard deviations of its mark."""
    slopes: Reals


def solve(marks: Sequence[Mark], frame_px: tuple[int, int], across_deg: float | None = None) -> Marked:
    """A camera from four marks or more; `across_deg` is the lens's horizontal angle where it is known.

    Raises ConfigError that says which points do not do, and why.
    """
    _check(marks, frame_px)
    px, m = (np.array([mark[i] for mark in marks], float) for i in (0, 1))
    fit = _fitted(px, m, frame_px, across_deg)
    camera = _camera(fit.pose, frame_px)
    _demand_sense(fit, camera, marks, frame_px, across_deg)
    off_m = [_off_m(camera, mark) for mark in marks]
    _demand_together(fit, off_m, marks, frame_px, across_deg)
    also = _neighbours(fit, len(marks), frame_px)
    ground = Ground(kind="measured", frame_px=frame_px, camera=camera, also=also)
    _demand_known(ground, marks)
    lens = sqrt(sum((other.across_deg - camera.across_deg) ** 2 for other in also))
    return Marked(ground=ground, residual_cm=100 * sqrt(sum(off**2 for off in off_m) / len(off_m)), worst_cm=100 * max(off_m),
                  worst=off_m.index(max(off_m)) + 1, across_deg=camera.across_deg, across_sigma_deg=lens, height_m=camera.at_m[2],
                  tilt_deg=camera.tilt_deg)  # fmt: skip


# -- what marks have to be ---------------------------------------------------------------------------------------------------------


def _check(marks: Sequence[Mark], frame_px: tuple[int, int]) -> None:
    if len(marks) < LEAST_MARKS:
        raise ConfigError(
            f"{_counted(len(marks))}: {LEAST_MARKS} at least are needed, spread over the floor; six or more are better"
        )
    for n, (px, m) in enumerate(marks, start=1):
        if not all(isfinite(value) for value in (*px, *m)):
            raise ConfigError(f"point {n}: px {_told(px)}, m {_told(m)}: numbers are finite")
        if not (0 <= px[0] <= frame_px[0] and 0 <= px[1] <= frame_px[1]):
            raise ConfigError(f"point {n}: px {_told(px)} is outside the picture, which is {frame_px[0]} x {frame_px[1]}")
    for (a, first), (b, second) in combinations(enumerate(marks, start=1), 2):
        for i, (what, least) in enumerate((("px", 2.0), ("m", 0.02))):
            if hypot(first[i][0] - second[i][0], first[i][1] - second[i][1]) < least:
                raise ConfigError(f"points {a} and {b} have the same {what} {_told(first[i])}: each is a place of its own")
    _demand_spread(marks)


def _demand_spread(marks: Sequence[Mark]) -> None:
    """Points on one line say nothing of what lies beside it; of four, no three may lie on one."""
    groups = [tuple(range(len(marks)))] if len(marks) > LEAST_MARKS else list(combinations(range(LEAST_MARKS), 3))
    for group in groups:
        wide_m, wide_px = (_thinness([marks[n][i] for n in group]) for i in (1, 0))
        if wide_m < THIN_M or wide_px < THIN_PX:
            which = "the points" if len(group) == len(marks) else "points " + _listed([n + 1 for n in group])
            raise ConfigError(
                f"{which} lie nearly on one line (within {100 * wide_m:.0f} cm and {wide_px:.0f} px): mark points at the corners of an area,"
                f" at least {100 * THIN_M:.0f} cm and {THIN_PX:.0f} px beside the line through the others"
            )


def _thinness(points: Sequence[Pair]) -> float:
    """The width of the narrowest strip, along a line through two of the points, that holds them all."""

    def beside(a: Pair, b: Pair, at: Pair) -> float:
        length = hypot(b[0] - a[0], b[1] - a[1])
        return ((b[0] - a[0]) * (at[1] - a[1]) - (b[1] - a[1]) * (at[0] - a[0])) / max(length, 1e-9)

    strips = [[beside(a, b, at) for at in points] for a, b in combinations(points, 2)]
    return min(max(strip) - min(strip) for strip in strips)


def _demand_sense(fit: _Fit, camera: Camera, marks: Sequence[Mark], frame_px: tuple[int, int], across_deg: float | None) -> None:
    depths = [camera.depth_m(m) for _, m in marks]
    if min(depths) < 0.05:
        words = _suspicion(fit, marks, frame_px, across_deg) or "is a sign or the order of the points wrong?"
        raise ConfigError(f"point {depths.index(min(depths)) + 1} would lie behind the camera: {words}")
    if fit.pose.at_m[2] < 0.2:
        words = _suspicion(fit, marks, frame_px, across_deg) or "x counts to the right of the picture and y away from the door"
        raise ConfigError(
            f"the points are mirrored: who walks around them on the floor turns the other way than in the picture; {words}"
        )


def _demand_together(
    fit: _Fit, off_m: Sequence[float], marks: Sequence[Mark], frame_px: tuple[int, int], across_deg: float | None
) -> None:
    """Whether the marks can be one floor in one picture; else what is probably wrong with them."""
    off_px = _off_px(fit.pose, marks, frame_px)
    if max(off_m) <= MOST_OFF_M and max(off_px) <= MOST_OFF_SHARE * frame_px[0]:
        return
    worst = max(range(len(marks)), key=lambda n: off_px[n])
    told = f"the points do not go together: they miss their places by up to {100 * max(off_m):.0f} cm and {max(off_px):.0f} px"
    raise ConfigError(
        f"{told}; {_suspicion(fit, marks, frame_px, across_deg) or f'the farthest is point {worst + 1}: measure again'}"
    )


def _suspicion(fit: _Fit, marks: Sequence[Mark], frame_px: tuple[int, int], across_deg: float | None) -> str:
    """Two points that were confused, or one that alone is wrong; empty where neither would mend it."""
    best, words = fit.cost / 20, ""
    if len(marks) > MOST_SUSPECTED:
        return words
    for a, b in combinations(range(len(marks)), 2):
        swapped = list(marks)
        swapped[a], swapped[b] = (marks[a][0], marks[b][1]), (marks[b][0], marks[a][1])
        cost = _cost_of(swapped, frame_px, across_deg)
        if cost < best:
            best, words = cost, f"were points {a + 1} and {b + 1} confused?"
    for n in range(len(marks) if len(marks) > LEAST_MARKS else 0):
        cost = _cost_of([mark for i, mark in enumerate(marks) if i != n], frame_px, across_deg)
        if cost < best:
            best, words = cost, f"point {n + 1} is alone in being wrong: measure it again, or leave it out"
    return words


def _cost_of(marks: Sequence[Mark], frame_px: tuple[int, int], across_deg: float | None) -> float:
    px, m = (np.array([mark[i] for mark in marks], float) for i in (0, 1))
    try:
        fit = _fitted(px, m, frame_px, across_deg, quick=True)
    except ConfigError:
        return float("inf")
    return fit.cost if fit.pose.at_m[2] > 0.2 else float("inf")


def _demand_known(ground: Ground, marks: Sequence[Mark]) -> None:
    """Whether people who stand among the marks can be placed."""
    middle = (sum(m[0] for _, m in marks) / len(marks), sum(m[1] for _, m in marks) / len(marks))
    px = ground.to_px(middle)
    if px is None or ground.foot(px) is None:
        raise ConfigError("the points say too little: somebody who stands among them could not be placed to better than"
                          f" {100 * ground.most_sigma_m:.0f} cm; mark points that are farther apart, and nearer to the camera")  # fmt: skip


# -- the fit -----------------------------------------------------------------------------------------------------------------------


def _fitted(px: Reals, m: Reals, frame_px: tuple[int, int], across_deg: float | None, quick: bool = False) -> _Fit:
    """The best fit from several beginnings (`quick`: roughly, from one or two); raises ConfigError when the marks allow none."""
    middle = np.array(frame_px, float) / 2
    homography = _homography(px - middle, m)
    known = _focal_px(frame_px, across_deg if across_deg is not None else USUAL_DEG)
    spread = LENS_SPREAD if across_deg is not None else UNKNOWN_SPREAD
    said = _focal_said(homography)
    starts = [known, *([said] if said is not None else []), *(_focal_px(frame_px, deg) for deg in STARTS_DEG if not quick)]
    steps = QUICK_STEPS if quick else STEPS
    poses = [pose for focal in starts if (pose := _pose_of(homography, focal, m)) is not None]
    fits = [_refined(pose, px - middle, m, (known, spread), frame_px, steps) for pose in poses]
    if not fits:
        raise ConfigError("no camera sees these points so: is a sign or the order of the points wrong?")
    return min(fits, key=lambda fit: fit.cost)


def _homography(px: Reals, m: Reals) -> Reals:
    """3 x 3, from metres on the floor to pixels from the picture's middle."""
    to_px, to_m = _normaliser(px), _normaliser(m)
    a, b = _moved(to_px, px), _moved(to_m, m)
    rows = []
    for (u, v), (x, y) in zip(a, b, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, -u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, -v])
    _, sizes, right = np.linalg.svd(np.array(rows))
    if sizes[7] < 1e-4 * sizes[0]:
        raise ConfigError(
            "the points lie so that they say nothing of the floor between them: mark points at the corners of an area"
        )
    return np.asarray(np.linalg.inv(to_px) @ right[8].reshape(3, 3) @ to_m)


def _normaliser(points: Reals) -> Reals:
    """Moves the middle of points to 0 and their mean distance to the square root of 2."""
    middle = points.mean(0)
    times = sqrt(2) / max(float(np.hypot(*(points - middle).T).mean()), 1e-12)
    return np.array([[times, 0, -times * middle[0]], [0, times, -times * middle[1]], [0, 0, 1]])


def _moved(matrix: Reals, points: Reals) -> Reals:
    moved = np.c_[points, np.ones(len(points))] @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


def _focal_said(homography: Reals) -> float | None:
    """From the columns being at right angles and of one length, once divided by the focal length; None where they do not say."""
    (a, b), (c, d), (e, f) = homography[:, :2]
    # a b + c d + F e f = 0 and a² + c² - b² - d² + F (e² - f²) = 0, for F the square of the focal length
    left, right = np.array([e * f, e * e - f * f]), -np.array([a * b + c * d, a * a + c * c - b * b - d * d])
    size = float(left @ left)
    square = float(left @ right) / size if size > 0 else -1.0
    return sqrt(square) if 1.0 < square < 1e9 else None


def _pose_of(homography: Reals, focal_px: float, m: Reals) -> _Pose | None:
    """Rotation and place by a homography; the rotation nearest to what its columns are."""
    columns = homography / np.array([[focal_px], [focal_px], [1.0]])
    size = (np.linalg.norm(columns[:, 0]) + np.linalg.norm(columns[:, 1])) / 2
    if size < 1e-12:
        return None
    depth = columns[2] @ np.append(m.mean(0), 1.0)
    columns = columns / (size if depth > 0 else -size)
    rough = np.c_[columns[:, 0], columns[:, 1], np.cross(columns[:, 0], columns[:, 1])]
    left, _, right = np.linalg.svd(rough)
    rotation = left @ right
    if np.linalg.det(rotation) < 0:
        return None
    return _Pose(rotation, -rotation.T @ columns[:, 2], focal_px)


def _refined(pose: _Pose, px: Reals, m: Reals, lens: tuple[float, float], frame_px: tuple[int, int], steps: int) -> _Fit:
    """All seven numbers, by damped least squares."""
    weights = _weights(pose, m, frame_px)
    misses = _misses(pose, px, m, weights, lens)
    damping = 1e-3
    for _ in range(steps):
        slopes = _slopes(pose, px, m, weights, lens)
        square = slopes.T @ slopes
        step = np.linalg.lstsq(square + damping * np.diag(np.diag(square) + 1e-12), -slopes.T @ misses, rcond=None)[0]
        tried = _stepped(pose, step)
        now = _misses(tried, px, m, weights, lens)
        if now @ now < misses @ misses:
            gain = float(misses @ misses - now @ now)
            pose, misses, damping = tried, now, damping / 5
            if gain < 1e-9:
                break
        else:
            damping *= 5
            if damping > 1e9:
                break
    return _Fit(pose, float(misses @ misses), _slopes(pose, px, m, weights, lens))


def _stepped(pose: _Pose, step: Reals) -> _Pose:
    """By three angles (radians, about the camera's axes), three metres, and the logarithm of the focal length."""
    turn = np.array([[0, -step[2], step[1]], [step[2], 0, -step[0]], [-step[1], step[0], 0]])
    angle = float(np.linalg.norm(step[:3]))
    once, twice = (np.sin(angle) / angle, (1 - np.cos(angle)) / angle**2) if angle > 1e-12 else (1.0, 0.5)
    turned = np.eye(3) + once * turn + twice * turn @ turn  # Rodrigues' formula
    return _Pose(turned @ pose.rotation, pose.at_m + step[3:6], pose.focal_px * float(np.exp(np.clip(step[6], -1, 1))))


def _seen(pose: _Pose, m: Reals) -> Reals:
    """Pixels from the picture's middle."""
    apart = np.c_[m, np.zeros(len(m))] - pose.at_m
    seen = apart @ pose.rotation.T
    depth = np.where(np.abs(seen[:, 2:]) < 1e-6, 1e-6, seen[:, 2:])
    return np.asarray(pose.focal_px * seen[:, :2] / depth)


def _weights(pose: _Pose, m: Reals, frame_px: tuple[int, int]) -> Reals:
    """n x 2 x 2: what turns a miss in pixels into standard deviations, of the reading and of the tape."""
    step = 0.01
    across, away = ((_seen(pose, m + np.array(by)) - _seen(pose, m)) / step for by in ((step, 0.0), (0.0, step)))
    slopes = np.clip(np.stack([across, away], axis=2), -1e5, 1e5)
    reading = (MARK_PX * frame_px[0] / 640) ** 2 * np.eye(2)
    spread = reading + TAPE_M**2 * slopes @ slopes.transpose(0, 2, 1)
    return np.linalg.inv(np.linalg.cholesky(spread))


def _misses(pose: _Pose, px: Reals, m: Reals, weights: Reals, lens: tuple[float, float]) -> Reals:
    off = np.einsum("nij,nj->ni", weights, _seen(pose, m) - px).ravel()
    return np.append(off, log(pose.focal_px / lens[0]) / lens[1])


def _slopes(pose: _Pose, px: Reals, m: Reals, weights: Reals, lens: tuple[float, float]) -> Reals:
    here, step = _misses(pose, px, m, weights, lens), 1e-6
    return np.stack([(_misses(_stepped(pose, by), px, m, weights, lens) - here) / step for by in step * np.eye(7)], axis=1)


def _neighbours(fit: _Fit, count: int, frame_px: tuple[int, int]) -> tuple[Camera, ...]:
    """Seven cameras, one standard deviation away each; more where the marks miss by more than their errors."""
    spare = max(2 * count + 1 - 7, 1)
    square = fit.slopes.T @ fit.slopes
    sizes, ways = np.linalg.eigh(square)
    times = sqrt(max(1.0, fit.cost / spare))
    # A way in which the marks say next to nothing goes no farther than what is still a camera.
    steps = [ways[:, n] * min(times / sqrt(max(float(sizes[n]), 1e-12)), 1.0) for n in range(7)]
    return tuple(_camera(_stepped(fit.pose, step), frame_px) for step in steps)


def _camera(pose: _Pose, frame_px: tuple[int, int]) -> Camera:
    right, down, forward = (_triple(row) for row in pose.rotation)
    return Camera(float(pose.focal_px), (frame_px[0] / 2, frame_px[1] / 2), _triple(pose.at_m), right, down, forward)


def _triple(values: Reals) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _focal_px(frame_px: tuple[int, int], across_deg: float) -> float:
    return frame_px[0] / 2 / tan(radians(across_deg / 2))


def _off_m(camera: Camera, mark: Mark) -> float:
    """How far a mark lies on the floor from where it was said to be."""
    at = camera.on_floor(mark[0])
    return float("inf") if at is None else hypot(at[0] - mark[1][0], at[1] - mark[1][1])


def _off_px(pose: _Pose, marks: Sequence[Mark], frame_px: tuple[int, int]) -> list[float]:
    px, m = (np.array([mark[i] for mark in marks], float) for i in (0, 1))
    off = _seen(pose, m) + np.array(frame_px, float) / 2 - px
    return [float(each) for each in np.hypot(*off.T)]


def _counted(count: int) -> str:
    return f"{count} point{'' if count == 1 else 's'}"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"


def _told(pair: Pair) -> str:
    return f"[{pair[0]:g}, {pair[1]:g}]"
