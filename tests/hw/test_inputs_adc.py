"""Loops with resistors, read bit by bit from a converter on gpiozero's mock pins: what is told is what the wire does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockSPIDevice

from agent.core.supervision import STILL_S, Loop
from agent.errors import HardwareError
from hw.inputs_adc import AdcInputs, JoinedInputs, open_adc
from hw.inputs_gpio import GpioInputs
from hw.pins_gpiod import GpiodFactory
from tests.contracts.conftest import eventually

CHANNELS = {"contact": 0, "rex": 3, "fire": 7}
CLOSED, OPEN = 1000.0, 4300.0
NEVER_S = 3600.0


class Mcp3008(MockSPIDevice):
    """The converter as its data sheet has it (Microchip DS21295, figures 5-1 and 6-1): after a start bit come single-ended or not, three bits
    of channel, a clock of sampling, a null bit and ten bits of result, the highest first."""

    def __init__(self, factory: MockFactory) -> None:
        super().__init__(clock_pin=11, mosi_pin=10, miso_pin=9, select_pin=8, pin_factory=factory)
        self.loop_ohm = dict.fromkeys(range(8), 0.0)
        self.asked: list[int] = []

    def on_bit(self) -> None:
        bits = "".join(str(int(bit)) for bit in self.rx_buf).lstrip("0")
        if len(bits) == 5 and not self.tx_buf:
            single_ended, channel = bits[1] == "1", int(bits[2:], 2)
            assert single_ended
            self.asked.append(channel)
            ohm = self.loop_ohm[channel]
            self.tx_word(0, 2)
            self.tx_word(min(1023, int(1024 * ohm / (ohm + 2200.0))), 10)


@pytest.fixture
def factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    made = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", made)  # gpiozero's SPI in software takes its pins from there and nowhere else
    yield made
    made.close()


@pytest.fixture
def chip(factory: MockFactory) -> Mcp3008:
    made = Mcp3008(factory)
    made.loop_ohm.update({0: CLOSED, 3: OPEN, 7: CLOSED})
    return made


class Heard:
    def __init__(self) -> None:
        self.changes: list[tuple[str, bool]] = []
        self.faults: list[tuple[str, str]] = []
        self.times: list[float] = []

    def change(self, name: str, active: bool, at_s: float) -> None:
        self.changes.append((name, active))
        self.times.append(at_s)

    def fault(self, name: str, what: str, at_s: float) -> None:
        self.faults.append((name, what))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def now() -> list[float]:
    """The clock, to be turned."""
    return [100.0]


@pytest.fixture
def inputs(chip: Mcp3008, factory: MockFactory, heard: Heard, now: list[float]) -> Iterator[AdcInputs]:
    """Asked only when a test looks, and waited for until it has answered, however busy the machine is."""
    fitted = AdcInputs(open_adc(CHANNELS, factory), Loop(), NEVER_S, heard.fault, lambda: now[0], look_s=20.0)
    yield fitted
    fitted.close()


def look_later(inputs: AdcInputs, now: list[float], seconds: float = STILL_S) -> None:
    inputs.look()
    now[0] += seconds
    inputs.look()


def test_each_loop_says_first_how_it_stands(inputs, heard, chip, now):
    inputs.start(heard.change)
    assert heard.changes == [("contact", False), ("rex", False), ("fire", False)]
    assert chip.asked == [0, 3, 7], "each channel once"
    assert heard.times == [100.0] * 3
    assert heard.faults == []


@pytest.mark.parametrize(("name", "channel", "ohm", "active"), [
    ("contact", 0, OPEN, True), ("fire", 7, OPEN, True), ("rex", 3, CLOSED, True),
])  # fmt: skip
def test_a_switch_that_moves_is_told_and_is_no_fault(inputs, heard, chip, now, name, channel, ohm, active):
    inputs.start(heard.change)
    chip.loop_ohm[channel] = ohm
    look_later(inputs, now)
    assert (name, active) in heard.changes
    assert heard.faults == []


@pytest.mark.parametrize(("ohm", "fault"), [(1e9, "cut"), (0.0, "shorted")])
def test_a_damaged_fire_loop_is_fire_and_is_named(inputs, heard, chip, now, ohm, fault):
    inputs.start(heard.change)
    chip.loop_ohm[7] = ohm
    look_later(inputs, now)
    assert ("fire", True) in heard.changes
    assert heard.faults == [("fire", fault)]
    chip.loop_ohm[7] = CLOSED
    look_later(inputs, now)
    assert heard.changes[-3:] == [("contact", False), ("rex", False), ("fire", False)]
    assert heard.faults == [("fire", fault), ("fire", "")]


def test_a_wire_that_is_damaged_at_start_is_named_too(inputs, heard, chip, now):
    chip.loop_ohm[0] = 1e9
    inputs.start(heard.change)
    look_later(inputs, now)
    assert ("contact", True) in heard.changes
    assert heard.faults == [("contact", "cut")]


def test_a_converter_that_fails_leaves_no_door_looking_shut(inputs, heard, chip, now, monkeypatch, caplog):
    inputs.start(heard.change)

    def fail(self: Any) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("gpiozero.MCP3008.raw_value", property(fail))
    look_later(inputs, now)
    assert {("contact", True), ("fire", True)} <= set(heard.changes[3:])
    assert ("rex", True) not in heard.changes
    assert set(heard.faults) == {("contact", "cut"), ("fire", "cut"), ("rex", "cut")}
    assert caplog.text.count("does not answer") == 1


def test_it_looks_by_itself(chip, factory, heard):
    inputs = AdcInputs(open_adc({"contact": 0}, factory), Loop(), 0.002, heard.fault)
    inputs.start(heard.change)
    chip.loop_ohm[0] = OPEN
    assert eventually(lambda: heard.changes == [("contact", False), ("contact", True)])
    inputs.close()
    count = len(chip.asked)
    assert not any(thread.name == "adc-inputs" and thread.is_alive() for thread in threading.enumerate())
    assert len(chip.asked) == count


def test_a_converter_that_hangs_holds_up_nobody_who_looks(chip, factory, heard, monkeypatch):
    """The door's loop looks, and the exit button may be on a pin of its own."""
    inputs = AdcInputs(open_adc(CHANNELS, factory), Loop(), NEVER_S, heard.fault)
    inputs.start(heard.change)
    assert eventually(lambda: len(heard.changes) == 3)
    free, hangs = threading.Event(), threading.Event()

    def hang(self: Any) -> int:
        hangs.set()
        free.wait(30.0)
        return 320

    monkeypatch.setattr("gpiozero.MCP3008.raw_value", property(hang))
    done = threading.Thread(target=lambda: (inputs.look(), inputs.look()))
    done.start()
    assert hangs.wait(5.0)
    done.join(5.0)
    assert not done.is_alive()
    free.set()
    assert eventually(inputs._looked.is_set)
    assert len(heard.changes) > 3, "once it answers again, every input is told anew"
    inputs.close()


def test_inputs_on_pins_and_on_the_converter_are_one(inputs, heard, factory):
    """Pin 26 is a closed loop that is open: nothing is wired to it."""
    joined = JoinedInputs(GpioInputs({"tamper": 26}, factory), inputs)
    joined.start(heard.change)
    joined.look()
    assert dict(heard.changes) == {"tamper": True, "contact": False, "rex": False, "fire": False}
    assert len(heard.changes) == 8
    joined.close()


def test_a_board_without_spi_says_how_to_have_it():
    with pytest.raises(HardwareError, match=r"supervision\.contact_channel.*spidev0\.1.*dtparam=spi=on"):
        open_adc({"contact": 0}, GpiodFactory(None), device=1)
