"""The door itself: `step(state, input, rules) -> (state, actions)`, with ONVIF's mode names.

Pure. The lock is asked to let go for a time (`Pulse`) or to hold now (`Secure`); the driver ends every pulse by itself, so nothing here
can leave a door open by being late. A door that stands free (fire, or a mode that says so) is one whose pulse is renewed again and again.
Requests to exit and the fire release are always obeyed, in every mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct

from agent.core.messages import DoorMode

OPENING_GRACE_S = 0.5
"""A contact may be seen this long after the lock held again: the leaf was already moving (debounce and a slow hinge)."""

RENEW_S = 2.0
"""While a door stands free its lock is let go again this often, for twice as long."""

FREE_MODES = (DoorMode.UNLOCKED, DoorMode.LOCKED_OPEN)
KEPT_SHUT = (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED)
UNTIL_RELEASED = (*KEPT_SHUT, DoorMode.LOCKED_OPEN)
"""Modes that only `Release`, or a lock-down, ends."""

LeftOpen = Literal["no", "warned", "held", "propped"]
LEFT_OPEN_KINDS: dict[LeftOpen, str] = {"warned": "door.warned", "held": "door.held", "propped": "door.propped"}


class DoorRules(Struct, frozen=True, kw_only=True):
    """What is fixed for a door by its configuration. Times in seconds."""

    held_open_s: float
    rex_pulse_s: float
    relock_on_open: bool
    """Hold as soon as the door has opened, so that it latches when it falls shut; else when it has closed, or the time is over."""
    fire_releases: bool
    """True for fail-safe locks; the latch of a fail-secure fire door must hold (NFPA 80), people leave by its hardware."""
    warn_before_s: float = 0.0
    """So long before it counts as held open, whoever stands at an open door is told to close it; 0: not at all."""
    extended_held_open_s: float = 0.0
    """Instead of `held_open_s` after an extended opening, where it is longer."""
    propped_s: float | None = None
    """A door open for so long was propped: nobody is passing any more."""


class DoorState(Struct, frozen=True, kw_only=True):
    """Everything the door must remember. `None` for the contact means: not known (no sensor, or not reported yet)."""

    mode: DoorMode = DoorMode.LOCKED
    mode_by: str = ""
    """Who or what brought the mode about."""
    open: bool | None = None
    opened_s: float | None = None
    watched_since_s: float | None = None
    """Since when an open door counts towards `held_open_s`; None while it is shut or stands free."""
    left_open: LeftOpen = "no"
    extended: bool = False
    """Whoever is passing may take longer."""
    may_open_until_s: float = float("-inf")
    released_until_s: float | None = None
    leaving_until_s: float = float("-inf")
    """Somebody asked to exit and has not opened yet: until then no command and no lock-down holds the lock."""
    forced: bool = False
    fire: bool = False
    renew_s: float | None = None
    """When the pulse of a door that stands free is renewed; None when it does not stand free."""
    other_open: bool = False
    """The other door of a lobby stands open: nobody is let in here meanwhile."""

    @property
    def held(self) -> bool:
        return self.left_open in ("held", "propped")

    @property
    def alarm(self) -> Literal["none", "forced", "held", "propped"]:
        """What is wrong with the leaf, in one word."""
        if self.forced:
            return "forced"
        return self.left_open if self.left_open in ("held", "propped") else "none"


# Inputs. `at_s` is CLOCK_MONOTONIC.


class Granted(Struct, frozen=True, kw_only=True):
    """A decision, or a guard, lets somebody in."""

    at_s: float
    seconds: float
    by: str
    extended: bool = False
    despite_lockdown: bool = False
    """One of the few whom the site lets pass all the same."""


class Leaves(Struct, frozen=True, kw_only=True):
    """A reader that leads out was used: nothing refuses it."""

    at_s: float
    seconds: float
    by: str
    extended: bool = False


class ContactChanged(Struct, frozen=True, kw_only=True):
    at_s: float
    open: bool


class RexPressed(Struct, frozen=True, kw_only=True):
    at_s: float
    again: bool = False
    """It has been pressed all the time since: somebody is still leaving, and nothing new is told."""


class FireChanged(Struct, frozen=True, kw_only=True):
    at_s: float
    active: bool


class OtherDoorChanged(Struct, frozen=True, kw_only=True):
    """The other door of a lobby."""

    at_s: float
    open: bool


class ScheduleSays(Struct, frozen=True, kw_only=True):
    """An unlock schedule begins or ends."""

    at_s: float
    unlocked: bool
    by: str


class LockNow(Struct, frozen=True, kw_only=True):
    at_s: float
    by: str


class SetMode(Struct, frozen=True, kw_only=True):
    """A person wants a lasting mode: UNLOCKED, BLOCKED, LOCKED_DOWN or LOCKED_OPEN."""

    at_s: float
    mode: DoorMode
    by: str


class Release(Struct, frozen=True, kw_only=True):
    """A person ends a lock-down, a block or a lock-open."""

    at_s: float
    by: str


class Tick(Struct, frozen=True, kw_only=True):
    at_s: float


DoorInput = (
    Granted | Leaves | ContactChanged | RexPressed | FireChanged | OtherDoorChanged | ScheduleSays | LockNow | SetMode | Release | Tick
)  # fmt: skip


# Actions, to be carried out in their order: the lock always comes before the report.


class Pulse(Struct, frozen=True):
    """Let the lock go for `seconds`."""

    seconds: float


class Secure(Struct, frozen=True):
    """Hold the lock now."""


class Report(Struct, frozen=True):
    """Tell what happened."""

    kind: str
    data: dict[str, Any]


DoorAction = Pulse | Secure | Report
Step = tuple[DoorState, tuple[DoorAction, ...]]


def step(state: DoorState, event: DoorInput, rules: DoorRules) -> Step:
    """The next state and what to do. Any input is allowed in any state."""
    handler: Callable[[DoorState, Any, DoorRules], Step] = _HANDLERS[type(event)]
    return handler(state, event, rules)


def next_deadline_s(state: DoorState, rules: DoorRules) -> float | None:
    """When a `Tick` is due."""
    left_open = _next_left_open(state, rules)
    waiting = (state.released_until_s, state.renew_s, left_open[0] if left_open else None)
    return min((t for t in waiting if t is not None), default=None)


def _granted(state: DoorState, event: Granted, rules: DoorRules) -> Step:
    kept_shut = state.mode is DoorMode.BLOCKED or (state.mode is DoorMode.LOCKED_DOWN and not event.despite_lockdown)
    if kept_shut or state.other_open:
        return state, (Report("lock.refused", {"mode": state.mode.value, "by": event.by, "other_open": state.other_open}),)
    state = msgspec.structs.replace(state, extended=event.extended)
    return _let_go(state, event.at_s, event.seconds), (Pulse(event.seconds),)


def _leaves(state: DoorState, event: Leaves, rules: DoorRules) -> Step:
    state = _let_go(state, event.at_s, event.seconds)
    return _leaving(msgspec.structs.replace(state, extended=event.extended), event.at_s + event.seconds), (Pulse(event.seconds),)


def _rex(state: DoorState, event: RexPressed, rules: DoorRules) -> Step:
    state = _let_go(state, event.at_s, rules.rex_pulse_s)
    state = _leaving(state, event.at_s + rules.rex_pulse_s)
    told = () if event.again else (Report("rex.pressed", {"pulse_s": rules.rex_pulse_s}),)
    return state, (Pulse(rules.rex_pulse_s), *told)


def _leaving(state: DoorState, until_s: float) -> DoorState:
    """Whoever leaves beside somebody who has longer takes nothing of it away."""
    return msgspec.structs.replace(state, leaving_until_s=max(until_s, state.leaving_until_s))


def _let_go(state: DoorState, at_s: float, seconds: float) -> DoorState:
    mode = DoorMode.ACCESSED if state.mode is DoorMode.LOCKED else state.mode
    until_s = max(at_s + seconds, state.released_until_s or at_s)
    return msgspec.structs.replace(state, mode=mode, released_until_s=until_s, may_open_until_s=until_s + OPENING_GRACE_S)


def _contact(state: DoorState, event: ContactChanged, rules: DoorRules) -> Step:
    if state.open == event.open:
        return state, ()
    return _opened(state, event, rules) if event.open else _closed(state, event)


def _opened(state: DoorState, event: ContactChanged, rules: DoorRules) -> Step:
    first_report = state.open is None
    free = state.renew_s is not None
    expected = first_report or state.fire or free or event.at_s <= state.may_open_until_s
    # One credential or request, one opening: the lock has to be let go again before the leaf may open again.
    state = msgspec.structs.replace(
        state, open=True, opened_s=event.at_s, watched_since_s=None if free else event.at_s, forced=not expected,
        may_open_until_s=float("-inf"), leaving_until_s=float("-inf"),
    )  # fmt: skip
    actions: tuple[DoorAction, ...] = (Report("door.opened", {"at_start": first_report}),)
    if not expected:
        actions = (Report("door.forced", {"mode": state.mode.value}),)
    if rules.relock_on_open and not free:
        state = msgspec.structs.replace(state, released_until_s=None)
        actions = (Secure(), *actions)
    return state, actions


def _closed(state: DoorState, event: ContactChanged) -> Step:
    if state.open is None:
        return msgspec.structs.replace(state, open=False), (Report("door.closed", {"at_start": True}),)
    open_s = event.at_s - state.opened_s if state.opened_s is not None else 0.0
    told = {"open_s": round(open_s, 3), "was_forced": state.forced, "was_held": state.held}
    state = msgspec.structs.replace(
        state, open=False, opened_s=None, watched_since_s=None, left_open="no", forced=False, extended=False
    )
    if _must_stay_released(state, event.at_s):
        return state, (Report("door.closed", told),)
    state, actions = _hold(state, event.at_s, "closed")
    return state, (*actions[:1], Report("door.closed", told), *actions[1:])


def _hold(state: DoorState, at_s: float, why: str) -> Step:
    """The lock holds again, and an access that was under way is over: what opens later than a moving leaf was forced."""
    was_accessed = state.mode is DoorMode.ACCESSED
    mode = DoorMode.LOCKED if was_accessed else state.mode
    may_open_until_s = min(state.may_open_until_s, at_s + OPENING_GRACE_S)
    state = msgspec.structs.replace(state, mode=mode, released_until_s=None, may_open_until_s=may_open_until_s)
    return state, (Secure(), *((Report("lock.secured", {"why": why}),) if was_accessed else ()))


def _fire(state: DoorState, event: FireChanged, rules: DoorRules) -> Step:
    if state.fire == event.active:
        return state, ()
    state = msgspec.structs.replace(state, fire=event.active)
    report = Report("fire.active" if event.active else "fire.cleared", {"releases": rules.fire_releases})
    if not rules.fire_releases:
        return state, (report,)
    if event.active:
        state, actions = _stand_free(state, event.at_s)
    else:
        state, actions = _stand_free_no_more(state, event.at_s, rules, "fire cleared")
    return state, (*actions, report)


def _stand_free(state: DoorState, now_s: float) -> Step:
    """Let go, and again before the pulse ends. An open leaf is nobody's fault meanwhile."""
    state = msgspec.structs.replace(state, renew_s=now_s + RENEW_S, watched_since_s=None, left_open="no")
    return state, (Pulse(2 * RENEW_S),)


