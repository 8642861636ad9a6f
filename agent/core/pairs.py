"""The two-person rule: a door opens only for two different cardholders, one soon after the other, each with all checks of their own."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Pair = Literal["not_asked", "first", "second"]


class First(Struct, frozen=True, kw_only=True):
    """The first of two: checked, and not let in yet."""

    cardholder: str
    until_s: float
    """The second must have been let in before; CLOCK_MONOTONIC."""
    extended: bool = False
    """They need the door open for longer."""
    begins_unlock: bool = False


def standing(first: First | None, cardholder: str, now_s: float) -> Pair:
    """What somebody who passes all their own checks now would be. Twice the same person is not two."""
    if first is None or now_s >= first.until_s or first.cardholder == cardholder:
        return "first"
    return "second"
