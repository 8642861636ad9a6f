"""Pictures in a terminal: half blocks in true colour where the terminal shows colour, shades of grey letters where it doesn't."""

from __future__ import annotations

import os
from typing import TextIO

import cv2

from hw.interfaces import Pixels

SHADES = " .:-=+*#%@"
CELL_ASPECT = 0.5
"""A letter's cell is about twice as high as wide."""


def shows_colour(stream: TextIO) -> bool:
    """Whether pictures may be drawn in colour (NO_COLOR and FORCE_COLOR are obeyed, see no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM", "dumb") != "dumb")


def picture_lines(pixels: Pixels, columns: int, colour: bool) -> list[str]:
    """A BGR picture as lines of text, `columns` wide."""
    height, width = pixels.shape[:2]
    rows = max(1, round(columns * height / width * CELL_ASPECT))
    if not colour:
        small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (columns, rows), interpolation=cv2.INTER_AREA)
        return ["".join(SHADES[int(v) * len(SHADES) // 256] for v in small[r]) for r in range(rows)]
    small = cv2.resize(pixels, (columns, 2 * rows), interpolation=cv2.INTER_AREA)
    return [_half_blocks(small[2 * r], small[2 * r + 1]) for r in range(rows)]


def _half_blocks(upper: Pixels, lower: Pixels) -> str:
    """Two rows of pixels in one row of letters: the upper half block's ink is the upper pixel, its paper the lower one."""
    cells = (
        f"\x1b[38;2;{u[2]};{u[1]};{u[0]}m\x1b[48;2;{v[2]};{v[1]};{v[0]}m▀"
        for u, v in zip(upper.tolist(), lower.tolist(), strict=True)
    )
    return "".join(cells) + "\x1b[0m"
