"""The picture of a film that a person looks at: ways over the floor, seconds in each zone, looks and speed over time, what stood out."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from agent.analysis.floor_figure import (
    GRID,
    INK,
    LEFT,
    PAPER,
    QUIET,
    RIGHT,
    WIDE,
    Crossed,
    Marked,
    colour_of,
    floor_figure,
    tint_of,
)
from agent.analysis.trace import Side, Stretch, Trace
from agent.evaluation.canvas import Field, Line, Point, Shape, Words

MOST_PEOPLE = 6
"""So many are drawn, those who were there longest: more ways and rows nobody could tell apart."""
NOTE, SMALL, BODY, TITLE = 14, 15, 16, 19
EDGE = 20.0
LETTER = 0.47
"""Mean width of a letter, of the font's size."""
ROW = 34.0
AWAY, NOT_MEASURED, MEASURED = "#e3a23b", "#d3d3d3", "#eef3f7"
TICKS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
MOST_TICKS = 8
WHY = {"not_seen": "no face in view", "too_small": "too far away", "head_unclear": "turned away", "glasses": "dark glasses",
       "one_eye": "one eye hidden"}  # fmt: skip
LETTERS: dict[Side, str] = {"left": "L", "right": "R", "back": "B", "up": "U", "down": "D"}


class Drawing(NamedTuple):
    """What is drawn of one film."""

    title: str
    facts: tuple[str, ...]
    """Lines under the title."""
    seconds: float
    traces: tuple[Trace, ...]
    zones: tuple[Marked, ...] = ()
    lines: tuple[Crossed, ...] = ()
    no_metres: str = ""
    """Why nothing is drawn in metres; empty where it is."""
    stood_out: tuple[str, ...] = ()


def figure(drawing: Drawing) -> tuple[tuple[int, int], list[Shape]]:
    """Size of the figure, and its shapes."""
    kept = sorted(sorted(drawing.traces, key=lambda trace: -trace.lasts_s)[:MOST_PEOPLE], key=lambda trace: trace.first_s)
    shapes, y = _heading(drawing, len(drawing.traces) - len(kept))
    if not kept:
        return (WIDE, round(y + 40)), [*shapes, Words("Nobody was in view.", (EDGE, y + 16), BODY)]
    sections = [_floor, _dwell, _looks, _speeds] if not drawing.no_metres else [_looks]
    for section in sections:
        found, y = section(drawing, kept, y)
        shapes += found
    found, y = _stood_out(drawing, y)
    return (WIDE, round(y + 12)), [*shapes, *found]


def _heading(drawing: Drawing, others: int) -> tuple[list[Shape], float]:
    facts = [line for fact in drawing.facts for line in wrapped(fact, WIDE - 2 * EDGE, SMALL)]
    if others:
        facts += [f"Drawn are the {MOST_PEOPLE} who were there longest, not the {others} others."]
    if drawing.no_metres:
        facts += wrapped(f"Nothing in metres: {drawing.no_metres}", WIDE - 2 * EDGE, SMALL)
    shapes: list[Shape] = [Words(shortened(drawing.title, WIDE - 2 * EDGE, TITLE), (EDGE, 34), TITLE)]
    shapes += [Words(line, (EDGE, 60 + 21 * number), SMALL, "start", QUIET) for number, line in enumerate(facts)]
    return shapes, 60.0 + 21 * len(facts)


def _floor(drawing: Drawing, traces: Sequence[Trace], top: float) -> tuple[list[Shape], float]:
    shapes, y = floor_figure(traces, drawing.zones, drawing.lines, top + 30)
    return _note("Ring with the number: came into view. Square: last seen. A dot each second.", shapes, y + 16)


def _dwell(drawing: Drawing, traces: Sequence[Trace], top: float) -> tuple[list[Shape], float]:
    """A bar for each person, parted by zone."""
    shapes, y = _section("Seconds in each zone", top)
    longest = max([1.0, *(sum(trace.dwell_s.values()) for trace in traces)])
    kinds = {zone.name: zone.kind for zone in drawing.zones}
    for number, trace in enumerate(traces):
        shapes += [_person(trace, number, y), *_bar(trace, kinds, (WIDE - LEFT - RIGHT) / longest, y)]
        y += ROW
    return shapes, y