def _stand_free_no_more(state: DoorState, now_s: float, rules: DoorRules, why: str) -> Step:
    """One reason to stand free is over; the door holds unless there is another, or somebody is leaving."""
    if _is_free(state, rules):
        return state, ()
    state = _only_for_leavers(state, now_s)
    # A leaf may be moving now that everybody was free to open; `_hold` leaves it its grace
    may_open_until_s = max(state.may_open_until_s, now_s + OPENING_GRACE_S)
    state = msgspec.structs.replace(
        state, renew_s=None, watched_since_s=now_s if state.open else None, may_open_until_s=may_open_until_s
    )
    return (state, ()) if _must_stay_released(state, now_s) else _hold(state, now_s, why)


def _is_free(state: DoorState, rules: DoorRules) -> bool:
    return state.mode in FREE_MODES or (state.fire and rules.fire_releases)


def _other_door(state: DoorState, event: OtherDoorChanged, rules: DoorRules) -> Step:
    """When it opens, time that was granted here and not used yet is over: never two doors of a lobby at once. Not for whoever leaves."""
    state = msgspec.structs.replace(state, other_open=event.open)
    if not event.open or state.released_until_s is None or state.renew_s is not None:
        return state, ()
    state = _only_for_leavers(state, event.at_s)
    return (state, ()) if _must_stay_released(state, event.at_s) else _hold(state, event.at_s, "other door opened")


