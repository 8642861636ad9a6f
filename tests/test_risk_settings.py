"""The table [risk]: what a site may write, and what is refused with what is allowed instead."""

from __future__ import annotations

from typing import Any

import pytest

from agent.advice import advice
from agent.config import parse_config
from agent.core.messages import DoorMode
from agent.core.risk_policy import Response, RiskPolicy, Rule
from agent.errors import ConfigError
from agent.risk_settings import risk_policy

LEAST = {"site": "hq", "door": "front"}


def policy_of(**risk: Any) -> RiskPolicy:
    return risk_policy(parse_config({**LEAST, "risk": risk}).risk)


def refusal(**risk: Any) -> str:
    with pytest.raises(ConfigError) as found:
        parse_config({**LEAST, "risk": risk})
    return str(found.value)


def test_a_site_that_writes_nothing_has_the_policy_that_the_documents_describe():
    assert policy_of() == RiskPolicy()


def test_a_rule_says_bands_modes_hours_what_is_done_and_who_is_told():
    written = {
        "bands": ["high"],
        "modes": ["Locked"],
        "from": "22:00",
        "until": "06:30",
        "does": ["hold_for_guard", "alert"],
        "tells": ["guards"],
    }
    assert policy_of(rules=[written]).rules == (
        Rule(bands=("high",), modes=(DoorMode.LOCKED,), from_min=1320, until_min=390,
             response=Response(does=("log", "hold_for_guard", "alert"), tells=("guards",))),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"does": ["lock_down"], "tells": ["guards"]}, "`$.risk.rules[0].does`: a lock-down is never automatic"),
        ({"does": ["deny"]}, "`$.risk.rules[0].tells`: somebody must be told"),
        ({"from": "25:00"}, "at `$.risk.rules[0].from`; allowed: a time of day"),
        ({"from": "22:00"}, "`$.risk.rules[0].until`: hours have a beginning and an end"),
        ({"bands": ["ordinary"]}, "at `$.risk.rules[0].bands[0]`; allowed: 'critical', 'high', 'raised'"),
        ({"does": ["arrest"]}, "allowed: 'alert', 'deny', 'hold_for_guard', 'lock_down'"),
        ({"do": ["alert"]}, "allowed: bands, modes, from, until, does, tells"),
        ({"modes": ["Open"]}, "'LockedDown'"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_place_and_what_is_allowed(rule, words):
    assert words in refusal(rules=[{"bands": ["high"], **rule}])


def test_bands_that_do_not_go_upwards_are_refused():
    assert "`$.risk.raised_from`: the bands go upwards" in refusal(raised_from=0.9)


@pytest.mark.parametrize("key", ["deny_on_behaviour_alone", "automatic_lock_down"])
def test_a_site_that_lets_behaviour_decide_is_told_so_at_each_start(key):
    config = parse_config({**LEAST, "risk": {key: True}})
    assert any(key in sentence for sentence in advice(config))
    assert not any(key in sentence for sentence in advice(parse_config(LEAST)))
