"""The page that an installer holds in their hand says what the program does."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from agent.config import Config
from agent.core.supervision import Loop
from hw.boards import BOARDS
from tools.wiring import DOCS, WIRES, draw, picture, with_chapter

PAGE = (DOCS / "HARDWARE.md").read_text()
SVG = "{http://www.w3.org/2000/svg}"


def test_tables_and_drawings_are_those_of_the_boards():
    """Else: `python -m tools.wiring`."""
    assert with_chapter(PAGE) == PAGE
    drawn = [board for board in BOARDS if picture(board).exists()]
    assert {board.header for board in drawn} == {board.header for board in BOARDS}
    assert all(picture(board).read_text() == draw(board) for board in drawn)


def test_the_page_proposes_the_pins_that_are_taken_by_default():
    config = Config(site="hq", door="front")
    reader = config.readers[0]
    proposed = {wire.key: wire.bcm for wire in WIRES}
    assert proposed["readers.d0_pin"] == reader.d0_pin
    assert proposed["readers.d1_pin"] == reader.d1_pin
    assert proposed["lock.relay_pin"] == config.lock.relay_pin
    assert proposed["inputs.contact_pin"] == config.inputs.contact_pin
    assert proposed["inputs.rex_pin"] == config.inputs.rex_pin
    assert len(set(proposed.values())) == len(WIRES), "no two wires on one pin"


def test_no_wire_is_proposed_where_another_use_of_the_header_is():
    for board in BOARDS:
        for wire in WIRES:
            line = board.find(wire.bcm)
            assert line is not None
            assert line.other_use == "", f"{wire.key} on {line.other_use} of {board.title}"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_a_drawing_has_forty_positions_each_wire_once_and_stays_within_its_paper(board):
    root = ET.fromstring(draw(board))
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert [text for text in texts if text.isdigit()] == [str(number) for number in range(1, 41)]
    assert all(sum(wire.what in text for text in texts) == 1 for wire in WIRES)
    wide, high = float(root.get("width", 0)), float(root.get("height", 0))
    assert all(0 < float(text.get("x", 0)) < wide and 0 < float(text.get("y", 0)) < high for text in root.iter(f"{SVG}text"))
    assert all(float(text.get("font-size", 15)) >= 13 for text in root.iter(f"{SVG}text")), "legible when printed"


def test_the_steps_of_the_converter_are_those_of_the_program():
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith(("| shorted |", "| switch ", "| cut |"))]
    assert len(rows) == 4
    loop, names = Loop(), ("shorted", "closed", "open", "cut")
    for (_, _, share, step, first, last, *_), name, exact in zip(rows, names, loop.shares, strict=True):
        assert float(share) == pytest.approx(exact, abs=6e-4)
        assert int(step) == round(exact * 1023)
        assert {loop.reading(int(edge) / 1023) for edge in (first, step, last)} == {name}
        if name != "cut":
            assert loop.reading((int(last) + 1) / 1023) != name
