"""One set of promises, kept by every kind of pins. Real boards join by one more `Bench`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import gpiod
import pytest
from gpiod.line import Direction
from gpiozero.pins.mock import MockFactory

from hw.boards import board_named
from hw.pins_gpiod import GpiodFactory
from hw.pins_sim import SimFactory
from hw.rig import Rig
from tests.contracts.report import STANDS, Report
from tests.hardware.gpio_sim import CONFIGFS, SimChip

D0, D1, RELAY, CONTACT, REX, FIRE, TAMPER, BOLT, INTERLOCK, SECOND = 17, 27, 22, 23, 24, 25, 26, 5, 6, 16
WAIT_S = 5.0
"""Longest wait for something that a thread does: generous, because a loaded machine is no failure."""


class Bench(Protocol):
    """The far end of some pins: what an installer would do with a wire and a meter."""

    factory: Any
    keeps_times: bool
    """Whether edges carry the time they were given, not the time they arrived."""

    def drive(self, pin: int, high: bool, at_s: float) -> None: ...

    def drive_unnoticed(self, pin: int, high: bool) -> None:
        """Change an open input's level without an edge being told, as when a queue of edges was full."""
        ...

    def output(self, pin: int) -> bool | None:
        """The level that a program drives; None when nobody does."""
        ...

    def close(self) -> None: ...


class MockBench:
    """gpiozero's own mock pins: nothing outside this process."""

    keeps_times = False

    def __init__(self) -> None:
        self.factory = MockFactory()

    def drive(self, pin: int, high: bool, at_s: float) -> None:
        (self.factory.pin(pin).drive_high if high else self.factory.pin(pin).drive_low)()

    def drive_unnoticed(self, pin: int, high: bool) -> None:
        self.factory.pin(pin)._state = high

    def output(self, pin: int) -> bool | None:
        mock = self.factory.pin(pin)
        return bool(mock.state) if mock.function == "output" else None

    def close(self) -> None:
        self.factory.close()


class RigBench:
    """Pins wired to a rig over a Unix socket, as in the demo and the system tests."""

    keeps_times = True

    def __init__(self, folder: Path) -> None:
        path = str(folder / "rig.sock")
        resting = {D0: True, D1: True, CONTACT: False, REX: True, FIRE: False, TAMPER: False, BOLT: False, INTERLOCK: False}
        self.rig = Rig(path, resting)
        self.factory = SimFactory(path)

    def drive(self, pin: int, high: bool, at_s: float) -> None:
        self.rig.set(pin, high, at_s)

    def drive_unnoticed(self, pin: int, high: bool) -> None:
        self.factory.pin(pin)._state = high

    def output(self, pin: int) -> bool | None:
        return self.rig.level(pin)

    def close(self) -> None:
        self.factory.close()
        self.rig.close()


class KernelBench:
    """A chip in the kernel, labelled as on a Raspberry Pi 5, behind the driver that a Raspberry Pi and a Jetson use."""

    keeps_times = False

    def __init__(self, chip: SimChip) -> None:
        self._chip = chip
        self._meter = gpiod.Chip(chip.path)
        self.factory = GpiodFactory(board_named("raspberry-pi-5"))

    def drive(self, pin: int, high: bool, at_s: float) -> None:
        self._chip.drive(pin, high)

    def drive_unnoticed(self, pin: int, high: bool) -> None:
        self.factory.pin(pin).edges = "none"
        self._chip.drive(pin, high)

    def output(self, pin: int) -> bool | None:
        line = self._meter.get_line_info(pin)
        return self._chip.level(pin) if line.used and line.direction is Direction.OUTPUT else None

    def close(self) -> None:
        self.factory.close()
        self._meter.close()


@pytest.fixture(scope="session")
def kernel_chip() -> Iterator[SimChip]:
    """Behind four others, as the header's chip was on the first Raspberry Pi 5."""
    if not CONFIGFS.exists():
        if os.environ.get("DOORWARD_KERNEL_PINS"):
            pytest.fail("this kernel was to have gpio-sim and has not")
        pytest.skip("this kernel has no gpio-sim: `make test-hardware` boots one that has")
    others = [SimChip(f"other{number}", f"gpio-brcmstb@{number}", 32, {}) for number in range(4)]
    chip = SimChip("header", "pinctrl-rp1", 54, {number: f"GPIO{number}" for number in range(2, 28)})
    yield chip
    for made in (chip, *others):
        made.close()


@pytest.fixture(params=["mock", "rig", pytest.param("kernel", marks=pytest.mark.hardware)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    makers: dict[str, Callable[[], Bench]] = {
        "mock": MockBench,
        "rig": lambda: RigBench(tmp_path),
        "kernel": lambda: KernelBench(request.getfixturevalue("kernel_chip")),
    }
    made = makers[request.param]()
    yield made
    made.close()


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something comes true while threads do their work."""
    until_s = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.002)
    return True


REPORT = Report()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Count each promise that was tried on a device; what was skipped was not tried."""
    outcome: Any = yield
    result = outcome.get_result()
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    device = next((str(params[name]) for name in STANDS if name in params), "")
    if device and not result.skipped and (result.when == "call" or result.failed):
        REPORT.add(item.path.stem.removeprefix("test_"), device, result.passed)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if lines := REPORT.lines():
        terminalreporter.section("contracts")
        for line in lines:
            terminalreporter.write_line(line)
