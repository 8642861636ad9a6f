"""The step of a second relay: switched for seconds by the same drivers as the door uses, watched or asked for, and left without power."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from gpiozero import OutputDevice

from agent.errors import HardwareError
from agent.selftest.bench import InputEdge
from agent.selftest.hands import Hands
from agent.selftest.judge_second import ROLES, Role, SecondSeen, judge_second
from agent.selftest.result import Fault, Judged
from hw.lock_gpio import RelayLock
from hw.lock_second import FollowingRelay, OnFault, OpenerLock

LONGEST_ON_S = 5.0
SWING_S = 3.0
"""So long an operator may take to begin to move a door after it was told."""
STEP = "second"

OpenRelay = Callable[[], OutputDevice]


def try_second(hands: Hands, open_first: OpenRelay, open_second: OpenRelay) -> Judged | None:
    """It is switched, and what hangs on it is looked at. None when the installer does not want it."""
    lock = hands.config.lock
    role, on_s = lock.second_role, on_for_s(hands)
    if role == "opener" and hands.bench.levels.get("fire"):
        return Judged(said="the fire loop stands open, and no operator is told to open in a fire: close it first", unsure=True)
    what = f"The relay at pin {lock.second_pin} ({ROLES[role].title.lower()}) will be switched for {on_s:g} s"
    if not hands.installer.consent(STEP, f"{what}: {ROLES[role].warning}. May it?"):
        return None
    troubles: list[str] = []
    try:
        seen = WAYS[role](hands, open_first, open_second, troubles.append)
    except HardwareError as error:
        troubles.append(str(error))
    if troubles:
        return Judged(
            faults=(Fault(what=troubles[0], likely="the pin's number, or another program that holds it", mend="doorward doctor"),)
        )
    return judge_second(seen)


def on_for_s(hands: Hands) -> float:
    """An operator's lock stays free until the operator had its turn."""
    lock = hands.config.lock
    if lock.second_role == "opener":
        return min(lock.pulse_s, LONGEST_ON_S + lock.opener_delay_s)
    return min(lock.pulse_s, LONGEST_ON_S)


def _seen(hands: Hands, worked: bool | None, rested: bool | None, mark: int) -> SecondSeen:
    """The lock's own monitor contact, or the installer, says whether the wrong relay moved."""
    lock, lock_moved = hands.config.lock, None
    if worked is False and lock.second_role != "opener":  # whose lock lets go with it
        lock_moved = _bolt_moved(hands.bench.edges.since(mark)) or hands.installer.confirm(
            STEP, "Did the door's own (first) lock let go instead?"
        )
    return SecondSeen(role=lock.second_role, pin=str(lock.second_pin), worked=worked, rested=rested, lock_moved=lock_moved)


def _bolt_moved(edges: list[InputEdge]) -> bool:
    return any(edge.name == "bolt" and edge.active for edge in edges)


# -- a second leaf -------------------------------------------------------------------------------------------------------------


def _leaf(hands: Hands, _open_first: OpenRelay, open_second: OpenRelay, tell_trouble: OnFault) -> SecondSeen:
    """Its leaf has no contact of its own that we know of: the installer is the witness."""
    tell, mark, on_s = hands.installer, hands.bench.edges.mark, on_for_s(hands)
    with closing(RelayLock(open_second(), hands.config.lock.fail, tell_trouble)) as lock:
        tell.do(STEP, f"Open the second leaf NOW: it is free for {on_s:g} s.")
        lock.pulse(on_s)
        time.sleep(on_s)
        worked = tell.confirm(STEP, "Did the second leaf open?")
        rested = tell.confirm(STEP, "Shut it and pull at it. Does it hold?")
        return _seen(hands, worked, rested, mark)


# -- a door operator -----------------------------------------------------------------------------------------------------------


