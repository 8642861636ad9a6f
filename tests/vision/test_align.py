"""Turning a face upright."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.align import ARCFACE, FOUR, Aligner, detector_points, similarity


@given(st.floats(-3, 3), st.floats(0.2, 5), st.floats(-300, 300), st.floats(-300, 300))
def test_a_face_turned_scaled_and_moved_is_brought_back_exactly(turn_rad, scale, x, y):
    cosine, sine = scale * np.cos(turn_rad), scale * np.sin(turn_rad)
    moved = (ARCFACE @ np.array([[cosine, sine], [-sine, cosine]]) + [x, y]).astype(np.float32)
    matrix = similarity(moved, ARCFACE)
    back = moved @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(back - ARCFACE).max() < 0.05


def test_a_mirrored_face_is_never_mirrored_back():
    mirrored = ARCFACE * [-1, 1]
    matrix = similarity(mirrored.astype(np.float32), ARCFACE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_points_that_fall_together_are_refused():
    with pytest.raises(ValueError, match="fall together"):
        similarity(np.full((4, 2), 7, np.float32), FOUR)


def test_the_pixel_between_the_eyes_arrives_where_the_embedder_expects_it():
    pixels = np.zeros((480, 640, 3), np.uint8)
    points = FOUR * 2 + np.array([200, 100], np.float32)
    middle = points[:2].mean(axis=0).round().astype(int)
    pixels[middle[1] - 3 : middle[1] + 4, middle[0] - 3 : middle[0] + 4] = 255
    aligned = Aligner()(pixels, points)
    y, x = np.unravel_index(aligned[..., 0].argmax(), (112, 112))
    assert np.hypot(x - 54.4, y - 51.6) < 3


def test_of_the_detectors_six_points_the_ears_are_left_out():
    six = np.arange(12, dtype=np.float32).reshape(6, 2)
    assert detector_points(six).tolist() == six[:4].tolist()
