"""A character display of two lines: HD44780 behind a PCF8574 on I2C, by RPLCD. Nothing of it is loaded before it is used.

RPLCD and smbus2 (MIT, 60 kB together) rather than a graphics library: our texts are two lines of sixteen, such a display has letters
of 5 mm and more and its own light, and the door program stays free of the 6 MB that drawing letters costs.
"""

from __future__ import annotations

import importlib
import logging
import unicodedata
from collections.abc import Callable
from typing import Any

from agent.core.feedback import COLUMNS, LINES, Signal
from agent.errors import HardwareError
from hw.newest_signal import NewestSignal

log = logging.getLogger(__name__)

RETRY_S = 5.0
"""A display that was unplugged is looked for again so often."""


class CharacterDisplay:
    """Implements hw.interfaces.Signaller. A display that is not there, or goes away, is told in the log and set up again when it answers."""

    def __init__(self, bus: int, address: int, charset: str = "A00", make: Callable[[int, int, str], Any] | None = None) -> None:
        self._where = (bus, address, charset)
        self._make = make or _open
        self._device: Any = None
        self._shown: list[str] = []
        self._worker = NewestSignal("signal-display", self._write, _warn, RETRY_S)

    def show(self, signal: Signal) -> None:
        self._worker.ask(signal)

    def close(self) -> None:
        """Empty and dark."""
        self._worker.close()
        if self._device is not None:
            try:
                self._device.close(clear=True)
                self._device.backlight_enabled = False
            except OSError as error:
                _warn(f"cannot be switched off: {error}")

    def _write(self, signal: Signal) -> None:
        lines = fit(signal.text, self._where[2])
        try:
            if self._device is None:
                self._device, self._shown = self._make(*self._where), []
            self._write_lines(lines)
        except OSError:
            self._device = None
            raise
        self._shown = lines

    def _write_lines(self, lines: list[str]) -> None:
        """Only what changed, and over the old text: clearing first would flicker."""
        for row, line in enumerate(lines):
            if line not in self._shown[row : row + 1]:
                self._device.cursor_pos = (row, 0)
                self._device.write_string(line)


def fit(text: str, charset: str) -> list[str]:
    """A text as lines of exactly the display's width; letters that its character set lacks lose their accents."""
    lines = (text.split("\n") + [""] * LINES)[:LINES]
    return [_spelt(line, charset)[:COLUMNS].center(COLUMNS) for line in lines]


def _spelt(line: str, charset: str) -> str:
    line = line.replace("ß", "β") if charset == "A00" else line
    has = _LETTERS[charset]
    return "".join(c if c.isascii() or c in has else unicodedata.normalize("NFKD", c)[0] for c in line)


_LETTERS = {"A00": "äöüβñ°÷", "A02": "".join(chr(code) for code in range(0xA1, 0x100))}
"""What the two character sets have beyond ASCII and is used in European texts (HD44780U data sheet, table 4). In A00 a Greek beta stands
for the German sharp s."""


def _open(bus: int, address: int, charset: str) -> Any:
    try:
        driver = importlib.import_module("RPLCD.i2c")
    except ImportError as error:
        raise HardwareError(
            f"feedback.display: the driver is not installed ({error}): pip install 'doorward[display]'"
        ) from error
    return driver.CharLCD("PCF8574", address, port=bus, cols=COLUMNS, rows=LINES, charmap=charset, auto_linebreaks=False)


def _warn(text: str) -> None:
    log.warning("display fault=%s; is it plugged in, and does `i2cdetect -y 1` show its address?", text)
