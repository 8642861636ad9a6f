"""Names that never come twice: event ids and journal ids."""

from __future__ import annotations

import os
from datetime import datetime


def event_id(at: datetime) -> str:
    """A UUID version 7 (RFC 9562, 5.7): milliseconds of wall time, then 74 random bits, so that ids sort roughly by time."""
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10), "big")
    high = (milliseconds << 16) | 0x7000 | (random >> 68)
    low = (0b10 << 62) | (random & ((1 << 62) - 1))
    digits = f"{high:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def journal_id() -> str:
    """Eight characters of [0-9a-f]: enough to tell apart the few journals a door ever has."""
    return os.urandom(4).hex()
