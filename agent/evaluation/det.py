"""The detection error trade-off: what each false match rate costs in false non-matches.

Both axes are logarithmic, as readers of face verification tests know it (A. Martin et al., 'The DET curve in assessment of detection
task performance', Eurospeech 1997, has normal deviates; for rates as small as these a logarithm reads alike).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

from agent.evaluation import metrics
from agent.evaluation.canvas import Dot, Line, Point, Shape, Words
from agent.evaluation.report import Rate, Verification

SIZE = (560, 640)
LEFT, RIGHT, TOP, BOTTOM = 84, 30, 104, 76
LABEL_PX = 190
INK, GRID, CURVE, MARK = "#222222", "#dddddd", "#1b6ca8", "#b8341b"


class Axes:
    """Both from a power of ten up to 1 (100 %)."""

    def __init__(self, least_fmr: float, least_fnmr: float) -> None:
        self._fmr, self._fnmr = round(log10(least_fmr)), floor(log10(least_fnmr))
        self.least_fmr = 10.0**self._fmr

    def at(self, fmr: float, fnmr: float) -> Point:
        """Where a pair of rates lies; below the axes' ends it is drawn on them."""
        x = LEFT + (SIZE[0] - LEFT - RIGHT) * (1 - _log(fmr, self._fmr) / self._fmr)
        y = TOP + (SIZE[1] - TOP - BOTTOM) * _log(fnmr, self._fnmr) / self._fnmr
        return x, y

    def shapes(self) -> list[Shape]:
        low, high = 10.0**self._fmr, 10.0**self._fnmr
        found: list[Shape] = []
        for power in range(self._fmr, 1):
            foot = self.at(10.0**power, high)
            found += [
                Line([foot, self.at(10.0**power, 1)], GRID),
                Words(percent(10.0**power), (foot[0], foot[1] + 24), 15, "middle"),
            ]
        for power in range(self._fnmr, 1):
            for times in (1, 2, 5):
                if (rate := times * 10.0**power) <= 1:
                    side = self.at(low, rate)
                    found += [Line([side, self.at(1, rate)], GRID), Words(percent(rate), (side[0] - 8, side[1] + 5), 15, "end")]
        return [*found, Line([self.at(low, 1), self.at(low, high), self.at(1, high)], INK, 1.5)]


def figure(report: Verification, scores: tuple[metrics.Scores, metrics.Scores], name: str) -> list[Shape]:
    """The curve of genuine and impostor `scores`, with the manifest's thresholds marked on it."""
    fmr, fnmr = metrics.curve(*scores)
    axes = Axes(min(1e-3, 10.0 ** ceil(log10(1 / report.impostor_pairs))), min(1e-2, 1 / report.genuine_pairs))
    line = [axes.at(float(x), float(y)) for x, y in zip(fmr, fnmr, strict=True) if x >= axes.least_fmr]
    marks = [_mark(axes, stated.fmr, stated.fnmr, stated.threshold) for stated in report.stated]
    words = [Words(name, (LEFT - 60, 30), 19), Words(_summary(report), (LEFT - 60, 56), 15),
             Words("false match rate (FMR)", (SIZE[0] - RIGHT, SIZE[1] - 20), 16, "end"),
             Words("false non-match rate (FNMR)", (LEFT - 60, TOP - 18), 16)]  # fmt: skip
    return [*axes.shapes(), Line(line, CURVE, 2.5), *(shape for mark in marks for shape in mark), *words]


def percent(rate: float) -> str:
    return f"{100 * rate:.6f}".rstrip("0").rstrip(".") + "%"


def _mark(axes: Axes, fmr: Rate, fnmr: Rate, threshold: float) -> Sequence[Shape]:
    """A dot with its 95 % intervals, and the threshold beside it."""
    x, y = axes.at(fmr.rate, fnmr.rate)
    across = Line([axes.at(fmr.interval_95[0], fnmr.rate), axes.at(fmr.interval_95[1], fnmr.rate)], MARK, 2)
    upright = Line([axes.at(fmr.rate, fnmr.interval_95[0]), axes.at(fmr.rate, fnmr.interval_95[1])], MARK, 2)
    at = percent(float(f"{fmr.rate:.2g}")) if fmr.errors else f"0 of {fmr.comparisons:,}"
    text = f"{threshold:.4f}: {percent(round(fnmr.rate, 4))} at {at}"
    room = x + LABEL_PX < SIZE[0]  # the curve falls to the right: above it there is always room
    return [
        across,
        upright,
        Dot((x, y), 6, MARK),
        Words(text, (x + 12 if room else x - 12, y - 12), 16, "start" if room else "end", MARK),
    ]


def _summary(report: Verification) -> str:
    return (f"accuracy {100 * report.accuracy:.2f}%, {report.genuine_pairs:,} genuine, {report.impostor_pairs:,} impostor pairs,"
            f" {report.failures_to_acquire} not found")  # fmt: skip


def _log(rate: float, least: int) -> float:
    return max(float(least), min(0.0, log10(rate))) if rate > 0 else float(least)
