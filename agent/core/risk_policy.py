"""What follows from a risk, as data: for each band, door mode and hour what happens, who is told, and what may never be automatic.

docs/RISK.md explains every number. A policy that would break the rules of this file cannot be made: its constructor refuses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from agent.core.messages import DoorMode

Band = Literal["ordinary", "raised", "high", "critical"]
BANDS: tuple[Band, ...] = ("ordinary", "raised", "high", "critical")
"""From nothing odd upwards."""

Action = Literal["log", "alert", "hold_for_guard", "deny", "lock_down"]
Role = Literal["guards", "managers"]
"""Whoever they are is for the centre to know; a door knows roles."""

KEEPS_OUT: frozenset[Action] = frozenset(("hold_for_guard", "deny", "lock_down"))
"""What keeps somebody out, or may."""

BELOW = 0.01
"""So far below a band what is capped there stays."""


class Response(Struct, frozen=True, kw_only=True):
    """What a risk brings about. Everything is logged, whatever the policy says."""

    does: tuple[Action, ...] = ("log",)
    tells: tuple[Role, ...] = ()


class Rule(Struct, frozen=True, kw_only=True):
    """One line of a policy. Of several that fit the first one counts."""

    bands: tuple[Band, ...]
    modes: tuple[DoorMode, ...] = ()
    """Empty: in every mode."""
    from_min: int | None = None
    """Minute of the local day from which it holds; with `until_min`, and behind it when it holds over midnight. None: all day."""
    until_min: int | None = None
    response: Response


LOGGED = Response()

RULES: tuple[Rule, ...] = (
    Rule(bands=("critical",), response=Response(does=("log", "alert"), tells=("guards", "managers"))),
    Rule(bands=("high",), response=Response(does=("log", "alert"), tells=("guards",))),
)
"""What a door does that was told nothing: guards hear of a high risk; who may pass is for the fob and the face alone."""


class RiskPolicy(Struct, frozen=True, kw_only=True):
    """A site's policy. Raises ValueError for one that could not be answered for."""

    raised_from: float = 0.3
    high_from: float = 0.55
    critical_from: float = 0.8
    emotional_at_most: float = 0.25
    """All that expressions may add together. Less than `high_from`, so that they alone bring no guard."""
    deny_on_behaviour_alone: bool = False
    """The site has put in writing that behaviour may keep somebody out without a harder fact beside it (docs/RISK.md)."""
    automatic_lock_down: bool = False
    """The site has put in writing that a risk may lock the door down without a person."""
    least_hard: float = 0.2
    """What the harder facts must come to by themselves before a risk keeps anybody out."""
    hold_s: float = 20.0
    """So long a case that is held waits for a guard; then it is denied."""
    lower_after_s: float = 10.0
    """A band is raised at once, and lowered after so long."""
    rules: tuple[Rule, ...] = RULES

    def __post_init__(self) -> None:
        if (fault := fault_of(self)) is not None:
            raise ValueError(f"{fault[0]}: {fault[1]}")

    def starts(self, band: Band) -> float:
        """The score from which a band counts."""
        return {"ordinary": 0.0, "raised": self.raised_from, "high": self.high_from, "critical": self.critical_from}[band]

    def band_of(self, score: float) -> Band:
        """The band of a score, 0..1."""
        return next(band for band in reversed(BANDS) if score >= self.starts(band))

    @property
    def behaviour_at_most(self) -> float:
        """What everything that is no harder fact may come to: it stays below each band that keeps somebody out, and below `critical`."""
        if self.deny_on_behaviour_alone:
            return 1.0
        shut = [self.starts(band) for rule in self.rules if KEEPS_OUT & set(rule.response.does) for band in rule.bands]
        return min([*shut, self.critical_from]) - BELOW

    def response(self, band: Band, mode: DoorMode, local: datetime) -> Response:
        """What is done in a band; `local` is the time at the building."""
        minute = 60 * local.hour + local.minute
        return next((rule.response for rule in self.rules if _fits(rule, band, mode, minute)), LOGGED)

    @property
    def edition(self) -> str:
        """Names the policy in explanations: the same words give the same name."""
        return hashlib.blake2b(msgspec.json.encode(self), digest_size=6).hexdigest()


def _fits(rule: Rule, band: Band, mode: DoorMode, minute: int) -> bool:
    return band in rule.bands and (not rule.modes or mode in rule.modes) and _in_hours(rule, minute)


def _in_hours(rule: Rule, minute: int) -> bool:
    start, end = rule.from_min, rule.until_min
    if start is None or end is None:
        return True
    return start <= minute < end if start <= end else not end <= minute < start


# -- what no policy may say ----------------------------------------------------------------------------------------------------


def fault_of(policy: RiskPolicy) -> tuple[str, str] | None:
    """The first thing that may not be: its key, and what is allowed. None when all is well."""
    if not 0 < policy.raised_from < policy.high_from < policy.critical_from < 1:
        return "raised_from", "the bands go upwards: 0 < raised_from < high_from < critical_from < 1"
    if not 0 <= policy.emotional_at_most < policy.high_from:
        return "emotional_at_most", f"less than high_from ({policy.high_from}): expressions alone bring no guard"
    for number, rule in enumerate(policy.rules):
        if (fault := _fault_of_rule(rule, policy)) is not None:
            return f"rules[{number}].{fault[0]}", fault[1]
    if policy.behaviour_at_most <= 0:
        return "raised_from", f"more than {BELOW} where a rule keeps people out from there on"
    return None


def _fault_of_rule(rule: Rule, policy: RiskPolicy) -> tuple[str, str] | None:
    return next(((key, allowed) for wrong, key, allowed in _objections(rule, policy) if wrong), None)


def _objections(rule: Rule, policy: RiskPolicy) -> Iterator[tuple[bool, str, str]]:
    """Whether something is wrong, the key, what is allowed."""
    does, tells = set(rule.response.does), rule.response.tells
    yield (rule.from_min is None) != (rule.until_min is None), "until", "hours have a beginning and an end: give both or neither"
    yield ("ordinary" in rule.bands and bool(does - {"log"}), "bands",
           "nothing but 'log' follows from an ordinary risk: that is everybody")  # fmt: skip
    yield ("lock_down" in does and not policy.automatic_lock_down, "does",
           "a lock-down is never automatic; a site that wants it all the same writes automatic_lock_down = true")  # fmt: skip
    yield {"deny", "hold_for_guard"} <= does, "does", "either 'deny' or 'hold_for_guard'"
    yield (bool(does - {"log"}) and not tells, "tells",
           "somebody must be told: 'guards', 'managers' or both (every automatic denial reaches a human)")  # fmt: skip
    yield "hold_for_guard" in does and "guards" not in tells, "tells", "'guards' among them: somebody waits for them"
