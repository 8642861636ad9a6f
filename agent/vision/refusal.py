"""Why a picture makes no template, in a word for programs and a sentence that the person in front of the camera can act on. Pure.

Whether a picture will do is said by its score (agent/vision/quality.py). Why it will not is guessed from the measure that is farthest from
what pictures of people who were recognised have; the ends were set on pictures that were given one flaw each (docs/PERCEPTION.md).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from msgspec import Struct

from agent.vision.quality import BURNT, Measures, ramp
from hw.interfaces import Pixels

Reason = Literal[
    "no_face", "several_faces", "too_small", "too_dark", "too_bright", "flat_light", "grainy", "turned_away", "dark_glasses",
    "blurred", "covered", "unclear",
]  # fmt: skip

ADVICE: dict[Reason, str] = {
    "no_face": "no face was found: show the whole face, from the front and upright",
    "several_faces": "more than one person is in the picture: one person at a time",
    "too_small": "the face is too small: come closer to the camera",
    "too_dark": "the face is too dark: put the light in front, not behind",
    "too_bright": "the face is too bright: step out of the glare",
    "flat_light": "the face has hardly any contrast: wipe the lens or use better light",
    "grainy": "the picture is grainy: use more light",
    "turned_away": "the face is turned away: face the camera",
    "dark_glasses": "the eyes cannot be seen: take off the dark glasses",
    "blurred": "the face is blurred: hold still and let the camera focus",
    "covered": "part of the face cannot be seen: take off what covers it",
    "unclear": "the face is not clear enough: face the camera calmly, in even light, nothing before the face",
}

PLAIN = 0.3
"""A suspicion from here on is a cause by itself."""


class Signs(Struct, frozen=True, kw_only=True):
    """What a picture shows of its face, as far as it can tell why it is unclear."""

    measures: Measures
    face_score: float
    """The detector's, 0..1."""
    mesh_score: float
    eyes: float
    """Brightness of the eyes to that of the cheeks, see `eye_brightness`."""


class _Suspicion(NamedTuple):
    reason: Reason
    amount: float
    """0 as in good pictures .. 1 plainly so."""


def eye_brightness(aligned: Pixels) -> float:
    """How bright the eyes of an aligned face (112 x 112 BGR) are to the cheeks below them; the brighter side counts.

    Compared with the person's own cheeks, so that skin and light stay out of it: below 0.4, all of 12 people among 2,320 pictures wore
    dark glasses; the median is 0.94.
    """
    grey = np.asarray(cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY), np.uint8)
    right, left = (_share(grey[45:60, x : x + 21], grey[66:80, y : y + 16]) for x, y in ((28, 26), (63, 70)))
    return max(right, left)


def cause(signs: Signs) -> Reason:
    """The likeliest reason why a face is unclear. Causes stand before their effects: a dark face is flat, and a flat one looks blurred."""
    suspicions = _suspicions(signs)
    plain = next((each for each in suspicions if each.amount >= PLAIN), None)
    worst = plain or max(suspicions, key=lambda each: each.amount)
    return worst.reason if worst.amount > 0 else "unclear"


def cause_of_nothing(picture: Pixels) -> Reason | None:
    """Why nobody could be found in a picture (BGR) if the whole of it is to blame; None when it is not."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    dark, low, high, bright = (float(value) for value in np.percentile(grey, (5, 25, 90, 95)))
    if high < 40:
        return "too_dark"
    if low >= BURNT:
        return "too_bright"
    return "flat_light" if bright - dark < 25 else None


def _suspicions(signs: Signs) -> tuple[_Suspicion, ...]:
    of = signs.measures
    return (
        _Suspicion("too_dark", ramp(of.mean, 75, 20)),
        _Suspicion("too_bright", max(ramp(of.burnt, 0.05, 0.5), ramp(of.mean, 185, 245))),
        _Suspicion("flat_light", ramp(of.deviation, 20, 8)),
        _Suspicion("grainy", ramp(of.sharpness, 0.45, 1.0)),
        _Suspicion("turned_away", ramp(of.turn, 0.75, 1.1)),
        _Suspicion("dark_glasses", ramp(signs.eyes, 0.65, 0.4)),
        _Suspicion("blurred", ramp(of.sharpness, 0.11, 0.05)),
        _Suspicion("covered", max(ramp(signs.mesh_score, 0.995, 0.9), ramp(signs.face_score, 0.8, 0.65))),
    )


def _share(eye: Pixels, cheek: Pixels) -> float:
    """The upper quartile of the eye's region: its white and lid, not its pupil."""
    return float(np.percentile(eye, 75)) / max(float(np.median(cheek)), 1.0)
