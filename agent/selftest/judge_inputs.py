"""What an input did while somebody worked its switch -> what is wrong with its wires. Pure."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.selftest.result import Fault, Judged

CHATTER_EDGES = 40
"""More edges than this in one working of a switch are no bounce (tens of edges in a few milliseconds at worst) but a loose wire."""


class InputWords(Struct, frozen=True, kw_only=True):
    """An input in an installer's words."""

    title: str
    kind: Literal["closed", "open"]
    """What the loop is at rest: normally closed (a cut wire tells) or normally open."""
    rest: str
    """How it should be left alone."""
    act: str
    """What to do, and what undoes it."""
    active: str
    """What it means when it says something."""
    part: str
    """The device at its far end."""


INPUTS: dict[str, InputWords] = {
    "contact": InputWords(
        title="Door contact",
        kind="closed",
        rest="shut the door",
        act="open the door, then shut it again",
        active="open",
        part="the contact",
    ),
    "rex": InputWords(
        title="Exit button (REX)",
        kind="open",
        rest="leave the exit button alone",
        act="press the exit button and let it go",
        active="pressed",
        part="the button",
    ),
    "fire": InputWords(
        title="Fire loop",
        kind="closed",
        rest="leave the fire loop alone",
        act="open the fire loop (test key, or lift one wire of it), then close it again",
        active="fire",
        part="the fire relay",
    ),
    "tamper": InputWords(
        title="Tamper",
        kind="closed",
        rest="close the lids of controller and reader",
        act="open a lid, then close it again",
        active="tampered with",
        part="the lid switch",
    ),
    "bolt": InputWords(
        title="Bolt monitor",
        kind="closed",
        rest="shut the door",
        act="draw the bolt by key or handle, then let it go back",
        active="released",
        part="the monitor contact",
    ),
    "interlock": InputWords(
        title="Other door of the lobby",
        kind="closed",
        rest="shut the other door",
        act="open the other door, then shut it again",
        active="open",
        part="its contact",
    ),
}
"""Which way round each is wired: hw/inputs_gpio.py, docs/HARDWARE.md."""


def words_for(name: str) -> InputWords:
    """An input that has no words yet is told by its name."""
    plain = InputWords(
        title=name,
        kind="closed",
        rest=f"leave {name} alone",
        act=f"work {name}, then undo it",
        active="active",
        part="its switch",
    )
    return INPUTS.get(name, plain)


class InputSeen(Struct, frozen=True, kw_only=True):
    """What was seen of one input, and of the others meanwhile."""

    name: str
    place: str
    """Where its wire ends: 'pin 23', or a channel of the converter."""
    rest_active: bool
    """How it stood before anybody did anything."""
    edges: tuple[bool, ...] = ()
    """True: became active."""
    moved: tuple[str, ...] = ()
    """Other inputs that became active meanwhile."""
    loop: str = ""
    """Of a supervised loop: what its resistors say of the wire, "cut" or "shorted"."""
    loop_said: frozenset[str] = frozenset()
    """All that they said while the switch was worked, `loop` among it."""
    on_all_loops: bool = False
    """Whether every loop on the same converter says so, and there are several."""


def judge_input(seen: InputSeen) -> Judged:
    """Well when it was quiet, became active, and was quiet again."""
    words = words_for(seen.name)
    measured = {"wire": seen.place, "edges": str(len(seen.edges))}
    for explain in (_wire, _turned_round, _stuck, _swapped, _dead, _stays, _chatters):
        if (fault := explain(seen, words)) is not None:
            return Judged(faults=(fault,), measured=measured)
    return Judged(said=f"answers: {words.active}, and back", measured=measured)


def _wire(seen: InputSeen, words: InputWords) -> Fault | None:
    """A loop with resistors tells by itself what its wire has."""
    if {"cut", "shorted"} <= seen.loop_said:
        return _no_resistors(seen, words)
    if not seen.loop:
        return _loose(seen, words) if seen.loop_said else None
    if seen.on_all_loops:
        return _converter(seen)
    where = "is cut, or a terminal is loose" if seen.loop == "cut" else "is shorted, or somebody bridged it"
    return Fault(
        what=f"{words.title}: the resistors at {words.part} are not seen",
        likely=f"its wire to {seen.place} {where}",
        mend="measure the loop at the controller with its wire off: both resistors must be there, at the far end and not at this one",
    )


