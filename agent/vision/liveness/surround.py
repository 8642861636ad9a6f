"""What is about the face: does it hang on the face as paper does, and is there a border around it?

The camera of a door does not move. Whatever lies a face's width beside or above a head is wall, or somebody else; if it moves, on
at least two of three sides, as one piece, it is part of the picture that is being held up.
"""

from __future__ import annotations

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.vision.faces import Floats
from hw.interfaces import Pixels

SIDE_PX = 208
FACES = 4.4
"""Side of the square that is looked at, in widths of the face's box."""
LEAST_POINTS = 6
HAND = 0.2
"""Share of the lower border that a holding hand may hide."""


class Around(Struct, frozen=True, kw_only=True):
    """A square of the frame about a face, made small."""

    taken_s: float
    grey: Pixels
    """208 x 208."""
    place: tuple[float, float, float]
    """Left, top and pixels of the square for each pixel of the frame."""
    inside: tuple[float, float, float, float]
    """The part of the square that lies in the frame: left, top, right, bottom."""


class Hangs(Struct, frozen=True, kw_only=True):
    """How the surroundings moved between two frames; lengths in widths of the face."""

    moved: float
    """How far, by their median."""
    together: float
    """Share of the points that one shift, turn and scale explains."""
    sides: int
    """Of left, right and above, how many hold points that moved so."""
    points: int


def around(grey: Pixels, box: Box, taken_s: float, place: tuple[float, float, float] | None = None) -> Around:
    """The square about a box, or at an earlier square's `place`, so that a wall stays where it is."""
    if place is None:
        side = FACES * box[2]
        scale = SIDE_PX / side
        place = (box[0] + box[2] / 2 - side / 2, box[1] + box[3] / 2 - 0.5 * side, scale)
    left, top, scale = place
    matrix = np.array([[scale, 0, -scale * left], [0, scale, -scale * top]], np.float32)
    blurred = grey
    if scale < 0.5:  # bilinear sampling would skip pixels
        blurred = np.asarray(cv2.blur(grey, (2, 2)), np.uint8)
    square = cv2.warpAffine(blurred, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rows, columns = grey.shape
    inside = (
        max(0.0, -left * scale),
        max(0.0, -top * scale),
        min(SIDE_PX, (columns - left) * scale),
        min(SIDE_PX, (rows - top) * scale),
    )
    return Around(taken_s=taken_s, grey=np.asarray(square, np.uint8), place=place, inside=inside)


def hangs(before: Around, now: Around) -> Hangs | None:
    """None where the surroundings have nothing that could be followed. Both squares are at the same place of the frame."""
    points = _points(before)
    if len(points) < LEAST_POINTS:
        return None
    moved, found, error = cv2.calcOpticalFlowPyrLK(
        before.grey, now.grey, points.reshape(-1, 1, 2), points.reshape(-1, 1, 2).copy(), winSize=(11, 11), maxLevel=2
    )
    good = (found.reshape(-1) > 0) & (error.reshape(-1) < 20)
    if np.count_nonzero(good) < LEAST_POINTS:
        return None
    start, end = points[good], moved.reshape(-1, 2)[good]
    length = np.hypot(*(end - start).T)
    face_px = SIDE_PX / FACES
    far = float(np.median(length)) / face_px
    model, inlier = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=1.0, maxIters=200)
    if model is None:
        return None
    held = inlier.reshape(-1) > 0
    moving = held & (length > 0.4 * max(float(np.median(length)), 0.3))
    sides = sum(int(np.count_nonzero(moving & (_side(start) == side)) >= 2) for side in range(3))
    return Hangs(moved=far, together=float(held.mean()), sides=sides, points=int(good.sum()))


def _side(points: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """0 left, 1 right, 2 above."""
    x, y = (points - SIDE_PX / 2).T
    return np.where(-y > np.abs(x) * 1.2, 2, np.where(x < 0, 0, 1))


def _points(square: Around) -> Floats:
    """Corners that can be followed beside and above the head: beyond hair and ears, not below the chin, where shoulders are."""
    mask = _MASK.copy()
    left, top, right, bottom = (round(edge) for edge in square.inside)
    mask[: top + 4], mask[bottom - 4 if bottom < SIDE_PX else SIDE_PX :], mask[:, : left + 4] = 0, 0, 0
    mask[:, right - 4 if right < SIDE_PX else SIDE_PX :] = 0
    found = cv2.goodFeaturesToTrack(square.grey, 40, 0.02, 5, mask=mask, blockSize=5)
    return np.zeros((0, 2), np.float32) if found is None else np.asarray(found.reshape(-1, 2), np.float32)


def _mask() -> Pixels:
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX]
    face_px = SIDE_PX / FACES
    across, down = (x - SIDE_PX / 2) / face_px, (y - SIDE_PX / 2) / face_px
    head = (across / 0.85) ** 2 + ((down + 0.25) / 1.12) ** 2 < 1
    return np.asarray(np.where(~head & (down < 0.45) & (np.abs(across) < 1.6) & (down > -1.6), 255, 0), np.uint8)


_MASK: Pixels = _mask()


def border(square: Around) -> float:
    """How much of a rectangle's four sides is to be seen about the face, 0..1: paper, a telephone, a tablet.

    For each side the straight line (up to 12 degrees off) is sought along which the picture changes most steadily. A person before a
    door frame hides its lower end, so the weakest side counts; the lower one may be hidden by a hand for a
    part.
    """
    grey = cv2.GaussianBlur(square.grey, (0, 0), 1.0)
    across, down = cv2.Sobel(grey, cv2.CV_16S, 1, 0), cv2.Sobel(grey, cv2.CV_16S, 0, 1)
    steep = np.maximum(cv2.magnitude(across.astype(np.float32), down.astype(np.float32)), 1.0)
    upright = ((np.abs(across) > 24) & (np.abs(across) > 0.9 * steep)).astype(np.uint8)
    level = ((np.abs(down) > 24) & (np.abs(down) > 0.9 * steep)).astype(np.uint8)
    beside, crosswise = upright, np.ascontiguousarray(level.T)
    left, right, above, below = (
        _best(edges, square.inside, side) for side, edges in enumerate((beside, beside, crosswise, crosswise))
    )
    return min(left, right, above, below + HAND)


def _best(edges: Pixels, inside: tuple[float, float, float, float], side: int) -> float:
    """The share of the best line of one side (0 left, 1 right, 2 above, 3 below; `edges` are turned for the last two) that is edge."""
    face_px, middle = SIDE_PX / FACES, SIDE_PX / 2
    reach = {0: (-2.1, -0.5), 1: (0.5, 2.1), 2: (-1.6, -0.55), 3: (0.6, 1.7)}[side]
    low, high = (round(middle + share * face_px) for share in reach)
    crosswiselow, crosswisehigh = (inside[0], inside[2]) if side < 2 else (inside[1], inside[3])
    low, high = max(low, round(crosswiselow) + 3), min(high, round(crosswisehigh) - 3)
    if high - low < 4:
        return 0.0
    along = slice(round(middle - 0.55 * face_px), round(middle + 0.55 * face_px))
    band = edges[along]
    rows = np.arange(band.shape[0]) - band.shape[0] / 2
    best = 0.0
    for slope in (-0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2):
        shift = np.rint(rows * slope).astype(int)
        columns = np.clip(np.arange(low, high)[None] + shift[:, None], 1, SIDE_PX - 2)
        lines = band[np.arange(band.shape[0])[:, None], columns] | band[np.arange(band.shape[0])[:, None], columns + 1]
        best = max(best, float(lines.mean(axis=0).max()))
    return best
