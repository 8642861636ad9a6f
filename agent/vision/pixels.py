"""Pixels to a network's int8 input, without a float in between."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from hw.interfaces import Pixels

Int8s = NDArray[np.int8]

_SIGN = np.uint8(0x80)


def into_input(bgr: Pixels, out: Int8s) -> None:
    """Writes a BGR picture into `out` (1 x height x width x 3, int8, RGB).

    The shipped networks are quantised so that their input is the picture's byte minus 128 (models_tflite/README.md); minus 128 is the
    sign bit turned over, so one exclusive-or in place does it.
    """
    target = out[0].view(np.uint8)
    cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=target)
    np.bitwise_xor(target, _SIGN, out=target)


def input_buffer(side_px: int) -> Int8s:
    """An input of a network that takes square pictures, to be written again and again."""
    return np.zeros((1, side_px, side_px, 3), np.int8)