def _no_resistors(seen: InputSeen, words: InputWords) -> Fault:
    return Fault(
        what=f"{words.title}: its wire reads as shorted and as cut in turn when the switch is worked",
        likely=f"there are no resistors in the loop: {words.part} hangs on {seen.place} by itself",
        mend="put both resistors into the housing of the switch, one in line and one across it (docs/HARDWARE.md), not at the controller",
    )


def _loose(seen: InputSeen, words: InputWords) -> Fault:
    return Fault(
        what=f"{words.title}: its wire was {' and '.join(sorted(seen.loop_said))} for a moment while the switch was worked",
        likely=f"a wire that the leaf bends or pinches, or a loose terminal at {words.part}",
        mend="move the cable by hand at the hinge and at the housing while you look at this step again",
    )


def _converter(seen: InputSeen) -> Fault:
    seems = (
        "does not answer, or its inputs hang in the air" if seen.loop == "cut" else "has no supply, or its data line lies at 0 V"
    )
    return Fault(
        what=f"every loop on the converter reads as {seen.loop}",
        likely=f"no loop but the converter itself: it {seems}",
        mend="its 3.3 V and ground, CLK, DOUT, DIN and CS to the controller, VREF and the pull-ups at the same 3.3 V; `ls /dev/spidev*`",
    )


def _turned_round(seen: InputSeen, words: InputWords) -> Fault | None:
    if not seen.rest_active or False not in seen.edges:
        return None
    have, want = ("normally open", "normally closed") if words.kind == "closed" else ("normally closed", "normally open")
    return Fault(
        what=f"{words.title} works the wrong way round: at rest it says '{words.active}'",
        likely=f"{words.part} is wired {have}; it must be {want}",
        mend=f"move the wire to the {want} terminal of {words.part}",
    )


def _stuck(seen: InputSeen, words: InputWords) -> Fault | None:
    if not seen.rest_active:
        return None
    if words.kind == "closed":
        return Fault(
            what=f"{words.title} says '{words.active}' all the time",
            likely=f"its loop is open: a wire to {seen.place} or to ground is off",
            mend=(
                f"bridge the two terminals at the controller: if it is quiet then, the fault is in the cable or "
                f'{words.part}, else {seen.place} is the wrong one. Is it not fitted at all? Then write "none" for it'
            ),
        )
    return Fault(
        what=f"{words.title} says '{words.active}' all the time",
        likely=f"the two wires of {seen.place} touch, {words.part} is stuck, or it is normally closed",
        mend=f"take one wire off: if it is quiet then, the fault is in the cable or {words.part}",
    )


def _swapped(seen: InputSeen, words: InputWords) -> Fault | None:
    if seen.edges or not seen.moved:
        return None
    other = words_for(seen.moved[0]).title
    key = "channel" if seen.place.startswith("channel") else "pin"
    return Fault(
        what=f"{words.title} did not move, but '{other}' did",
        likely=f"the wires of '{words.title}' and '{other}' are swapped",
        mend=f"swap them at the controller, or swap {seen.name}_{key} and {seen.moved[0]}_{key} in the configuration",
    )


def _dead(seen: InputSeen, words: InputWords) -> Fault | None:
    if seen.edges:
        return None
    if words.kind == "closed":
        return Fault(
            what=f"{words.title} never changed",
            likely=f"{seen.place} is bridged to ground before {words.part}, or the magnet never leaves it",
            mend=(
                f"take a wire off {seen.place}: if it now says '{words.active}', the bridge is in the cable or at {words.part}"
            ),
        )
    return Fault(
        what=f"{words.title} never changed",
        likely=f"a wire of {words.part} to {seen.place} or to ground is off, or the pin is another one",
        mend=f"bridge {seen.place} and ground at the controller: if that is seen, the fault is in the cable or {words.part}",
    )


def _stays(seen: InputSeen, words: InputWords) -> Fault | None:
    if not seen.edges[-1]:
        return None
    return Fault(
        what=f"{words.title} says '{words.active}' and does not go back",
        likely=f"{words.part} is stuck, or was not undone",
        mend="undo it by hand and look again: a magnet more than about 10 mm away does not close its contact",
    )


def _chatters(seen: InputSeen, words: InputWords) -> Fault | None:
    if len(seen.edges) <= CHATTER_EDGES:
        return None
    return Fault(
        what=f"{words.title} chatters: {len(seen.edges)} changes in one go",
        likely=f"a loose wire at {seen.place} or at {words.part}",
        mend="push the wires home; on a long cable use a screened pair",
    )
