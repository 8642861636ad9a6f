"""From a camera's frame to what a viewer sees: hidden parts made coarse, the window cut out, the size made the viewer's."""

from __future__ import annotations

import math

import cv2
import numpy as np

from agent.core.messages import Box
from agent.media.veil import Hidden
from hw.interfaces import Pixels

CELLS_A_HEAD = 5
"""A hidden head is so many cells wide: nobody is known by 25 colours."""
CELLS_A_FRAME = 24
"""And a whole frame that is hidden: that somebody stands there can be seen, and not who."""
NO_PICTURE_BGR = (48, 40, 36)


def conceal(pixels: Pixels, hidden: Hidden) -> None:
    """Make what is hidden coarse, in place: the cells are means of what was there, and nothing of it is left."""
    height, width = pixels.shape[:2]
    if hidden.everything:
        _coarsen(pixels, 0, 0, width, height, CELLS_A_FRAME)
    for box in hidden.boxes:
        left, top, right, bottom = _clipped(box, width, height)
        if right > left and bottom > top:
            _coarsen(pixels, left, top, right, bottom, CELLS_A_HEAD)


def _clipped(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    x, y, wide, high = box
    return (max(0, math.floor(x)), max(0, math.floor(y)), min(width, math.ceil(x + wide)), min(height, math.ceil(y + high)))


def _coarsen(pixels: Pixels, left: int, top: int, right: int, bottom: int, cells: int) -> None:
    part = pixels[top:bottom, left:right]
    high = max(1, round(cells * part.shape[0] / part.shape[1]))
    small = cv2.resize(part, (min(cells, part.shape[1]), min(high, part.shape[0])), interpolation=cv2.INTER_AREA)
    pixels[top:bottom, left:right] = cv2.resize(small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_NEAREST)


def size_for(frame_px: tuple[int, int], most_wide_px: int) -> tuple[int, int]:
    """The viewer's picture: of the frame's shape, no wider than told, both sides even as video codecs want them."""
    width, height = frame_px
    wide = min(width, most_wide_px) // 2 * 2
    return max(2, wide), max(2, round(height * wide / width) // 2 * 2)


def cut(pixels: Pixels, window_px: tuple[int, int, int, int], size_px: tuple[int, int]) -> Pixels:
    """The window of a frame at the viewer's size."""
    x, y, wide, high = window_px
    part = pixels[y : y + high, x : x + wide]
    if (wide, high) == size_px:
        return np.ascontiguousarray(part)
    shrinks = wide > size_px[0]
    resized: Pixels = cv2.resize(part, size_px, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[assignment]
    return resized


def no_picture(size_px: tuple[int, int]) -> Pixels:
    """What is shown while there is none: never the last picture, which would look like now."""
    blank = np.full((size_px[1], size_px[0], 3), NO_PICTURE_BGR, np.uint8)
    cv2.putText(blank, "no picture", (16, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (200, 200, 200), 1, cv2.LINE_AA)
    return blank
