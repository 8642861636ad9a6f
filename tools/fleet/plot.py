"""The day as a picture, written by hand as SVG: events a second, doors that are there, events that wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from tools.fleet.report import Moment, Report, Storm

WIDTH, STRIP, LEFT, RIGHT, TOP, GAP, BOTTOM = 820, 130, 70, 20, 44, 34, 40
STRIPS: tuple[tuple[str, str, Callable[[Moment], float]], ...] = (
    ("events a second, committed and acknowledged", "#1b6ca8", lambda moment: moment.events_per_s),
    ("doors connected", "#2e8b57", lambda moment: moment.present),
    ("events that wait", "#b8641b", lambda moment: moment.waiting),
)
HEIGHT = TOP + len(STRIPS) * (STRIP + GAP) + BOTTOM - GAP


def day_plot(report: Report) -> str:
    """SVG."""
    day_s = max(report.day_s, report.moments[-1].at_s if report.moments else 0.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="15">{report.doors} doors, a day in {report.day_s:.0f} s; {report.lost} events lost</text>',
    ]
    for row, (name, colour, value) in enumerate(STRIPS):
        top = TOP + row * (STRIP + GAP)
        parts += _strip(name, colour, [(moment.at_s, value(moment)) for moment in report.moments], day_s, top)
        parts += [_storm(storm, day_s, top, named=row == 0) for storm in report.storms]
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">seconds</text>')
    return "\n".join([*parts, "</svg>", ""])


def _strip(name: str, colour: str, points: Sequence[tuple[float, float]], day_s: float, top: int) -> list[str]:
    most = max([value for _, value in points], default=0.0) or 1.0
    line = " ".join(f"{_x(at_s, day_s):.1f},{top + STRIP * (1 - value / most):.1f}" for at_s, value in points)
    return [
        f'<path d="M{LEFT} {top}H{WIDTH - RIGHT}M{LEFT} {top + STRIP}H{WIDTH - RIGHT}" stroke="#ddd"/>',
        f'<text x="{LEFT - 8}" y="{top + 4}" text-anchor="end">{most:.0f}</text>',
        f'<text x="{LEFT - 8}" y="{top + STRIP + 4}" text-anchor="end">0</text>',
        f'<text x="{LEFT}" y="{top - 6}" fill="{colour}">{escape(name)}</text>',
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>',
        *(f'<text x="{_x(tick, day_s):.1f}" y="{top + STRIP + 15}" text-anchor="middle" fill="#888">{tick:.0f}</text>'
          for tick in (day_s * part / 4 for part in range(5))),
    ]  # fmt: skip


def _storm(storm: Storm, day_s: float, top: int, *, named: bool) -> str:
    x = _x(storm.at_s, day_s)
    name = f'<text x="{x + 4:.1f}" y="{top + 12}" fill="#c33">{escape(storm.what)}</text>' if named else ""
    return f'<path d="M{x:.1f} {top}V{top + STRIP}" stroke="#c33" stroke-dasharray="4 3"/>{name}'


def _x(at_s: float, day_s: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * at_s / day_s
