"""How far a face can be trusted: worse pictures must never get better marks."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.align import FOUR
from agent.vision.build import build_stages
from agent.vision.engine import open_engine
from agent.vision.quality import QualitySettings, clearness, completed, judge, ramp, turn
from agent.vision.still import StillFaces
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait, whole_picture

SETTINGS = QualitySettings()


@pytest.fixture(scope="module")
def still() -> StillFaces:
    return StillFaces(build_stages(open_engine("litert", 1), load_manifest()))


@pytest.fixture(scope="module")
def good():
    """An upright real face, near enough to an aligned one, and its points."""
    x, y, width, height = portrait("owner").face_box_px
    cut = whole_picture(portrait("owner"))[y : y + height, x : x + width]
    return cv2.resize(cut, (112, 112), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def near():
    """A frame with the owner near the camera."""
    return canvas_with(portrait("owner"), 140, (320, 240))[0]


def points(nose_aside: float = 0.0) -> np.ndarray:
    """The detector's six points of a frontal face, its nose moved aside by a share of half the eye distance."""
    six = np.vstack([FOUR, [[20, 60], [92, 60]]]).astype(np.float32)
    six[2, 0] = (six[0, 0] + six[1, 0]) / 2 + nose_aside * (six[1, 0] - six[0, 0]) / 2
    six[3, 0] = (six[0, 0] + six[1, 0]) / 2
    return six


def picture_score(face, width_px=100.0, nose_aside=0.0) -> float:
    return judge(face, width_px, points(nose_aside), SETTINGS).score


def score(still: StillFaces, picture) -> float:
    """The whole score of the one face of a picture; 0 where nobody is found any more."""
    faces = still.faces(picture)
    seen = still.portrait(picture, faces[0]) if faces else None
    if seen is None:
        return 0.0
    said = judge(seen.aligned, seen.face.box_px[2], seen.face.points_px, SETTINGS)
    return completed(said, still.embed(seen).relative, SETTINGS).score


def falls(marks: list[float]) -> bool:
    return all(worse <= better + 0.06 for better, worse in pairwise(marks)) and marks[-1] < 0.3 < 0.8 < marks[0]


def test_a_near_sharp_frontal_face_is_good(good, still, near):
    assert picture_score(good) > 0.9
    assert score(still, near) > 0.8


def test_the_worse_the_blur_the_lower_the_mark(still, near):
    assert falls([score(still, cv2.GaussianBlur(near, (0, 0), sigma)) for sigma in (0.5, 2, 4, 7, 9)])


def test_the_darker_the_lower_the_mark(still, near):
    assert falls([score(still, (near * share).astype(np.uint8)) for share in (1, 0.5, 0.25, 0.12, 0.06)])


def test_the_more_glare_the_lower_the_mark(still, near):
    assert falls([score(still, np.clip(near.astype(int) + more, 0, 255).astype(np.uint8)) for more in (0, 100, 150, 180, 200)])


def test_the_less_contrast_the_lower_the_mark(still, near):
    assert falls([score(still, (128 + (near.astype(int) - 128) * share).astype(np.uint8)) for share in (1, 0.5, 0.3, 0.15)])


def test_what_nobody_could_compare_is_known_before_the_embedder_runs(good):
    useless = [(good * 0.02).astype(np.uint8), np.full_like(good, 255), np.full_like(good, 128)]
    assert all(picture_score(face) < 0.05 for face in useless)
    assert picture_score(good, width_px=8) == 0
    assert picture_score(good, nose_aside=1.9) == 0


def test_what_does_no_harm_costs_nothing(good):
    assert picture_score(good, width_px=30, nose_aside=0.5) == picture_score(good)


@given(st.floats(-9, 9), st.floats(-9, 9))
def test_the_longer_the_embedding_the_clearer_the_face(one, other):
    shorter, longer = sorted((one, other))
    assert 0 < clearness(shorter, SETTINGS) <= clearness(longer, SETTINGS) <= 1


def test_a_network_of_which_no_typical_length_is_known_is_judged_by_the_picture_alone(good):
    said = judge(good, 100.0, points(), SETTINGS)
    assert completed(said, None, SETTINGS).score == said.score
    assert completed(said, -5.0, SETTINGS).score < 0.1 * said.score


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
