"""docs/BENCHMARKS.md out of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.bench.figures import Figure, Section, plain
from tools.bench.plot import share_plot

PICTURE = "pictures/bench_latency.svg"
PLOTTED = ("fob alone", "unknown fob denied", "face in view")
LIMITS = """\
- This is an x86-64 machine. On a Raspberry Pi or a Jetson every figure will be another one; run `make bench` there.
- Pins are simulated: an edge arrives over a Unix socket with the time that it had, as lgpio hands on the kernel's. Interrupt and driver
  latency of a real GPIO chip are not in these figures; a relay's own travel (some 5 to 10 ms where it is mechanical) is in none.
- The camera is simulated too: exposure, readout and transfer of a real one (often 30 to 100 ms) come on top of 'the face arrives after
  the fob'.
- No Edge TPU was here. The networks ran on the CPU, where x86 gains least from int8.
- But for detection: one person, one portrait, rendered approaches. The frames are fit for timing and say nothing about
  error rates; those are on the model cards.
- Percentiles of 1,000 reads say little about one read in 100,000.
"""


def document(sections: Sequence[Section], machine: Mapping[str, str], date: str, loads: tuple[float, float], tried: str,
             failed: Sequence[str] = ()) -> str:  # fmt: skip
    """The page. `loads` are the load averages before and after; `tried` is prose kept in tools/bench/tried.md; `failed` could not run."""
    parts = [
        "# Benchmarks", "",
        f"Written by `make bench` on {date}. Do not edit: the words are in tools/bench.", "",
        *(f"- {name}: {value}" for name, value in machine.items()),
        f"- other work on the machine: load average {loads[0]:.1f} before the run, {loads[1]:.1f} after it (the run itself takes "
        f"part of the latter)",
        *([f"- **could not be measured this time: {', '.join(failed)}**"] if failed else []),
        "", "## Goals", "", *_table([figure for section in sections for figure in section.figures if figure.goal], sections), "",
        f"![Share of reads answered within so many milliseconds]({PICTURE})", "",
    ]  # fmt: skip
    for section in sections:
        parts += _chapter(section)
    parts += ["## What was tried", "", tried.strip(), "", "## What these figures do not prove", "", LIMITS]
    return "\n".join(parts)


def write(folder: Path, page: str, sections: Sequence[Section]) -> None:
    """The page and its pictures, into docs/."""
    samples = {name: values for section in sections for name, values in section.samples.items() if name in PLOTTED}
    picture = share_plot("Share of reads answered within so many milliseconds", samples,
                         {"goal, fob alone: 99 % in 10 ms": 10.0, "goal, with the face: 99 % in 20 ms": 20.0}, 24.0)  # fmt: skip
    (folder / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    (folder / PICTURE).write_text(picture, "utf-8")
    for drawn in (section.picture for section in sections if section.picture):
        (folder / PICTURE).with_name(drawn.file).write_text(drawn.svg, "utf-8")
    (folder / "BENCHMARKS.md").write_text(page, "utf-8")


def verdict(figure: Figure) -> str:
    return {True: "met", False: "**missed**", None: ""}[figure.met]


def _table(figures: Sequence[Figure], sections: Sequence[Section]) -> list[str]:
    title_of = {id(figure): section.title for section in sections for figure in section.figures}
    rows = ["| benchmark | figure | goal | measured | |", "|---|---|---|---|---|"]
    rows += [f"| {title_of[id(f)]} | {f.what} | {f.goal} | {_measured(f)} | {verdict(f)} |" for f in figures]
    return rows


def _chapter(section: Section) -> list[str]:
    rows = section.table or (
        ("figure", "measured", "goal", ""),
        *((f.what, _measured(f), f.goal, verdict(f)) for f in section.figures),
    )
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    notes = [line for note in section.notes for line in (note, "")]
    others = (f"Other programs on this machine took {plain(section.others_percent)} % of its cores' time meanwhile; load average "
              f"{section.loads[0]:.1f} before, {section.loads[1]:.1f} after.")  # fmt: skip
    drawn = [f"![{section.picture.title}](pictures/{section.picture.file})", ""] if section.picture else []
    return [f"## {section.title}", "", section.how, "", others, "", *drawn, head, "|---" * len(rows[0]) + "|", *body, "", *notes]


def _measured(figure: Figure) -> str:
    return f"{plain(figure.value)} {figure.unit}".rstrip()
