"""Who is hidden: every head but that of the person concerned, and in doubt everything. Proven on pixels."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.live import BodyBox, FaceBox, Sight
from agent.media.picture import conceal, cut, no_picture, size_for
from agent.media.veil import HELD_S, NOBODY, Hidden, Subject, Veil

FRAME = (640, 480)
inside = st.tuples(st.floats(0, 560), st.floats(0, 400), st.floats(8, 80), st.floats(8, 80))


def sight(at_s: float = 0.0, faces=None, bodies=()):
    found = None if faces is None else tuple(FaceBox(track, box) for track, box in faces.items())
    return Sight(taken_s=at_s, frame_px=FRAME, faces=found, bodies=tuple(bodies))


def covers(hidden: Hidden, box) -> bool:
    x, y, wide, high = box
    return hidden.everything or any(
        bx <= x and by <= y and bx + bw >= x + wide and by + bh >= y + high for bx, by, bw, bh in hidden.boxes
    )


def noise() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (480, 640, 3), np.uint8)


@given(st.dictionaries(st.integers(0, 9), inside, max_size=6), st.none() | st.integers(0, 9))
def test_every_face_is_hidden_whole_but_that_of_the_person_concerned(faces, subject):
    hidden = Veil().over(sight(faces=faces), Subject(face=subject))
    assert all(covers(hidden, box) for track, box in faces.items() if track != subject)
    assert len(hidden.boxes) == len(faces.keys() - {subject})


def test_a_frame_that_nobody_has_looked_at_is_hidden_whole():
    assert Veil().over(sight(faces=None), Subject(face=1)).everything
    assert Veil().over(sight(faces={1: (math.nan, 0.0, 5.0, 5.0)}), NOBODY).everything


def test_a_face_that_was_missed_stays_hidden_for_a_while_in_a_region_that_grows():
    veil, box = Veil(), (100.0, 100.0, 50.0, 50.0)
    veil.over(sight(0.0, {1: box}), NOBODY)
    soon, later = veil.over(sight(0.2, {}), NOBODY), veil.over(sight(0.6, {}), NOBODY)
    assert covers(soon, box)
    assert later.boxes[0][2] > soon.boxes[0][2] > box[2]
    assert veil.over(sight(HELD_S + 0.01, {}), NOBODY).boxes == ()


def test_a_body_whose_face_was_not_found_has_its_head_hidden_and_nothing_below():
    hidden = Veil().over(sight(faces={}, bodies=[BodyBox(4, (200.0, 100.0, 100.0, 300.0), 9)]), NOBODY)
    assert covers(hidden, (200.0, 100.0, 100.0, 80.0))
    assert not covers(hidden, (200.0, 300.0, 100.0, 80.0))


def test_the_person_concerned_is_known_by_body_too_and_once_known_is_hidden_no_longer():
    body, box = BodyBox(4, (200.0, 100.0, 100.0, 300.0), 9), (220.0, 110.0, 50.0, 50.0)
    veil = Veil()
    assert covers(veil.over(sight(0.0, {9: box}, [body]), NOBODY), box)
    assert veil.over(sight(0.1, {9: box}, [body]), Subject(body=4)).boxes == ()
    assert veil.over(sight(0.2, {}, [body]), Subject(face=9)).boxes == ()


@settings(max_examples=30)
@given(st.tuples(st.floats(-200, 700), st.floats(-200, 600), st.floats(1, 400), st.floats(1, 400)))
def test_of_what_is_hidden_no_detail_is_left_and_beside_it_nothing_changes(box):
    pixels, before = noise(), noise()
    conceal(pixels, Hidden(everything=False, boxes=(box,)))
    left, top = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    right, bottom = min(640, math.ceil(box[0] + box[2])), min(480, math.ceil(box[1] + box[3]))
    part = pixels[top:bottom, left:right] if right > left and bottom > top else pixels[:0, :0]
    if part.size:
        assert len(np.unique(part.reshape(-1, 3), axis=0)) <= 5 * max(1, round(5 * part.shape[0] / part.shape[1]))
    untouched = np.ones((480, 640), bool)
    untouched[top : max(top, bottom), left : max(left, right)] = False
    assert (pixels[untouched] == before[untouched]).all()


def test_a_frame_that_is_hidden_whole_has_a_few_hundred_colours():
    pixels = noise()
    conceal(pixels, Hidden(everything=True))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) <= 24 * 18


@given(st.integers(64, 1920), st.integers(64, 1080), st.integers(160, 1280))
def test_the_viewers_picture_has_the_frames_shape_and_even_sides(width, height, most):
    wide, high = size_for((width, height), most)
    assert wide % 2 == high % 2 == 0
    assert wide <= min(width, most)
    assert abs(high - height * wide / width) <= 2


def test_a_window_is_shown_at_the_size_of_the_whole():
    assert cut(noise(), (100, 100, 320, 240), (640, 480)).shape == (480, 640, 3)
    assert no_picture((320, 240)).shape == (240, 320, 3)
