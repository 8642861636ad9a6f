"""What every lock driver promises: a door is let go for a while, never for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gpiozero import OutputDevice

from agent.errors import HardwareError
from hw.lock_gpio import MAX_PULSE_S, RelayLock
from tests.contracts.conftest import RELAY, Bench, eventually

LONG_S = 30.0
"""Longer than any test: only an order, not the end of the pulse, can end it."""
SEEN_S = 0.3
"""Long enough to be seen on a loaded machine before it is over."""


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def fit(bench: Bench, faults: list[str]) -> Iterator[Callable[..., RelayLock]]:
    """Fits a lock to the relay pin; it is taken off at the end."""
    fitted: list[RelayLock] = []

    def build(fail: Any = "secure", active_high: bool = True, one_shot: bool = False) -> RelayLock:
        output = OutputDevice(RELAY, active_high=active_high, initial_value=False, pin_factory=bench.factory)
        fitted.append(RelayLock(output, fail, faults.append, one_shot=one_shot))
        return fitted[-1]

    yield build
    for lock in fitted:
        lock.close()


@pytest.mark.parametrize(("fail", "active_high", "held_level"), [
    ("secure", True, False), ("secure", False, True), ("safe", True, True), ("safe", False, False),
], ids=["strike", "strike on an active-low relay", "maglock", "maglock on an active-low relay"])  # fmt: skip
def test_a_lock_holds_when_opened_lets_go_when_asked_and_is_without_power_when_closed(fit, bench, fail, active_high, held_level):
    lock = fit(fail, active_high)
    assert not lock.released
    assert eventually(lambda: bench.output(RELAY) is held_level)
    lock.pulse(LONG_S)
    assert lock.released
    assert eventually(lambda: bench.output(RELAY) is not held_level)
    lock.secure()
    assert not lock.released
    assert eventually(lambda: bench.output(RELAY) is held_level)
    lock.close()
    assert lock.released is (fail == "safe"), "without power a maglock lets go"
    assert eventually(lambda: bench.output(RELAY) is None)


def test_a_pulse_ends_by_itself(fit, bench):
    lock = fit()
    began_s = time.monotonic()
    lock.pulse(SEEN_S)
    assert eventually(lambda: bench.output(RELAY) is True)
    assert eventually(lambda: bench.output(RELAY) is False)
    assert time.monotonic() - began_s >= SEEN_S
    assert not lock.released


def test_a_maglocks_pulse_ends_by_itself_too(fit, bench):
    lock = fit("safe")
    lock.pulse(SEEN_S)
    assert eventually(lambda: bench.output(RELAY) is False)
    assert eventually(lambda: bench.output(RELAY) is True)


def test_a_longer_pulse_is_not_shortened(fit):
    lock = fit()
    lock.pulse(LONG_S)
    lock.pulse(0.01)
    time.sleep(0.1)
    assert lock.released


def test_a_second_pulse_prolongs_the_first(fit, bench):
    lock = fit()
    began_s = time.monotonic()
    lock.pulse(0.05)
    lock.pulse(SEEN_S)
    assert eventually(lambda: bench.output(RELAY) is True)
    assert eventually(lambda: not lock.released)
    assert time.monotonic() - began_s >= SEEN_S


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize("one_shot", [True, False])
def test_a_pulse_that_is_renewed_gives_a_one_shot_a_new_edge_and_a_bare_relay_none(fit, levels, active_high, one_shot):
    lock = fit(active_high=active_high, one_shot=one_shot)
    lock.pulse(LONG_S)
    before = len(levels)
    lock.pulse(LONG_S)
    assert levels[before:] == ([not active_high, active_high] if one_shot else [active_high])
    assert lock.released


def test_a_pulse_after_a_secured_one_has_its_own_length(fit):
    lock = fit()
    lock.pulse(LONG_S)
    lock.secure()
    lock.pulse(0.02)
    assert eventually(lambda: not lock.released)


def test_securing_a_lock_that_holds_changes_nothing(fit, bench):
    lock = fit()
    lock.secure()
    assert eventually(lambda: bench.output(RELAY) is False)


def test_a_closed_lock_cannot_be_pulsed(fit, bench):
    lock = fit()
    lock.close()
    lock.close()
    lock.secure()
    with pytest.raises(HardwareError, match="closed"):
        lock.pulse(1.0)
    assert eventually(lambda: bench.output(RELAY) is None)


def test_closing_in_mid_pulse_takes_the_power_off(fit, bench):
    lock = fit()
    lock.pulse(LONG_S)
    lock.close()
    assert eventually(lambda: bench.output(RELAY) is None)


@pytest.mark.parametrize("seconds", [0.0, -1.0, MAX_PULSE_S + 1, float("inf"), float("nan")])
def test_no_lock_can_be_asked_to_let_go_for_good(fit, bench, seconds):
    lock = fit()
    with pytest.raises(HardwareError, match="pulse"):
        lock.pulse(seconds)
    assert not lock.released
    assert bench.output(RELAY) is not True
    lock.pulse(0.02)
    assert eventually(lambda: not lock.released), "and its keeper is still alive"


@pytest.fixture
def levels(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What is written to the relay's pin, in order."""
    pin, written = bench.factory.pin(RELAY), list[bool]()
    works = type(pin)._set_state

    def write(self: Any, value: float) -> None:
        if self is pin:
            written.append(bool(value))
        works(self, value)

    monkeypatch.setattr(type(pin), "_set_state", write)
    monkeypatch.setattr(type(pin), "state", property(type(pin)._get_state, write))
    return written


