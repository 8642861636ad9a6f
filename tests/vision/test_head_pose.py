"""Heads turned by known angles are measured; what cannot be measured has no confidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.messages import HeadPose
from agent.vision.faces import Region
from agent.vision.head_pose import HeadPoseSettings, angles_deg, fit, head_pose, mean_face, share_outside, turned
from tests.vision.heads import SIZE, frontal, head_at, mesh_of
from tools.canonical_face import mean_of, meshes

SETTINGS = HeadPoseSettings()
ANGLE = st.floats(-80, 80)


def pose(pixels) -> HeadPose:
    return head_pose(mesh_of(pixels), SIZE, SETTINGS)


@pytest.mark.parametrize("who", ["owner", "visitor", "stranger"])
@pytest.mark.parametrize("yaw", [-40, -20, 20, 40])
def test_a_head_that_turns_is_followed_to_forty_degrees(who, yaw):
    straight, aside = pose(head_at(who, 0)), pose(head_at(who, yaw))
    assert aside.yaw_deg - straight.yaw_deg == pytest.approx(yaw, abs=8)
    assert aside.pitch_deg - straight.pitch_deg == pytest.approx(0, abs=7)
    assert aside.confidence > 0.3


@pytest.mark.parametrize("pitch", [-20, 20])
def test_a_head_that_nods_is_followed(pitch):
    straight, nodded = pose(head_at("visitor", 0)), pose(head_at("visitor", 0, pitch))
    assert nodded.pitch_deg - straight.pitch_deg == pytest.approx(pitch, abs=8)
    assert nodded.yaw_deg - straight.yaw_deg == pytest.approx(0, abs=5)


def test_a_head_that_leans_is_followed():
    straight, leaning = pose(head_at("visitor", 0)), pose(head_at("visitor", 0, 0, 20))
    assert leaning.roll_deg - straight.roll_deg == pytest.approx(20, abs=3)


def test_the_nose_to_the_pictures_right_is_a_positive_yaw_and_up_a_positive_pitch():
    right, up, clockwise = (turned(*angles) for angles in ((30, 0, 0), (0, 30, 0), (0, 0, 30)))
    nose, crown = np.array([0, 0, -1]), np.array([0, -1, 0])
    assert (right @ nose)[0] > 0
    assert (up @ nose)[1] < 0
    assert (clockwise @ crown)[0] > 0


def test_in_a_mirror_the_head_turns_the_other_way():
    pixels = head_at("visitor", 20)
    seen, mirrored = pose(pixels), pose(np.ascontiguousarray(pixels[:, ::-1]))
    assert mirrored.yaw_deg == pytest.approx(-seen.yaw_deg, abs=5)
    assert mirrored.roll_deg == pytest.approx(-seen.roll_deg, abs=4)
    assert mirrored.pitch_deg == pytest.approx(seen.pitch_deg, abs=4)


def test_a_face_that_is_far_away_is_measured_with_less_confidence():
    far = mesh_of(frontal("visitor", width_px=26), Region(110, 110, 100))
    assert pose(frontal("visitor")).confidence > 0.9
    assert head_pose(far, SIZE, SETTINGS).confidence < 0.5


def test_a_face_cut_by_the_frames_edge_is_not_believed():
    mesh = mesh_of(frontal("visitor"))
    cut = head_pose(mesh, (150, 320), SETTINGS)
    assert share_outside(mesh.points, (150, 320)) > 0.3
    assert cut.confidence == 0


def test_what_is_no_face_is_not_believed():
    noise = np.random.default_rng(3).normal(100, 30, (468, 3))
    assert fit(noise, mean_face()).misfit > SETTINGS.misfit[0]


def test_points_in_one_place_have_angles_and_no_sense():
    found = fit(np.full((468, 3), 7.0), mean_face())
    assert np.isfinite(angles_deg(found.rotation)).all()
    assert found.scale_px == pytest.approx(0)


@given(ANGLE, ANGLE, st.floats(-170, 170))
def test_a_rotation_has_the_angles_that_it_was_made_of(yaw, pitch, roll):
    assert angles_deg(turned(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1e-6)


@given(ANGLE, ANGLE, ANGLE, st.floats(5, 500), st.floats(-1000, 1000))
def test_the_mean_face_is_found_wherever_it_was_put(yaw, pitch, roll, scale, at):
    points = scale * mean_face() @ turned(yaw, pitch, roll).T + [at, -at, at / 2]
    found = fit(points, mean_face())
    assert angles_deg(found.rotation) == pytest.approx((yaw, pitch, roll), abs=1e-4)
    assert found.scale_px == pytest.approx(scale, rel=1e-6)
    assert found.misfit == pytest.approx(0, abs=1e-6)


def test_the_shipped_mean_face_is_that_of_the_demos_people():
    made = mean_of(list(meshes()))
    assert np.abs(made - mean_face()).max() < 0.03
