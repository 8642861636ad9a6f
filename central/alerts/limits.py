"""How often somebody's telephone may ring, so that they still look at it. Pure.

What is held back is counted and told in one line later. Nothing worse than what was told meanwhile is held back, and nothing critical
but what no honest door says: a contact that chatters, or somebody with one door's key, must not drown the other doors.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from central.alerts.severity import Severity, rank

CRITICAL_OF_A_DOOR = 30
"""In each window: more than one every twenty seconds nobody can answer."""


class Limits(Struct, frozen=True, kw_only=True):
    """In each window: so many for one person, of them so many about one door."""

    window_s: float = 600.0
    a_person: int = 12
    a_door: int = 5

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.window_s)


class Told(Struct, frozen=True):
    """Something that rang at somebody's within the window."""

    door: str
    severity: Severity


def rings(severity: Severity, door: str, told: Sequence[Told], limits: Limits) -> bool:
    """Whether one more may ring, beside what somebody was told within the window."""
    if severity == "critical":
        return sum(each.door == door and each.severity == "critical" for each in told) < CRITICAL_OF_A_DOOR
    if all(rank(severity) > rank(each.severity) for each in told):
        return True
    of_door = sum(each.door == door for each in told)
    worst_here = max((rank(each.severity) for each in told if each.door == door), default=-1)
    return rank(severity) > worst_here if of_door >= limits.a_door else len(told) < limits.a_person
