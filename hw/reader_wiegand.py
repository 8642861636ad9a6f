"""The two data lines of a Wiegand reader on gpiozero pins: falling edges with the kernel's time.

Both lines rest high; level shifters bring the reader's 5 V down to 3.3 V (docs/HARDWARE.md). gpiozero's back ends do not say when edges
were lost; `hw.reader_gpiod` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hw.board import open_input


class GpioWiegandLines:
    """Implements hw.interfaces.WiegandLines."""

    def __init__(self, d0_pin: int | str, d1_pin: int | str, factory: Any, key: str = "readers[0]") -> None:
        """`key` is the reader's in the configuration, for messages. Raises HardwareError when a pin cannot be had."""
        self._lines = (open_input(f"{key}.d0_pin", d0_pin, factory), open_input(f"{key}.d1_pin", d1_pin, factory))
        self._handlers: list[_Line] = []

    def start(self, on_edge: Callable[[int, float], None], on_lost: Callable[[float], None]) -> None:
        """Begin to listen. `on_lost` is never called: lengths, pace and parity have to do."""
        for bit, device in enumerate(self._lines):
            line = _Line(bit, on_edge)
            self._handlers.append(line)
            device.pin.edges = "falling"
            device.pin.when_changed = line.fell

    def heard_until_s(self, now_s: float) -> float:
        """`now_s`: what still waits inside gpiozero's back end cannot be known."""
        return now_s

    def hung(self) -> str:
        """'': what gpiozero's back end does cannot be seen."""
        return ""

    def close(self) -> None:
        for device in self._lines:
            device.close()


class _Line:
    """gpiozero keeps weak references to handlers: somebody must own them."""

    def __init__(self, bit: int, on_edge: Callable[[int, float], None]) -> None:
        self._bit, self._on_edge = bit, on_edge

    def fell(self, ticks_s: float, state: float) -> None:
        self._on_edge(self._bit, ticks_s)
