"""Anti-passback: nobody comes in twice without having left. Who is inside, as far as this door's readers know.

Readers lead `in` or `out`. Only a passage counts: the door opened after the grant, where a contact can say so. It is a rule against
lending a credential, not a lock: where the door does not know it lets people in, and it is never asked of somebody who leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

Leads = Literal["in", "out"]
Passback = Literal["clear", "told", "refused"]

MOST_INSIDE = 20_000
"""Beyond it whoever has been inside longest is forgotten."""

CLOCK_SLACK = timedelta(minutes=1)
"""A passage later than now by more than this was timed by a clock that was wrong, or is wrong now: it refuses nobody."""


class PassbackRule(Struct, frozen=True, kw_only=True):
    """What is done with somebody who is inside already."""

    mode: Literal["off", "soft", "hard"] = "off"
    forget_after: timedelta | None = None
    """None: only leaving ends being inside."""


class Places(Struct, frozen=True):
    """Who is inside, and since when; everybody else is outside or unknown, which is the same here. Ordered by time."""

    inside: Mapping[str, datetime] = MappingProxyType({})


class Passage(Struct, frozen=True, kw_only=True):
    """Somebody who was let through and has not been seen to pass yet."""

    cardholder: str
    leads: Leads
    until_s: float
    """So long the door may open for them; CLOCK_MONOTONIC."""


def standing(places: Places, cardholder: str, rule: PassbackRule, now: datetime) -> Passback:
    """What the rule says of somebody who wants to come in."""
    if rule.mode == "off" or not _is_inside(places, cardholder, rule, now):
        return "clear"
    return "refused" if rule.mode == "hard" else "told"


def _is_inside(places: Places, cardholder: str, rule: PassbackRule, now: datetime) -> bool:
    since = places.inside.get(cardholder)
    if since is None or since > now + CLOCK_SLACK:
        return False
    return rule.forget_after is None or now - since < rule.forget_after


def passed(places: Places, cardholder: str, leads: Leads, now: datetime) -> Places:
    """Where people are after somebody has passed."""
    inside = {who: since for who, since in places.inside.items() if who != cardholder}
    if leads == "in":
        inside[cardholder] = now
    while len(inside) > MOST_INSIDE:
        del inside[next(iter(inside))]
    return Places(inside)


def forgiven(places: Places, cardholder: str | None = None) -> Places:
    """Where people are after one of them, or everybody, was forgiven: they may come in once more."""
    if cardholder is None:
        return Places()
    return Places({who: since for who, since in places.inside.items() if who != cardholder})


def still_known(places: Places, rule: PassbackRule, now: datetime) -> Places:
    """Without those whom the rule has forgotten: what need not be kept is not kept."""
    if rule.mode == "off":
        return Places()
    if rule.forget_after is None:
        return places
    oldest = now - rule.forget_after
    return Places({who: since for who, since in places.inside.items() if since > oldest})