def _schedule(state: DoorState, event: ScheduleSays, rules: DoorRules) -> Step:
    """What a person ordered stands: a schedule begins only at a locked door, and ends only what it began."""
    if event.unlocked and state.mode in (DoorMode.LOCKED, DoorMode.ACCESSED):
        return _take_mode(state, event.at_s, DoorMode.UNLOCKED, event.by, rules)
    if not event.unlocked and state.mode is DoorMode.UNLOCKED and state.mode_by == event.by:
        return _take_mode(state, event.at_s, DoorMode.LOCKED, event.by, rules)
    return state, ()


def _lock_now(state: DoorState, event: LockNow, rules: DoorRules) -> Step:
    if state.mode is DoorMode.UNLOCKED:
        return _take_mode(state, event.at_s, DoorMode.LOCKED, event.by, rules)
    if state.renew_s is not None:
        return state, ()
    state = _only_for_leavers(state, event.at_s)
    return (state, ()) if _must_stay_released(state, event.at_s) else _hold(state, event.at_s, f"command of {event.by}")


def _set_mode(state: DoorState, event: SetMode, rules: DoorRules) -> Step:
    """A lock-down comes before everything; else a mode that lasts until it is released is released first."""
    if state.mode in UNTIL_RELEASED and event.mode is not DoorMode.LOCKED_DOWN:
        return state, ()
    return _take_mode(state, event.at_s, event.mode, event.by, rules)


