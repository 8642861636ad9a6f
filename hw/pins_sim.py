"""gpiozero pins whose far end is a rig in another process, over a Unix socket.

Everything on this side is gpiozero's own mock pins, with two additions: edges arrive with the time they really had (as lgpio hands on
the kernel's), and what an output does is told to the rig. So a door program can be killed while the rig watches its relay.
"""

from __future__ import annotations

import logging
import socket
import threading
from time import monotonic
from typing import Any

import msgspec
from gpiozero.pins.mock import MockFactory, MockPin

from agent.errors import HardwareError
from hw.wiring import MAX_BYTES, Level, pack, unpack

log = logging.getLogger(__name__)


class SimPin(MockPin):  # type: ignore[misc]  # gpiozero is not typed
    """A mock pin that can be driven at a stated time and tells the rig what it puts out."""

    def __init__(self, factory: SimFactory, info: Any) -> None:
        self._state = False
        super().__init__(factory, info)
        factory.by_number[self._number] = self

    def drive_at(self, high: bool, at_s: float) -> None:
        """An edge from outside, at its own time. Ignored while the pin is an output, as on a board."""
        if self._function != "input" or self._state == high:
            return
        self._state = high
        self._last_change = at_s
        edge = "rising" if high else "falling"
        if self._edges in ("both", edge) and self._when_changed is not None:
            self._call_when_changed()

    def _set_state(self, value: float) -> None:
        super()._set_state(value)
        self.factory.tell(Level(self._number, bool(value), monotonic()))

    def _set_function(self, value: str) -> None:
        was_output = self._function == "output"
        super()._set_function(value)
        if was_output and value == "input":
            self.factory.tell(Level(self._number, None, monotonic()))
        if value == "input":
            self._state = self.factory.outside.get(self._number, self._state)

    def _set_pull(self, value: str) -> None:
        super()._set_pull(value)
        self._state = self.factory.outside.get(self._number, self._state)


class SimFactory(MockFactory):  # type: ignore[misc]
    """A gpiozero pin factory wired to the rig at `path`. Raises HardwareError when there is no rig."""

    def __init__(self, path: str) -> None:
        super().__init__(pin_class=SimPin)
        self.outside: dict[int, bool] = {}
        """Levels that the rig drives, known before a pin is opened."""
        self.by_number: dict[int, SimPin] = {}
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._wire.connect(path)
            self._take_first_levels()
        except (OSError, msgspec.MsgspecError) as error:
            self._wire.close()
            raise HardwareError(f"board.rig: no simulated wiring at {path}: {error}") from error
        self._listener = threading.Thread(target=self._listen, name="sim-pins", daemon=True)
        self._listener.start()

    def tell(self, level: Level) -> None:
        """Pass an output's level on; a rig that has gone away is logged, the pin itself keeps working."""
        try:
            self._wire.send(pack(level))
        except OSError as error:
            log.warning("sim-pins rig gone error=%s", error)

    def close(self) -> None:
        super().close()
        # shutdown wakes the listener, which close alone would not
        try:
            self._wire.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("sim-pins rig had closed first")
        self._wire.close()

    def _take_first_levels(self) -> None:
        """The rig greets with the levels it drives and ends with pin -1."""
        while (level := unpack(self._wire.recv(MAX_BYTES))).pin >= 0:
            self.outside[level.pin] = bool(level.high)

    def _listen(self) -> None:
        while raw := self._receive():
            try:
                level = unpack(raw)
            except msgspec.MsgspecError as error:
                log.warning("sim-pins unreadable packet error=%s", error)
                continue
            self._drive(level)

    def _receive(self) -> bytes:
        try:
            return self._wire.recv(MAX_BYTES)
        except OSError:
            return b""

    def _drive(self, level: Level) -> None:
        self.outside[level.pin] = bool(level.high)
        pin = self.by_number.get(level.pin)
        if pin is not None:
            pin.drive_at(bool(level.high), level.at_s)
