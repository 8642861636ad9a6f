"""What was staged and recorded: an incident or an ordinary pass, by its name and number."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from tools.behaviour.episode import Episode
from tools.behaviour.ordinary import one
from tools.behaviour.runs import experience
from tools.behaviour.staged import incident


class Recipe(Struct, frozen=True, kw_only=True):
    """One recorded episode."""

    name: str
    story: str
    make: Callable[[], Episode]


def _staged(name: str, number: int) -> Callable[[], Episode]:
    return lambda: incident(name, number, week=experience()[0])


def _ordinary(name: str, number: int) -> Callable[[], Episode]:
    return lambda: one(name, 21, number, experience()[0])


RECIPES = (
    Recipe(name="owner", story="the owner walks up, opens and goes in", make=_ordinary("owner", 3)),
    Recipe(name="friends", story="two friends, a fob each", make=_ordinary("two friends, a fob each", 2)),
    Recipe(name="stolen_fob", story="looks back, moves abruptly, holds out another's fob",
           make=_staged("stolen fob, glances, abrupt moves", 1)),
    Recipe(name="tailgater", story="somebody slips through behind the owner", make=_staged("tailgater", 1)),
    Recipe(name="lingers", story="somebody stands about at night", make=_staged("lingers at night", 0)),
)  # fmt: skip
