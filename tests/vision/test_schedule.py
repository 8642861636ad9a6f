"""Where the detector looks."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.schedule import Schedule, ScheduleSettings, head_squares, levels, search_regions

SETTINGS = ScheduleSettings()
VGA, HD = (640, 480), (1280, 720)
FRAMES_PER_S = 15
SOMEBODY = [(300.0, 200.0, 80.0, 80.0)]
WALKER = [(100.0, 60.0, 120.0, 300.0)]

sizes = st.sampled_from([VGA, HD, (320, 240), (1920, 1080), (480, 640)])
boxes = st.tuples(st.floats(-50, 1300), st.floats(-50, 700), st.floats(1, 600), st.floats(1, 600))


def holds(region, x, y, size):
    return region.x <= x and region.y <= y and x + size <= region.x + region.side and y + size <= region.y + region.side


def shows(region, x, y, size):
    """Whole, and at 20 of the detector's 128 px or more."""
    return holds(region, x, y, size) and 128 * size / region.side >= 19.9


def a_face(data, frame_px, least=30):
    size = data.draw(st.integers(least, min(frame_px)))
    return data.draw(st.integers(0, frame_px[0] - size)), data.draw(st.integers(0, frame_px[1] - size)), size


@given(sizes, st.data())
def test_every_face_of_30_px_and_more_lies_whole_in_a_square_that_shows_it_large_enough(frame_px, data):
    face = a_face(data, frame_px)
    assert any(shows(region, *face) for region in search_regions(frame_px, SETTINGS))


@given(st.sampled_from([VGA, HD]), st.booleans(), st.lists(boxes, max_size=3), st.data())
def test_no_still_face_waits_longer_than_is_stated_whatever_moves_and_whoever_is_tracked(frame_px, tracking, moving, data):
    schedule = Schedule(frame_px, SETTINGS)
    face = a_face(data, frame_px)
    within = schedule.longest_wait(face[2], tracking=tracking, hinted=bool(moving))
    for _ in range(data.draw(st.integers(0, 40))):
        schedule.regions(SOMEBODY if tracking else [], moving)
    searched = (square for _ in range(within) for square in schedule.plan(SOMEBODY if tracking else [], moving).search)
    assert any(shows(square, *face) for square in searched)


@pytest.mark.parametrize(
    ("frame_px", "face_px", "seconds"),
    [(VGA, 100, 0.2), (VGA, 60, 0.6), (VGA, 30, 1.4), (HD, 120, 0.4), (HD, 60, 2.0), (HD, 30, 3.4)],
)
def test_who_stands_still_before_an_idle_door_is_seen_within_seconds_and_the_nearer_the_sooner(frame_px, face_px, seconds):
    assert Schedule(frame_px, SETTINGS).longest_wait(face_px) / FRAMES_PER_S <= seconds


def test_smaller_faces_than_the_search_is_laid_out_for_are_not_promised():
    assert Schedule(HD, SETTINGS).longest_wait(20) == inf


def test_a_larger_budget_shortens_the_wait():
    rich = ScheduleSettings(search_idle=4)
    assert Schedule(HD, rich).longest_wait(30) == Schedule(HD, SETTINGS).longest_wait(30) / 2


@given(st.lists(boxes, max_size=12), st.lists(boxes, max_size=6))
def test_a_frames_cost_is_bounded_however_many_people_come_and_move(tracked, moving):
    schedule = Schedule(VGA, SETTINGS)
    for _ in range(5):
        plan = schedule.plan(tracked, moving)
        assert len(plan.own) <= SETTINGS.tracks_a_frame
        assert len(plan.search) <= (SETTINGS.search_busy if tracked else SETTINGS.search_idle)


@given(boxes, sizes)
def test_any_hint_gives_squares_that_a_frame_can_be_cut_by(box, frame_px):
    for square in head_squares(box, frame_px, SETTINGS):
        assert 0 < square.side <= max(frame_px)


@given(st.floats(27, 110), st.floats(100, 900), st.floats(50, 250))
def test_the_head_of_a_moving_body_is_whole_in_its_square_and_large_enough(face_px, x, y):
    """A body is three faces wide and eight high, and its face begins half a face below the hair."""
    body = (x, y, 3 * face_px, 8 * face_px)
    [square] = head_squares(body, HD, SETTINGS)
    assert shows(square, x + face_px, y + 0.5 * face_px, face_px)


def test_several_people_who_move_as_one_are_looked_at_one_beside_the_other():
    squares = head_squares((100, 50, 900, 300), HD, SETTINGS)
    assert len(squares) == 3
    assert [square.x for square in squares] == sorted({square.x for square in squares})
    assert all(any(holds(square, x, 80, 100) for square in squares) for x in range(100, 900, 10))


def test_what_moves_is_looked_at_in_the_very_next_frame():
    [head] = head_squares(WALKER[0], HD, SETTINGS)
    assert head in Schedule(HD, SETTINGS).plan([], WALKER).search


def test_while_somebody_is_tracked_what_moves_waits_one_frame_at_most():
    schedule = Schedule(HD, SETTINGS)
    [head] = head_squares(WALKER[0], HD, SETTINGS)
    assert head in {square for _ in range(2) for square in schedule.plan(SOMEBODY, WALKER).search}


def test_of_many_that_move_each_has_its_turn():
    schedule = Schedule(HD, SETTINGS)
    many = [(200.0 * n, 50.0, 100.0, 300.0) for n in range(5)]
    looked_at = {square for _ in range(5) for square in schedule.plan([], many).search}
    assert {square for box in many for square in head_squares(box, HD, SETTINGS)} <= looked_at


def test_with_many_people_each_tracked_face_has_its_turn():
    schedule = Schedule(VGA, SETTINGS)
    people = [(100.0 * n, 100.0, 50.0, 50.0) for n in range(6)]
    looked_at = {region.x for _ in range(2) for region in schedule.plan(people).own}
    assert len(looked_at) == 6


def test_a_tracked_face_is_in_the_middle_of_its_own_square():
    [own, *_] = Schedule(VGA, SETTINGS).regions(SOMEBODY)
    assert (own.x + own.side / 2, own.y + own.side / 2) == pytest.approx((340, 240), abs=1)
    assert own.side == pytest.approx(80 * SETTINGS.track_times, abs=2)


def test_a_frame_in_which_the_smallest_face_is_large_enough_is_looked_at_whole():
    assert len(search_regions((160, 120), SETTINGS)) == 1
    assert Schedule((160, 120), SETTINGS).longest_wait(30) == 1


def test_each_size_of_tiles_is_twice_the_next():
    assert [level[0].side for level in levels(HD, SETTINGS)] == [1280, 768, 384, 192]
    assert [level[0].side for level in levels(VGA, SETTINGS)] == [640, 384, 192]
