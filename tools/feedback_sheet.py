"""Draws docs/pictures/feedback.svg: what each meaning looks and sounds like at a door. A test holds it true.

Run `python -m tools.feedback_sheet` after a change of agent/core/feedback.py.
"""

from __future__ import annotations

import html
from pathlib import Path

from agent.core.feedback import COLUMNS, TABLE, TEXTS, Meaning, Signal, shown_at

OUT = Path(__file__).parents[1] / "docs" / "pictures" / "feedback.svg"

SECONDS, PX_PER_S, STEP_S = 4.0, 80, 0.01
ROW, HEAD, LEFT, DISPLAY_X, WIDTH, LETTER = 64, 44, 170, 520, 720, 10.2
INK = {"red": "#c62828", "green": "#2e7d32", "amber": "#d98200", "blue": "#1565c0", "off": "#999"}


def sheet(language: str) -> str:
    """The whole table as SVG."""
    rows = "".join(_row(number, TABLE[meaning], TEXTS[language][meaning]) for number, meaning in enumerate(Meaning))
    height = HEAD + ROW * len(Meaning) + 8
    heads = "".join(f'<text x="{x}" y="28" class="head">{words}</text>' for x, words in
                    ((14, "meaning"), (LEFT, "light and sound, the first four seconds"), (DISPLAY_X, "display")))  # fmt: skip
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
            f"<title>What a door tells the person in front of it</title><style>{STYLE}</style>"
            f'<rect width="{WIDTH}" height="{height}" class="paper"/>{heads}{rows}</svg>\n')  # fmt: skip


def _row(number: int, signal: Signal, text: str) -> str:
    y = HEAD + ROW * number
    name = signal.meaning.value.replace("_", " ")
    return (f'<line x1="0" y1="{y}" x2="{WIDTH}" y2="{y}" class="rule"/><text x="14" y="{y + 28}" class="name">{name}</text>'
            f'<text x="14" y="{y + 46}" class="soft">{signal.colour}</text>'
            f"{_bars(signal, y + 12, 18, 'light')}{_bars(signal, y + 38, 12, 'sound')}{_display(text, y + 6)}")  # fmt: skip


def _bars(signal: Signal, y: int, height: int, what: str) -> str:
    """A rhythm in time: the lamp in its colour, the buzzer in black."""
    colour = INK[signal.colour] if what == "light" else "#222"
    track = _bar(0, SECONDS, y, height, 'class="track"')
    return track + "".join(_bar(start, end, y, height, f'fill="{colour}"') for start, end in _stretches(signal, what))


def _bar(start_s: float, end_s: float, y: int, height: int, look: str) -> str:
    x, width = LEFT + start_s * PX_PER_S, (end_s - start_s) * PX_PER_S
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" {look}/>'


def _stretches(signal: Signal, what: str) -> list[tuple[float, float]]:
    steps = round(SECONDS / STEP_S)
    levels = [getattr(shown_at(signal, step * STEP_S), what) for step in range(steps)] + [False]
    starts = [step for step in range(steps) if levels[step] and (step == 0 or not levels[step - 1])]
    return [(start * STEP_S, levels.index(False, start) * STEP_S) for start in starts]


def _display(text: str, y: int) -> str:
    lines = [html.escape(line.center(COLUMNS).replace(" ", "\u00a0")) for line in (text + "\n").split("\n")[:2]]
    width, x = COLUMNS * LETTER, DISPLAY_X + 10
    cells = "".join(
        f'<text x="{x}" y="{y + 21 + 21 * row}" class="cell" textLength="{width:g}">{line}</text>'
        for row, line in enumerate(lines)
    )
    return f'<rect x="{DISPLAY_X}" y="{y}" width="{width + 20:g}" height="52" rx="5" class="lcd"/>{cells}'


STYLE = """.paper{fill:#fff}.rule{stroke:#ddd}.track{fill:#eee}.head{font:600 13px sans-serif;fill:#666}
.name{font:600 15px sans-serif;fill:#222}
.soft{font:13px sans-serif;fill:#666}.lcd{fill:#12356b}.cell{font:600 17px ui-monospace,DejaVu Sans Mono,monospace;fill:#eaf3ff}"""


def main() -> None:
    OUT.write_text(sheet("en"), "utf-8")


if __name__ == "__main__":
    main()
