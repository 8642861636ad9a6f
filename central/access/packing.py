"""Templates packed as agent.core.template8 packs them, by numpy: a door has none and packs nothing, a centre packs a quarter of a million."""

from __future__ import annotations

import numpy as np

from agent.core.identity import UNIT_SLACK
from agent.core.template8 import PEAK


def packed(template: bytes) -> bytes:
    """The same bytes as `agent.core.template8.packed`. Raises ValueError for what is no unit-length float32 vector."""
    vector = np.frombuffer(template, "<f4").astype(np.float64) if template and len(template) % 4 == 0 else np.zeros(0)
    if not abs(float(vector @ vector) - 1) <= UNIT_SLACK:  # written so that NaN is refused too
        raise ValueError(f"{len(template)} bytes are no unit-length float32 vector")
    return bytes(np.rint(vector * (PEAK / np.abs(vector).max())).astype(np.int8).tobytes())
