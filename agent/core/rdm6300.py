"""RDM6300 and ID-12 serial readers: ten hex digits of tag, two of checksum (the XOR of the five tag bytes), between STX and ETX.

Source: Seeed's data sheet of the RDM630. Some clones add the bytes up instead; their frames are refused, because accepting two
checksums would halve the protection of both.
"""

from __future__ import annotations

from functools import reduce
from operator import xor
from string import hexdigits

from msgspec import Struct

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
