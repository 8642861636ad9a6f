"""What a second relay did -> what is wrong with it and its wires. Pure.

Whatever its role (hw/lock_second.py): while it is switched something happens, and afterwards that has ended.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.selftest.result import Fault, Judged

Role = Literal["lock", "opener", "alarm", "shunt"]


class RoleWords(Struct, frozen=True, kw_only=True):
    """A role in an installer's words."""

    title: str
    part: str
    """The device at its far end."""
    works: str
    """What it does while the relay is switched."""
    rests: str
    """How it is afterwards."""
    warning: str
    """What happens when it is switched, for whoever consents."""
    input: str
    """Where its wires end, and how to try it without us."""


ROLES: dict[Role, RoleWords] = {
    "lock": RoleWords(
        title="Second lock",
        part="the second lock",
        works="lets go",
        rests="holds",
        warning="the second leaf will be free meanwhile",
        input="measure the voltage at the second lock while the relay clicks",
    ),
    "opener": RoleWords(
        title="Door operator",
        part="the door operator",
        works="opens the door",
        rests="leaves the door alone",
        warning="the lock lets go and the DOOR MOVES BY ITSELF: nobody may stand in its way",
        input="bridge the operator's own opening input (often 'key' or 'start'): does it open? No: its supply or programme switch",
    ),
    "alarm": RoleWords(
        title="Alarm relay",
        part="the alarm",
        works="sounds",
        rests="is silent",
        warning="the alarm is raised meanwhile: whoever answers it must know",
        input="bridge its two wires at the relay: is it heard? No: its supply, or a wire of it",
    ),
    "shunt": RoleWords(
        title="Shunt of the burglar alarm",
        part="the burglar alarm's zone",
        works="is bridged",
        rests="sees the door again",
        warning="the burglar alarm does not see this door meanwhile",
        input="bridge its two wires at the relay: does its panel see the door shut? No: the wires go to another zone",
    ),
}


class SecondSeen(Struct, frozen=True, kw_only=True):
    """None: could not be seen, or nobody said."""

    role: Role
    pin: str
    worked: bool | None
    """Whether it did what it is for while it was switched."""
    rested: bool | None
    """Whether that had ended afterwards."""
    lock_moved: bool | None = None
    """Whether the door's first lock let go instead."""


def judge_second(seen: SecondSeen) -> Judged:
    """Well when it worked while it was switched, and rested afterwards."""
    words = ROLES[seen.role]
    measured = {"relay pin": seen.pin, "role": seen.role}
    explanations = (
        (seen.worked is False and seen.lock_moved is True, _swapped),
        (seen.worked is False and seen.rested is False, _turned_round),
        (seen.worked is False, _dead),
        (seen.rested is False, _stays),
    )
    for fits, explain in explanations:
        if fits:
            return Judged(faults=(explain(seen, words),), measured=measured)
    if None in (seen.worked, seen.rested):
        return Judged(said=f"the relay was switched; nobody said what {words.part} did", measured=measured, unsure=True)
    return Judged(said=f"{words.part} {words.works} while it is switched, and {words.rests} afterwards", measured=measured)


def _swapped(seen: SecondSeen, words: RoleWords) -> Fault:
    return Fault(
        what=f"the relay of {words.part} (pin {seen.pin}) moved the door's own lock",
        likely="the two relays are swapped, at the controller or at their terminals",
        mend="swap the two wires at the controller, or swap lock.relay_pin and lock.second_pin in the configuration",
    )


def _turned_round(seen: SecondSeen, words: RoleWords) -> Fault:
    return Fault(
        what=f"{words.part} works the wrong way round: it {words.works} at rest, and not while it is switched",
        likely="the relay's contact is the other one (NO for NC), or its board switches on when its input is low",
        mend="look at the relay's light: on at rest? Then lock.second_active_high. Off? Then move the wire to COM and NO",
    )


def _dead(seen: SecondSeen, words: RoleWords) -> Fault:
    return Fault(
        what=f"{words.part} does nothing when its relay is switched",
        likely=f"a wire between relay and {words.part} is off, it has no supply, or pin {seen.pin} and relay are not connected",
        mend=f"does the relay click? No: pin {seen.pin}, its ground, the relay board's supply. Yes: {words.input}",
    )


def _stays(seen: SecondSeen, words: RoleWords) -> Fault:
    return Fault(
        what=f"{words.part} goes on while its relay is without power: it {words.works} all the time",
        likely=f"the relay sticks, its wire is at NC instead of NO, its two wires touch, "
        f"or {words.part} keeps what it was told (its own timer or latch)",
        mend=f"take a wire off the relay: if it still {words.works}, look into {words.part}, else change the relay",
    )
