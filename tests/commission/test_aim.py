"""Aiming by words: real pixels of a face in a corridor, looked at with the door's own networks, and what an installer is told."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.commission.aim import GOOD_LOOKS, GOOD_S, LOW_Y, Look, Needs, Turn, advise, taken
from agent.commission.aim_panel import COLUMNS, panel
from agent.commission.camera import DoorEye, light_around
from agent.config import parse_config
from tests.commission.stage import Stage, room, with_face

NEEDS = Needs(least_px=40, least_quality=0.2)
FRAME = (640, 480)


@pytest.fixture(scope="module")
def eye(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("eye")
    stage = Stage(folder / "camera")
    made = DoorEye(parse_config({"site": "hq", "door": "front", "vision": {"camera": f"sim:{folder}/camera"}}))
    yield made
    made.close()
    stage.close()


def looked(eye, picture) -> Look:
    """As a few frames show it: the search goes round until it has found a face, and then looks from near."""
    look = eye.look(picture)
    for _ in range(40):
        found = look.box_px is not None
        look = eye.look(picture)
        if found:
            break
    return look


def word(eye, picture, needs=NEEDS) -> str:
    return advise(looked(eye, picture), needs).word


# -- with real pixels ------------------------------------------------------------------------------------------------------------


def test_a_face_in_the_middle_and_near_enough_is_good(eye):
    look = looked(eye, with_face(room(), 0.5, 0.4, 100))
    assert advise(look, NEEDS).good
    assert 75 < look.face_px < 125
    assert look.quality > 0.5


def test_nobody_is_said_to_be_there_when_nobody_is(eye):
    assert word(eye, room()) == "nobody"


@pytest.mark.parametrize(
    ("x", "y", "told"), [(0.12, 0.45, "left"), (0.88, 0.45, "right"), (0.5, 0.1, "high"), (0.5, 0.86, "low")]
)  # fmt: skip
def test_the_camera_is_turned_to_where_the_face_is(eye, x, y, told):
    assert word(eye, with_face(room(), x, y, 64)) == told


def test_whoever_sits_may_be_low_in_the_picture(eye):
    sits = Needs(least_px=40, least_quality=0.2, band_y=LOW_Y)
    assert word(eye, with_face(room(), 0.5, 0.8, 90), sits) == "good"


def test_a_face_far_away_is_too_small(eye):
    look = looked(eye, with_face(room(), 0.5, 0.4, 30))
    assert advise(look, NEEDS).word == "small"
    assert "40 needed" in advise(look, NEEDS).say


def test_a_face_before_a_bright_window_is_backlit(eye):
    window = cv2.addWeighted(room(), 0.15, np.full_like(room(), 255), 0.85, 0)
    assert word(eye, with_face(window, 0.5, 0.4, 110, light=0.35)) == "backlit"


def test_a_blurred_face_is_told_to_be_so(eye):
    picture = np.asarray(cv2.GaussianBlur(with_face(room(), 0.5, 0.4, 120), (0, 0), 4), np.uint8)
    look = looked(eye, picture)
    advice = advise(look, Needs(least_px=40, least_quality=0.6))
    assert advice.word == "poor"
    assert "blurred" in advice.say


def test_a_lens_that_is_covered_is_dark_and_not_just_empty(eye):
    advice = advise(looked(eye, np.zeros_like(room())), NEEDS)
    assert advice.word == "nobody"
    assert "too dark" in advice.say


def test_no_face_can_be_found_in_a_picture_that_is_kept(eye):
    for at in ((0.5, 0.4, 100.0), (0.2, 0.5, 60.0), (0.7, 0.3, 40.0)):
        picture = with_face(room(), *at)
        kept = eye.faceless(picture)
        assert looked(eye, picture).box_px is not None
        assert looked(eye, kept).box_px is None
        x, y = round(at[0] * FRAME[0]), round(at[1] * FRAME[1])
        assert not np.array_equal(kept[y, x], picture[y, x])


def test_an_empty_room_has_nobody_in_it_and_one_with_somebody_has(eye):
    assert eye.people(room()) == 0
    assert eye.people(with_face(room(), 0.5, 0.4, 100)) == 1


# -- pure ------------------------------------------------------------------------------------------------------------------------

looks = st.builds(
    Look, frame_px=st.just(FRAME), quality=st.floats(0, 1), light=st.floats(0, 255), around=st.floats(0, 255),
    box_px=st.none() | st.tuples(st.floats(-50, 700), st.floats(-50, 500), st.floats(5, 300), st.floats(5, 300)),
    cause=st.sampled_from((None, "blurred", "too_dark")),
)  # fmt: skip


@given(looks)
def test_good_is_said_only_of_a_face_that_the_door_could_compare(look):
    advice = advise(look, NEEDS)
    assert advice.say.endswith((".", "camera"))
    if advice.good:
        assert look.face_px >= NEEDS.least_px
        assert look.quality >= NEEDS.least_quality


@given(st.lists(st.tuples(looks, st.floats(0.01, 0.5)), max_size=40))
def test_a_turn_is_over_only_after_enough_good_looks_in_a_row(seen):
    turn, at_s, good = Turn(), 0.0, 0
    for look, after_s in seen:
        at_s += after_s
        advice = advise(look, NEEDS)
        turn = taken(turn, look, advice, at_s)
        good += advice.good
        if turn.over(at_s):
            assert good >= GOOD_LOOKS
            assert at_s - turn.since_s >= GOOD_S
            assert turn.best is not None


def test_light_is_measured_beside_a_face_and_not_in_it():
    picture = np.full((480, 640, 3), 200, np.uint8)
    picture[200:300, 300:400] = 10
    assert light_around(picture, (300, 200, 100, 100)) == pytest.approx(200, abs=1)
    assert light_around(picture, (0, 0, 640, 480)) == 0, "nothing is beside a face that fills the picture"


@given(looks, st.booleans(), st.sampled_from((30, 40, 60, 76, 80, 120)))
def test_what_is_drawn_is_never_wider_than_the_terminal(look, colour, width):
    picture = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    lines = panel(picture, look, advise(look, NEEDS), NEEDS, width=width, colour=colour)
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert max(len(line) for line in plain) <= max(width, COLUMNS)
    assert len(lines) <= 20
