"""Policies as data: what they bring about, and what none of them may say."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace

from agent.core.messages import DoorMode
from agent.core.risk_policy import BANDS, LOGGED, Response, RiskPolicy, Rule

NOON, NIGHT = datetime(2026, 3, 2, 12, 0), datetime(2026, 3, 2, 23, 30)
ALERT = Response(does=("log", "alert"), tells=("guards",))
DENY = Response(does=("log", "deny"), tells=("guards",))
HOLD = Response(does=("log", "hold_for_guard"), tells=("guards",))


def test_a_door_that_was_told_nothing_alerts_guards_and_keeps_nobody_out():
    policy = RiskPolicy()
    done = {band: policy.response(band, DoorMode.LOCKED, NOON) for band in BANDS}
    assert done["ordinary"] == done["raised"] == LOGGED
    assert done["high"].tells == ("guards",)
    assert done["critical"].tells == ("guards", "managers")
    assert {action for response in done.values() for action in response.does} == {"log", "alert"}


@pytest.mark.parametrize(("score", "band"), [(0.0, "ordinary"), (0.299, "ordinary"), (0.3, "raised"), (0.55, "high"),
                                             (0.799, "high"), (0.8, "critical"), (1.0, "critical")])  # fmt: skip
def test_bands_begin_where_the_policy_says(score, band):
    assert RiskPolicy().band_of(score) == band


def test_the_first_rule_that_fits_counts():
    policy = RiskPolicy(rules=(Rule(bands=("high",), modes=(DoorMode.UNLOCKED,), response=LOGGED),
                               Rule(bands=("high",), response=ALERT)))  # fmt: skip
    assert policy.response("high", DoorMode.UNLOCKED, NOON) == LOGGED
    assert policy.response("high", DoorMode.LOCKED, NOON) == ALERT


def test_a_rule_for_the_night_holds_over_midnight():
    policy = RiskPolicy(rules=(Rule(bands=("raised",), from_min=22 * 60, until_min=6 * 60, response=ALERT),))
    hours = [hour for hour in range(24) if policy.response("raised", DoorMode.LOCKED, NOON.replace(hour=hour)) == ALERT]
    assert hours == [0, 1, 2, 3, 4, 5, 22, 23]


def test_behaviour_stays_below_the_lowest_band_that_keeps_people_out():
    assert RiskPolicy().behaviour_at_most == pytest.approx(0.79)
    denies = RiskPolicy(rules=(Rule(bands=("high",), response=DENY),))
    assert denies.behaviour_at_most == pytest.approx(0.54)
    assert RiskPolicy(rules=(Rule(bands=("high",), response=HOLD),)).behaviour_at_most == pytest.approx(0.54)
    assert replace(denies, deny_on_behaviour_alone=True).behaviour_at_most == 1.0


def test_the_same_policy_has_the_same_name_everywhere_and_another_one_another():
    assert RiskPolicy().edition == RiskPolicy().edition
    assert RiskPolicy().edition != RiskPolicy(high_from=0.6).edition


def rule(*does: str, tells: tuple[str, ...] = ("guards",), **changes: object) -> Rule:
    return Rule(**{"bands": ("critical",), "response": Response(does=does, tells=tells), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"raised_from": 0.6}, "the bands go upwards"),
        ({"critical_from": 1.0}, "the bands go upwards"),
        ({"emotional_at_most": 0.55}, "expressions alone bring no guard"),
        ({"rules": (rule("lock_down"),)}, "never automatic"),
        ({"rules": (rule("alert"), rule("deny", tells=()))}, r"rules\[1\].tells: somebody must be told"),
        ({"rules": (rule("deny", "hold_for_guard"),)}, "either"),
        ({"rules": (rule("hold_for_guard", tells=("managers",)),)}, "somebody waits for them"),
        ({"rules": (rule("alert", bands=("ordinary", "high")),)}, "that is everybody"),
        ({"rules": (rule("alert", from_min=60),)}, "both or neither"),
        ({"raised_from": 0.01, "rules": (rule("deny", bands=("raised",)),)}, "more than 0.01"),
    ],
)
def test_a_policy_that_could_not_be_answered_for_cannot_be_made(said, words):
    with pytest.raises(ValueError, match=words):
        RiskPolicy(**said)


def test_a_lock_down_may_be_automatic_where_a_site_has_written_so():
    policy = RiskPolicy(automatic_lock_down=True, rules=(rule("lock_down"),))
    assert "lock_down" in policy.response("critical", DoorMode.LOCKED, NIGHT).does
