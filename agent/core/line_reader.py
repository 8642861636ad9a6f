"""Readers that print one credential a line, as USB-serial desk readers, barcode readers and many RS-232 readers do.

A line is a decimal number (format `line`) or a hexadecimal one with at least one letter (`line-hex`), of at most 64 bits, ended by CR,
LF or both; blanks around it, and STX and ETX, do not count. There is no checksum: what the wire garbles into another number is
another number, and such a reader belongs on a short cable.
"""

from __future__ import annotations

import re

from agent.core.messages import CredentialRead
from agent.core.presence import Presence
from agent.core.serial_line import NEVER, FaultLimit, Heard

LONGEST = 40
ENDS = b"\r\n"
DRESS = b" \t\x02\x03"

DECIMAL = re.compile(rb"[0-9]{1,20}\Z")
HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{1,16}\Z")
CARD_BITS = 64

LYING_S = 1.0


class LineReader:
    """A reader's bytes -> credentials, each told once for as long as the reader repeats it. Implements
    agent.core.serial_line.SerialProtocol.
    """

    ready = True  # it only talks: whether it is there cannot be asked
    due_s = NEVER

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._presence = Presence(LYING_S)
        self._limit = FaultLimit(reader)
        self._line = bytearray()
        self._overlong = False

    def feed(self, data: bytes, now_s: float) -> list[Heard]:
        heard: list[Heard] = []
        for byte in data:
            if byte in ENDS:
                heard += self._end(now_s)
            elif len(self._line) < LONGEST:
                self._line.append(byte)
            else:
                self._overlong = True  # nothing of it counts, up to the next end of a line
        return heard

    def tick(self, now_s: float) -> bytes:
        return b""

    def _end(self, now_s: float) -> list[Heard]:
        line, overlong = bytes(self._line).strip(DRESS), self._overlong
        self._line, self._overlong = bytearray(), False
        if not line:
            return []
        if overlong:
            return self._limit.fault("length", line, now_s)
        read = _credential(self._reader, line, now_s)
        if read is None:
            return self._limit.fault("framing", line, now_s)
        return [read] if self._presence.arrives(read.key, now_s) else []


def _credential(reader: str, line: bytes, now_s: float) -> CredentialRead | None:
    """None when the line is no number or one of more than 64 bits."""
    if DECIMAL.match(line):
        form, card = "line", int(line)
    elif HEXADECIMAL.match(line):
        form, card = "line-hex", int(line, 16)
    else:
        return None
    if card.bit_length() > CARD_BITS:
        return None
    return CredentialRead(reader=reader, format=form, facility=0, card=card, bits=f"{card:b}", read_s=now_s)
