"""PINs: which one was entered, and for how long too many wrong ones shut the right one out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import pins
from agent.core.people import Cardholder
from agent.core.pins import MOST_KNOWN, PinRules, Tally

HOLDER = Cardholder(id="holder-1", pin="4711", duress_pin="4712")
RULES = PinRules(tries=3, lockout_s=300.0)


@pytest.mark.parametrize(
    ("digits", "verdict"),
    [("4711", "right"), ("4712", "duress"), ("4713", "wrong"), ("471", "wrong"), ("47111", "wrong"), ("", "wrong")],
)
def test_a_pin_is_right_whole_or_not_at_all(digits, verdict):
    assert pins.check(HOLDER, digits) == verdict


@pytest.mark.parametrize("digits", ["", "0", "4711"])
def test_no_pin_is_right_for_somebody_who_has_none(digits):
    assert pins.check(Cardholder(id="holder-2"), digits) == "wrong"


def test_an_empty_entry_is_not_a_duress_pin_that_was_never_set():
    assert pins.check(Cardholder(id="holder-2", pin="4711"), "") == "wrong"


def test_where_both_codes_are_the_same_help_is_sent():
    assert pins.check(Cardholder(id="holder-2", pin="4711", duress_pin="4711"), "4711") == "duress"


def test_signs_that_no_keypad_has_are_wrong_and_raise_nothing():
    assert pins.check(HOLDER, "４７１１") == "wrong"


def wrong(times: int, tally: Tally | None = None, every_s: float = 1.0, who: str = "holder-1") -> Tally:
    tally = tally or {}
    for number in range(times):
        tally = pins.counted(tally, who, "wrong", RULES, number * every_s)
    return tally


def test_the_third_wrong_pin_shuts_out_for_five_minutes_and_no_longer():
    tally = wrong(3)
    assert not pins.is_locked_out(wrong(2), "holder-1", RULES, 2.0)
    assert pins.is_locked_out(tally, "holder-1", RULES, 2.0)
    assert pins.is_locked_out(tally, "holder-1", RULES, 301.9)
    assert not pins.is_locked_out(tally, "holder-1", RULES, 302.0)


def test_one_cardholder_who_is_shut_out_shuts_out_nobody_else():
    assert not pins.is_locked_out(wrong(3), "holder-2", RULES, 2.0)


def test_a_right_pin_begins_the_count_anew():
    tally = pins.counted(wrong(2), "holder-1", "right", RULES, 3.0)
    assert not pins.is_locked_out(pins.counted(tally, "holder-1", "wrong", RULES, 4.0), "holder-1", RULES, 4.0)


def test_wrong_pins_far_apart_are_slips():
    tally = wrong(10, every_s=300.0)
    assert not pins.is_locked_out(tally, "holder-1", RULES, 2701.0)


@given(st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(["wrong", "right", "duress"])), max_size=60))
def test_what_is_remembered_is_bounded_and_never_changed_in_place(entries):
    tally: Tally = {}
    for at_s, (who, verdict) in enumerate(entries):
        before = dict(tally)
        after = pins.counted(tally, f"holder-{who}", verdict, RULES, float(at_s))
        assert tally == before
        tally = after
    assert len(tally) <= MOST_KNOWN


def test_a_crowd_of_stolen_fobs_fills_no_memory():
    tally: Tally = {}
    for number in range(MOST_KNOWN + 50):
        tally = pins.counted(tally, f"holder-{number}", "wrong", RULES, number * 0.01)
    assert len(tally) == MOST_KNOWN
