"""What the camera sees, as text: 40 columns of coarse cells with the face's place in them, and beside them what is measured. Pure.

With colours a line shows two rows of grey, without them one row of signs. It is far too coarse to know anybody by.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from agent.commission.aim import Advice, Look, Needs
from hw.interfaces import Pixels

COLUMNS = 40
MOST_LINES = 15
BESIDE = 72
"""Columns from which the figures stand beside the picture."""
SIGNS = " .:-=+*#%@"
GREY_0, GREYS = 232, 24
"""The terminal's own ramp of greys (xterm's 256 colours)."""
GREEN, AMBER = 42, 214
LEVELS = 32
"""Levels are put into so many, so that noise does not make the panel flicker."""


def panel(pixels: Pixels, look: Look, advice: Advice, needs: Needs, *, width: int, colour: bool) -> list[str]:
    """Lines for a terminal so wide; `pixels` is the frame (height x width x 3, BGR)."""
    picture = _in_colours(pixels, look, advice) if colour else _in_signs(pixels, look)
    figures = _figures(look, needs)
    if width < BESIDE:
        return [*picture, *(f"  {line}"[:width] for line in figures)]
    lines = [*figures, *[""] * (len(picture) - len(figures))]
    return [f"{left}  {right}" for left, right in zip(picture, lines, strict=False)]


def _figures(look: Look, needs: Needs) -> list[str]:
    """What is measured; each fits beside the picture."""
    if look.box_px is None:
        return ["face     none found"]
    return [
        f"face     {look.face_px:.0f} px wide; {needs.least_px:.0f} needed",
        f"place    {_where(look)}",
        f"light    {look.light:.0f} of 255, around {look.around:.0f}",
        f"quality  {look.quality:.2f} of 1; {needs.least_quality:.2f} needed",
    ]


def _where(look: Look) -> str:
    x, y = look.middle
    across = "left" if x < 0.4 else "right" if x > 0.6 else "middle"
    down = "high" if y < 0.3 else "low" if y > 0.6 else "half-way up"
    return f"{across}, {down}"


def _rows(frame_px: tuple[int, int]) -> int:
    """Text lines that keep the picture's shape: a sign is twice as high as wide."""
    return min(MOST_LINES, max(4, round(COLUMNS * frame_px[1] / frame_px[0] / 2)))


def _cells(pixels: Pixels, rows: int) -> Pixels:
    grey = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
    small = cv2.resize(grey, (COLUMNS, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small // (256 // LEVELS) * (256 // LEVELS), np.uint8)


def _frame_of(look: Look, rows: int) -> set[tuple[int, int]]:
    """The cells of the face's outline: (row, column)."""
    if look.box_px is None:
        return set()
    x, y, wide, high = look.box_px
    left, right = (_cell(edge, look.frame_px[0], COLUMNS) for edge in (x, x + wide))
    top, bottom = (_cell(edge, look.frame_px[1], rows) for edge in (y, y + high))
    sides = {(row, column) for row in range(top, bottom + 1) for column in (left, right)}
    return sides | {(row, column) for column in range(left, right + 1) for row in (top, bottom)}


def _cell(at_px: float, of_px: int, cells: int) -> int:
    return min(cells - 1, max(0, int(at_px * cells / of_px)))


def _in_signs(pixels: Pixels, look: Look) -> list[str]:
    rows = _rows(look.frame_px)
    cells, outline = _cells(pixels, rows), _frame_of(look, rows)
    steps = cells.astype(int) * len(SIGNS) // 256
    return [
        "".join("o" if (row, column) in outline else SIGNS[steps[row, column]] for column in range(COLUMNS))
        for row in range(rows)
    ]


def _in_colours(pixels: Pixels, look: Look, advice: Advice) -> list[str]:
    rows = 2 * _rows(look.frame_px)
    cells, outline = _cells(pixels, rows), _frame_of(look, rows)
    mark = GREEN if advice.good else AMBER
    codes = [[mark if (row, column) in outline else GREY_0 + int(cells[row, column]) * GREYS // 256 for column in range(COLUMNS)]
             for row in range(rows)]  # fmt: skip
    return [_half_blocks(codes[row], codes[row + 1]) for row in range(0, rows, 2)]


def _half_blocks(upper: Sequence[int], lower: Sequence[int]) -> str:
    """Two rows of cells in a line of text: the sign's upper half in its colour, the lower one in that of its ground."""
    parts, last = [], (-1, -1)
    for pair in zip(upper, lower, strict=True):
        parts.append("▀" if pair == last else f"\x1b[38;5;{pair[0]};48;5;{pair[1]}m▀")
        last = pair
    return "".join(parts) + "\x1b[0m"
