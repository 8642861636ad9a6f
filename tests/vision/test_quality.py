"""How far a face can be trusted: worse pictures must never get better marks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.align import FOUR
from agent.vision.quality import QualitySettings, judge, ramp, turn
from tests.vision.people import portrait, whole_picture

SETTINGS = QualitySettings()


@pytest.fixture(scope="module")
def good():
    """An upright real face, near enough to an aligned one, and its points."""
    x, y, width, height = portrait("owner").face_box_px
    cut = whole_picture(portrait("owner"))[y : y + height, x : x + width]
    return cv2.resize(cut, (112, 112), interpolation=cv2.INTER_AREA)


def points(nose_aside: float = 0.0) -> np.ndarray:
    """The detector's six points of a frontal face, its nose moved aside by a share of half the eye distance."""
    six = np.vstack([FOUR, [[20, 60], [92, 60]]]).astype(np.float32)
    six[2, 0] = (six[0, 0] + six[1, 0]) / 2 + nose_aside * (six[1, 0] - six[0, 0]) / 2
    six[3, 0] = (six[0, 0] + six[1, 0]) / 2
    return six


def score(face, width_px=100.0, nose_aside=0.0) -> float:
    return judge(face, width_px, points(nose_aside), SETTINGS).score


def test_a_near_sharp_frontal_face_is_good(good):
    assert score(good) > 0.9


def test_blur_dark_glare_distance_and_turning_away_each_cost(good):
    dark = (good * 0.3).astype(np.uint8)
    glare = np.clip(good.astype(int) * 2 + 60, 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(good, (0, 0), 4)
    worse = [score(blurred), score(dark), score(glare), score(good, width_px=30), score(good, nose_aside=0.9)]
    assert all(each < 0.6 * score(good) for each in worse), worse


def test_the_worse_the_blur_the_lower_the_mark(good):
    marks = [score(cv2.GaussianBlur(good, (0, 0), sigma)) for sigma in (0.5, 2, 4, 8)]
    assert marks == sorted(marks, reverse=True)
    assert marks[-1] < 0.3


@given(st.floats(0, 1.4), st.floats(-3, 3), st.floats(0.3, 4))
def test_a_tilted_head_is_not_a_turned_one(aside, tilt_rad, scale):
    six = points(aside)
    cosine, sine = scale * np.cos(tilt_rad), scale * np.sin(tilt_rad)
    tilted = (six @ np.array([[cosine, sine], [-sine, cosine]])).astype(np.float32)
    assert turn(tilted) == pytest.approx(turn(six), abs=0.02)


def test_eyes_in_one_point_are_no_frontal_face():
    six = points()
    six[1] = six[0]
    assert turn(six) > 1


@given(st.floats(-1e6, 1e6), st.sampled_from([(0.0, 1.0), (5.0, 2.0)]))
def test_a_mark_is_between_nothing_and_one(value, ends):
    assert 0 <= ramp(value, *ends) <= 1
