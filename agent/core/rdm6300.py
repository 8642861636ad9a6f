"""RDM6300 and ID-12 serial readers: ten hex digits of tag, two of checksum (the XOR of the five tag bytes), between STX and ETX.

Source: Seeed's data sheet of the RDM630. Some clones add the bytes up instead; their frames are refused, because accepting two
checksums would halve the protection of both.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from string import hexdigits

from msgspec import Struct

from agent.core.messages import CredentialRead
from agent.core.presence import Presence
from agent.core.serial_line import NEVER, FaultLimit, Heard
from agent.errors import WireError

DIGITS = 12


class SerialTag(Struct, frozen=True, kw_only=True):
    """A 125 kHz tag. `version` is its first byte; the number printed on the fob is `card`, with or without the version."""

    format: str
    version: int
    card: int


def decode_rdm6300(text: str) -> SerialTag:
    """The tag in a frame's twelve hex digits; raises WireError saying which check failed."""
    if len(text) != DIGITS:
        raise WireError(f"RDM6300 frame has {len(text)} characters: {DIGITS} hex digits are allowed")
    if not set(text) <= set(hexdigits):  # bytes.fromhex alone would skip blanks and take fewer bytes
        raise WireError(f"RDM6300 frame {text!r}: only hex digits are allowed")
    *tag, checksum = bytes.fromhex(text)
    expected = reduce(xor, tag)
    if checksum != expected:
        raise WireError(f"RDM6300 frame {text!r}: checksum {checksum:02X}, expected {expected:02X}")
    return SerialTag(format="EM4100", version=tag[0], card=int.from_bytes(bytes(tag[1:]), "big"))


STX, ETX = 0x02, 0x03
LINE_END = b"\r\n"
"""ID-12 puts these before its ETX."""

LYING_S = 1.0
"""An RDM6300 repeats a tag several times a second for as long as it lies there."""


class Rdm6300Stream:
    """A reader's bytes -> tags, each told once for as long as it lies there. Implements agent.core.serial_line.SerialProtocol.

    The facility of such a credential is the tag's version byte, so that no two tags share a name. A frame ends with ETX or is none:
    an STX within it begins a new one.
    """

    ready = True  # it only talks: whether it is there cannot be asked
    due_s = NEVER

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._presence = Presence(LYING_S)
        self._limit = FaultLimit(reader)
        self._frame: bytearray | None = None
        self._stray = bytearray()
        self._tail = DIGITS + len(LINE_END) + 1  # the line may have been opened in the middle of a frame: its rest is no noise

    def feed(self, data: bytes, now_s: float) -> list[Heard]:
        heard: list[Heard] = []
        for byte in data:
            heard += self._take(byte, now_s)
        return heard + self._noise(now_s)

    def tick(self, now_s: float) -> bytes:
        return b""

    def _take(self, byte: int, now_s: float) -> list[Heard]:
        if byte == STX:
            cut, self._frame = self._frame, bytearray()
            return self._noise(now_s) + (self._limit.fault("framing", bytes(cut), now_s) if cut is not None else [])
        if self._frame is None:
            self._stray.append(byte)
            return []
        if byte == ETX:
            frame, self._frame = self._frame, None
            self._tail = 0
            return self._whole(bytes(frame), now_s)
        if byte not in LINE_END:
            self._frame.append(byte)
        if len(self._frame) > DIGITS:
            self._stray, self._frame = self._frame, None
        return []

    def _noise(self, now_s: float) -> list[Heard]:
        """A fault for what came outside of any frame."""
        stray, self._stray = bytes(self._stray), bytearray()
        first, self._tail = stray[: self._tail], max(0, self._tail - len(stray))
        noise = stray[len(first) :].strip(LINE_END)
        return self._limit.fault("framing", noise, now_s) if noise else []

    def _whole(self, frame: bytes, now_s: float) -> list[Heard]:
        try:
            tag = decode_rdm6300(frame.decode("latin-1"))
        except WireError:
            return self._limit.fault("checksum" if len(frame) == DIGITS else "length", frame, now_s)
        read = CredentialRead(reader=self._reader, format=tag.format, facility=tag.version, card=tag.card,
                              bits=f"{tag.version:08b}{tag.card:032b}", read_s=now_s)  # fmt: skip
        return [read] if self._presence.arrives(read.key, now_s) else []
