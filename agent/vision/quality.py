"""How far a face can be trusted for comparison, 0..1, and what a person could do about it. Costs about a tenth of a millisecond.

Each part is 1 where it does no harm and falls to 0 where comparison fails; the score is their product, because one bad part is enough.
"""

from __future__ import annotations

import cv2
import numpy as np
from msgspec import Struct

from agent.vision.faces import LEFT_EYE, MOUTH, NOSE, RIGHT_EYE, Floats
from hw.interfaces import Pixels

BURNT = 250


class QualitySettings(Struct, frozen=True, kw_only=True):
    """(useless, harmless) for each measurement."""

    size_px: tuple[float, float] = (16.0, 56.0)
    """Face width. Below 112 px the embedder sees enlarged pixels; half of that still holds the features it uses."""
    sharpness: tuple[float, float] = (0.06, 0.22)
    """Of the aligned face, see `sharpness`: good portraits have 0.3 to 0.6, blurred by 2 px of 112 they have 0.12 to 0.2."""
    darkness: tuple[float, float] = (25.0, 60.0)
    """Mean grey of the face's middle."""
    glare: tuple[float, float] = (0.5, 0.1)
    """Share of the face's middle that is burnt out (grey 250 and more): nothing is to be seen there."""
    contrast: tuple[float, float] = (8.0, 22.0)
    """Standard deviation of grey in the face's middle."""
    turn: tuple[float, float] = (1.0, 0.45)
    """How far the nose is from the middle between the eyes, in half eye distances: 0 frontal, about 1 at 45 degrees."""


class Quality(Struct, frozen=True, kw_only=True):
    """The parts, each 0..1."""

    size: float
    sharp: float
    light: float
    contrast: float
    pose: float

    @property
    def score(self) -> float:
        return self.size * self.sharp * self.light * self.contrast * self.pose


def ramp(value: float, useless: float, harmless: float) -> float:
    """0 at `useless` and beyond, 1 at `harmless` and beyond, straight in between; either may be the larger."""
    return min(1.0, max(0.0, (value - useless) / (harmless - useless)))


def turn(points_px: Floats) -> float:
    """How far the head is turned aside or tilted, from eyes, nose and mouth; 0 is frontal, above 1 is a profile.

    The nose tip stands out from the plane of the eyes by about half the eye distance, so it wanders off the line between eyes and mouth
    as the head turns. Points: the detector's six, in pixels.
    """
    right, left = points_px[RIGHT_EYE], points_px[LEFT_EYE]
    middle, across = (right + left) / 2, left - right
    distance = float(np.hypot(across[0], across[1]))
    if distance < 1e-3:
        return 2.0
    along = across / distance
    nose, mouth = points_px[NOSE] - middle, points_px[MOUTH] - middle
    aside = max(abs(float(nose @ along)), abs(float(mouth @ along)))
    return 2 * aside / distance


def sharpness(grey: Pixels, deviation: float) -> float:
    """Mean absolute Laplacian in units of the picture's standard deviation.

    The mean is not ruled by a few highlights as the variance is; the unit keeps light and skin out of it: without it, a dark face or
    one in soft light would count as blurred.
    """
    return float(cv2.norm(cv2.Laplacian(grey, cv2.CV_16S), cv2.NORM_L1)) / (grey.size * max(deviation, 1.0))


def judge(aligned: Pixels, width_px: float, points_px: Floats, settings: QualitySettings) -> Quality:
    """The quality of an aligned face (112 x 112 BGR) that was `width_px` wide in its frame."""
    # From brows to chin, without hair and background.
    grey = np.asarray(cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY)[24:104, 20:92], np.uint8)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    burnt = float(np.count_nonzero(grey >= BURNT)) / grey.size
    light = min(ramp(mean, *settings.darkness), ramp(burnt, *settings.glare))
    return Quality(
        size=ramp(width_px, *settings.size_px), sharp=ramp(sharpness(grey, deviation), *settings.sharpness), light=light,
        contrast=ramp(deviation, *settings.contrast), pose=ramp(turn(points_px), *settings.turn),
    )  # fmt: skip
