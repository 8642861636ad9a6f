"""Where the detector looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.vision.schedule import Schedule, ScheduleSettings, search_regions

SETTINGS = ScheduleSettings()
VGA = (640, 480)


def holds(region, x, y, size):
    return region.x <= x and region.y <= y and x + size <= region.x + region.side and y + size <= region.y + region.side


@given(st.sampled_from([VGA, (1280, 720), (320, 240), (1920, 1080), (480, 640)]), st.data())
def test_every_face_of_40_px_and_more_lies_whole_in_a_square_that_shows_it_large_enough(frame_px, data):
    size = data.draw(st.integers(40, min(frame_px)))
    x, y = data.draw(st.integers(0, frame_px[0] - size)), data.draw(st.integers(0, frame_px[1] - size))
    shown_px = [128 * size / region.side for region in search_regions(frame_px, SETTINGS) if holds(region, x, y, size)]
    # 40 px faces are shown at 16 px; only at sizes above a tile's overlap (128 px) the whole frame has to do.
    assert max(shown_px) >= min(16, 128 * 128 / max(frame_px))


def test_the_search_of_a_640_x_480_frame_is_round_in_a_quarter_second():
    regions = search_regions(VGA, SETTINGS)
    assert len(regions) / SETTINGS.search_idle <= 4  # frames, at 15 a second


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(0, 400), st.floats(5, 200), st.floats(5, 200)), max_size=12))
def test_a_frames_cost_is_bounded_however_many_people_come(boxes):
    schedule = Schedule(VGA, SETTINGS)
    for _ in range(5):
        assert len(schedule.regions(boxes)) <= SETTINGS.tracks_a_frame + SETTINGS.search_busy


def test_with_many_people_each_tracked_face_has_its_turn():
    schedule = Schedule(VGA, SETTINGS)
    boxes = [(100.0 * n, 100.0, 50.0, 50.0) for n in range(6)]
    looked_at = {region.x for _ in range(2) for region in schedule.regions(boxes)[: SETTINGS.tracks_a_frame]}
    assert len(looked_at) == 6


def test_the_search_goes_on_while_somebody_is_tracked_or_a_second_person_would_never_be_seen():
    schedule = Schedule(VGA, SETTINGS)
    own = [(300.0, 200.0, 80.0, 80.0)]
    searched = {schedule.regions(own)[-1] for _ in range(len(search_regions(VGA, SETTINGS)))}
    assert searched == set(search_regions(VGA, SETTINGS))


def test_a_tracked_face_is_in_the_middle_of_its_own_square():
    [own, *_] = Schedule(VGA, SETTINGS).regions([(300.0, 200.0, 80.0, 80.0)])
    assert (own.x + own.side / 2, own.y + own.side / 2) == pytest.approx((340, 240), abs=1)
    assert own.side == pytest.approx(80 * SETTINGS.track_times, abs=2)


def test_a_frame_smaller_than_a_tile_is_looked_at_whole():
    assert len(search_regions((320, 240), SETTINGS)) == 1