def _take_mode(state: DoorState, at_s: float, mode: DoorMode, by: str, rules: DoorRules) -> Step:
    state = msgspec.structs.replace(state, mode=mode, mode_by=by)
    report = Report("mode.changed", {"mode": mode.value, "by": by, "open": state.open})
    if mode in FREE_MODES:
        state, actions = _stand_free(state, at_s)
        return state, (*actions, report)
    if mode in KEPT_SHUT:
        state = _only_for_leavers(state, at_s)
    if state.renew_s is not None:
        state, actions = _stand_free_no_more(state, at_s, rules, mode.value)
    elif _must_stay_released(state, at_s):
        actions = ()
    else:
        state, actions = _hold(state, at_s, mode.value)
    return state, (*actions, report)


def _only_for_leavers(state: DoorState, at_s: float) -> DoorState:
    """Time that was granted to somebody coming in is over; whoever is leaving keeps theirs."""
    if state.released_until_s is None:
        return state
    until_s = min(state.released_until_s, max(state.leaving_until_s, at_s))
    return msgspec.structs.replace(state, released_until_s=until_s, may_open_until_s=until_s + OPENING_GRACE_S)


def _must_stay_released(state: DoorState, now_s: float) -> bool:
    """While somebody is leaving or the door stands free, nothing holds it."""
    return state.renew_s is not None or now_s < state.leaving_until_s


def _release(state: DoorState, event: Release, rules: DoorRules) -> Step:
    if state.mode not in UNTIL_RELEASED:
        return state, ()
    was_shut = state.mode in KEPT_SHUT
    state = msgspec.structs.replace(state, mode=DoorMode.LOCKED, mode_by=event.by)
    report = Report("mode.changed", {"mode": state.mode.value, "by": event.by, "open": state.open})
    if was_shut:
        return state, (report,)
    state, actions = _stand_free_no_more(state, event.at_s, rules, "released")
    return state, (*actions, report)


def _tick(state: DoorState, event: Tick, rules: DoorRules) -> Step:
    actions: tuple[DoorAction, ...] = ()
    if state.renew_s is not None and event.at_s >= state.renew_s:
        state, more = _stand_free(state, event.at_s)
        actions += more
    if state.released_until_s is not None and event.at_s >= state.released_until_s:
        state, more = _time_is_over(state, event.at_s)
        actions += more
    while (due := _next_left_open(state, rules)) is not None and event.at_s >= due[0]:
        state = msgspec.structs.replace(state, left_open=due[1])
        actions += (Report(LEFT_OPEN_KINDS[due[1]], {"after_s": round(due[0] - (state.watched_since_s or due[0]), 3)}),)
    return state, actions


def _time_is_over(state: DoorState, at_s: float) -> Step:
    """The time that was granted. A door that stands free stays so."""
    if state.renew_s is not None:
        return msgspec.structs.replace(state, released_until_s=None), ()
    return _hold(state, at_s, "time")


def _next_left_open(state: DoorState, rules: DoorRules) -> tuple[float, LeftOpen] | None:
    """When an open door is next reported, and as what."""
    if state.watched_since_s is None:
        return None
    held_s = max(rules.held_open_s, rules.extended_held_open_s) if state.extended else rules.held_open_s
    steps: dict[LeftOpen, tuple[LeftOpen, float | None]] = {
        "no": ("warned", held_s - rules.warn_before_s) if rules.warn_before_s else ("held", held_s),
        "warned": ("held", held_s),
        "held": ("propped", rules.propped_s),
    }
    name, after_s = steps.get(state.left_open, ("no", None))
    return None if after_s is None else (state.watched_since_s + max(after_s, held_s * (name == "propped")), name)


_HANDLERS: dict[type, Any] = {
    Granted: _granted, Leaves: _leaves, ContactChanged: _contact, RexPressed: _rex, FireChanged: _fire, OtherDoorChanged: _other_door,
    ScheduleSays: _schedule, LockNow: _lock_now, SetMode: _set_mode, Release: _release, Tick: _tick,
}  # fmt: skip
