"""The table [risk] of the configuration -> the policy that the core works with."""

from __future__ import annotations

from agent.core.messages import DoorMode
from agent.core.risk_policy import Response, RiskPolicy, Rule
from agent.sections import Risk, RiskRule


def risk_policy(section: Risk) -> RiskPolicy:
    """Raises ValueError, "KEY: what is allowed", for a policy that could not be answered for."""
    return RiskPolicy(
        raised_from=section.raised_from, high_from=section.high_from, critical_from=section.critical_from,
        emotional_at_most=section.emotional_at_most, deny_on_behaviour_alone=section.deny_on_behaviour_alone,
        automatic_lock_down=section.automatic_lock_down, hold_s=section.hold_s, lower_after_s=section.lower_after_s,
        rules=tuple(_rule(rule) for rule in section.rules),
    )  # fmt: skip


def _rule(rule: RiskRule) -> Rule:
    return Rule(bands=rule.bands, modes=tuple(DoorMode(mode) for mode in rule.modes), from_min=minute_of(rule.from_),
                until_min=minute_of(rule.until), response=Response(does=("log", *rule.does), tells=rule.tells))  # fmt: skip


def minute_of(hour_minute: str) -> int | None:
    """Minute of the day; None for an empty word."""
    if not hour_minute:
        return None
    hour, _, minute = hour_minute.partition(":")
    return 60 * int(hour) + int(minute)
