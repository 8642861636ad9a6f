"""What a lock did -> what is wrong with relay, lock and their wires. Pure.

A door with a contact is its own witness: it opened or it did not. Without one the installer says what happened.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.selftest.result import Fault, Judged


class LockSeen(Struct, frozen=True, kw_only=True):
    """None: could not be seen, or nobody said."""

    kind: Literal["strike", "maglock"]
    fail: Literal["secure", "safe"]
    relay_pin: str
    held_before: bool | None
    opened: bool | None
    """While it was released."""
    opened_after_s: float | None = None
    shut: bool = True
    """Whether the door was shut again, so that anything can be said of holding."""
    held_after: bool | None = None


def judge_lock(seen: LockSeen) -> Judged:
    """Well when it held, let go for the pulse, and held again."""
    measured = {"relay pin": seen.relay_pin, "lock": f"{seen.kind}, fail-{seen.fail}"}
    if seen.opened_after_s is not None:
        measured["opened after"] = f"{seen.opened_after_s:.1f} s"
    explanations = (
        (seen.held_before is False and seen.opened is False, _turned_round),
        (seen.held_before is False, _never_holds),
        (seen.opened is False, _never_opens),
        (not seen.shut, _stands_open),
        (seen.held_after is False, _holds_no_more),
    )
    for fits, explain in explanations:
        if fits:
            return Judged(faults=(explain(seen),), measured=measured)
    if None in (seen.held_before, seen.opened, seen.held_after):
        return Judged(said="the relay was switched; nobody said what the lock did", measured=measured, unsure=True)
    return Judged(said="holds, lets go for a moment, holds again", measured=measured)


def _turned_round(seen: LockSeen) -> Fault:
    other = "safe" if seen.fail == "secure" else "secure"
    return Fault(
        what="the door is free at rest and held while it should be free",
        likely="relay or lock work the wrong way round",
        mend=(
            f"look which it is: relay_active_high (a board that switches on when its input is low has false), the relay's "
            f"contact (NO or NC),"
            f" or a lock that is fail-{other} and not fail-{seen.fail}"
        ),
    )


def _never_holds(seen: LockSeen) -> Fault:
    likely = (
        "the magnet has no power: fuse, 12 V, or the REX or fire contact in series with it"
        if seen.fail == "safe"
        else "the strike has power all the time (relay's NC used instead of NO), is unlatched, or keeps the bolt from falling in"
    )
    return Fault(
        what="the door can be opened although the lock should hold",
        likely=likely,
        mend=f"measure at the lock: {'12 V' if seen.fail == 'safe' else '0 V'} is right while it holds",
    )


def _never_opens(seen: LockSeen) -> Fault:
    if seen.fail == "safe":
        return Fault(
            what="the magnet does not let go",
            likely="its supply does not run through the relay, or pin and relay are not connected",
            mend=(
                f"does the relay click? No: pin {seen.relay_pin}, its ground, the relay board's supply. Yes: put the "
                f"contact into the 12 V wire"
            ),
        )
    return Fault(
        what="the strike does not let go",
        likely="no power reaches it: supply, fuse, a wire of the coil, or pin and relay are not connected",
        mend=(
            f"does the relay click? No: pin {seen.relay_pin}, its ground, the relay board's supply. Yes: measure 12 V at "
            f"the strike"
            " while it clicks, and use COM and NO"
        ),
    )


def _stands_open(_seen: LockSeen) -> Fault:
    return Fault(
        what="the door was not shut again, so nobody knows whether the lock holds",
        likely="the door closer, or nobody shut it",
        mend="shut the door and run: doorward selftest --only lock",
    )


def _holds_no_more(seen: LockSeen) -> Fault:
    return Fault(
        what="after the pulse the door can still be opened",
        likely="the bolt did not fall back into the strike, or the relay sticks"
        if seen.fail == "secure"
        else "the magnet's plate sits askew, or the relay sticks",
        mend=(
            "listen for the second click when the pulse ends; set the latch or the plate so that the door falls into it by itself"
        ),
    )


class EgressSeen(Struct, frozen=True, kw_only=True):
    """Whether the exit button alone frees a held door: nothing listened to it, and no pulse was given."""

    pressed: bool
    freed: bool | None


def judge_egress(seen: EgressSeen) -> Judged:
    """Well when the button cuts the lock's power in wire."""
    if seen.freed:
        return Judged(said="the exit button frees the door by wire, without any software")
    if not seen.pressed and seen.freed is None:
        return Judged(said="nobody pressed the exit button", unsure=True)
    if seen.freed is None:
        return Judged(said="the button was seen; nobody said whether the lock let go", unsure=True)
    return Judged(
        faults=(
            Fault(
                what="THE EXIT BUTTON DOES NOT FREE THE DOOR when this controller does nothing: people could be kept in",
                likely="the button's second pole is not in series with the lock's supply",
                mend=(
                    "put the button's normally closed pole (and the fire relay's) into the lock's 12 V wire before "
                    "anybody uses this door: docs/HARDWARE.md"
                ),
            ),
        )
    )
