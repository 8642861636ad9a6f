"""From measurements to a verdict: monotone, and silent where nothing was measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.vision.liveness.cues import Cues, Moment, summarise
from agent.vision.liveness.fuse import Limits, judge

HEAD = Cues(watched_s=2.0, eyes_px=60.0, brightness=110.0, turned=0.2, relief=0.06, gain=0.3, flat=0.1, flat_gain=0.5, flat_sigma=6.0,
            relief_sigma=5.0, residual=0.002, comparisons=28, eyes=2.0, mouth=1.5, hangs=0.0, border=0.4, blinked=False)  # fmt: skip
FLAT = replace(HEAD, relief=0.001, gain=0.01, flat=0.001, flat_gain=0.01, flat_sigma=0.8, relief_sigma=0.8)
BENT = replace(HEAD, relief=0.002, gain=0.01, flat=0.04, flat_gain=0.25, flat_sigma=5.0, relief_sigma=1.0)
STILL = replace(HEAD, turned=0.01, relief=0.0, gain=0.0, flat=0.001, flat_gain=0.0, flat_sigma=1.0, relief_sigma=1.0)


def said(cues: Cues) -> tuple[str, str]:
    verdict = judge(cues, Limits(), cues.watched_s)
    return verdict.verdict, verdict.reason


def test_a_head_lives_and_a_turned_print_does_not():
    assert said(HEAD) == ("live", "moves_as_a_head")
    assert said(FLAT) == ("attack", "moves_as_a_plane")


def test_a_bent_print_does_not_pass_as_a_head():
    assert said(BENT) == ("unsure", "bent_or_alive")
    assert said(replace(BENT, border=0.9)) == ("attack", "border_around_face")


def test_who_stands_still_is_not_guessed_at():
    assert said(STILL) == ("unsure", "not_enough_motion")
    assert said(replace(STILL, blinked=True))[0] == "live"


def test_a_blink_through_a_print_does_not_make_it_live():
    assert said(replace(FLAT, blinked=True))[0] == "attack"


@pytest.mark.parametrize(("change", "reason"), [({"eyes_px": 15.0}, "too_small"), ({"brightness": 9.0}, "too_dark"),
                                               ({"watched_s": 0.5}, "too_short"), ({"comparisons": 2}, "too_short")])  # fmt: skip
def test_what_cannot_be_measured_is_unsure_with_its_reason(change, reason):
    assert said(replace(HEAD, **change)) == ("unsure", reason)
    assert judge(replace(HEAD, **change), Limits(), 0.5).score == 0.5


shares = st.floats(0, 1.5)


@given(st.sampled_from([HEAD, FLAT, BENT, STILL]), st.sampled_from(["border", "hangs"]), shares, shares)
def test_more_of_a_border_and_more_that_hangs_on_the_face_never_speaks_for_it(cues, name, a, b):
    low, high = sorted((a, b))
    assert judge(replace(cues, **{name: high}), Limits(), 2.0).score <= judge(replace(cues, **{name: low}), Limits(), 2.0).score


@given(st.sampled_from([HEAD, FLAT, BENT, STILL]), st.sampled_from(["gain", "flat_gain", "flat", "mouth", "relief_sigma", "flat_sigma"]),
       st.floats(-0.5, 6), st.floats(-0.5, 6))  # fmt: skip
def test_more_relief_and_more_life_never_speaks_against_a_face(cues, name, a, b):
    low, high = sorted((a, b))
    assert judge(replace(cues, **{name: low}), Limits(), 2.0).score <= judge(replace(cues, **{name: high}), Limits(), 2.0).score


def moments(openness):
    return [
        Moment(taken_s=i / 15, eyes_px=50, brightness=100, yaw_deg=0, pitch_deg=0, eyes_open=share)
        for i, share in enumerate(openness)
    ]


def test_lids_that_shut_and_open_again_are_a_blink_and_eyes_kept_shut_are_none():
    assert summarise(moments([1, 0.9, 0.2, 0.1, 0.8, 1])).blinked
    assert not summarise(moments([1, 0.9, 0.2, 0.1, 0.1])).blinked
    assert not summarise(moments([0.2, 0.1, 0.8, 1])).blinked


def test_without_a_comparison_there_is_no_gain():
    cues = summarise(moments([1.0]))
    assert (cues.gain, cues.flat_gain, cues.comparisons) == (None, None, 0)
    with pytest.raises(ValueError, match="no moment"):
        summarise([])
