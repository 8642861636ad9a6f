"""One set of promises, kept by every kind of pins. Real boards join by one more `Bench`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from gpiozero.pins.mock import MockFactory

from hw.pins_sim import SimFactory
from hw.rig import Rig

D0, D1, RELAY, CONTACT, REX, FIRE, TAMPER = 17, 27, 22, 23, 24, 25, 26
WAIT_S = 5.0
"""Longest wait for something that a thread does: generous, because a loaded machine is no failure."""


class Bench(Protocol):
    """The far end of some pins: what an installer would do with a wire and a meter."""

    factory: Any
    keeps_times: bool
    """Whether edges carry the time they were given, not the time they arrived."""

    def drive(self, pin: int, high: bool, at_s: float) -> None: ...

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
        self.rig = Rig(path, {D0: True, D1: True, CONTACT: False, REX: True, FIRE: False, TAMPER: False})
        self.factory = SimFactory(path)

    def drive(self, pin: int, high: bool, at_s: float) -> None:
        self.rig.set(pin, high, at_s)

    def output(self, pin: int) -> bool | None:
        return self.rig.level(pin)

    def close(self) -> None:
        self.factory.close()
        self.rig.close()


@pytest.fixture(params=["mock", "rig"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made: Bench = MockBench() if request.param == "mock" else RigBench(tmp_path)
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
