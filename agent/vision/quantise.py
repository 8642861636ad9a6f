"""8-bit pixels straight to a network's int8 input, without a float in between."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hw.interfaces import Pixels

Int8s = NDArray[np.int8]

_FLIP_SIGN = np.uint8(0x80)


class PixelQuantiser:
    """Maps each pixel value 0..255 by a table to clip(round(((value - mean) / spread) / scale) + zero_point)."""

    def __init__(self, mean: float, spread: float, scale: float, zero_point: int) -> None:
        real = (np.arange(256, dtype=np.float64) - mean) / spread
        table = np.clip(np.round(real / scale) + zero_point, -128, 127).astype(np.int8)
        self.table: Int8s = table
        # Most networks here have a scale of one pixel step: then the table is `value - 128`, which is one exclusive-or of the sign bit.
        self._plain = bool(np.array_equal(table, np.arange(-128, 128, dtype=np.int8)))

    def into(self, out: Int8s, bgr: Pixels) -> None:
        """Writes the RGB, quantised form of a BGR picture into `out` (1 x height x width x 3)."""
        target = out[0].view(np.uint8)
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=target)
        if self._plain:
            np.bitwise_xor(target, _FLIP_SIGN, out=target)
        else:
            out[0] = cv2.LUT(target, self.table)
