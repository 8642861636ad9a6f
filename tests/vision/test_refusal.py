"""The likeliest reason for an unclear face is one that its person can do something about."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from msgspec.structs import replace

from agent.vision.quality import Measures
from agent.vision.refusal import ADVICE, Reason, Signs, cause, cause_of_nothing, eye_brightness

GOOD = Measures(width_px=100.0, sharpness=0.21, mean=130.0, burnt=0.0, deviation=39.0, turn=0.2)


def signs(face_score: float = 0.93, mesh_score: float = 1.0, eyes: float = 0.94, **flaws: float) -> Signs:
    return Signs(measures=replace(GOOD, **flaws), face_score=face_score, mesh_score=mesh_score, eyes=eyes)


@pytest.mark.parametrize(
    ("flawed", "reason"),
    [
        (signs(mean=30), "too_dark"), (signs(burnt=0.6), "too_bright"), (signs(mean=240, deviation=12), "too_bright"),
        (signs(deviation=9), "flat_light"), (signs(sharpness=1.1), "grainy"), (signs(turn=1.2), "turned_away"),
        (signs(eyes=0.3), "dark_glasses"), (signs(sharpness=0.05), "blurred"), (signs(mesh_score=0.8), "covered"),
        (signs(face_score=0.62), "covered"), (signs(), "unclear"),
    ],
)  # fmt: skip
def test_one_flaw_is_named(flawed, reason):
    assert cause(flawed) == reason


def test_a_dark_face_is_not_told_that_it_is_flat_and_blurred():
    assert cause(signs(mean=25, deviation=6, sharpness=0.05)) == "too_dark"


def test_every_reason_comes_with_something_to_do():
    assert set(ADVICE) == set(get_args(Reason))
    assert all(": " in advice for advice in ADVICE.values())


def test_dark_eyes_are_measured_against_the_persons_own_cheeks():
    for skin in (60, 130, 220):
        face = np.full((112, 112, 3), skin, np.uint8)
        assert eye_brightness(face) == pytest.approx(1, abs=0.01)
        face[40:62, 20:92] = skin // 5
        assert eye_brightness(face) < 0.25


def test_a_picture_of_nothing_but_dark_or_glare_says_so():
    assert cause_of_nothing(np.full((480, 640, 3), 12, np.uint8)) == "too_dark"
    assert cause_of_nothing(np.full((480, 640, 3), 254, np.uint8)) == "too_bright"
    assert cause_of_nothing(np.full((480, 640, 3), 120, np.uint8)) == "flat_light"
    assert cause_of_nothing(np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)) is None