# -- a relay that cannot be driven ---------------------------------------------------------------------------------------------


class Stuck(Exception):
    """What a back end of gpiozero raises: lgpio.error, for one, is no OSError and no GPIOZeroError."""


@pytest.fixture
def stick(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes the pin raise on each write, or work again."""
    pin = bench.factory.pin(RELAY)
    works = type(pin)._set_state
    stuck: list[bool] = [False]

    def write(self: Any, value: float) -> None:
        if self is pin and stuck[0]:
            raise Stuck("GPIO busy")
        works(self, value)

    monkeypatch.setattr(type(pin), "_set_state", write)
    monkeypatch.setattr(type(pin), "state", property(type(pin)._get_state, write))

    def turn(on: bool) -> None:
        stuck[0] = on

    return turn


def test_a_relay_that_cannot_be_driven_is_an_error_that_names_it(fit, stick):
    lock = fit()
    stick(True)
    with pytest.raises(HardwareError, match=r"GPIO22.*GPIO busy"):
        lock.pulse(1.0)
    assert not lock.released
    stick(False)


def test_a_pulse_that_failed_does_not_prolong_the_next(fit, stick):
    lock = fit()
    stick(True)
    with pytest.raises(HardwareError):
        lock.pulse(LONG_S)
    stick(False)
    lock.pulse(0.02)
    assert eventually(lambda: not lock.released)


def test_a_pulse_that_cannot_be_ended_is_told_once_and_tried_until_it_ends(fit, bench, stick, faults):
    lock = fit()
    lock.pulse(0.02)
    stick(True)
    assert eventually(lambda: faults != [])
    time.sleep(0.25)
    assert faults == [faults[0]]
    assert "GPIO busy" in faults[0]
    assert lock.released, "nobody may believe that the door is held"
    stick(False)
    assert eventually(lambda: bench.output(RELAY) is False)
    assert eventually(lambda: not lock.released)


def test_an_order_to_hold_that_failed_is_tried_again(fit, bench, stick, faults):
    lock = fit()
    lock.pulse(LONG_S)
    stick(True)
    with pytest.raises(HardwareError):
        lock.secure()
    stick(False)
    assert eventually(lambda: bench.output(RELAY) is False)


def test_closing_gives_the_pin_back_even_when_it_cannot_be_driven_and_says_so(fit, bench, stick, caplog):
    lock = fit()
    stick(True)
    lock.close()
    stick(False)
    assert "GPIO busy" in caplog.text
    OutputDevice(RELAY, initial_value=False, pin_factory=bench.factory).close()
