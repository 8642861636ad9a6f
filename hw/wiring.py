"""One table of what crosses the wires between simulated pins and their far end (`hw.pins_sim` and `hw.rig`)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

MAX_BYTES = 512


class Level(Struct, frozen=True, array_like=True, tag="level"):
    """A pin's level from `at_s` (CLOCK_MONOTONIC) on. None: nobody drives it any more."""

    pin: int
    high: bool | None
    at_s: float


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Level)


def pack(level: Level) -> bytes:
    return _encoder.encode(level)


def unpack(raw: bytes) -> Level:
    """Raises msgspec.MsgspecError for anything else."""
    return _decoder.decode(raw)
