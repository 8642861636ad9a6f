"""What is drawn points where it should, says what was measured, and stays in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analysis.draw import axes, conduct_line, drawn, face_lines, pointing
from agent.behaviour.floor import FloorPlan, default_plan
from agent.behaviour.ground import NO_GROUND, assumed_ground
from agent.core.conduct import Conduct, Evidence, PersonConduct
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


# -- what people do ------------------------------------------------------------------------------------------------------------

LOOKED = Evidence(kind="glances", value=3, over_s=8)


def plan(frame_px: tuple[int, int] = (640, 480)) -> FloorPlan:
    return default_plan(assumed_ground(frame_px, 70.0, 2.0, 15.0))


def of(body: int | None = 1, face_track: int | None = None, **more) -> PersonConduct:
    return PersonConduct(body=body, face=face_track, since_s=0.0, **{"zone": "approach", "speed_m_s": 0.84, **more})


def test_zone_speed_and_glances_are_said_as_far_as_they_are_known():
    assert conduct_line(of(evidence=(LOOKED,))) == "approach  0.8 m/s  glances 3"
    assert conduct_line(of(speed_m_s=None)) == "approach"
    assert conduct_line(of(zone="", speed_m_s=None)) == ""


@pytest.mark.parametrize("who", [of(body=1), of(body=None, face_track=7)])
def test_what_somebody_does_is_written_beside_them_and_beside_nobody_else(who):
    def light(conduct):
        seen = observation(face(7, x=400), persons=(person(1),))
        picture = drawn(np.zeros((480, 640, 3), np.uint8), seen, conduct)
        return int((picture > 180).all(axis=2).sum())

    nothing = light(None)
    assert light(Conduct(at_s=0.0, persons=(who,))) > nothing + 100
    assert light(Conduct(at_s=0.0, persons=(of(body=9),))) == nothing


@pytest.mark.parametrize("size", [(480, 640), (63, 97), (1080, 1920)])
def test_the_floor_is_drawn_faintly_on_a_picture_of_any_size(size):
    pixels = np.full((*size, 3), 100, np.uint8)
    change = drawn(pixels, observation(), None, plan((size[1], size[0]))).astype(int) - drawn(pixels, observation()).astype(int)
    assert (change != 0).any()
    assert np.median(np.abs(change)) == 0, "most of the picture is as it was"


def test_no_floor_is_drawn_where_none_is_known():
    pixels = np.full((480, 640, 3), 100, np.uint8)
    unknown = FloorPlan(ground=NO_GROUND, zones=plan().zones, lines=plan().lines)
    assert (drawn(pixels, observation(), None, unknown) == drawn(pixels, observation())).all()
