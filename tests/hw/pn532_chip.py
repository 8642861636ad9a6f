"""A PN532 on its high-speed UART, played from the facts of NXP's user manual UM0701-02 (chapters 6 and 7), by nothing of the driver's code.

It sleeps until it sees rising edges, acknowledges each command before it answers, answers a frame whose checksum fails with nothing, an
unknown command with the syntax error frame, a NACK with its last answer, and looks for ever for a card unless told how often to try.
A card that was selected answers no second selection until the field was off.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tests.hw.pty_line import PtyLine

ACK = bytes.fromhex("0000ff00ff00")
NACK = bytes.fromhex("0000ffff0000")
SYNTAX_ERROR = bytes.fromhex("0000ff01ff7f8100")


def information(data: bytes) -> bytes:
    """A normal information frame: LEN + LCS and all of the data + DCS are 0 modulo 256."""
    length = len(data)
    return bytes([0, 0, 0xFF, length, (256 - length) % 256, *data, (256 - sum(data) % 256) % 256, 0])


def extended(data: bytes) -> bytes:
    """An extended information frame, for more than 255 bytes, and allowed for fewer."""
    high, low = divmod(len(data), 256)
    return bytes([0, 0, 0xFF, 0xFF, 0xFF, high, low, (256 - (high + low) % 256) % 256, *data, (256 - sum(data) % 256) % 256, 0])


class Pn532Chip:
    """Without a wire: bytes in, bytes out."""

    def __init__(self) -> None:
        self.card: bytes | None = None
        self.awake = self.normal_mode = False
        self.deaf = False
        """No power."""
        self.version = bytes([0x32, 0x01, 0x06, 0x07])
        self.spoil: Callable[[bytes], bytes] = lambda frame: frame
        """What the wire makes of an answer."""
        self.commands: list[int] = []
        self.nacks = 0
        self._tries: int | None = None
        self._selected: bytes | None = None
        self._last = b""
        self._in = b""

    def hear(self, data: bytes) -> bytes:
        if self.deaf:
            return b""
        if not self.awake:
            if b"\x55" not in data:
                return b""
            self.awake = True
        self._in += data
        out = b""
        while (frame := self._frame()) is not None:
            out += self._answer(frame)
        return out

    def power_cut(self) -> None:
        self.__init__()  # type: ignore[misc]

    def _frame(self) -> bytes | None:
        """The next command, b'' for a NACK."""
        while (at := self._in.find(b"\x00\x00\xff")) >= 0:
            body = self._in[at + 3 :]
            if len(body) < 3:
                return None
            if body[:3] == b"\xff\x00\x00":
                self._in = body[3:]
                return b""
            length = body[0]
            if (body[0] + body[1]) % 256 or not length:
                self._in = body
                continue
            if len(body) < 2 + length + 2:
                return None
            data, self._in = body[2 : 2 + length], body[2 + length + 2 :]
            if (sum(data) + body[2 + length]) % 256 == 0:
                return data
        return None

    def _answer(self, data: bytes) -> bytes:
        if not data:
            self.nacks += 1
            return self.spoil(self._last)
        if data[0] != 0xD4:
            return b""
        self.commands.append(data[1])
        answer = self._do(data[1], data[2:])
        if answer is None:
            return ACK
        self._last = SYNTAX_ERROR if answer == b"\x7f" else information(bytes([0xD5, data[1] + 1]) + answer)
        return ACK + self.spoil(self._last)

    def _do(self, command: int, args: bytes) -> bytes | None:
        """None: it goes on looking and says nothing."""
        if command == 0x14:
            self.normal_mode = args[0] == 1
            return b""
        if not self.normal_mode:
            return None
        if command == 0x02:
            return self.version
        if command == 0x32 and args[0] == 5:
            self._tries = args[3]
            return b""
        if command == 0x32 and args[0] == 1:
            if not args[1] & 1:
                self._selected = None
            return b""
        if command == 0x4A and args[:2] == b"\x01\x00":
            return self._search()
        return b"\x7f"

    def _search(self) -> bytes | None:
        if self.card is not None and self.card != self._selected:
            self._selected = self.card
            return bytes([1, 1, 0x00, 0x04, 0x08, len(self.card), *self.card])
        return None if self._tries in (None, 0xFF) else b"\x00"


class Pn532OnPty:
    """The chip at the end of a pty, in a thread."""

    def __init__(self, line: PtyLine) -> None:
        self.line, self.chip = line, Pn532Chip()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            if said := self.chip.hear(self.line.take()):
                self.line.send(said)
            time.sleep(0.001)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
