"""What a second relay promises: without power it is safe, and it never stands in the way of the first lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent.errors import HardwareError
from hw.lock_gpio import RelayLock
from hw.lock_second import BothLocks, FollowingRelay, OpenerLock, open_relay
from tests.contracts.conftest import RELAY, SECOND, Bench, eventually

LONG_S = 30.0
SEEN_S = 0.3
"""Long enough to be seen on a loaded machine before it is over."""


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def fitted() -> Iterator[list[Any]]:
    made: list[Any] = []
    yield made
    for thing in made:
        thing.close()


@pytest.fixture
def stick(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the second relay's pin raise on each write from now on."""
    pin = bench.factory.pin(SECOND)
    works = type(pin)._set_state
    stuck: list[bool] = []

    def write(self: Any, value: float) -> None:
        if self is pin and stuck:
            raise RuntimeError("GPIO busy")
        works(self, value)

    monkeypatch.setattr(type(pin), "_set_state", write)
    monkeypatch.setattr(type(pin), "state", property(type(pin)._get_state, write))
    return lambda: stuck.append(True)


def strike(bench: Bench, pin: int, faults: list[str], fail: Any = "secure") -> RelayLock:
    return RelayLock(open_relay("lock.relay_pin", pin, True, bench.factory), fail, faults.append)


# -- a second leaf -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def both(bench: Bench, fitted: list[Any], faults: list[str]) -> BothLocks:
    lock = BothLocks(strike(bench, RELAY, faults), strike(bench, SECOND, faults), faults.append)
    fitted.append(lock)
    return lock


def levels(bench: Bench) -> tuple[bool | None, bool | None]:
    return bench.output(RELAY), bench.output(SECOND)


def test_two_leaves_are_let_go_and_held_together(bench, both):
    assert eventually(lambda: levels(bench) == (False, False))
    both.pulse(LONG_S)
    assert both.released
    assert eventually(lambda: levels(bench) == (True, True))
    both.secure()
    assert not both.released
    assert eventually(lambda: levels(bench) == (False, False))
    both.close()
    assert eventually(lambda: levels(bench) == (None, None))


def test_both_pulses_end_by_themselves(bench, both):
    both.pulse(SEEN_S)
    assert eventually(lambda: levels(bench) == (True, True))
    assert eventually(lambda: levels(bench) == (False, False))


def test_a_second_leaf_that_is_stuck_keeps_nobody_from_passing_the_first(bench, both, stick, faults):
    stick()
    both.pulse(LONG_S)
    assert eventually(lambda: bench.output(RELAY) is True)
    assert len(faults) == 1
    assert "second lock" in faults[0]
    assert "GPIO busy" in faults[0]


def test_a_second_leaf_that_is_stuck_keeps_the_first_from_nothing_either(bench, both, stick, faults):
    both.pulse(LONG_S)
    stick()
    both.secure()
    assert eventually(lambda: bench.output(RELAY) is False)
    assert both.released, "nobody may believe that the door is held"
    assert "GPIO busy" in faults[0]


def test_a_first_leaf_that_is_stuck_keeps_nobody_from_passing_the_second(bench, both, monkeypatch):
    def stuck(seconds):
        raise HardwareError("GPIO busy")

    monkeypatch.setattr(both._first, "pulse", stuck)
    with pytest.raises(HardwareError, match="GPIO busy"):
        both.pulse(LONG_S)
    assert eventually(lambda: bench.output(SECOND) is True)


# -- a door operator -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def operator(bench: Bench, fitted: list[Any], faults: list[str]) -> Callable[..., OpenerLock]:
    def fit(delay_s: float = 0.05, pulse_s: float = SEEN_S, may_run: Callable[[], bool] = lambda: True) -> OpenerLock:
        relay = open_relay("lock.second_pin", SECOND, True, bench.factory)
        fitted.append(OpenerLock(strike(bench, RELAY, faults), relay, delay_s, pulse_s, may_run, faults.append))
        return fitted[-1]

    return fit


