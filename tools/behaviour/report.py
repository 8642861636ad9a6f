"""Figures, tables and pictures out of the experiments; the page between its markers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import median

from msgspec import Struct

from tools.behaviour.cost import Cost
from tools.behaviour.judged import POLICY
from tools.behaviour.ordinary import KINDS
from tools.behaviour.runs import Found, Pass
from tools.bench.figures import Figure, percentile, plain

BEGIN, END = "<!-- figures: begin (written by `make behaviour`) -->", "<!-- figures: end -->"
THRESHOLDS = tuple(number / 50 for number in range(5, 46))


class Results(Struct, frozen=True, kw_only=True):
    """Everything that was measured."""

    ordinary: tuple[Pass, ...]
    harder: tuple[Pass, ...]
    staged: tuple[Found, ...]
    staged_harder: tuple[Found, ...]
    filmed: tuple[Found, ...]
    cost: Cost | None
    times: float
    """How much larger the errors were in `harder`."""


def figures(results: Results) -> list[Figure]:
    """Those with a goal first."""
    delays = [found.noticed_s for found in results.staged if found.noticed_s is not None]
    rows = [
        Figure(what="false alerts to guards in 1,000 ordinary passes", value=_false(results.ordinary), unit="", most=1.0),
        Figure(what="staged incidents noticed", value=_share(results.staged), unit="%", least=100.0),
        Figure(
            what="median time from an incident to its event", value=median(delays) if delays else math.nan, unit="s", most=2.0
        ),
    ]
    if results.filmed:
        rows.append(
            Figure(what="staged incidents noticed, with real pictures", value=_share(results.filmed), unit="%", least=100.0)
        )
    if results.cost is not None:
        rows += [Figure(what="behaviour's share of the chain's time", value=100 * results.cost.mean_share, unit="%", most=10.0),
                 Figure(what="memory of behaviour", value=results.cost.memory_mb, unit="MB", most=10.0),
                 Figure(what="norms on disk", value=results.cost.norms_kb / 1000, unit="MB", most=5.0)]  # fmt: skip
    rows.append(Figure(what="events of the band 'raised' (no guard is told) in 1,000 ordinary passes",
                       value=_per_thousand(results.ordinary, "raised") - _per_thousand(results.ordinary, "alerted"), unit=""))  # fmt: skip
    return rows


def page(results: Results) -> str:
    """What stands between the markers."""
    false = sum(each.alerted and not each.by_rule for each in results.ordinary)
    asked = sum(each.alerted and each.by_rule for each in results.ordinary)
    low, high = _interval(false, len(results.ordinary))
    parts = [
        "| figure | measured | goal | |", "|---|---|---|---|",
        *(f"| {f.what} | {plain(f.value)} {f.unit} | {f.goal} | {_verdict(f)} |" for f in figures(results)), "",
        f"{len(results.ordinary):,} ordinary passes, {false} false alerts; with 95 % confidence (Wilson) the true rate lies between"
        f" {plain(1000 * low)} and {plain(1000 * high)} in 1,000. {asked} more alerts were for people who stood there for more than 20 s"
        " between 22:00 and 6:00, which the simulated site has asked to be told of; with them it is"
        f" {plain(_per_thousand(results.ordinary, 'alerted'))} in 1,000.", "",
        "![Ordinary passes that reach a score](pictures/behaviour_false.svg)", "", "### Ordinary passes", "",
        *_ordinary_table(results), "", "### Staged incidents", "", *_staged_table(results), "",
        "![Delay from an incident to its event](pictures/behaviour_delay.svg)", "",
    ]  # fmt: skip
    if results.filmed:
        parts += ["### Staged incidents with real pictures", "", *_filmed_table(results.filmed), ""]
    if results.cost is not None:
        parts += ["### Cost", "", _cost_words(results.cost), ""]
    return "\n".join(parts)


def write(docs: Path, results: Results) -> None:
    """The page's middle and its pictures. Raises ValueError for a page without the markers."""
    file = docs / "BEHAVIOUR.md"
    text = file.read_text("utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{file}: the lines {BEGIN!r} and {END!r} are missing")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    file.write_text(f"{before}\n\n{page(results)}\n{after}", "utf-8")
    (docs / "pictures" / "behaviour_false.svg").write_text(false_plot(results), "utf-8")
    (docs / "pictures" / "behaviour_delay.svg").write_text(delay_plot(results.staged), "utf-8")


