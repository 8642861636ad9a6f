"""How people move before a door, from places that shake."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.behaviour.paths import MOST_M, Motion, PathSettings, PathTrack

SETTINGS = PathSettings()


class Place(NamedTuple):
    x_m: float
    y_m: float
    sigma_m: float


Way = Callable[[float], tuple[float, float]]


def walked(way: Way, seconds: float, *, shake_m: float = 0.02, sigma_m: float = 0.05, hz: float = 15.0, at_s: float = 100.0,
           wrong: float = 0.0, gap: tuple[float, float] = (0.0, 0.0)) -> PathTrack:  # fmt: skip
    """A way seen with white noise, irregular times, a share of `wrong` samples up to 2 m off, and nothing in a gap."""
    chance, track, t = random.Random(7), PathTrack(), 0.0
    while t <= seconds:
        x, y = way(t)
        off = chance.uniform(-2, 2) if chance.random() < wrong else 0.0
        if not gap[0] < t < gap[1]:
            track.take(at_s + t, Place(x + off + chance.gauss(0, shake_m), y + off + chance.gauss(0, shake_m), sigma_m))
        t += chance.uniform(0.8, 1.2) / hz
    return track


def told(track: PathTrack, now_s: float) -> Motion:
    motion = track.motion(now_s)
    assert motion is not None
    return motion


def up_to_door(speed: float, from_m: float = 6.0) -> Way:
    return lambda t: (0.2, from_m - speed * t)


def standing(t: float) -> tuple[float, float]:
    return (0.3, 1.0)


def pacing(t: float) -> tuple[float, float]:
    """Three metres to the right and back, at 1 m/s."""
    u = t % 6
    return (u if u < 3 else 6 - u), 2.0


def darting(t: float) -> tuple[float, float]:
    """A metre aside within .4 s, and a second later back again."""
    share = min((t % 1) / 0.4, 1.0)
    smooth = share * share * (3 - 2 * share)
    return (smooth if int(t) % 2 else 1 - smooth), 2.0


@pytest.mark.parametrize("speed", [0.8, 1.3, 1.8])
def test_who_walks_up_has_that_speed(speed):
    motion = told(walked(up_to_door(speed), 3.0), 103.0)
    assert motion.speed_m_s == pytest.approx(speed, abs=0.1)
    assert motion.speed_median_m_s == pytest.approx(speed, abs=0.1)
    assert motion.approach_m_s == pytest.approx(speed, abs=0.15)
    assert motion.straightness == pytest.approx(1.0, abs=0.02)
    assert motion.running_s == motion.turned_back == motion.pacing_legs == 0


def test_who_goes_away_does_not_approach():
    assert told(walked(lambda t: (0.0, 1 + 1.3 * t), 3.0), 103.0).approach_m_s == 0.0


def test_who_runs_is_told_to_run_and_who_strides_is_not():
    assert told(walked(up_to_door(3.3, 12.0), 3.0), 103.0).running_s > 2.0
    assert told(walked(up_to_door(2.0, 8.0), 3.0), 103.0).running_s == 0.0


@pytest.mark.parametrize("shake_m", [0.01, 0.05, 0.1])
def test_who_stands_and_shakes_goes_nowhere(shake_m):
    motion = told(walked(standing, 20.0, shake_m=shake_m, sigma_m=shake_m), 120.0)
    assert motion.path_m == motion.turned_back == motion.running_s == 0
    assert motion.standing_s == pytest.approx(motion.over_s, abs=0.5)
    assert motion.speed_peak_m_s < 0.3
    assert motion.straightness is None
    assert motion.heading_deg_per_m is None


def test_who_paces_turns_back_each_time():
    motion = told(walked(pacing, 25.0), 125.0)
    assert motion.turned_back == 7
    assert motion.pacing_legs == 8
    assert motion.speed_median_m_s == pytest.approx(1.0, abs=0.1)
    assert motion.straightness is not None
    assert motion.straightness < 0.2


def test_who_turns_back_once_does_not_pace():
    motion = told(walked(lambda t: (0.0, 3 - t if t < 2 else 1.0 if t < 4 else t - 3), 6.0), 106.0)
    assert motion.turned_back == 1
    assert motion.pacing_legs == 0


def test_a_step_aside_is_no_turning_back():
    assert told(walked(lambda t: (0.25 * math.sin(2 * t), 1.0), 12.0), 112.0).turned_back == 0


def test_who_darts_about_is_more_abrupt_than_who_walks_and_stops():
    darts = told(walked(darting, 12.0, shake_m=0.005, sigma_m=0.02), 112.0)
    stops = told(walked(lambda t: (0.0, 4 - 1.3 * min(t, 2.3)), 6.0, shake_m=0.005, sigma_m=0.02), 106.0)
    assert darts.jerk_m_s3 is not None
    assert stops.jerk_m_s3 is not None
    assert darts.jerk_m_s3 > 3 * stops.jerk_m_s3


def test_jerk_is_abstained_from_where_noise_alone_would_show_as_much():
    motion = told(walked(up_to_door(1.3), 3.0, shake_m=0.1, sigma_m=0.1), 103.0)
    assert motion.jerk_m_s3 is None
    assert motion.jerk_noise_m_s3 > SETTINGS.most_jerk_noise_m_s3
    assert any(why.startswith("jerk: noise") for why in motion.abstained)


def test_a_steady_walk_has_no_more_jerk_than_its_noise():
    motion = told(walked(up_to_door(1.0, 14.0), 12.0, shake_m=0.03), 112.0)
    assert motion.jerk_m_s3 is not None
    assert motion.jerk_m_s3 < motion.jerk_noise_m_s3


def test_a_sigma_that_is_the_same_all_the_time_hides_no_movement():
    """Most of a place's sigma is whose face it is, and does not shake."""
    motion = told(walked(darting, 8.0, shake_m=0.005, sigma_m=0.17), 108.0)
    assert motion.jerk_m_s3 is not None
    assert motion.jerk_m_s3 > 5


