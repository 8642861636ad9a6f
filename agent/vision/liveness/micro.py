"""Lids, eyes and lips: what changes in a face beyond the movement of the whole.

The newer cut is laid over the older by the smooth movement that a sheet could make; what then still differs is light, noise
and life. The difference in the eyes and about the mouth is set against that on brows' bridge, nose and cheeks, where nothing but light and
noise changes: a ratio that neither a darker lamp nor a poorer camera moves.
"""

from __future__ import annotations

import cv2
import numpy as np
from msgspec import Struct

from agent.vision.faces import Floats
from agent.vision.liveness.patch import SIDE_PX, Patch
from hw.interfaces import Pixels

# Rectangles of the cut (x, y, width, height): both eyes between the brows and the cheekbones, the mouth, and what is compared with.
EYES = ((33, 41, 24, 15), (71, 41, 24, 15))
MOUTH = ((46, 83, 36, 22),)
STILL = ((57, 42, 14, 22), (54, 62, 20, 14), (30, 62, 20, 16), (78, 62, 20, 16))


class Change(Struct, frozen=True, kw_only=True):
    """Root mean squares of the difference in grey levels over those expected from misplacement and noise."""

    eyes: float
    mouth: float


def change(before: Patch, now: Patch) -> Change:
    """How eyes and mouth changed, in units of what changed on still skin; 1 is nothing."""
    there = _laid_over(before, now)
    difference = there.astype(np.float32) - before.grey
    difference -= cv2.GaussianBlur(difference, (0, 0), 8.0)  # light moves slowly over a face
    slope = cv2.magnitude(
        cv2.Sobel(before.grey, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(before.grey, cv2.CV_32F, 0, 1, scale=0.125)
    )
    # A point misplaced by p px differs by p times the slope there; noise adds its own. Both are learned on still skin.
    power, hill = difference * difference, slope * slope
    noise, misplaced = _learn(power, hill)

    def ratio(parts: tuple[tuple[int, int, int, int], ...]) -> float:
        found = sum(float(_part(power, part).sum()) for part in parts)
        expected = sum(float((noise + misplaced * _part(hill, part)).sum()) for part in parts)
        return float(np.sqrt(found / max(expected, 1e-6)))

    return Change(eyes=ratio(EYES), mouth=ratio(MOUTH))


def _laid_over(before: Patch, now: Patch) -> Pixels:
    """The newer cut moved onto the older by a homography of the mesh's rigid points, then shifted where the grey levels agree best."""
    onto, _ = cv2.findHomography(before.points, now.points, 0)
    if onto is None:
        return now.grey
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpPerspective(now.grey, onto, (SIDE_PX, SIDE_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _learn(power: Floats, hill: Floats) -> tuple[float, float]:
    """Noise (grey levels squared) and misplacement (px squared) that explain the still parts."""
    found = np.concatenate([_part(power, part).ravel() for part in STILL])
    slope = np.concatenate([_part(hill, part).ravel() for part in STILL])
    low = slope <= np.median(slope)
    a, b = float(found[low].mean()), float(found[~low].mean())
    c, d = float(slope[low].mean()), float(slope[~low].mean())
    misplaced = min(1.0, max(0.01, (b - a) / max(d - c, 1e-3)))
    return max(0.5, a - misplaced * c), misplaced


def _part(values: Floats, part: tuple[int, int, int, int]) -> Floats:
    x, y, width, height = part
    return values[y : y + height, x : x + width]
