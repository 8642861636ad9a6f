"""gpiozero pins on the kernel's interface: which line a name means, what the kernel is asked for, and who has a line.

Against the kernel's own chips alone (`make test-hardware`): what a simulator of libgpiod would say is nobody's promise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import gpiod
import pytest
from gpiod.line import Bias, Direction, Edge
from gpiozero import InputDevice, OutputDevice
from gpiozero.exc import GPIOPinInUse, PinInvalidEdges, PinInvalidFunction, PinInvalidPull, PinSetInput

from agent.errors import HardwareError
from hw.board import open_input, open_pins
from hw.boards import board_named
from hw.pins_gpiod import GpiodFactory, line_of
from tests.contracts.conftest import CONTACT, FIRE, RELAY, eventually
from tests.hardware.gpio_sim import SimChip
from tests.hw.test_boards import ORIN_PORTS

pytestmark = pytest.mark.hardware


@pytest.fixture
def factory(kernel_chip: SimChip) -> Iterator[GpiodFactory]:
    made = GpiodFactory(board_named("raspberry-pi-5"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def orin(kernel_chip: SimChip) -> Iterator[SimChip]:
    """The main chip of a Jetson Orin: its kernel names each line."""
    names = [f"P{port}.{line:02x}" for port, lines in ORIN_PORTS.items() for line in range(lines)]
    chip = SimChip("orin", "tegra234-gpio", len(names), dict(enumerate(names)))
    yield chip
    chip.close()


def told(chip: SimChip, offset: int) -> gpiod.LineInfo:
    """What the kernel says of a line, as gpioinfo would."""
    with gpiod.Chip(chip.path) as opened:
        return opened.get_line_info(offset)


# -- which line ----------------------------------------------------------------------------------------------------------------


def test_the_header_is_found_by_its_chips_label_wherever_it_stands(kernel_chip):
    assert kernel_chip.path != "/dev/gpiochip0", "or this test shows nothing"
    assert line_of(17, "raspberry-pi-5") == (kernel_chip.path, 17)


@pytest.mark.parametrize("pin", [17, "GPIO17", "BOARD11"])
def test_every_spelling_of_a_pin_is_one_pin(factory, kernel_chip, pin):
    assert factory.pin(pin) is factory.pin(17)
    assert factory.pin(f"{kernel_chip.path.removeprefix('/dev/')}:17") is factory.pin(17)


def test_a_jetsons_pin_is_found_by_the_name_that_its_kernel_gives_it(orin):
    for pin in (4, "BOARD7", "PAC.06"):
        assert line_of(pin, "jetson-orin-nano") == (orin.path, 144)


def test_a_line_that_is_on_no_header_is_found_by_its_name_all_the_same(orin):
    assert line_of("PAG.07", "jetson-orin-nano") == (orin.path, 163)


def test_a_kernel_that_names_its_lines_otherwise_is_refused(orin, monkeypatch):
    """Better no door than the wrong line."""
    board = board_named("jetson-orin-nano")
    assert board is not None
    moved = board._replace(header=tuple(line._replace(name="PZZ.00") if line.position == 7 else line for line in board.header))
    monkeypatch.setattr("hw.pins_gpiod.board_named", lambda model: moved)
    with pytest.raises(HardwareError, match=r"PZZ\.00.*no line of this name"):
        line_of("BOARD7")


def test_without_the_boards_chip_it_says_which_chips_there_are(kernel_chip):
    with pytest.raises(HardwareError, match=r"0 GPIO chips are labelled 'pinctrl-bcm2711'.*pinctrl-rp1"):
        line_of(17, "raspberry-pi-4")


def test_an_unknown_board_has_no_numbers_and_says_what_to_write(kernel_chip):
    with pytest.raises(HardwareError, match=r"board\.model.*gpiochipN:OFFSET"):
        line_of(17)
    path = kernel_chip.path.removeprefix("/dev/")
    assert line_of(f"{path}:17") == (kernel_chip.path, 17)


@pytest.mark.parametrize(("pin", "said"), [("gpiochip99:1", "No such file"), ("gpiochip4:54", "lines 0 to 53"), (54, "no such pin"),
                                           ("PZZ.00", "no such pin")])  # fmt: skip
def test_a_pin_that_is_not_there_is_named(factory, pin, said):
    with pytest.raises(HardwareError, match=f"{pin}.*{said}"):
        open_input("inputs.rex_pin", pin, factory)


# -- what the kernel is asked for ----------------------------------------------------------------------------------------------


def test_a_line_says_who_has_it_and_how(factory, kernel_chip):
    relay = OutputDevice(RELAY, initial_value=True, pin_factory=factory)
    line = told(kernel_chip, RELAY)
    assert (line.used, line.consumer, line.direction) == (True, "doorward", Direction.OUTPUT)
    contact = InputDevice(CONTACT, pull_up=True, pin_factory=factory)
    assert contact.pull_up
    line = told(kernel_chip, CONTACT)
    assert (line.consumer, line.direction, line.bias) == ("doorward", Direction.INPUT, Bias.PULL_UP)
    for device in (relay, contact):
        device.close()
    assert not told(kernel_chip, RELAY).used
    assert not told(kernel_chip, CONTACT).used


@pytest.mark.parametrize("active_high", [True, False])
def test_an_output_never_has_another_level_than_its_first(factory, kernel_chip, active_high):
    """The relay's input is pulled to where its coil has power; a second watcher would see the least moment there."""
    kernel_chip.drive(RELAY, not active_high)
    relay = OutputDevice(RELAY, active_high=active_high, initial_value=False, pin_factory=factory)
    assert kernel_chip.level(RELAY) is not active_high
    relay.on()
    assert kernel_chip.level(RELAY) is active_high
    relay.close()
    assert told(kernel_chip, RELAY).direction is Direction.INPUT