def test_wrong_samples_are_left_out():
    motion = told(walked(up_to_door(1.3), 3.6, wrong=0.08), 103.6)
    assert motion.speed_median_m_s == pytest.approx(1.3, abs=0.1)
    assert motion.running_s == 0


def test_a_place_that_comes_from_elsewhere_is_no_movement():
    """Feet instead of a face: 40 cm, from one frame to the next, and back again."""
    track = walked(lambda t: (0.4 * (int(t / 3) % 2), 1.0), 15.0, shake_m=0.01, sigma_m=0.12)
    motion = told(track, 115.0)
    assert motion.path_m == 0
    assert motion.speed_peak_m_s < 0.2


def test_nothing_is_supposed_of_a_gap():
    """Out of view for 3 s at one side, back at the other: nobody knows how fast that was."""
    motion = told(walked(lambda t: (0.0, 3.0) if t < 3 else (8.0, 3.0), 8.0, gap=(3.0, 6.0)), 108.0)
    assert motion.speed_peak_m_s < 0.2
    assert motion.path_m == 0


def test_who_was_seen_for_a_moment_is_not_judged():
    assert walked(up_to_door(1.3), 0.5).motion(100.5) is None


def test_who_is_out_of_view_is_not_told_of_for_long():
    track = walked(up_to_door(1.3), 3.0)
    assert track.motion(103.2) is not None
    assert track.motion(106.0) is None


def test_a_clock_that_leaps_begins_anew_and_poisons_nothing():
    track = walked(up_to_door(1.3), 3.0)
    track.take(1e12, Place(0.0, 1.0, 0.05))
    for i in range(60):
        track.take(103.1 + i / 15, Place(0.0, 2 - i / 15, 0.02))
    assert told(track, 107.1).speed_m_s == pytest.approx(1.0, abs=0.1)


BAD = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, MOST_M * 2, 1e300])
PLACES = st.one_of(
    st.none(),
    st.builds(Place, st.floats(-3, 3), st.floats(0, 6), st.floats(0, 0.5)),
    st.builds(Place, BAD, st.floats(0, 6), st.floats(0, 0.5)),
    st.builds(Place, st.floats(-3, 3), BAD, BAD),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.floats(0, 0.4), st.floats(-5, 100), BAD), PLACES), min_size=5, max_size=120))
def test_whatever_comes_figures_stay_in_bounds(frames):
    track, now_s = PathTrack(), 1000.0
    for step_s, place in frames:
        track.take(now_s + step_s, place)
        now_s = now_s + step_s if math.isfinite(step_s) and abs(step_s) < 200 else now_s
        motion = track.motion(now_s)
        if motion is None:
            continue
        assert 0 <= motion.confidence <= 1
        assert 0 <= motion.speed_m_s < 100
        assert 0 <= motion.running_s + motion.standing_s <= motion.over_s + 1e-6 <= SETTINGS.window_s + 1
        assert motion.straightness is None or 0 <= motion.straightness <= 1
        assert motion.net_m <= motion.path_m + 1e-6
        assert motion.turned_back <= motion.turned_back_visit
        assert all(math.isfinite(value) for value in (motion.path_m, motion.speed_peak_m_s, motion.jerk_noise_m_s3))


@settings(max_examples=30, deadline=None)
@given(st.floats(-1000, 1e6), st.floats(-0.9, 0.9))
def test_neither_the_hour_nor_the_place_of_the_door_matters(shift_s, aside_m):
    here = told(walked(pacing, 12.0), 112.0)
    there = told(walked(lambda t: (pacing(t)[0] + aside_m, pacing(t)[1]), 12.0, at_s=100.0 + shift_s), 112.0 + shift_s)
    assert there.speed_median_m_s == pytest.approx(here.speed_median_m_s, abs=0.02)
    assert there.turned_back == here.turned_back
    assert there.path_m == pytest.approx(here.path_m, abs=0.3)


def test_a_visit_of_a_day_needs_no_more_memory_than_half_a_minute():
    track = walked(standing, 90.0)
    assert len(track._fits) <= SETTINGS.window_s / SETTINGS.fit_every_s + 1
    assert len(track._samples) <= 64
    assert told(track, 190.0).over_s <= SETTINGS.window_s + 1
