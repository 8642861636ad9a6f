"""docs/RISK.md says what the code does: its bands, its sum, its rules, its commands."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from agent.config import parse_config
from agent.core.conduct import Evidence
from agent.core.messages import DoorMode
from agent.core.risk import assess
from agent.core.risk_policy import BANDS, KEEPS_OUT, RULES, RiskPolicy
from agent.risk_settings import risk_policy

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = (Path(__file__).parents[2] / "docs" / "RISK.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table behind a heading."""
    part = TEXT[TEXT.index(heading) :]
    table = re.search(r"\n\|[^\n]*\n\|[-|]*\n((?:\|[^\n]*\n)+)", part)
    assert table is not None
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[1].splitlines()]


def test_the_bands_and_who_is_told_are_those_of_a_door_that_was_told_nothing():
    policy = RiskPolicy()
    told = {band: rule.response.tells for rule in RULES for band in rule.bands}
    assert [(row[0].strip("`"), float(row[1]), row[3]) for row in rows("## Bands")] == [
        (band, policy.starts(band), ", ".join(told.get(band, ()))) for band in BANDS
    ]


def test_the_worked_example_is_what_the_code_adds_up():
    items = [(Evidence(kind="face_mismatch", value=0.05), 0), (Evidence(kind="glances", value=5.0, p=0.004), 1),
             (Evidence(kind="abruptness", value=14.0, p=0.001, confidence=0.8), 2)]  # fmt: skip
    table = rows("### A worked example")
    risk = assess((evidence for evidence, _ in items), RiskPolicy())
    by_kind = {item.evidence.kind: item for item in risk.items}
    for evidence, number in items:
        deviation, confidence, points = (float(table[number][column].split()[0]) for column in (1, 2, 4))
        found = by_kind[evidence.kind]
        assert (round(found.deviation, 2), found.evidence.confidence, round(found.points, 2)) == (deviation, confidence, points)
    said = re.search(r"\(1 - 0\.20\) = ([\d.]+), which is `(\w+)`", TEXT)
    assert said is not None
    assert (float(said[1]), said[2]) == (round(risk.score, 2), risk.band)
    alone = assess((evidence for evidence, number in items if number), RiskPolicy())
    assert f"comes to {alone.score:.2f},\n`{alone.band}`" in TEXT


def test_the_rule_that_is_shown_can_be_written():
    shown = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert shown is not None
    table = tomllib.loads(shown[1])
    policy = risk_policy(parse_config({"site": "hq", "door": "front", **table}).risk)
    assert policy.rules[0].modes == (DoorMode.LOCKED,)
    assert set(policy.rules[0].response.does) & KEEPS_OUT


def test_every_thing_that_may_be_done_is_in_the_table():
    assert {row[0].strip("`") for row in rows("Rules are read from the first")} == {"alert", *KEEPS_OUT}


@pytest.mark.parametrize("option", ["--database", "--records", "--events", "--json"])
def test_explain_takes_what_the_document_says(option, capsys):
    from agent import cli

    with pytest.raises(SystemExit):
        cli.main(["explain", "--help"])
    assert option in capsys.readouterr().out
    assert option in TEXT
