"""Where somebody is: dwell that adds up, borders that jitter does not cross, lines that count once."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.behaviour.floor import FloorPlan, Line, Zone, default_plan
from agent.behaviour.ground import NO_GROUND, FloorPoint
from agent.behaviour.zones import ZoneState, ZoneTrack, occupancy

PLAN = default_plan(NO_GROUND)
FRAME_S = 1 / 15


def walk(places, sigma_m: float = 0.1, jitter_m: float = 0.0, seed: int = 0, track: ZoneTrack | None = None,
         from_s: float = 0.0) -> tuple[ZoneTrack, float]:  # fmt: skip
    """A track that saw these places, a frame each (None: out of sight), and the time of the last."""
    chance, track = random.Random(seed), track or ZoneTrack(PLAN)
    at_s = from_s
    for n, place in enumerate(places):
        at_s = from_s + n * FRAME_S
        x, y = (place[0] + chance.gauss(0, jitter_m), place[1] + chance.gauss(0, jitter_m)) if place else (0.0, 0.0)
        track.take(at_s, FloorPoint(x, y, sigma_m) if place else None)
    return track, at_s


def straight(from_y: float, to_y: float, speed_m_s: float, x: float = 0.0) -> list[tuple[float, float]]:
    count = round(abs(to_y - from_y) / speed_m_s / FRAME_S)
    return [(x, from_y + (to_y - from_y) * n / count) for n in range(count + 1)]


@pytest.mark.parametrize("speed_m_s", [0.5, 1.3, 2.5])
def test_who_walks_up_is_in_each_zone_for_as_long_as_the_way_through_it_takes(speed_m_s):
    track, end_s = walk(straight(4.5, 0.3, speed_m_s), jitter_m=0.02)
    state = track.state(end_s)
    assert state.zone == "threshold"
    assert state.entries == {"public": 1, "approach": 1, "threshold": 1}
    for name, way_m in (("public", 1.5), ("approach", 1.8), ("threshold", 0.9)):
        assert state.dwell_s[name] == pytest.approx(way_m / speed_m_s, abs=0.25)
    assert state.since_s == pytest.approx(3.3 / speed_m_s, abs=0.25)


@given(st.lists(st.tuples(st.floats(-4, 4), st.floats(0, 6)) | st.none(), min_size=2, max_size=120), st.floats(0.01, 0.7))
def test_dwell_adds_up_to_the_time_in_sight(places, sigma_m):
    track, end_s = walk(places, sigma_m)
    times = [n * FRAME_S for n, place in enumerate(places) if place]
    in_sight = sum(b - a for a, b in pairwise(times) if b - a <= 1.0)
    state = track.state(end_s)
    assert sum(state.dwell_s.values()) == pytest.approx(in_sight, abs=1e-6)
    assert min(state.dwell_s.values(), default=0.0) >= 0.0


@given(st.lists(st.tuples(st.floats(-1.5, 1.5), st.floats(-0.5, 2)), min_size=2, max_size=150), st.floats(0.01, 0.7))
def test_crossings_of_a_line_with_long_ends_alternate(places, sigma_m):
    line = Line(name="gate", from_m=(-50.0, 0.5), to_m=(50.0, 0.5), inside="right")
    plan = FloorPlan(ground=NO_GROUND, zones=PLAN.zones, lines=(line,))
    track, end_s = walk(places, sigma_m, track=ZoneTrack(plan))
    crossings = track.state(end_s).crossings
    ways = [crossing.direction for crossing in crossings]
    assert all(a != b for a, b in pairwise(ways))
    assert ways[:1] in ([], ["out" if places[0][1] < 0.5 else "in"])
    assert all(a.at_s <= b.at_s for a, b in pairwise(crossings))


@pytest.mark.parametrize("speed_m_s", [0.4, 1.3, 2.5])
def test_who_goes_through_the_door_and_out_of_view_crossed_its_line_when_they_stood_on_it(speed_m_s):
    track, end_s = walk(straight(3.0, 0.33, speed_m_s), sigma_m=0.05, jitter_m=0.01)
    (crossing,) = track.state(end_s).crossings
    assert (crossing.line, crossing.direction) == ("door", "in")
    assert crossing.at_s == pytest.approx(2.5 / speed_m_s, abs=0.15)


def test_who_comes_out_and_goes_back_in_is_counted_both_ways():
    way = straight(0.2, 2.0, 1.0) + straight(2.0, 0.2, 1.0)
    track, end_s = walk(way, jitter_m=0.01)
    assert [crossing.direction for crossing in track.state(end_s).crossings] == ["out", "in"]


@pytest.mark.parametrize("jitter_m", [0.03, 0.06, 0.1])
def test_who_stands_on_the_line_with_a_jittering_place_counts_at_most_once_a_minute(jitter_m):
    counts = []
    for seed in range(20):
        track, end_s = walk([(0.0, 0.5)] * 900, sigma_m=jitter_m, jitter_m=jitter_m, seed=seed)
        counts.append(len(track.state(end_s).crossings))
    assert max(counts) <= 2
    assert sum(counts) <= 10


def test_who_crosses_slowly_with_a_jittering_place_counts_once():
    for seed in range(20):
        track, end_s = walk([(0.0, 1.2)] * 30 + straight(1.2, 0.1, 0.3) + [(0.0, 0.1)] * 30, jitter_m=0.05, seed=seed)
        assert [crossing.direction for crossing in track.state(end_s).crossings] == ["in"]


@pytest.mark.parametrize("jitter_m", [0.03, 0.1])
def test_who_stands_on_a_border_does_not_enter_again_and_again(jitter_m):
    entries = 0
    for seed in range(20):
        track, end_s = walk([(0.0, 1.2)] * 900, sigma_m=jitter_m, jitter_m=jitter_m, seed=seed)
        entries += sum(track.state(end_s).entries.values())
    assert entries <= 20 + 20


def test_who_stays_a_little_behind_a_border_is_beyond_it_before_long():
    track, end_s = walk(straight(2.0, 1.17, 1.0) + [(0.0, 1.17)] * 60, jitter_m=0.02)
    assert track.state(end_s).zone == "threshold"


def test_who_stops_short_of_the_line_did_not_cross_it():
    """However fast they came: a straight way on would have led through."""
    for speed_m_s in (0.8, 1.4, 3.0):
        track, end_s = walk(straight(4.0, 0.6, speed_m_s) + [(0.0, 0.6)] * 60, sigma_m=0.05, jitter_m=0.01)
        assert track.state(end_s).crossings == ()


def test_who_passes_beside_the_door_crosses_no_line_of_it():
    track, end_s = walk(straight(2.0, -0.4, 1.3, x=2.0))
    assert track.state(end_s).crossings == ()


def test_a_gap_of_a_moment_ends_no_stay_and_a_longer_one_does():
    seen = [(0.0, 0.8)] * 15
    track, end_s = walk(seen + [None] * 13 + seen)
    assert track.state(end_s).entries == {"threshold": 1}
    assert track.state(end_s).dwell_s["threshold"] == pytest.approx(end_s)
    track, end_s = walk(seen + [None] * 16 + seen)
    assert track.state(end_s).entries == {"threshold": 2}
    assert track.state(end_s).dwell_s["threshold"] == pytest.approx(28 * FRAME_S)
    assert track.state(end_s).since_s == pytest.approx(31 * FRAME_S)


def test_who_is_out_of_sight_is_in_no_zone_but_is_not_forgotten():
    track, end_s = walk([(0.0, 0.8)] * 15)
    assert track.state(end_s + 0.9).zone == "threshold"
    gone = track.state(end_s + 1.1)
    assert gone.zone == ""
    assert gone.dwell_s["threshold"] == pytest.approx(14 * FRAME_S)


def test_who_reappears_on_the_other_side_after_a_long_gap_is_not_counted():
    """Nobody saw which way they went."""
    track, end_s = walk(straight(3.0, 1.0, 1.3) + [None] * 30 + [(0.0, 0.2)] * 15)
    assert track.state(end_s).crossings == ()


def test_a_moments_gap_on_the_line_does_not_lose_the_crossing():
    track, end_s = walk(straight(3.0, 0.7, 1.3) + [None] * 6 + straight(0.3, 0.1, 1.3), sigma_m=0.05)
    assert [crossing.direction for crossing in track.state(end_s).crossings] == ["in"]


def test_a_place_that_nobody_knows_says_nothing():
    track, end_s = walk([None] * 20)
    assert track.state(end_s) == ZoneState("", end_s, {}, {}, ())


def test_frames_that_come_twice_or_late_change_nothing():
    track, end_s = walk([(0.0, 0.8)] * 10)
    before = track.state(end_s)
    track.take(end_s, FloorPoint(0.0, 5.0, 0.1))
    track.take(end_s - 0.2, FloorPoint(0.0, 5.0, 0.1))
    assert track.state(end_s) == before


def test_a_restricted_corner_within_the_approach_has_a_dwell_of_its_own():
    corner = Zone(name="cupboard", kind="restricted", corners_m=((1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0)))
    plan = FloorPlan(ground=NO_GROUND, zones=(corner, *PLAN.zones), lines=())
    way = [(0.0, 2.5)] * 15 + [(1.5 * n / 15, 2.5 - n / 15) for n in range(16)] + [(1.5, 1.5)] * 60
    track, end_s = walk(way, jitter_m=0.03, track=ZoneTrack(plan))
    assert track.state(end_s).zone == "cupboard"
    assert track.state(end_s).dwell_s["cupboard"] == pytest.approx(4.4, abs=0.3)


def test_people_are_counted_by_zone():
    states = [walk([place] * 5)[0].state(4 * FRAME_S) for place in ((0.0, 0.8), (0.2, 1.0), (0.0, 2.5))]
    assert occupancy([*states, ZoneState("", 0.0, {}, {}, ())]) == {"threshold": 2, "approach": 1}
    assert occupancy([]) == {}