def _opener(hands: Hands, open_first: OpenRelay, open_second: OpenRelay, tell_trouble: OnFault) -> SecondSeen:
    """The lock lets go first, as at every opening: an operator that pushes against a bolt jams it. No operator runs in a fire."""
    bench, on_s = hands.bench, on_for_s(hands)
    first = RelayLock(open_first(), hands.config.lock.fail, tell_trouble)
    with closing(_operator(hands, first, open_second, tell_trouble)) as operator:
        if bench.has_witness and not _is_shut(hands, "Shut the door, and keep clear of it."):
            return _seen(hands, None, False, bench.edges.mark)
        mark = bench.edges.mark
        hands.installer.do(STEP, "Keep clear of the door and touch nothing: it should open by itself NOW.")
        operator.pulse(on_s)
        worked = _opens_by_itself(hands, mark, on_s)
        return _seen(hands, worked, _comes_to_rest(hands), mark)


def _operator(hands: Hands, first: RelayLock, open_second: OpenRelay, tell_trouble: OnFault) -> OpenerLock:
    lock, levels = hands.config.lock, hands.bench.levels
    try:
        relay = open_second()
    except BaseException:
        first.close()
        raise
    return OpenerLock(first, relay, lock.opener_delay_s, lock.opener_pulse_s, lambda: not levels.get("fire", False), tell_trouble)


def _opens_by_itself(hands: Hands, mark: int, on_s: float) -> bool | None:
    bench, tell = hands.bench, hands.installer
    if bench.has_witness:
        return bench.edges.wait(mark, _opened, on_s + SWING_S, tell.waiting)
    time.sleep(on_s + SWING_S)
    return tell.confirm(STEP, "Did the door open by itself?")


def _comes_to_rest(hands: Hands) -> bool | None:
    if hands.bench.has_witness:
        return _is_shut(hands, "Let the door shut by itself, or push it shut.")
    return hands.installer.confirm(STEP, "Is the door shut again, and does nothing push it?")


def _is_shut(hands: Hands, words: str) -> bool:
    bench = hands.bench
    if bench.levels["contact"]:
        hands.installer.do(STEP, words)
    return bench.edges.wait(0, lambda _: not bench.levels["contact"], hands.timeout_s, hands.installer.waiting)


def _opened(edges: list[InputEdge]) -> bool:
    return any(edge.name == "contact" and edge.active for edge in edges)


# -- alarm, shunt --------------------------------------------------------------------------------------------------------------


def _followed(hands: Hands, _open_first: OpenRelay, open_second: OpenRelay, tell_trouble: OnFault) -> SecondSeen:
    """On for seconds, then off. Of a bridged zone something is seen only while the door stands open."""
    tell, mark = hands.installer, hands.bench.edges.mark
    role, on_s = hands.config.lock.second_role, on_for_s(hands)
    with closing(FollowingRelay(open_second(), role, tell_trouble)) as relay:
        if role == "shunt":
            tell.do(STEP, "Open the door and leave it open, and look at the burglar alarm's panel: it sees this door open.")
            hands.bench.edges.wait(0, lambda _: hands.bench.levels.get("contact", True), hands.timeout_s, tell.waiting)
            tell.do(STEP, f"Look at the panel NOW: for {on_s:g} s it must see the door shut.")
        else:
            tell.do(STEP, f"Look and listen NOW: the alarm is raised for {on_s:g} s.")
        relay.show(True)
        time.sleep(on_s)
        relay.show(False)
        worked, rested = (tell.confirm(STEP, question) for question in QUESTIONS[role])
        return _seen(hands, worked, rested, mark)


QUESTIONS = {
    "alarm": ("Was the alarm heard or seen for those seconds?", "Is it silent now?"),
    "shunt": ("Did the panel see the door shut for those seconds?", "Does the panel see it open again now?"),
}
"""While it was switched, and afterwards."""

WAYS: dict[Role, Callable[[Hands, OpenRelay, OpenRelay, OnFault], SecondSeen]] = {
    "lock": _leaf,
    "opener": _opener,
    "alarm": _followed,
    "shunt": _followed,
}
