"""APCER of the worst kind against BPCER, both logarithmic: what each share of attacks that pass costs in people sent away."""

from __future__ import annotations

from agent.evaluation.canvas import Dot, Line, Shape, Words
from agent.evaluation.det import BOTTOM, CURVE, INK, LEFT, MARK, RIGHT, SIZE, TOP, Axes, percent
from agent.evaluation.liveness import LivenessFigures

ALL = "#7a9c59"


def figure(report: LivenessFigures, name: str) -> list[Shape]:
    """The curve of scores, and a dot where the shipped thresholds stand."""
    axes = Axes(1e-2, min(1e-2, 1 / report.live_attempts))
    worst = [axes.at(at.apcer, at.bpcer) for at in report.curve]
    every = [axes.at(at.apcer_all, at.bpcer) for at in report.curve]
    at = axes.at(report.apcer.rate, report.refused_by_require_live.rate)
    shipped = f"shipped: {percent(round(report.apcer.rate, 3))} / {percent(round(report.refused_by_require_live.rate, 3))}"
    left = at[0] > SIZE[0] / 2
    words = [Words(name, (LEFT - 60, 30), 19), Words(_summary(report), (LEFT - 60, 56), 15),
             Words("attacks called live (APCER), blue: worst kind, green: all", (SIZE[0] - RIGHT, SIZE[1] - BOTTOM + 56), 16, "end"),
             Words("people not called live (BPCER with non-responses)", (LEFT - 60, TOP - 18), 16),
             Words(shipped, (at[0] + (-12 if left else 12), at[1] - 12), 16, "end" if left else "start", MARK)]  # fmt: skip
    return [*axes.shapes(), Line(every, ALL, 2), Line(worst, CURVE, 2.5), Dot(at, 6, MARK), *words, Line([at, at], INK)]


def _summary(report: LivenessFigures) -> str:
    return f"{report.live_attempts} live, {report.attack_attempts} attack attempts of {report.attempt_s:g} s, worst: {report.worst_kind}"
