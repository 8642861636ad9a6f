"""docs/ACCESS.md shows rules that a door takes, and names every reason that this part of it gives."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from agent.core.access import AccessRules, faults_of
from agent.core.people import Roll

TEXT = (Path(__file__).parents[2] / "docs" / "ACCESS.md").read_text("utf-8")


def test_the_example_is_a_set_of_rules_without_faults():
    block = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    table = msgspec.json.decode(block[1])
    fields = {f.name: f.type for f in msgspec.structs.fields(AccessRules) if f.name in table}
    parts = {name: msgspec.convert(table[name], kind) for name, kind in fields.items()}
    assert set(parts) == set(table)
    assert faults_of(AccessRules(version=1, site="hq", door="front", people=Roll(), **parts)) == []


@pytest.mark.parametrize("word", ["already_inside", "other_door_open", "pin_wrong", "pin_locked_out", "pin_not_set", "no_keypad",
                                  "pin_not_entered", "second_person_needed", "passback_told", "visit_without_end", "duress",
                                  "outside_schedule", "no_profile_for_door", "rules.not_applied", "access.first_of_two"])  # fmt: skip
def test_what_stands_on_record_is_explained(word):
    assert f"`{word}`" in TEXT
