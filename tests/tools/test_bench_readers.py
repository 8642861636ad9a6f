"""The benchmark of readers counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

from agent.core.formats import Decoded, decode, formats_named
from tools.bench.figures import Setting
from tools.bench.osdp_peripheral import wiegand_26
from tools.bench.readers import _damaged_tags, _tags_as_usual, _tags_by_us


def test_the_cards_of_the_measurement_are_cards():
    for card in (1, 300, 65535):
        assert decode(wiegand_26(card), formats_named(["H10301"])) == Decoded(format="H10301", facility=1, card=card)


def test_a_tag_counts_only_when_its_frame_came_whole_and_the_usual_script_believes_others():
    setting = Setting(folder=Path(), quick=True, seed=7, say=lambda _: None)
    wire, whole = _damaged_tags(setting)
    assert 0.88 < len(whole) / 20_000 < 0.92
    assert _tags_by_us(wire) == whole
    assert _tags_as_usual(wire) - whole
