"""Templates as they travel and rest: one signed byte for each of an embedding's numbers.

A template counts by its direction only (`agent/core/identity.py` compares unit vectors), so each vector is stretched until its largest number
is 127 and rounded; opened, it is brought back to length one. A quarter of the size of float32; docs/BENCHMARKS.md says what it costs.
"""

from __future__ import annotations

import math
import struct
from operator import mul

from agent.core.identity import UNIT_SLACK

PEAK = 127


def packed(template: bytes) -> bytes:
    """A unit-length float32 little-endian vector as signed bytes. Raises ValueError when it is anything else."""
    vector = struct.unpack(f"<{len(template) // 4}f", template) if template and len(template) % 4 == 0 else ()
    if not abs(sum(map(mul, vector, vector)) - 1) <= UNIT_SLACK:  # written so that NaN is refused too
        raise ValueError(f"{len(template)} bytes are no unit-length float32 vector")
    stretch = PEAK / max(map(abs, vector))
    return struct.pack(f"{len(vector)}b", *[round(number * stretch) for number in vector])


def unpacked(small: bytes) -> bytes:
    """The unit-length float32 little-endian vector in that direction. Raises ValueError for no direction at all."""
    numbers = struct.unpack(f"{len(small)}b", small)
    length = math.sqrt(sum(map(mul, numbers, numbers)))
    if not length:
        raise ValueError(f"{len(small)} bytes point nowhere")
    shrink = 1 / length
    return struct.pack(f"<{len(numbers)}f", *[number * shrink for number in numbers])
