"""A program that was killed in the middle of a pulse, on a kernel's own chip: what becomes of the relay's line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import gpiod
import pytest

from tests.contracts.conftest import RELAY, eventually
from tests.hardware.gpio_sim import SimChip

pytestmark = pytest.mark.hardware

HOLDER = f"""
from gpiozero import OutputDevice
from hw.board import open_pins
from hw.lock_gpio import RelayLock
lock = RelayLock(OutputDevice({RELAY}, pin_factory=open_pins("gpiod", "", "raspberry-pi-5")), "secure", print)
lock.pulse(30.0)
print("released", flush=True)
import signal
signal.pause()
"""


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def used(chip: SimChip) -> bool:
    with gpiod.Chip(chip.path) as opened:
        return opened.get_line_info(RELAY).used


def test_the_line_of_a_killed_program_is_free_at_once_and_follows_the_resistor(kernel_chip, holder):
    """As mainline kernels have it, and Raspberry Pi OS with dtparam=strict_gpiod. The resistor at the relay's input pulls to 'no power'."""
    kernel_chip.drive(RELAY, False)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "released\n"
    assert kernel_chip.level(RELAY)
    holder.kill()
    assert eventually(lambda: not used(kernel_chip))
    assert not kernel_chip.level(RELAY)
