"""A picture of waiting times, written by hand as SVG: how large a share of all was answered within how many milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

WIDTH, HEIGHT = 760, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 40, 52
COLOURS = ("#1b6ca8", "#2e8b57", "#b8641b", "#7a4fa3")
SHARES = ((0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"))
LEGEND = 380
TAIL = 1e-3
"""The scale ends where one in a thousand is left."""


def share_plot(title: str, series: Mapping[str, Sequence[float]], goals_ms: Mapping[str, float], most_ms: float) -> str:
    """SVG. The share axis is logarithmic in what is left, so that the tail, which is what a person notices, has room."""
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13"',
             ' fill="#333">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
             f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>']  # fmt: skip
    parts += _axes(most_ms)
    parts += [_goal(text, at_ms, most_ms, row) for row, (text, at_ms) in enumerate(goals_ms.items())]
    for row, (name, samples) in enumerate(series.items()):
        parts += _curve(name, samples, most_ms, COLOURS[row % len(COLOURS)], row)
    return "\n".join([*parts, "</svg>", ""])


def _axes(most_ms: float) -> list[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if most_ms / step <= 12)
    parts = []
    for share, words in SHARES:
        y = _y(share)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/><text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{words}</text>'
        )
    for number in range(int(most_ms // step) + 1):
        x = _x(number * step, most_ms)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#eee"/>'
                     f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number * step}</text>')  # fmt: skip
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">milliseconds from the last bit</text>')
    return parts


def _goal(text: str, at_ms: float, most_ms: float, row: int) -> str:
    x, y = _x(at_ms, most_ms), HEIGHT - BOTTOM - 10 - 18 * row
    side, anchor = (6, "start") if at_ms < most_ms / 2 else (-6, "end")
    return (f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#c33" stroke-dasharray="5 4"/>'
            f'<text x="{x + side:.1f}" y="{y}" text-anchor="{anchor}" fill="#c33">{escape(text)}</text>')  # fmt: skip


def _curve(name: str, samples: Sequence[float], most_ms: float, colour: str, row: int) -> list[str]:
    ordered = sorted(samples)
    points = [(_x(min(value, most_ms), most_ms), _y(rank / len(ordered))) for rank, value in enumerate(ordered)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    y = TOP + 40 + 20 * row
    return [f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<path d="M{LEGEND} {y}h22" stroke="{colour}" stroke-width="3"/><text x="{LEGEND + 30}" y="{y + 4}">{escape(name)} '
            f"({len(ordered)})</text>"]  # fmt: skip


def _x(ms: float, most_ms: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * ms / most_ms


def _y(share: float) -> float:
    """0 at the bottom; each factor of ten in what is left takes a third of the height."""
    left = max(1 - share, TAIL)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * -log10(left) / 3
