"""What two resistors tell of a switch and of its wire: open, closed, cut and shorted are four different things."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.supervision import HYSTERESIS, STILL_S, Loop, SupervisedInput

LOOP = Loop()


def share(loop_ohm: float, pull_up_ohm: float = 2200.0) -> float:
    """What Ohm's law says the converter sees."""
    return loop_ohm / (loop_ohm + pull_up_ohm)


def test_the_four_readings_of_the_usual_resistors():
    assert LOOP.shares == pytest.approx((0.0, 0.3125, 0.6615, 1.0), abs=1e-4)
    assert LOOP.borders == pytest.approx((0.156, 0.487, 0.831), abs=1e-3)


@pytest.mark.parametrize(("ohm", "reading"), [
    (0.0, "shorted"), (50.0, "shorted"), (1000.0, "closed"), (4300.0, "open"), (1e9, "cut"),
])  # fmt: skip
def test_a_loop_is_read_for_what_it_is(ohm, reading):
    assert LOOP.reading(share(ohm)) == reading


@given(st.floats(0.9, 1.1), st.floats(0.9, 1.1), st.floats(0.9, 1.1), st.floats(0, 100))
def test_ordinary_resistors_and_a_long_cable_change_nothing(pull_up, series, parallel, cable_ohm):
    """Ten per cent either way in each of the three, and 100 ohm of wire."""
    closed = share(1000 * series + cable_ohm, 2200 * pull_up)
    opened = share(1000 * series + 3300 * parallel + cable_ohm, 2200 * pull_up)
    assert LOOP.reading(closed) == "closed"
    assert LOOP.reading(opened) == "open"
    assert LOOP.reading(closed, "open") == "closed", "and it is believed although it read otherwise before"
    assert LOOP.reading(opened, "closed") == "open"


@pytest.mark.parametrize("border", range(3))
def test_a_reading_on_a_border_does_not_flutter(border):
    at, below, above = LOOP.borders[border], ("shorted", "closed", "open")[border], ("closed", "open", "cut")[border]
    for wobble in (-0.9 * HYSTERESIS, 0.9 * HYSTERESIS):
        assert LOOP.reading(at + wobble, below) == below
        assert LOOP.reading(at + wobble, above) == above
    assert LOOP.reading(at + 1.1 * HYSTERESIS, below) == above
    assert LOOP.reading(at - 1.1 * HYSTERESIS, above) == below


@given(st.floats(0, 1), st.sampled_from(["shorted", "closed", "open", "cut", None]))
def test_every_share_has_a_reading_and_keeps_it(value, before):
    reading = LOOP.reading(value, before)
    assert LOOP.reading(value, reading) == reading


@pytest.mark.parametrize(
    "ohms", [(2200.0, 100.0, 3300.0), (2200.0, 1000.0, 200.0), (100.0, 1000.0, 3300.0), (2200.0, 1000.0, 1e6)]
)
def test_resistors_that_cannot_be_told_apart_are_refused_with_a_mend(ohms):
    with pytest.raises(ValueError, match="take 2200, 1000 and 3300"):
        Loop(pull_up_ohm=ohms[0], series_ohm=ohms[1], parallel_ohm=ohms[2])


# -- inputs --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ohm", "active", "trouble"), [
    (1000.0, False, None), (4300.0, True, None), (1e9, True, "cut"), (0.0, True, "shorted"),
])  # fmt: skip
def test_a_damaged_contact_loop_counts_as_an_open_door_and_is_named(ohm, active, trouble):
    contact = SupervisedInput(LOOP)
    assert contact.active is None, "nobody has looked yet"
    contact.sample(share(ohm), 10.0)
    assert contact.active is active
    assert contact.trouble(10.0 + STILL_S) == trouble


@pytest.mark.parametrize(("ohm", "active", "trouble"), [
    (4300.0, False, None), (1000.0, True, None), (1e9, False, "cut"), (0.0, False, "shorted"),
])  # fmt: skip
def test_shorting_the_wire_of_an_exit_button_lets_nobody_in(ohm, active, trouble):
    rex = SupervisedInput(LOOP, pressed_when_closed=True)
    rex.sample(share(ohm), 10.0)
    assert rex.active is active
    assert rex.trouble(10.0 + STILL_S) == trouble


def test_a_fault_counts_once_it_stands_and_its_end_is_told_too():
    contact = SupervisedInput(LOOP)
    contact.sample(share(1000), 0.0)
    contact.sample(1.0, 5.0)
    assert contact.trouble(5.0 + STILL_S / 2) is None
    assert contact.trouble(5.0 + STILL_S) == "cut"
    assert contact.trouble(9.0) is None, "once"
    contact.sample(share(1000), 20.0)
    assert contact.trouble(20.0 + STILL_S) == ""
    assert contact.since_s == 20.0


def test_a_switch_on_its_way_through_other_readings_is_no_fault():
    contact = SupervisedInput(LOOP)
    contact.sample(share(1000), 0.0)
    contact.sample(0.05, 1.0)
    contact.sample(share(4300), 1.01)
    assert contact.trouble(2.0) is None
    assert contact.active


def test_a_converter_that_is_dead_is_a_cut_wire():
    fire = SupervisedInput(LOOP)
    fire.sample(share(1000), 0.0)
    fire.blind(1.0)
    assert fire.active
    assert fire.trouble(1.0 + STILL_S) == "cut"
