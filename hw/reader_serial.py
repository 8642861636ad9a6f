"""Readers on a serial line: RDM6300 and ID-12, PN532, and whatever prints one credential a line.

One thread a reader. It opens the device, hands bytes to the protocol (agent/core, pure) and, when the device goes or falls silent,
says so and tries again with growing waits. Nothing else of the door notices.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from agent.core.backoff import Backoff
from agent.core.line_reader import LineReader
from agent.core.messages import ReaderStatus
from agent.core.pn532 import Pn532
from agent.core.rdm6300 import Rdm6300Stream
from agent.errors import WireError
from hw.serial_faults import likely_cause

if TYPE_CHECKING:
    from agent.core.feedback import Signal
    from agent.core.messages import ReaderNews
    from agent.core.serial_line import SerialProtocol

log = logging.getLogger(__name__)

ProtocolName = Literal["rdm6300", "pn532", "lines"]

PROTOCOLS: dict[str, tuple[Callable[[str], SerialProtocol], int]] = {
    "rdm6300": (Rdm6300Stream, 9600),
    "pn532": (Pn532, 115200),
    "lines": (LineReader, 9600),
}
"""Name -> what understands it, and its own baud rate."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 5.0
STEADY_S = 2.0
"""A device that fails sooner than this after it was opened has not come back: the waits go on growing."""
CHUNK_BYTES = 512
WRITE_TIMEOUT_S = 0.5
CLOSE_S = 2.0

SILENT_PN532 = "swap TX and RX, set its two switches to HSU (both off on most boards), join the grounds, see that it has power"


def open_serial_reader(name: str, device: str, protocol: ProtocolName, baud: int | None = None) -> SerialReader:
    """A reader by its section of the configuration; nothing is opened before `start`."""
    make, own_baud = PROTOCOLS[protocol]
    return SerialReader(name, device, baud or own_baud, make)


class SerialReader:
    """Implements hw.interfaces.Reader. Reads are told by the protocol once for as long as a fob lies there (agent.core.presence)."""

    def __init__(
        self, name: str, device: str, baud: int, protocol: Callable[[str], SerialProtocol],
        waits: tuple[float, float] = (FIRST_WAIT_S, LONGEST_WAIT_S),
    ) -> None:  # fmt: skip
        self._name, self._device, self._baud, self._make = name, device, baud, protocol
        self._backoff = Backoff(*waits)
        self._tell: Callable[[ReaderNews], None] = lambda _: None
        self._told: tuple[bool, str] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._wake_in, self._wake_out = os.pipe()

    @property
    def name(self) -> str:
        return self._name

    def start(self, tell: Callable[[ReaderNews], None]) -> None:
        self._tell = tell
        self._thread = threading.Thread(target=self._run, name=f"reader {self._name}", daemon=True)
        self._thread.start()

    def show(self, signal: Signal) -> None:
        """None of these readers has a light or a sounder that its line can switch."""

    def hung(self) -> str:
        """Whether its thread has ended. One that waits for a device is no hang: it is told as offline, and a new start would wait, too."""
        ended = self._thread is not None and not self._thread.is_alive() and not self._stopped
        return "nobody listens to its line any more" if ended else ""

    def close(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        os.write(self._wake_out, b"x")
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():  # its pipe must stay: another file could get the number
                log.error("reader=%s its thread does not end", self._name)
                return
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _run(self) -> None:
        while not self._stopped:
            opened_s = time.monotonic()
            try:
                self._connection()
            except (OSError, WireError, ValueError) as error:  # pyserial raises ValueError for a setting the device refuses
                self._status(False, f"{self._device}: {_likely(error)}")
            except Exception as error:  # a reader must come back from whatever a driver raises; it is told and logged
                log.exception("reader=%s", self._name)
                self._status(False, f"{self._device}: unexpected {type(error).__name__}: {error}")
            if time.monotonic() - opened_s > STEADY_S:
                self._backoff.worked()
            if not self._stopped:
                select.select([self._wake_in], [], [], self._backoff.wait_s())

    def _connection(self) -> None:
        """From opening the device to its end. Returns when stopped, raises when the device or its reader is gone."""
        import serial

        protocol = self._make(self._name)
        with serial.Serial(self._device, self._baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True) as line:
            line.reset_input_buffer()  # a fob held out before anybody listened is nobody's who stands here now
            while not self._stopped:
                if protocol.ready:
                    self._status(True, "")
                self._turn(line, protocol)

    def _turn(self, line: Any, protocol: SerialProtocol) -> None:
        """Send what is due and wait for bytes, for what is due next, or for `close`."""
        if send := protocol.tick(time.monotonic()):
            line.write(send)
        wait_s = max(0.0, protocol.due_s - time.monotonic())
        arrived, _, _ = select.select([line.fileno(), self._wake_in], [], [], wait_s if wait_s < threading.TIMEOUT_MAX else None)
        if line.fileno() not in arrived:
            return
        data: bytes = line.read(CHUNK_BYTES)
        for news in protocol.feed(data, time.monotonic()):
            self._tell(news)

    def _status(self, online: bool, detail: str) -> None:
        """Told when it changes, not each time that it is tried."""
        if self._told == (online, detail):
            return
        self._told = (online, detail)
        log.info("reader=%s online=%s %s", self._name, online, detail)
        self._tell(ReaderStatus(reader=self._name, online=online, at_s=time.monotonic(), detail=detail))


def _likely(error: Exception) -> str:
    """What an installer should look at."""
    return f"{error}: {SILENT_PN532}" if isinstance(error, WireError) else likely_cause(error)
