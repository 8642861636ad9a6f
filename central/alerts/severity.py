"""How bad: four words, from what belongs on a list to what wakes people."""

from __future__ import annotations

from typing import Literal

Severity = Literal["notice", "warning", "high", "critical"]

SEVERITIES: tuple[Severity, ...] = ("notice", "warning", "high", "critical")
"""`notice` is on the list alone, `warning` rings who is on duty, `high` rings until somebody answers, `critical` knows no quiet hours."""


def rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


def worse(one: Severity, other: Severity) -> Severity:
    return max(one, other, key=rank)
