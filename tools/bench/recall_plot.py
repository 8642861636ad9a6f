"""A picture of recall against the size of the face: a panel for each frame size, a line for each way to find faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10

from agent.evaluation.canvas import Dot, Line, Point, Shape, Words, svg

PANEL = (460, 330)
LEFT, TOP, GAP, BOTTOM = 66, 64, 76, 58
KEY_ROW, KEY_COLUMN = 24, 510
GRID, INK = "#dddddd", "#222222"
COLOURS = ("#1b6ca8", "#6db3dd", "#b8341b", "#2e8b57", "#8a6fb0", "#b8860b")

Curves = Mapping[str, Sequence[float]]
"""Recall, 0..1, at each size, by name."""


def recall_plot(title: str, sizes_px: Sequence[int], panels: Mapping[str, Curves]) -> str:
    """SVG. All panels have the same curves, in the same order."""
    names = list(next(iter(panels.values())))
    shapes: list[Shape] = [Words(title, (LEFT - 46, 28), 19)]
    for number, (name, curves) in enumerate(panels.items()):
        shapes += _panel(name, sizes_px, curves, LEFT + number * (PANEL[0] + GAP))
    foot = TOP + PANEL[1] + BOTTOM
    for row, name in enumerate(names):
        x, y = LEFT + KEY_COLUMN * (row % 2), foot + KEY_ROW * (row // 2) + 6
        shapes += [Line([(x, y - 5), (x + 26, y - 5)], COLOURS[row], 3), Words(name, (x + 34, y), 15)]
    size = (LEFT + len(panels) * (PANEL[0] + GAP), foot + KEY_ROW * (len(names) + 1) // 2 + 14)
    return svg(size, shapes, title)


def _panel(name: str, sizes_px: Sequence[int], curves: Curves, left: float) -> list[Shape]:
    shapes: list[Shape] = [Words(name, (left, TOP - 12), 16)]
    for percent in range(0, 101, 20):
        y = TOP + PANEL[1] * (1 - percent / 100)
        shapes += [Line([(left, y), (left + PANEL[0], y)], GRID), Words(f"{percent}%", (left - 8, y + 5), 14, "end")]
    for size in sizes_px:
        x, y = _at(size, 0, sizes_px, left)
        shapes += [Line([(x, TOP), (x, y)], GRID), Words(str(size), (x, y + 20), 14, "middle")]
    shapes.append(Words("width of the face, px", (left + PANEL[0], TOP + PANEL[1] + 40), 14, "end"))
    for colour, recalls in reversed(list(zip(COLOURS, curves.values(), strict=False))):  # the first lies on top
        points = [_at(size, recall, sizes_px, left) for size, recall in zip(sizes_px, recalls, strict=True)]
        shapes += [Line(points, colour, 2.5), *(Dot(point, 3.5, colour) for point in points)]
    return [*shapes, Line([(left, TOP), (left, TOP + PANEL[1]), (left + PANEL[0], TOP + PANEL[1])], INK, 1.5)]


def _at(size_px: float, recall: float, sizes_px: Sequence[int], left: float) -> Point:
    share = log10(size_px / sizes_px[0]) / log10(sizes_px[-1] / sizes_px[0])
    return left + 14 + (PANEL[0] - 28) * share, TOP + PANEL[1] * (1 - recall)