def _bar(trace: Trace, kinds: dict[str, str], px_per_s: float, top: float) -> list[Shape]:
    shapes: list[Shape] = []
    x = LEFT
    for zone, seconds in trace.dwell_s.items():
        wide = seconds * px_per_s
        if wide < 1:
            continue
        shapes.append(Field((x, top), (max(1.0, wide - 1.5), ROW - 8), tint_of(kinds.get(zone, "public"))))
        texts = (f"{zone} {seconds:.0f} s", f"{seconds:.0f} s", f"{seconds:.0f}")
        if text := next((text for text in texts if width(text, SMALL) + 10 <= wide), ""):
            shapes.append(Words(text, (x + 5, top + 18), SMALL))
        x += wide
    return shapes


class Clock(NamedTuple):
    """Seconds of the film to places across the paper."""

    seconds: float

    def at(self, at_s: float) -> float:
        return LEFT + (WIDE - LEFT - RIGHT) * min(max(at_s / max(self.seconds, 1e-9), 0.0), 1.0)

    def shapes(self, top: float, bottom: float) -> list[Shape]:
        step = next((step for step in TICKS_S if self.seconds / step <= MOST_TICKS), 86400)
        found: list[Shape] = []
        for number in range(int(self.seconds // step) + 1):
            x = self.at(number * step)
            last = number == int(self.seconds // step)
            text = f"{number * step:g}" + (" s" if last else "")
            found += [Line([(x, top), (x, bottom)], GRID), Words(text, (x, bottom + 18), SMALL, "middle", QUIET)]
        return found


def _looks(drawing: Drawing, traces: Sequence[Trace], top: float) -> tuple[list[Shape], float]:
    """A row for each person: measured, looking away, not measurable; a flag for each glance, upwards to the right."""
    shapes, y = _section("Where they looked", top)
    clock, bottom = Clock(drawing.seconds), y + ROW * len(traces)
    shapes += clock.shapes(y, bottom)
    for number, trace in enumerate(traces):
        shapes += [_person(trace, number, y), *(_stretch(clock, look, y) for look in trace.looks), *_why(clock, trace, y)]
        shapes += [shape for glance in trace.glances for shape in _flag(clock.at(glance.at_s), y, glance.side)]
        y += ROW
    shapes += _key(bottom + 42)
    if not any(trace.glances for trace in traces):
        return shapes, bottom + 50
    return _note("Glances: to the picture's left (L) or right (R), back over the shoulder (B), up (U).", shapes, bottom + 64)


def _stretch(clock: Clock, look: Stretch, top: float) -> Shape:
    x0, x1 = clock.at(look.from_s), clock.at(look.to_s)
    colour = {"measured": MEASURED, "away": AWAY, "not_measured": NOT_MEASURED}[look.state]
    return Field((x0, top), (max(x1 - x0, 1.0), ROW - 8), colour)


def _why(clock: Clock, trace: Trace, top: float) -> list[Shape]:
    """What was in the way: in the longest time without a measurement, or beside it where nothing was measured at all; if there is room."""
    grey = [(clock.at(look.from_s), clock.at(look.to_s)) for look in trace.looks if look.state == "not_measured"]
    words = WHY.get(trace.unmeasured, trace.unmeasured.replace("_", " "))
    if not grey or not words:
        return []
    start, end = max(grey, key=lambda span: span[1] - span[0])
    room = width(words, NOTE) + 10
    nothing = all(look.state == "not_measured" for look in trace.looks)
    x = start if end - start >= room else end if end + room <= WIDE - RIGHT else start - room
    return [Words(words, (x + 5, top + 18), NOTE, "start", QUIET)] if x == start or (nothing and x >= LEFT) else []


def _flag(x: float, top: float, side: Side) -> list[Shape]:
    return [Line([(x, top - 1), (x, top + ROW - 7)], INK, 1.5), Words(LETTERS[side], (x + 3, top + 18), SMALL)]


def _note(text: str, shapes: list[Shape], y: float) -> tuple[list[Shape], float]:
    """Words under a section, over as many lines as they need."""
    lines = wrapped(text, WIDE - 2 * EDGE, NOTE)
    return [*shapes, *(Words(line, (EDGE, y + 19 * n), NOTE, "start", QUIET) for n, line in enumerate(lines))], y + 19 * len(
        lines
    ) - 12


def _key(y: float) -> list[Shape]:
    """What the tints and letters mean."""
    shapes: list[Shape] = []
    x = EDGE
    for colour, text in ((MEASURED, "measured"), (AWAY, "looked away"), (NOT_MEASURED, "could not be measured")):
        shapes += [Field((x, y - 12), (18, 14), colour), Words(text, (x + 23, y), 14, "start", QUIET)]
        x += 23 + width(text, 14) + 14
    return shapes


def _speeds(drawing: Drawing, traces: Sequence[Trace], top: float) -> tuple[list[Shape], float]:
    shapes, y = _section("Speed, m/s", top)
    peak = max([1.6, *(speed.m_s for trace in traces for speed in trace.speeds if speed.m_s is not None)])
    most = min(6.0, ceil(2 * peak) / 2)
    clock, high = Clock(drawing.seconds), 130.0
    bottom = y + high

    def height(m_s: float) -> float:
        return bottom - high * min(m_s, most) / most

    shapes += clock.shapes(y, bottom)
    for m_s in range(int(most) + 1):
        shapes += [Line([(LEFT, height(m_s)), (WIDE - RIGHT, height(m_s))], GRID),
                   Words(str(m_s), (LEFT - 8, height(m_s) + 5), SMALL, "end", QUIET)]  # fmt: skip
    for number, trace in enumerate(traces):
        points = [(clock.at(speed.at_s), None if speed.m_s is None else height(speed.m_s)) for speed in trace.speeds]
        shapes += _speed(trace, points, colour_of(number))
    return shapes, bottom + 26


def _speed(trace: Trace, points: Sequence[tuple[float, float | None]], colour: str) -> list[Shape]:
    """Lines where it was measured, the person's number at the highest point."""
    shapes: list[Shape] = []
    part: list[Point] = []
    for x, y in [*points, (0.0, None)]:
        if y is not None:
            part.append((x, y))
            continue
        if len(part) > 1:
            shapes += [Line(part, PAPER, 5), Line(part, colour, 2.4)]
        part = []
    told = [(y, x) for x, y in points if y is not None]
    if told:
        y, x = min(told)
        shapes.append(Words(str(trace.number), (x, y - 7), SMALL, "middle", colour))
    return shapes


def _stood_out(drawing: Drawing, top: float) -> tuple[list[Shape], float]:
    if not drawing.stood_out:
        return [], top
    shapes, y = _section("What stood out", top)
    for said in drawing.stood_out:
        for number, line in enumerate(wrapped(said, WIDE - 2 * EDGE - 14, SMALL)):
            shapes.append(Words(line, (EDGE if number == 0 else EDGE + 14, y + 12), SMALL))
            y += 21
    return shapes, y + 6


def _section(title: str, top: float) -> tuple[list[Shape], float]:
    return [Words(title, (EDGE, top + 32), BODY + 1)], top + 44


def _person(trace: Trace, number: int, top: float) -> Shape:
    return Words(str(trace.number), (LEFT - 10, top + 18), BODY, "end", colour_of(number))


def width(text: str, size: float) -> float:
    """Roughly how wide a line is."""
    return LETTER * size * len(text)


def shortened(text: str, room: float, size: float) -> str:
    """The end of a text that does not fit: of a path it says most."""
    most = int(room / (LETTER * size))
    return text if len(text) <= most else "..." + text[-(most - 3) :]


def wrapped(text: str, room: float, size: float) -> list[str]:
    """Lines that fit."""
    most, lines = int(room / (LETTER * size)), [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
