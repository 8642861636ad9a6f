"""What every input driver promises: the present level once, then each edge; and a cut wire never reads as all's well."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from agent.errors import HardwareError
from hw.inputs_gpio import GpioInputs
from tests.contracts.conftest import BOLT, CONTACT, FIRE, INTERLOCK, REX, TAMPER, Bench, eventually

PINS = {"contact": CONTACT, "rex": REX, "fire": FIRE, "tamper": TAMPER, "bolt": BOLT, "interlock": INTERLOCK}
QUIET = {CONTACT: False, REX: True, FIRE: False, TAMPER: False, BOLT: False, INTERLOCK: False}
"""Levels of a closed door with nobody at the button: closed loops pull the pin to ground."""


@pytest.fixture
def heard() -> list[tuple[str, bool, float]]:
    return []


@pytest.fixture
def inputs(bench: Bench, heard: list[tuple[str, bool, float]]) -> Iterator[GpioInputs]:
    fitted = GpioInputs(PINS, bench.factory)
    for pin, high in QUIET.items():
        bench.drive(pin, high, time.monotonic())
    assert eventually(lambda: all(bool(bench.factory.pin(pin).state) == high for pin, high in QUIET.items()))
    yield fitted
    fitted.close()


def listen(inputs: GpioInputs, heard: list[tuple[str, bool, float]]) -> None:
    inputs.start(lambda name, active, at_s: heard.append((name, active, at_s)))
    assert eventually(lambda: len(heard) == len(PINS))


def test_each_input_says_first_how_it_stands(inputs, heard):
    listen(inputs, heard)
    assert {(name, active) for name, active, _ in heard} == {(name, False) for name in PINS}
    assert all(abs(at_s - time.monotonic()) < 60 for _, _, at_s in heard), "CLOCK_MONOTONIC, as all else"


def test_a_door_that_stands_open_at_start_is_said_to(bench, inputs, heard):
    bench.drive(CONTACT, True, time.monotonic())
    assert eventually(lambda: bool(bench.factory.pin(CONTACT).state))
    listen(inputs, heard)
    assert ("contact", True) in {(name, active) for name, active, _ in heard}


@pytest.mark.parametrize(("name", "level"), [
    ("contact", True), ("rex", False), ("fire", True), ("tamper", True), ("bolt", True), ("interlock", True),
])  # fmt: skip
def test_every_edge_is_heard_with_the_right_sense(bench, inputs, heard, name, level):
    """A cut wire of a closed loop lets the pin rise: door open, fire, tampering, lock let go, other door open. A button pulls it down."""
    listen(inputs, heard)
    at_s = time.monotonic()
    bench.drive(PINS[name], level, at_s)
    bench.drive(PINS[name], not level, at_s + 0.5)
    assert eventually(lambda: len(heard) == len(PINS) + 2)
    edges = heard[len(PINS) :]
    assert [edge[:2] for edge in edges] == [(name, True), (name, False)]
    if bench.keeps_times:
        assert [edge[2] for edge in edges] == pytest.approx([at_s, at_s + 0.5], abs=1e-9)


def test_a_level_whose_edge_was_lost_is_found_by_looking(bench, inputs, heard):
    listen(inputs, heard)
    bench.drive_unnoticed(FIRE, True)
    inputs.look()
    assert [(name, active) for name, active, _ in heard[len(PINS) :]] == [(n, n == "fire") for n in PINS]


def test_a_monitor_that_closes_when_the_lock_lets_go_is_read_the_other_way_round(bench, heard):
    inputs = GpioInputs({"bolt": BOLT, "contact": CONTACT}, bench.factory, inverted=("bolt",))
    for pin in (BOLT, CONTACT):
        bench.drive(pin, True, time.monotonic())
    assert eventually(lambda: all(bool(bench.factory.pin(pin).state) for pin in (BOLT, CONTACT)))
    inputs.start(lambda name, active, at_s: heard.append((name, active, at_s)))
    bench.drive(BOLT, False, time.monotonic())
    assert eventually(lambda: len(heard) == 3)
    assert [(name, active) for name, active, _ in heard] == [("bolt", False), ("contact", True), ("bolt", True)]
    inputs.close()


def test_a_pin_that_cannot_be_read_keeps_no_other_from_being_looked_at(bench, inputs, heard, monkeypatch):
    listen(inputs, heard)
    broken = inputs._devices["contact"].pin
    monkeypatch.setattr(type(broken), "state", property(lambda pin: 1 / 0 if pin is broken else pin._get_state()))
    with pytest.raises(HardwareError, match=r"inputs\.contact_pin cannot be read"):
        inputs.look()
    assert {name for name, _, _ in heard[len(PINS) :]} == set(PINS) - {"contact"}


def test_only_wired_inputs_speak(bench, heard):
    inputs = GpioInputs({"rex": REX}, bench.factory)
    inputs.start(lambda name, active, at_s: heard.append((name, active, at_s)))
    bench.drive(REX, False, time.monotonic())
    assert eventually(lambda: len(heard) == 2)
    assert {name for name, _, _ in heard} == {"rex"}
    inputs.close()


def test_closed_inputs_are_deaf(bench, inputs, heard):
    listen(inputs, heard)
    inputs.close()
    count = len(heard)
    again = GpioInputs(PINS, bench.factory)
    bench.drive(CONTACT, True, time.monotonic())
    time.sleep(0.02)
    assert len(heard) == count
    again.close()