def test_a_loose_input_reads_as_an_open_loop(factory):
    contact = InputDevice(CONTACT, pull_up=True, pin_factory=factory)
    assert contact.pin.state, "pulled up: door open"
    contact.close()


def test_edges_are_asked_for_only_while_somebody_listens(factory, kernel_chip):
    pin = InputDevice(CONTACT, pull_up=True, pin_factory=factory).pin
    kernel_chip.drive(CONTACT, False)
    assert told(kernel_chip, CONTACT).edge_detection is Edge.NONE
    heard: list[bool] = []
    pin.edges = "rising"
    pin.when_changed = lambda ticks, state: heard.append(state)
    assert told(kernel_chip, CONTACT).edge_detection is Edge.RISING
    assert not pin.state, "listening disturbs nothing"
    kernel_chip.drive(CONTACT, True)
    kernel_chip.drive(CONTACT, False)
    kernel_chip.drive(CONTACT, True)
    assert eventually(lambda: heard == [True, True])
    pin.when_changed = None
    assert told(kernel_chip, CONTACT).edge_detection is Edge.NONE
    kernel_chip.drive(CONTACT, False)
    assert heard == [True, True]


def test_edges_carry_the_kernels_time(factory, kernel_chip):
    pin = InputDevice(CONTACT, pull_up=True, pin_factory=factory).pin
    heard: list[float] = []
    kernel_chip.drive(CONTACT, False)
    pin.when_changed = lambda ticks, state: heard.append(ticks)
    before_s = time.monotonic()
    kernel_chip.drive(CONTACT, True)
    after_s = time.monotonic()
    assert eventually(lambda: heard != [])
    assert before_s <= heard[0] <= after_s + 0.005


def test_a_thousand_edges_wait_for_a_handler_that_is_slow(factory, kernel_chip):
    """The kernel keeps 1,024 for us; of its own accord it would keep 16."""
    pin = InputDevice(CONTACT, pull_up=True, pin_factory=factory).pin
    kernel_chip.drive(CONTACT, False)
    heard: list[bool] = []

    def slow_at_first(ticks: float, state: bool) -> None:
        if not heard:
            time.sleep(2.0)
        heard.append(state)

    pin.when_changed = slow_at_first
    for number in range(200):
        kernel_chip.drive(CONTACT, number % 2 == 0)
    assert eventually(lambda: len(heard) == 200)
    assert heard == [number % 2 == 0 for number in range(200)]


def test_one_handlers_mistake_makes_no_other_pin_deaf(factory, kernel_chip, caplog):
    heard: list[bool] = []
    good, bad = (InputDevice(pin, pull_up=True, pin_factory=factory).pin for pin in (CONTACT, FIRE))
    good.when_changed = lambda ticks, state: heard.append(state)
    bad.when_changed = lambda ticks, state: 1 / 0
    kernel_chip.drive(FIRE, False)
    kernel_chip.drive(CONTACT, False)
    assert eventually(lambda: heard == [False])
    assert "edge not handed on pin=GPIO25" in caplog.text


def test_closing_waits_for_nobody_who_is_not_at_work(kernel_chip):
    factory = open_pins("gpiod", "", "raspberry-pi-5")
    InputDevice(CONTACT, pull_up=True, pin_factory=factory).pin.when_changed = print
    began_s = time.monotonic()
    factory.close()
    factory.close()
    assert time.monotonic() - began_s < 0.5
    assert not any(thread.name == "gpiod-pins" for thread in threading.enumerate())


# -- who has a line ------------------------------------------------------------------------------------------------------------


def test_a_second_device_of_this_program_is_refused(factory):
    relay = OutputDevice(RELAY, pin_factory=factory)
    with pytest.raises(GPIOPinInUse):
        OutputDevice("BOARD15", pin_factory=factory)
    relay.close()
    OutputDevice("BOARD15", pin_factory=factory).close()


def test_another_program_is_refused_and_named(factory):
    relay = OutputDevice(RELAY, pin_factory=factory)
    other = GpiodFactory(board_named("raspberry-pi-5"))
    with pytest.raises(HardwareError, match=r"GPIO22 \(/dev/gpiochip4:22\): another program or driver has this line: doorward"):
        OutputDevice(RELAY, pin_factory=other)
    other.close()
    assert relay.value == 0


def test_when_the_factory_closes_all_lines_are_free(kernel_chip):
    factory = open_pins("gpiod", "", "raspberry-pi-5")
    OutputDevice(RELAY, initial_value=True, pin_factory=factory)
    InputDevice(CONTACT, pull_up=True, pin_factory=factory).pin.when_changed = print
    factory.close()
    assert not told(kernel_chip, RELAY).used
    assert not told(kernel_chip, CONTACT).used


# -- what makes no sense -------------------------------------------------------------------------------------------------------


def test_nonsense_is_refused_in_gpiozeros_own_words(factory):
    pin = factory.pin(CONTACT)
    with pytest.raises(PinInvalidFunction):
        pin.function = "alt3"
    with pytest.raises(PinInvalidPull):
        pin.pull = "sideways"
    with pytest.raises(PinInvalidEdges):
        pin.edges = "some"
    pin.function = "input"
    with pytest.raises(PinSetInput):
        pin.state = True


def test_an_output_that_is_asked_for_without_a_level_keeps_the_one_it_has(factory, kernel_chip):
    pin = factory.pin(RELAY)
    kernel_chip.drive(RELAY, True)
    assert pin.state
    pin.function = "output"
    assert kernel_chip.level(RELAY)
    pin.close()