def _ordinary_table(results: Results) -> list[str]:
    rows = [
        "| kind | passes | false alerts | asked for | raised | passes, worse camera | false alerts | asked for | raised |",
        "|---" * 9 + "|",
    ]
    for kind in (*KINDS, ""):
        cells = [_counts([each for each in passes if kind in ("", each.kind)]) for passes in (results.ordinary, results.harder)]
        rows.append(f"| {kind or 'all'} | {' | '.join(cells)} |")
    return rows


def _counts(passes: Sequence[Pass]) -> str:
    asked, alerted = sum(each.alerted and each.by_rule for each in passes), sum(each.alerted for each in passes)
    return f"{len(passes)} | {alerted - asked} | {asked} | {sum(each.raised for each in passes) - alerted}"


def _staged_table(results: Results) -> list[str]:
    rows = ["| incident | counted from when | noticed | guards alerted | median delay, s | worst, s | noticed, worse camera |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    for kind in dict.fromkeys(found.kind for found in results.staged):
        of, worse = ([each for each in all_ if each.kind == kind] for all_ in (results.staged, results.staged_harder))
        delays = [each.noticed_s for each in of if each.noticed_s is not None]
        alerted = sum(each.alerted_s is not None for each in of)
        middle, worst = (plain(median(delays)), plain(max(delays))) if delays else ("none", "none")
        rows.append(f"| {kind} | {of[0].because} | {_of(of)} | {alerted} of {len(of)} | {middle} | {worst} | {_of(worse)} |")
    return rows


def _filmed_table(found: Sequence[Found]) -> list[str]:
    rows = ["| incident | noticed | guards alerted | median delay, s | what the guard reads |", "|---|---|---|---|---|"]
    for kind in dict.fromkeys(each.kind for each in found):
        of = [each for each in found if each.kind == kind]
        delays = [each.noticed_s for each in of if each.noticed_s is not None]
        said = next((each.why for each in of if each.why), "")
        rows.append(f"| {kind} | {_of(of)} | {sum(e.alerted_s is not None for e in of)} of {len(of)} |"
                    f" {plain(median(delays)) if delays else 'none'} | {said} |")  # fmt: skip
    return rows


def _cost_words(cost: Cost) -> str:
    return (
        f"Chain {plain(cost.chain_ms)} ms and behaviour {plain(cost.behaviour_ms)} ms a frame (medians over {cost.frames} frames of two"
        f" people at 640x480, one process, one thread, other work on the machine): {plain(100 * cost.share)} % in the median frame,"
        f" {plain(100 * cost.mean_share)} % of all time. Memory at the most {plain(cost.memory_mb)} MB over {cost.passes} visits, with norms;"
        f" a door's norms take {plain(cost.norms_kb)} kB on disk after 1,500 visits."
    )


def _of(found: Sequence[Found]) -> str:
    return f"{sum(each.noticed_s is not None for each in found)} of {len(found)}"


def _share(found: Sequence[Found]) -> float:
    return 100 * sum(each.noticed_s is not None for each in found) / len(found) if found else math.nan


def _per_thousand(passes: Sequence[Pass], what: str) -> float:
    return 1000 * sum(getattr(each, what) for each in passes) / len(passes) if passes else math.nan


def _false(passes: Sequence[Pass]) -> float:
    """In 1,000: without the alerts that the site asked for."""
    return 1000 * sum(each.alerted and not each.by_rule for each in passes) / len(passes) if passes else math.nan


def _verdict(figure: Figure) -> str:
    return {True: "met", False: "**missed**", None: ""}[figure.met]


def _interval(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    z, p = 1.96, count / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, (middle - half) / (1 + z * z / of)), (middle + half) / (1 + z * z / of)


# -- pictures ------------------------------------------------------------------------------------------------------------------

WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM = 760, 340, 64, 24, 44, 52
COLOURS = ("#1b6ca8", "#b8641b")


def false_plot(results: Results) -> str:
    """SVG: how many ordinary passes in 1,000 reach each score; the lowest line of the scale is none."""
    series = [(f"measured errors ({len(results.ordinary)} passes)", results.ordinary),
              (f"errors {results.times:g} times as large ({len(results.harder)})", results.harder)]  # fmt: skip
    parts = _frame("Ordinary passes in 1,000 that reach a score", "score of the risk")
    for value in (0.1, 1, 10, 100, 1000):
        y = _log_y(value)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDE - RIGHT}" stroke="{"#c33" if value == 1 else "#ddd"}"/>'
                     f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')  # fmt: skip
    for score in (0.1, 0.3, 0.5, 0.7, 0.9):
        parts.append(f'<text x="{_x(score):.1f}" y="{HIGH - BOTTOM + 18}" text-anchor="middle">{score:g}</text>')
    for name, score in (
        ("raised", POLICY.raised_from),
        ("high: guards are told", POLICY.high_from),
        ("critical", POLICY.critical_from),
    ):
        parts.append(f'<path d="M{_x(score):.1f} {TOP}V{HIGH - BOTTOM}" stroke="#888" stroke-dasharray="4 4"/>'
                     f'<text x="{_x(score) + 5:.1f}" y="{TOP + 12}" fill="#555">{escape(name)}</text>')  # fmt: skip
    for row, (name, passes) in enumerate(series):
        if passes:
            parts += _curve(
                [(score, 1000 * sum(each.highest >= score for each in passes) / len(passes)) for score in THRESHOLDS], name, row
            )
    return "\n".join([*parts, "</svg>", ""])


