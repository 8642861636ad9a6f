"""What is drawn points where it should, says what was measured, and stays in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analysis.draw import axes, drawn, face_lines, pointing
from agent.core.messages import Attention, Expression, Gaze, HeadPose, Liveness
from tests.analysis.seen import face, observation, person

STRAIGHT = HeadPose(yaw_deg=0, pitch_deg=0, roll_deg=0, confidence=1)
ALIVE = Liveness(verdict="live", score=0.93, reason="blinked", watched_s=3.0)


def head(**angles: float) -> HeadPose:
    return HeadPose(**{"yaw_deg": 0, "pitch_deg": 0, "roll_deg": 0, "confidence": 1, **angles})


def test_a_head_that_looks_into_the_camera_points_at_it():
    right, down, nose = axes(STRAIGHT)
    assert right == pytest.approx((1, 0))
    assert down == pytest.approx((0, 1))
    assert nose == pytest.approx((0, 0))


def test_a_nose_turned_to_the_pictures_right_points_right_and_one_lifted_points_up():
    assert axes(head(yaw_deg=90))[2] == pytest.approx((1, 0))
    assert axes(head(pitch_deg=90))[2] == pytest.approx((0, -1))
    assert pointing(-30, 0) == pytest.approx((-0.5, 0))


def test_a_head_that_leans_clockwise_has_its_right_side_lower():
    right, down, _ = axes(head(roll_deg=30))
    assert right == pytest.approx((0.866, 0.5), abs=1e-3)
    assert down == pytest.approx((-0.5, 0.866), abs=1e-3)


@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_the_axes_are_those_of_a_turned_body(yaw, pitch, roll):
    """Rows of a rotation matrix have length one, so the three axes' shares of a direction of the picture do too."""
    vectors = np.array(axes(HeadPose(yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll, confidence=1)))
    assert (vectors**2).sum(axis=0) == pytest.approx([1, 1])
    assert vectors[:, 0] @ vectors[:, 1] == pytest.approx(0, abs=1e-9)


def test_what_was_measured_is_said_and_what_was_not_is_not():
    assert face_lines(face()) == ["face 1  q 0.80  not embedded"]
    attention = Attention(
        head=head(yaw_deg=-12.4), gaze=Gaze(yaw_deg=5, pitch_deg=0, confidence=1), away=True, blinks=2, eyes_open=0.9
    )
    smile = Expression(probabilities=(0.1, 0.7, 0.1, 0.1, 0, 0, 0), confidence=0.7)
    lines = face_lines(face(embedding=b"1234", attention=attention, liveness=ALIVE, expression=smile))
    assert lines == [
        "face 1  q 0.80",
        "live 0.93 blinked",
        "head -12 +0 +0",
        "gaze +5 +0  away",
        "blinks 2  eyes 0.9",
        "happiness 0.70",
    ]


def test_an_abstention_is_said_with_its_reason():
    assert "too dark" in face_lines(face(attention=Attention(abstained="too_dark")))


@pytest.mark.parametrize("x", [-60, 0, 300, 600, 700])
@pytest.mark.parametrize("size", [(480, 640), (63, 97), (1080, 1920)])
def test_faces_at_and_past_the_edges_are_drawn_on_a_picture_of_any_size(x, size):
    pixels = np.full((*size, 3), 128, np.uint8)
    before = pixels.copy()
    attention = Attention(head=head(yaw_deg=40), gaze=Gaze(yaw_deg=30, pitch_deg=20, confidence=1))
    seen = face(x=x, attention=attention, liveness=ALIVE)
    picture = drawn(pixels, observation(seen, face(2, x=x + 40), persons=(person(1, 1),)))
    assert picture.shape == pixels.shape
    assert (picture != before).any()
    assert (pixels == before).all(), "the frame itself is left as it is"


def test_the_words_of_two_people_side_by_side_do_not_cover_each_other():
    """White letters on a dark ground: with both faces' words apart there is twice as much dark ground as with one's."""

    def dark(*faces):
        return int((drawn(np.full((480, 640, 3), 250, np.uint8), observation(*faces)) < 150).all(axis=2).sum())

    foot = dark()
    left, right = face(1, x=150, liveness=ALIVE), face(2, x=360, liveness=ALIVE)
    assert dark(left, right) - foot == pytest.approx(dark(left) + dark(right) - 2 * foot, rel=0.02)
