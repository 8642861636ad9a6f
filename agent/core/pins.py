"""PINs: right, wrong, or the one for being forced; and how often they may be wrong.

A PIN is compared and forgotten: it is in no case, decision, event or log. Compared in constant time (hmac.compare_digest), always with
both of a cardholder's codes, so that how long it takes says nothing about how much of it was right or which one it was.
"""

from __future__ import annotations

import hmac
from typing import Literal

from msgspec import Struct

from agent.core.people import Cardholder

Verdict = Literal["right", "duress", "wrong"]

MOST_KNOWN = 512
"""Cardholders whose wrong PINs are counted at once; to push one out of memory takes as many other credentials."""


class PinRules(Struct, frozen=True, kw_only=True):
    """After `tries` wrong PINs, none more than `lockout_s` after the one before, a cardholder's PIN is refused for `lockout_s`."""

    tries: int = 5
    lockout_s: float = 300.0


class WrongPins(Struct, frozen=True, gc=False):
    """How often, and when last."""

    count: int
    last_s: float


Tally = dict[str, WrongPins]
"""Cardholder -> wrong PINs in a row. Never changed in place."""


def check(holder: Cardholder, digits: str) -> Verdict:
    """What was entered. A code that is not set is never right, whatever was entered."""
    entered = digits.encode("utf-8")
    is_duress = hmac.compare_digest(entered, holder.duress_pin.encode("utf-8"))
    is_right = hmac.compare_digest(entered, holder.pin.encode("utf-8"))
    if is_duress and holder.duress_pin:
        return "duress"  # before the other: where both are the same, help is sent
    return "right" if is_right and holder.pin else "wrong"


def is_locked_out(tally: Tally, cardholder: str, rules: PinRules, now_s: float) -> bool:
    """Whether even the right PIN is refused now."""
    wrong = tally.get(cardholder)
    return wrong is not None and wrong.count >= rules.tries and now_s - wrong.last_s < rules.lockout_s


def counted(tally: Tally, cardholder: str, verdict: Verdict, rules: PinRules, now_s: float) -> Tally:
    """The tally after one more PIN. A right one, or time, ends the count."""
    before = tally.get(cardholder)
    others = {who: wrong for who, wrong in tally.items() if who != cardholder and now_s - wrong.last_s < rules.lockout_s}
    if verdict != "wrong":
        return others
    in_a_row = before.count if before is not None and now_s - before.last_s < rules.lockout_s else 0
    others[cardholder] = WrongPins(in_a_row + 1, now_s)
    while len(others) > MOST_KNOWN:
        del others[next(iter(others))]
    return others
