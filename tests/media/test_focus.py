"""The window that follows somebody: within the frame, of its shape, smooth, and whole again when nobody is concerned."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from agent.core.live import BodyBox, FaceBox, Sight
from agent.media.focus import LEAST_SHARE, WHOLE, Window, person_box, step

FRAME = (640, 480)
numbers = st.floats(-3000, 3000)
boxes = st.tuples(numbers, numbers, st.floats(0.1, 2000), st.floats(0.1, 2000))
frames = st.tuples(st.integers(64, 1920), st.integers(64, 1080))
walks = st.lists(st.tuples(st.none() | boxes, st.floats(0, 2)), max_size=30)


def led(walk, frame=FRAME, window=WHOLE):
    for target, elapsed_s in walk:
        window = step(window, target, frame, elapsed_s)
    return window


@given(walks, frames)
def test_the_window_never_reaches_over_an_edge_nor_is_smaller_than_a_person_needs(walk, frame):
    window = led(walk, frame)
    x, y, wide, high = window.box_px(frame)
    assert x >= 0
    assert y >= 0
    assert x + wide <= frame[0]
    assert y + high <= frame[1]
    assert window.share >= LEAST_SHARE - 1e-9


@given(walks)
def test_the_window_keeps_the_frames_shape(walk):
    _, _, wide, high = led(walk).box_px(FRAME)
    assert abs(wide / 640 - high / 480) <= 1 / 480


@given(walks, st.none() | boxes, st.floats(0, 0.1))
def test_a_frame_later_it_has_moved_by_little_wherever_the_person_jumped(walk, target, elapsed_s):
    before = led(walk)
    after = step(before, target, FRAME, elapsed_s)
    assert max(abs(after.x - before.x), abs(after.y - before.y)) <= 0.35
    assert abs(after.share - before.share) <= 0.16


@given(boxes)
def test_whoever_stands_still_is_in_the_middle_after_some_seconds_unless_they_stand_at_an_edge(box):
    window = led([(box, 0.1)] * 100)
    settled = step(window, box, FRAME, 0.1)
    assert max(abs(settled.x - window.x), abs(settled.y - window.y), abs(settled.share - window.share)) < 0.05


def test_a_box_that_trembles_moves_nothing():
    still = led([((300.0, 200.0, 60.0, 160.0), 0.1)] * 100)
    assert all(step(still, (300.0 + d, 200.0 - d, 60.0, 160.0), FRAME, 0.1) == still for d in (-8, -3, 3, 8))


def test_when_nobody_is_concerned_any_more_the_whole_frame_comes_back():
    window = led([((10.0, 10.0, 40.0, 90.0), 0.5)] * 20)
    assert window.share < 0.6
    assert led([(None, 0.5)] * 20, window=window).share > 0.99


def test_numbers_that_are_none_show_everything():
    assert led([((math.nan, 0.0, 10.0, 10.0), 1.0)] * 20) == Window(0.5, 0.5, 1.0)


def test_the_person_is_found_by_body_by_the_face_of_a_body_and_by_the_face_alone():
    body, face = (50.0, 60.0, 100.0, 300.0), (80.0, 70.0, 40.0, 40.0)
    sight = Sight(taken_s=1.0, frame_px=FRAME, faces=(FaceBox(7, face),), bodies=(BodyBox(3, body, 7),))
    assert person_box(sight, None, 3) == person_box(sight, 7, None) == body
    alone = Sight(taken_s=1.0, frame_px=FRAME, faces=(FaceBox(7, face),))
    x, y, wide, high = person_box(alone, 7, None)
    assert (x, y) < (80.0, 70.0) < (x + wide, y + high)
    assert high > 2 * face[3]
    assert person_box(sight, None, None) is None
    assert person_box(sight, 99, 98) is None