def test_the_operator_pushes_once_the_lock_has_let_go(bench, operator):
    lock = operator(delay_s=0.1)
    began_s = time.monotonic()
    lock.pulse(LONG_S)
    assert eventually(lambda: levels(bench) == (True, False))
    assert eventually(lambda: bench.output(SECOND) is True)
    assert time.monotonic() - began_s >= 0.1
    assert eventually(lambda: levels(bench) == (True, False)), "its own pulse is short"


def test_a_door_that_stands_free_is_not_pushed_again_and_again(bench, operator):
    lock = operator()
    for _ in range(3):
        lock.pulse(LONG_S)
    assert eventually(lambda: bench.output(SECOND) is True)
    assert eventually(lambda: bench.output(SECOND) is False)
    lock.pulse(LONG_S)
    time.sleep(0.15)
    assert bench.output(SECOND) is False


def test_a_door_that_is_held_again_is_not_pushed_against_its_bolt(bench, operator):
    lock = operator(delay_s=0.1)
    lock.pulse(LONG_S)
    lock.secure()
    time.sleep(0.2)
    assert levels(bench) == (False, False)


def test_a_pulse_that_ended_before_the_operator_was_due_moves_nothing(bench, operator):
    lock = operator(delay_s=0.2)
    lock.pulse(0.02)
    assert eventually(lambda: not lock.released)
    time.sleep(0.25)
    assert bench.output(SECOND) is False


def test_in_a_fire_no_operator_opens_a_door(bench, operator):
    lock = operator(may_run=lambda: False)
    lock.pulse(LONG_S)
    time.sleep(0.15)
    assert levels(bench) == (True, False)


def test_an_operator_that_is_stuck_keeps_nobody_from_opening_by_hand(bench, operator, stick, faults):
    lock = operator(delay_s=0.01)
    stick()
    lock.pulse(LONG_S)
    assert eventually(lambda: faults != [])
    assert "door operator" in faults[0]
    assert lock.released
    assert bench.output(RELAY) is True


def test_a_closed_door_operator_is_without_power(bench, operator):
    lock = operator(delay_s=0.01, pulse_s=LONG_S)
    lock.pulse(LONG_S)
    assert eventually(lambda: bench.output(SECOND) is True)
    lock.close()
    assert eventually(lambda: levels(bench) == (None, None))


# -- alarm and shunt -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("active_high", [True, False])
def test_a_relay_that_follows_a_state_has_no_power_before_and_after(bench, fitted, faults, active_high):
    relay = FollowingRelay(open_relay("lock.second_pin", SECOND, active_high, bench.factory), "alarm", faults.append)
    fitted.append(relay)
    assert eventually(lambda: bench.output(SECOND) is not active_high)
    relay.show(True)
    assert eventually(lambda: bench.output(SECOND) is active_high)
    relay.show(False)
    assert eventually(lambda: bench.output(SECOND) is not active_high)
    relay.show(True)
    relay.close()
    assert eventually(lambda: bench.output(SECOND) is None)
    relay.show(True)
    assert bench.output(SECOND) is None
    assert faults == []


def test_an_alarm_that_cannot_be_driven_is_told_once(bench, fitted, faults, stick):
    relay = FollowingRelay(open_relay("lock.second_pin", SECOND, True, bench.factory), "alarm", faults.append)
    fitted.append(relay)
    stick()
    for _ in range(3):
        relay.show(True)
    assert len(faults) == 1
    assert "alarm relay on GPIO16" in faults[0]


def test_a_relay_pin_that_cannot_be_had_is_named_by_its_key(bench, fitted, faults):
    fitted.append(strike(bench, SECOND, faults))
    with pytest.raises(HardwareError, match=r"lock\.second_pin: pin 16"):
        open_relay("lock.second_pin", SECOND, True, bench.factory)
