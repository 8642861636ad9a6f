"""Draws the header of each board with a door's wires on it, and the tables of docs/HARDWARE.md: `python -m tools.wiring` writes both.

From hw.boards and the defaults of the configuration, so that the drawing cannot say another pin than the program takes. Black on white
with hatching and words, no meaning in colour: it is printed and taken up a ladder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from hw.boards import BOARDS, POWER, Board

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- wiring: made by `python -m tools.wiring` -->", "<!-- end of wiring -->"


class Wire(NamedTuple):
    """A wire of a door on a pin by BCM number; `key` is where the configuration names it."""

    bcm: int
    key: str
    what: str


WIRES = (
    Wire(17, "readers.d0_pin", "reader D0 (green)"),
    Wire(27, "readers.d1_pin", "reader D1 (white)"),
    Wire(22, "lock.relay_pin", "lock relay"),
    Wire(23, "inputs.contact_pin", "door contact"),
    Wire(24, "inputs.rex_pin", "REX button"),
    Wire(25, "inputs.fire_pin", "fire loop"),
    Wire(5, "inputs.tamper_pin", "tamper loop"),
    Wire(6, "inputs.bolt_pin", "lock monitor"),
    Wire(13, "inputs.interlock_pin", "lobby's other door"),
    Wire(16, "lock.second_pin", "second relay"),
)
"""What this page proposes; the first five are the configuration's defaults."""
ADC = {10: "MCP3008 DIN (11)", 9: "MCP3008 DOUT (12)", 11: "MCP3008 CLK (13)", 8: "MCP3008 CS (10)"}
"""Where inputs hang on a converter; in brackets the chip's own legs (Microchip DS21295)."""

PITCH, PAD, TOP = 30, 13, 74
MIDDLE, REACH = 470, 34
WIDTH, HEIGHT = 2 * MIDDLE, TOP + 20 * PITCH + 78


def draw(board: Board) -> str:
    """The header as it is seen with position 1 at the top left, and the wires to either side. SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="DejaVu Sans, Arial, sans-serif" font-size="15">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(MIDDLE, 30, f"{board.title}: 40-pin header", "middle", 'font-size="21" font-weight="bold"'),
        _text(MIDDLE, 54, "seen from above; position 1 is the one with the square pad", "middle", ""),
        f'<rect x="{MIDDLE - REACH}" y="{TOP - 6}" width="{2 * REACH}" height="{20 * PITCH + 6}" fill="none" stroke="black"/>',
        *(part for position in range(1, 41) for part in _position(board, position)),
        _text(MIDDLE, HEIGHT - 40, "bold: a wire of the door     grey: power or ground     (…): free, or of another use", "middle", ""),
        _text(MIDDLE, HEIGHT - 16, f'chip "{board.chip}", found by this label; all lines are 3.3 V', "middle", ""),
        "</svg>",
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


def _position(board: Board, position: int) -> Iterator[str]:
    row, right = divmod(position - 1, 2)
    side = 1 if right else -1
    x, y = MIDDLE + side * REACH // 2, TOP + row * PITCH + PITCH // 2 - 3
    label, wired = _label(board, position)
    fill = "#bbbbbb" if position in POWER else "black" if wired else "white"
    shape = f'x="{x - PAD}" y="{y - PAD}" width="{2 * PAD}" height="{2 * PAD}" rx="{0 if position == 1 else PAD}"'
    yield f'<rect {shape} fill="{fill}" stroke="black" stroke-width="1.5"/>'
    yield _text(x, y + 5, str(position), "middle", f'font-size="13" fill="{"white" if wired else "black"}"')
    if wired:
        start, end = MIDDLE + side * (REACH + 2), MIDDLE + side * (REACH + 26)
        yield f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" stroke="black" stroke-width="3"/>'
    weight = 'font-weight="bold"' if wired else ""
    yield _text(MIDDLE + side * (REACH + 34), y + 5, label, "start" if right else "end", weight)


def _label(board: Board, position: int) -> tuple[str, bool]:
    """What stands beside a position, and whether a wire of the door is there."""
    if position in POWER:
        return POWER[position], False
    line = next((line for line in board.header if line.position == position), None)
    if line is None:
        return "(not a pin for programs)", False
    wire = next((wire for wire in WIRES if wire.bcm == line.bcm), None)
    if wire:
        return f"{line.name}   {wire.what}", True
    if board.pulls and line.bcm in ADC:
        return f"({line.name}   {ADC[line.bcm]})", False
    return f"({line.name}{'   ' + line.other_use if line.other_use else ''})", False


def _text(x: int, y: int, text: str, anchor: str, more: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" xml:space="preserve" {more}>{escape(text)}</text>'


def table(board: Board) -> str:
    """The wires as a table: what, where, and how the configuration may write it."""
    rows = ["| wire | key in door.toml | header | line | from reset until a program takes it |", "|---|---|---|---|---|"]
    for wire in WIRES:
        line = board.find(wire.bcm)
        if line is None:
            raise ValueError(f"{board.name} has no BCM {wire.bcm} for {wire.key}")
        pull = {"up": "pulled up", "down": "pulled down", "unknown": "as the board's pinmux says"}[line.pull]
        spelling = str(line.bcm) if line.name == f"GPIO{line.bcm}" else f'{line.bcm} or "{line.name}"'
        rows.append(f"| {wire.what} | `{wire.key}` = {spelling} | {line.position} | {line.name}, line {line.offset} | {pull} |")
    return "\n".join(rows)


def picture(board: Board) -> Path:
    return DOCS / "pictures" / f"wiring-{board.name}.svg"


def chapter() -> str:
    """The part of docs/HARDWARE.md between BEGIN and END. Boards with the same header share a picture and a table."""
    parts = []
    for board in _distinct():
        others = [other for other in BOARDS if other.header == board.header]
        parts.append(f"### {', '.join(other.title for other in others)}\n\n")
        chips = "\n".join(f"| {other.title} | `{other.name}` | `{other.chip}` |" for other in others)
        parts.append(f"| board | `board.model` | label of its chip |\n|---|---|---|\n{chips}\n\n")
        parts.append(f"{table(board)}\n\n![The header]({picture(board).relative_to(DOCS)})\n\n")
    return "".join(parts).rstrip()


def _distinct() -> list[Board]:
    return [board for number, board in enumerate(BOARDS) if all(board.header != other.header for other in BOARDS[:number])]


def with_chapter(page: str) -> str:
    """The page with its chapter made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{chapter()}\n\n{END}{after}"


def main() -> int:
    for board in _distinct():
        picture(board).write_text(draw(board))
        print(picture(board), file=sys.stderr)
    page = DOCS / "HARDWARE.md"
    page.write_text(with_chapter(page.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
