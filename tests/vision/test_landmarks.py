"""The mesh on real faces."""

from __future__ import annotations

import numpy as np
import pytest

from agent.vision.build import Stages, build_stages
from agent.vision.engine import open_engine
from agent.vision.faces import Region
from agent.vision.landmarks import INPUT_PX, box_cut, upright_cut
from models_tflite.manifest import load_manifest
from tests.vision.people import canvas_with, portrait


@pytest.fixture(scope="module")
def stages() -> Stages:
    return build_stages(open_engine("litert", 1), load_manifest())


def found(stages: Stages, pixels):
    [face] = stages.detector.detect_in(pixels, Region(160, 80, 320))
    return face


@pytest.mark.parametrize("who", ["owner", "stranger", "visitor", "colleague"])
def test_the_five_points_lie_on_the_face_in_their_order(stages, who):
    pixels, (x, y, width, height) = canvas_with(portrait(who), 110, (320, 240))
    mesh = stages.landmarks(pixels, found(stages, pixels).points_px)
    right_eye, left_eye, nose, right_corner, left_corner = mesh.five()
    assert mesh.score > 0.9
    assert mesh.points.shape == (468, 3)
    assert ((mesh.five() > [x - 10, y - 10]) & (mesh.five() < [x + width + 10, y + height + 10])).all()
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_corner[0] < nose[0] < left_corner[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_corner[1], left_corner[1])


def test_the_nose_stands_out_of_the_face(stages):
    pixels, _ = canvas_with(portrait("owner"), 110, (320, 240))
    mesh = stages.landmarks(pixels, found(stages, pixels).points_px)
    assert mesh.points[1, 2] < mesh.points[[33, 263], 2].min()


def test_where_there_is_no_face_the_mesh_says_so(stages):
    pixels, _ = canvas_with(portrait("owner"), 110, (320, 240))
    points = found(stages, pixels).points_px
    assert stages.landmarks(np.full_like(pixels, 120), points).score < 0.5


def test_points_in_one_place_do_not_break_the_cut(stages):
    mesh = stages.landmarks(np.zeros((480, 640, 3), np.uint8), np.full((6, 2), 100, np.float32))
    assert np.isfinite(mesh.points).all()


def test_a_tilted_head_is_cut_upright():
    six = np.array([[100, 100], [140, 120], [110, 125], [100, 150], [90, 100], [160, 130]], np.float32)
    matrix = upright_cut(six)
    eyes = six[:2] @ matrix[:, :2].T + matrix[:, 2]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1e-3)
    assert eyes[0, 0] < INPUT_PX / 2 < eyes[1, 0]


def test_a_cut_around_the_box_is_level_and_its_middle_is_the_boxes():
    six = np.array([[100, 100], [140, 120], [110, 125], [100, 150], [90, 100], [160, 130]], np.float32)
    matrix = box_cut(six, (80.0, 70.0, 80.0, 90.0))
    eyes = six[:2] @ matrix[:, :2].T + matrix[:, 2]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1e-3)
    assert eyes[0, 0] < eyes[1, 0]
    assert matrix[:, :2] @ [120, 115] + matrix[:, 2] == pytest.approx([INPUT_PX / 2, INPUT_PX / 2], abs=1e-3)
    assert np.hypot(*matrix[0, :2]) == pytest.approx(INPUT_PX / (1.5 * 90))
