"""How far a face can be trusted for comparison, 0..1, and what a person could do about it.

What predicts a match best is the length of the embedding before it is brought to unit length: a network that was trained to tell people apart
answers the more strongly the more of a face it sees (Q. Meng et al., MagFace, CVPR 2021, trains for it; this network has it by itself). It is
there for nothing. The parts that are measured in the picture, a tenth of a millisecond together, say why a face is unclear, and keep
from the embedder what cannot be compared; they are 1 wherever they do no measurable harm. The score is the product, because one bad
part is enough. docs/PERCEPTION.md has the figures that every limit here was chosen by.
"""

from __future__ import annotations

from math import exp

import cv2
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from agent.vision.faces import LEFT_EYE, MOUTH, NOSE, RIGHT_EYE, Floats
from hw.interfaces import Pixels

BURNT = 250


class QualitySettings(Struct, frozen=True, kw_only=True):
    """(useless, harmless) for each measurement of the picture, and the curve of clearness."""

    size_px: tuple[float, float] = (8.0, 18.0)
    """Face width. The embedder's 112 px are then six times enlarged, and still hold most of what it uses."""
    sharpness: tuple[float, float] = (0.02, 0.06)
    """Of the aligned face, see `sharpness`: good portraits have 0.11 to 0.35."""
    darkness: tuple[float, float] = (4.0, 18.0)
    """Mean grey of the face's middle."""
    glare: tuple[float, float] = (0.97, 0.75)
    """Share of the face's middle that is burnt out (grey 250 and more): nothing is to be seen there."""
    contrast: tuple[float, float] = (2.0, 7.0)
    """Standard deviation of grey in the face's middle."""
    turn: tuple[float, float] = (1.8, 1.0)
    """How far the nose is from the middle between the eyes, in half eye distances: 0 frontal, about 1 at 45 degrees."""
    half_clear: float = -2.4
    """How far an embedding's length is above the typical one of its network, in deviations of such lengths, where clearness is one half,"""
    clear_step: float = 0.75
    """and by how much more the odds of being clear grow e-fold."""


class Measures(Struct, frozen=True, kw_only=True):
    """What can be measured in the picture of a face. Grey levels are those of its middle, 0..255."""

    width_px: float
    sharpness: float
    mean: float
    burnt: float
    """Share of pixels without any detail left."""
    deviation: float
    turn: float


class Quality(Struct, frozen=True, kw_only=True):
    """The parts, each 0..1."""

    size: float
    sharp: float
    light: float
    contrast: float
    pose: float
    clear: float = 1.0
    """By the length of the embedding; 1 before there is one."""

    @property
    def score(self) -> float:
        return self.size * self.sharp * self.light * self.contrast * self.pose * self.clear


def ramp(value: float, useless: float, harmless: float) -> float:
    """0 at `useless` and beyond, 1 at `harmless` and beyond, straight in between; either may be the larger."""
    return min(1.0, max(0.0, (value - useless) / (harmless - useless)))


def clearness(relative_length: float | None, settings: QualitySettings) -> float:
    """How clear the embedder found a face, 0..1, from the length of its answer (`Embedded.relative`); 1 when that is not known."""
    if relative_length is None:
        return 1.0
    return 1 / (1 + exp(min(50.0, (settings.half_clear - relative_length) / settings.clear_step)))


def completed(quality: Quality, relative_length: float | None, settings: QualitySettings) -> Quality:
    """What the picture said, with what the embedder said."""
    return replace(quality, clear=clearness(relative_length, settings))


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


def measure(aligned: Pixels, width_px: float, points_px: Floats) -> Measures:
    """Of an aligned face (112 x 112 BGR) that was `width_px` wide in its frame; the detector's six points of it."""
    # From brows to chin, without hair and background.
    grey = np.asarray(cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY)[24:104, 20:92], np.uint8)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    burnt = float(np.count_nonzero(grey >= BURNT)) / grey.size
    return Measures(width_px=width_px, sharpness=sharpness(grey, deviation), mean=mean, burnt=burnt, deviation=deviation,
                    turn=turn(points_px))  # fmt: skip


def rated(of: Measures, settings: QualitySettings) -> Quality:
    """What the measures are worth."""
    return Quality(
        size=ramp(of.width_px, *settings.size_px), sharp=ramp(of.sharpness, *settings.sharpness),
        light=min(ramp(of.mean, *settings.darkness), ramp(of.burnt, *settings.glare)),
        contrast=ramp(of.deviation, *settings.contrast), pose=ramp(of.turn, *settings.turn),
    )  # fmt: skip


def judge(aligned: Pixels, width_px: float, points_px: Floats, settings: QualitySettings) -> Quality:
    """What a picture says of the quality of a face, before it is embedded."""
    return rated(measure(aligned, width_px, points_px), settings)