def delay_plot(found: Sequence[Found]) -> str:
    """SVG: a row for each kind of incident, a dot for each one that was noticed; the line is the goal for the median."""
    kinds = list(dict.fromkeys(each.kind for each in found))
    row_px, left, high = 26, 250, 70 + 26 * len(kinds)
    parts = [_sheet(high), '<text x="12" y="22" font-size="15">Seconds from an incident to its event</text>']

    def x_of(seconds: float) -> float:
        return left + (min(max(seconds, -5.0), 12.0) + 5) / 17 * (WIDE - left - 60)

    for tick in (-5, -2, 0, 2, 5, 10):
        parts.append(f'<path d="M{x_of(tick):.1f} 34V{high - 30}" stroke="{"#c33" if tick == 2 else "#eee"}"/>'
                     f'<text x="{x_of(tick):.1f}" y="{high - 12}" text-anchor="middle">{tick}</text>')  # fmt: skip
    for row, kind in enumerate(kinds):
        y = 50 + row_px * row
        of = [each for each in found if each.kind == kind]
        delays = [each.noticed_s for each in of if each.noticed_s is not None]
        parts.append(f'<text x="12" y="{y + 4}">{escape(kind)}</text>')
        parts += [f'<circle cx="{x_of(delay):.1f}" cy="{y}" r="4" fill="{COLOURS[0]}" fill-opacity=".35"/>' for delay in delays]
        if delays:
            parts.append(f'<path d="M{x_of(median(delays)):.1f} {y - 9}v18" stroke="#333" stroke-width="2"/>')
        parts.append(f'<text x="{WIDE - 12}" y="{y + 4}" text-anchor="end">{len(delays)} of {len(of)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _sheet(high: int) -> str:
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {high}" font-family="sans-serif" font-size="13" fill="#333">'
    return f'{begin}\n<rect width="{WIDE}" height="{high}" fill="#fff"/>'


def _frame(title: str, below: str) -> list[str]:
    return [_sheet(HIGH), f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
            f'<text x="{WIDE - RIGHT}" y="{HIGH - 12}" text-anchor="end">{escape(below)}</text>']  # fmt: skip


def _curve(points: Sequence[tuple[float, float]], name: str, row: int) -> list[str]:
    line = " ".join(f"{_x(score):.1f},{_log_y(value):.1f}" for score, value in points)
    y = TOP + 36 + 20 * row
    return [f'<polyline points="{line}" fill="none" stroke="{COLOURS[row]}" stroke-width="2"/>',
            f'<path d="M{WIDE - 330} {y}h22" stroke="{COLOURS[row]}" stroke-width="3"/>',
            f'<text x="{WIDE - 300}" y="{y + 4}">{escape(name)}</text>']  # fmt: skip


def _x(score: float) -> float:
    return LEFT + (score - THRESHOLDS[0]) / (THRESHOLDS[-1] - THRESHOLDS[0]) * (WIDE - LEFT - RIGHT)


def _log_y(per_thousand: float) -> float:
    """0.05 and less lie on the floor."""
    share = (math.log10(max(per_thousand, 0.05)) - math.log10(0.05)) / (3 - math.log10(0.05))
    return HIGH - BOTTOM - share * (HIGH - TOP - BOTTOM)


def told(found: Sequence[Found]) -> str:
    """A line for the person who waits."""
    delays = [each.noticed_s for each in found if each.noticed_s is not None]
    return (
        f"{_of(found)} noticed, median {plain(percentile(delays, 0.5))} s, 95 in 100 within {plain(percentile(delays, 0.95))} s"
    )
