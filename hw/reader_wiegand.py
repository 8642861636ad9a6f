"""The two data lines of a Wiegand reader on gpiozero pins: falling edges with the kernel's time.

Both lines rest high; level shifters bring the reader's 5 V down to 3.3 V (docs/HARDWARE.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hw.board import open_input


class GpioWiegandLines:
    """Implements hw.interfaces.WiegandLines."""

    def __init__(self, d0_pin: int, d1_pin: int, factory: Any) -> None:
        self._lines = (open_input("reader.d0_pin", d0_pin, factory), open_input("reader.d1_pin", d1_pin, factory))
        self._handlers: list[_Line] = []

    def start(self, on_edge: Callable[[int, float], None]) -> None:
        for bit, device in enumerate(self._lines):
            line = _Line(bit, on_edge)
            self._handlers.append(line)
            device.pin.edges = "falling"
            device.pin.when_changed = line.fell

    def close(self) -> None:
        for device in self._lines:
            device.close()


class _Line:
    """gpiozero keeps weak references to handlers: somebody must own them."""

    def __init__(self, bit: int, on_edge: Callable[[int, float], None]) -> None:
        self._bit, self._on_edge = bit, on_edge

    def fell(self, ticks_s: float, state: float) -> None:
        self._on_edge(self._bit, ticks_s)
