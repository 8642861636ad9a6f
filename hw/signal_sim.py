"""Simulated ends of what a door shows: a display whose text another process can read, and the chips of a real display.

Lamps and buzzers need no simulator of their own: on simulated pins the rig sees their levels (hw.rig).
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from agent.core.feedback import Signal
from hw.newest_signal import NewestSignal


class SimDisplay:
    """Implements hw.interfaces.Signaller: the signal that stands now, as JSON in a file that is whole at every moment."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._worker = NewestSignal("signal-sim", self._write, lambda text: None)

    def show(self, signal: Signal) -> None:
        self._worker.ask(signal)

    def close(self) -> None:
        self._worker.close()
        self._path.unlink(missing_ok=True)

    def _write(self, signal: Signal) -> None:
        fresh = self._path.with_name(f".{self._path.name}.part")
        fresh.write_bytes(msgspec.json.encode(signal))
        os.replace(fresh, self._path)


def read_sim_display(path: str | Path) -> Signal | None:
    """What a simulated display shows now; None when it is dark."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Signal)
    except FileNotFoundError:
        return None


ENABLE, READ, DATA, LIGHT = 0x04, 0x02, 0x01, 0x08
"""The PCF8574's pins on the usual board: EN, RW, RS, and the backlight's transistor."""

_CLEAR, _HOME, _SET_ADDRESS, _FUNCTION, _DISPLAY = 0x01, 0x02, 0x80, 0x20, 0x08
_SECOND_LINE = 0x40


class Hd44780:
    """The display's two chips as seen from the bus: bytes to a PCF8574 go in, 80 cells come out. Written from the HD44780U's data sheet
    (instructions of table 6, start in 8-bit mode by figure 24), so that a driver is held to the device and not to itself.
    """

    def __init__(self) -> None:
        self.cells = bytearray(b" " * 0x68)
        self.lit = False
        self.on = False
        self.present = True
        self._address = 0
        self._eight_bit = True
        self._enabled = False
        self._high: int | None = None

    def write_byte(self, _address: int, value: int) -> None:
        """smbus2's method; raises OSError as a bus without the device does."""
        if not self.present:
            raise OSError(121, "Remote I/O error")
        self.lit = bool(value & LIGHT)
        falls = self._enabled and not value & ENABLE
        self._enabled = bool(value & ENABLE)
        if falls and not value & READ:
            self._take_nibble(value >> 4, bool(value & DATA))

    def close(self) -> None:
        """As smbus2."""

    def line(self, number: int) -> bytes:
        """The sixteen cells that are seen of a line, as character codes."""
        start = number * _SECOND_LINE
        return bytes(self.cells[start : start + 16])

    def power_cut(self) -> None:
        self.__init__()  # type: ignore[misc]  # what a cut of its power leaves is what it begins with

    def _take_nibble(self, nibble: int, data: bool) -> None:
        if self._eight_bit:
            self._take(nibble << 4, data)
        elif self._high is None:
            self._high = nibble
        else:
            byte, self._high = self._high << 4 | nibble, None
            self._take(byte, data)

    def _take(self, byte: int, data: bool) -> None:
        if data:
            self.cells[self._address] = byte
            self._address = (self._address + 1) % len(self.cells)
        elif byte & _SET_ADDRESS:
            self._address = byte & 0x7F
        elif byte & _FUNCTION:
            self._eight_bit = bool(byte & 0x10)
        elif byte & _DISPLAY and byte < 0x10:
            self.on = bool(byte & 0x04)
        elif byte in (_CLEAR, _HOME, _HOME | 1):
            self._address = 0
            if byte == _CLEAR:
                self.cells[:] = b" " * len(self.cells)
