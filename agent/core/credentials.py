"""Bit frames of readers -> credentials. The formats are in `agent.core.formats`, the framing of Wiegand's two wires in
`agent.core.wiegand`."""

from __future__ import annotations

from agent.core.formats import FORMATS, H10301, Decoded, ParityRule, WiegandFormat, decode, decode_all, formats_named, raw_format
from agent.core.wiegand import FRAME_GAP_S, LATE_S, MAX_BITS, QUICK_GAP_INTERVALS, QUICK_GAP_MIN_S, WiegandFramer

__all__ = [
    "FORMATS",
    "FRAME_GAP_S",
    "H10301",
    "LATE_S",
    "MAX_BITS",
    "QUICK_GAP_INTERVALS",
    "QUICK_GAP_MIN_S",
    "Decoded",
    "ParityRule",
    "WiegandFormat",
    "WiegandFramer",
    "decode",
    "decode_all",
    "formats_named",
    "raw_format",
]
