"""Signs of stress: bounded, monotone, never without a measurement, and of aggression or panic never without a movement."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.behaviour.paths import Motion
from agent.behaviour.stress import Stress, StressSettings, StressTrack, entropy, poisson_interval
from agent.core.messages import EXPRESSIONS, Attention, Expression, FaceSeen

FRAME_S = 1 / 15
CALM = Motion(over_s=5.0, confidence=1.0, speed_m_s=1.0, speed_noise_m_s=0.05, approach_m_s=1.0, speed_median_m_s=1.0, speed_peak_m_s=1.2,
              speed_spread_m_s=0.1, acceleration_m_s2=0.5, jerk_m_s3=1.0, jerk_noise_m_s3=1.0, path_m=5.0, net_m=5.0, straightness=1.0,
              heading_deg_per_m=0.0, turned_back=0, turned_back_visit=0, pacing_legs=0, running_s=0.0, standing_s=0.0)  # fmt: skip
RUSHING = replace(CALM, approach_m_s=3.2, speed_peak_m_s=3.4, running_s=2.0)
FLEEING = replace(CALM, approach_m_s=0.0, speed_peak_m_s=3.4, running_s=2.0)


def shows(**shares: float) -> tuple[float, ...]:
    """Probabilities; what is left is neutral."""
    return tuple(shares.get(name, 1 - sum(shares.values()) if name == "neutral" else 0.0) for name in EXPRESSIONS)


def face(probabilities: tuple[float, ...] | None, blinks: int = 0, eyes_open: float | None = 1.0) -> FaceSeen:
    expression = None if probabilities is None else Expression(probabilities=probabilities, confidence=max(probabilities))
    return FaceSeen(track=1, box_px=(0, 0, 100, 130), score=1.0, quality=1.0, first_seen_s=0.0, expression=expression,
                    attention=Attention(blinks=blinks, eyes_open=eyes_open))  # fmt: skip


def watched(probabilities: tuple[float, ...] | None, seconds: float, blinks_per_min: float = 15.0,
            eyes_open: float | None = 1.0) -> StressTrack:  # fmt: skip
    track = StressTrack()
    for number in range(int(seconds / FRAME_S)):
        at_s = number * FRAME_S
        track.take(at_s, face(probabilities, int(at_s * blinks_per_min / 60), eyes_open))
    return track


def told(track: StressTrack, now_s: float, motion: Motion | None = None) -> Stress:
    stress = track.stress(now_s, motion)
    assert stress is not None
    return stress


def test_who_is_calm_shows_next_to_nothing():
    stress = told(watched(shows(happiness=0.1), 20), 20, CALM)
    assert stress.stress_signs == 0
    assert stress.aggression_signs == stress.panic_signs == 0
    assert stress.abstained == ()


def test_a_frightened_face_is_a_sign_and_no_certain_one():
    stress = told(watched(shows(fear=0.9), 20), 20)
    assert 0.3 < stress.stress_signs <= StressSettings().most_by_face
    assert stress.confidence <= 0.5


def test_a_single_moment_says_nothing():
    assert watched(shows(fear=0.95), 0.5).stress(0.5) is None


@pytest.mark.parametrize(("shown", "motion", "expected"), [
    (shows(anger=0.9), None, None), (shows(anger=0.9), CALM, 0.0), (shows(), RUSHING, 0.0), (shows(anger=0.9), FLEEING, 0.0),
])  # fmt: skip
def test_anger_is_a_sign_of_aggression_only_with_a_rush_at_the_door(shown, motion, expected):
    assert told(watched(shown, 20), 20, motion).aggression_signs == expected


def test_anger_and_a_rush_at_the_door_together_are():
    stress = told(watched(shows(anger=0.9), 20), 20, RUSHING)
    assert stress.aggression_signs is not None
    assert stress.aggression_signs > 0.5
    assert stress.panic_signs == 0


def test_fear_and_running_anywhere_are_signs_of_panic():
    stress = told(watched(shows(fear=0.9), 20), 20, FLEEING)
    assert stress.panic_signs is not None
    assert stress.panic_signs > 0.5
    assert "motion: not measured" in told(watched(shows(fear=0.9), 20), 20).abstained


def test_where_neither_face_nor_eyes_can_be_measured_nothing_is_told():
    assert watched(None, 20, eyes_open=None).stress(20) is None


def test_blinks_are_counted_with_their_interval():
    stress = told(watched(None, 30, 20), 30)
    assert stress.blinks_per_min == pytest.approx(20, abs=2)
    assert stress.blinks_low is not None
    assert stress.blinks_high is not None
    assert stress.blinks_low < 14 < 26 < stress.blinks_high
    assert stress.tense is None
    assert stress.stress_signs == 0


def test_blinks_of_eyes_that_cannot_be_seen_are_not_counted():
    assert told(watched(shows(), 20, 60, eyes_open=None), 20).blinks_per_min is None


def test_who_has_blinked_so_from_the_first_second_shows_no_sign_by_it():
    """Some people blink 48 times a minute."""
    assert told(watched(None, 30, 60), 30).stress_signs == 0


def test_who_begins_to_blink_far_more_than_before_shows_a_sign():
    track, blinks = watched(None, 9, 10), 1.0
    for number in range(150, 600):
        blinks += FRAME_S * 1.5
        track.take(number * FRAME_S, face(None, int(blinks)))
    assert 0.1 < told(track, 40).stress_signs <= StressSettings().most_by_blinks


def test_another_tracks_count_of_blinks_takes_none_away():
    track = watched(None, 20, 20)
    before = told(track, 20).blinks_per_min
    track.take(20.0, face(None, 0))
    after = told(track, 20).blinks_per_min
    assert before is not None
    assert after is not None
    assert after == pytest.approx(before, abs=0.5)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.00), (1, 0.05, 4.74), (5, 1.97, 10.51), (20, 13.25, 29.06)])
def test_intervals_are_those_of_the_tables(count, low, high):
    """Garwood (1936), 90 %."""
    assert poisson_interval(count) == pytest.approx((low, high), abs=0.06)


def test_more_of_it_never_shows_less():
    faces = [told(watched(shows(fear=share), 15), 15, RUSHING) for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    signs = [(stress.stress_signs, stress.panic_signs or 0.0) for stress in faces]
    assert all(more[0] >= less[0] and more[1] >= less[1] for less, more in pairwise(signs))
    moves = [told(watched(shows(anger=0.9), 15), 15, replace(CALM, approach_m_s=speed)).aggression_signs or 0.0
             for speed in (0.5, 1.5, 2.0, 2.5, 3.5)]  # fmt: skip
    assert moves == sorted(moves)


SHARES = st.lists(st.floats(0, 1), min_size=7, max_size=7).filter(lambda found: sum(found) > 0.1).map(
    lambda found: tuple(share / sum(found) for share in found))  # fmt: skip
ODD = st.sampled_from([(), (math.nan,) * 7, (2.0,) * 7, (-1.0, 2.0, 0, 0, 0, 0, 0)])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(-0.5, 3), st.one_of(st.none(), SHARES, ODD), st.integers(0, 50), st.sampled_from([None, 0.5, 1.0])),
                max_size=80))  # fmt: skip
def test_whatever_comes_signs_stay_in_bounds(frames):
    track, now_s = StressTrack(), 10.0
    for step_s, probabilities, blinks, eyes_open in frames:
        now_s += step_s
        seen = face(shows(), blinks, eyes_open)
        if probabilities is None:
            seen = replace(seen, expression=None)
        else:
            seen = replace(seen, expression=Expression(probabilities=probabilities, confidence=0.8))
        track.take(now_s, seen)
        stress = track.stress(now_s, RUSHING)
        if stress is not None:
            assert 0 <= stress.stress_signs <= 1
            assert 0 <= stress.confidence <= 0.5
            assert stress.aggression_signs is None or 0 <= stress.aggression_signs <= 1
            assert stress.panic_signs is None or 0 <= stress.panic_signs <= 1
            assert stress.entropy is None or 0 <= stress.entropy <= 1


@given(SHARES)
def test_entropy_is_a_share(found):
    assert 0 <= entropy(found) <= 1
