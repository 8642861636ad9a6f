"""A program that was killed in the middle of a pulse, on a kernel's own chip: what becomes of the relay's line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gpiod
import pytest

from agent import cli
from hw.pins_gpiod import GpiodPin
from tests.contracts.conftest import RELAY, SECOND, eventually
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


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "door.toml"
    path.write_text('site = "hq"\ndoor = "front"\n[board]\npins = "gpiod"\nmodel = "raspberry-pi-5"\n[lock]\nsecond_pin = 16\n')
    return str(path)


def test_the_crash_helper_takes_the_power_from_both_relays(kernel_chip, holder, config, monkeypatch):
    """The resistor is missing and the wire floats up: without the helper the coil would have power."""
    assert holder.stdout is not None
    assert holder.stdout.readline() == "released\n"
    holder.kill()
    holder.wait()
    for line in (RELAY, SECOND):
        kernel_chip.drive(line, True)
    seen: list[tuple[int, bool]] = []
    drive = GpiodPin.output_with_state

    def drive_and_look(pin: GpiodPin, state: bool) -> None:
        drive(pin, state)
        offset = {"GPIO22": RELAY, "GPIO16": SECOND}[repr(pin)]
        seen.append((offset, kernel_chip.level(offset)))

    monkeypatch.setattr(GpiodPin, "output_with_state", drive_and_look)
    assert cli.main(["safe-state", "--config", config]) == 0
    assert seen == [(RELAY, False), (SECOND, False)]
    assert not used(kernel_chip)


def test_the_crash_helper_does_not_fight_a_living_program(kernel_chip, holder, config, capsys):
    assert holder.stdout is not None
    assert holder.stdout.readline() == "released\n"
    assert cli.main(["safe-state", "--config", config]) == 1
    assert "another program or driver has this line: doorward" in capsys.readouterr().err
    assert kernel_chip.level(RELAY), "the pulse of the living goes on, and ends by itself"
