"""Cutting squares out of frames, and what the shipped detector finds in real pictures and in none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.build import build_detector
from agent.vision.detect import Detector, cut_square
from agent.vision.engine import open_engine
from agent.vision.faces import Region, iou
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait


@pytest.fixture(scope="module")
def detector() -> Detector:
    return build_detector(open_engine("litert", 1), load_manifest())


def gradient(width: int, height: int) -> np.ndarray:
    """Blue grows to the right, green downwards, red is full."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)[None, :]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return pixels


def test_a_square_inside_the_frame_is_scaled_whole():
    out = np.zeros((128, 128, 3), np.uint8)
    cut_square(gradient(640, 480), Region(160, 0, 320), out)
    assert out[64, 64].tolist() == pytest.approx([127, 85, 255], abs=3)
    assert out[0, 0, 0] == pytest.approx(64, abs=3)
    assert out[127, 127, 1] == pytest.approx(170, abs=3)


def test_what_lies_outside_the_frame_is_black_and_does_not_shift_the_rest():
    out = np.full((128, 128, 3), 77, np.uint8)
    cut_square(gradient(640, 480), Region(0, -80, 640), out)
    assert not out[:16].any()
    assert not out[112:].any()
    assert out[64, 64].tolist() == pytest.approx([127, 127, 255], abs=3)


@given(st.integers(-2000, 2000), st.integers(-2000, 2000), st.integers(1, 3000))
def test_any_square_can_be_asked_for(x, y, side):
    out = np.zeros((128, 128, 3), np.uint8)
    cut_square(gradient(64, 48), Region(x, y, side), out)


def test_a_frame_without_anybody_has_no_faces(detector):
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    for pixels in (noise, np.zeros_like(noise), np.full_like(noise, 255), gradient(640, 480)):
        assert detector.detect_in(pixels, Region(0, -80, 640)) == []


@pytest.mark.parametrize("width_px", [40, 60, 100, 140])
def test_a_real_face_is_found_in_a_tile_where_it_is_with_its_eyes_in_order(detector, width_px):
    pixels, box = canvas_with(portrait("owner"), width_px, (320, 240))
    [face] = detector.detect_in(pixels, Region(160, 80, 320))
    assert iou(face.box_px, box) > 0.4
    right_eye, left_eye, nose, mouth = face.points_px[:4]
    assert right_eye[0] < nose[0] < left_eye[0]  # the person's right is the picture's left
    assert right_eye[1] < nose[1] < mouth[1]


def test_a_face_at_the_edge_of_the_frame_is_kept_and_one_cut_by_its_square_is_left_to_another(detector):
    pixels, box = canvas_with(portrait("owner"), 100, (320, 240))
    cutting = Region(round(box[0] + box[2] / 2), 80, 320)
    assert detector.detect_in(pixels, cutting) == []
    edge = np.ascontiguousarray(pixels[:, round(box[0]) :])
    assert len(detector.detect_in(edge, Region(0, 80, 320))) == 1
