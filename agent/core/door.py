"""The door itself: `step(state, input, rules) -> (state, actions)`, with ONVIF's mode names.

Pure. The lock is asked to let go for a time (`Pulse`) or to hold now (`Secure`); the driver ends every pulse by itself, so nothing here
can leave a door open by being late. Requests to exit and the fire release are always obeyed, in every mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from agent.core.messages import DoorMode

OPENING_GRACE_S = 0.5
"""A contact may be seen this long after the lock held again: the leaf was already moving (debounce and a slow hinge)."""

FIRE_RENEW_S = 2.0
"""While the fire input stands, a fail-safe lock is let go again this often, for twice as long."""


class DoorRules(Struct, frozen=True, kw_only=True):
    """What is fixed for a door by its configuration. Times in seconds."""

    held_open_s: float
    rex_pulse_s: float
    relock_on_open: bool
    fire_releases: bool
    """True for fail-safe locks; the latch of a fail-secure fire door must hold (NFPA 80), people leave by its hardware."""


class DoorState(Struct, frozen=True, kw_only=True):
    """Everything the door must remember. `None` for the contact means: not known (no sensor, or not reported yet)."""

    mode: DoorMode = DoorMode.LOCKED
    open: bool | None = None
    opened_s: float | None = None
    may_open_until_s: float = float("-inf")
    released_until_s: float | None = None
    leaving_until_s: float = float("-inf")
    """Somebody asked to exit and has not opened yet: until then no command and no lock-down holds the lock."""
    held: bool = False
    forced: bool = False
    fire: bool = False
    fire_renew_s: float | None = None


# Inputs. `at_s` is CLOCK_MONOTONIC.


class Granted(Struct, frozen=True, kw_only=True):
    """A decision, or a guard, lets somebody in."""

    at_s: float
    seconds: float
    by: str


class ContactChanged(Struct, frozen=True, kw_only=True):
    at_s: float
    open: bool


class RexPressed(Struct, frozen=True, kw_only=True):
    at_s: float


class FireChanged(Struct, frozen=True, kw_only=True):
    at_s: float
    active: bool


class LockNow(Struct, frozen=True, kw_only=True):
    at_s: float
    by: str


class LockDown(Struct, frozen=True, kw_only=True):
    at_s: float
    by: str


class ReleaseLockDown(Struct, frozen=True, kw_only=True):
    at_s: float
    by: str


class Tick(Struct, frozen=True, kw_only=True):
    at_s: float


DoorInput = Granted | ContactChanged | RexPressed | FireChanged | LockNow | LockDown | ReleaseLockDown | Tick


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
    held_s = state.opened_s + rules.held_open_s if state.opened_s is not None and not state.held else None
    waiting = [t for t in (state.released_until_s, held_s, state.fire_renew_s) if t is not None]
    return min(waiting, default=None)


def _granted(state: DoorState, event: Granted, rules: DoorRules) -> Step:
    if state.mode in (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED):
        return state, (Report("lock.refused", {"mode": state.mode.value, "by": event.by}),)
    return _let_go(state, event.at_s, event.seconds, DoorMode.ACCESSED), (Pulse(event.seconds),)


def _rex(state: DoorState, event: RexPressed, rules: DoorRules) -> Step:
    mode = DoorMode.ACCESSED if state.mode is DoorMode.LOCKED else state.mode
    state = _let_go(state, event.at_s, rules.rex_pulse_s, mode)
    state = msgspec.structs.replace(state, leaving_until_s=event.at_s + rules.rex_pulse_s)
    return state, (Pulse(rules.rex_pulse_s), Report("rex.pressed", {"pulse_s": rules.rex_pulse_s}))


def _let_go(state: DoorState, at_s: float, seconds: float, mode: DoorMode) -> DoorState:
    until_s = max(at_s + seconds, state.released_until_s or at_s)
    return msgspec.structs.replace(state, mode=mode, released_until_s=until_s, may_open_until_s=until_s + OPENING_GRACE_S)


def _contact(state: DoorState, event: ContactChanged, rules: DoorRules) -> Step:
    if state.open == event.open:
        return state, ()
    return _opened(state, event, rules) if event.open else _closed(state, event)


def _opened(state: DoorState, event: ContactChanged, rules: DoorRules) -> Step:
    first_report = state.open is None
    expected = first_report or state.fire or event.at_s <= state.may_open_until_s
    # One credential or request, one opening: the lock has to be let go again before the leaf may open again.
    state = msgspec.structs.replace(state, open=True, opened_s=event.at_s, forced=not expected, may_open_until_s=float("-inf"),
                                    leaving_until_s=float("-inf"))  # fmt: skip
    actions: tuple[DoorAction, ...] = (Report("door.opened", {"at_start": first_report}),)
    if not expected:
        actions = (Report("door.forced", {"mode": state.mode.value}),)
    if rules.relock_on_open and state.fire_renew_s is None:
        state = msgspec.structs.replace(state, released_until_s=None)
        actions = (Secure(), *actions)
    return state, actions


def _closed(state: DoorState, event: ContactChanged) -> Step:
    if state.open is None:
        return msgspec.structs.replace(state, open=False), (Report("door.closed", {"at_start": True}),)
    open_s = event.at_s - state.opened_s if state.opened_s is not None else 0.0
    told = {"open_s": round(open_s, 3), "was_forced": state.forced, "was_held": state.held}
    state = msgspec.structs.replace(state, open=False, opened_s=None, held=False, forced=False)
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
    state = msgspec.structs.replace(state, fire=event.active, fire_renew_s=None)
    report = Report("fire.active" if event.active else "fire.cleared", {"releases": rules.fire_releases})
    if not rules.fire_releases:
        return state, (report,)
    if event.active:
        state, actions = _renew_fire(state, event.at_s)
        return state, (*actions, report)
    if _must_stay_released(state, event.at_s):
        return state, (report,)
    state, actions = _hold(state, event.at_s, "fire cleared")
    return state, (*actions, report)


def _renew_fire(state: DoorState, now_s: float) -> Step:
    return msgspec.structs.replace(state, fire_renew_s=now_s + FIRE_RENEW_S), (Pulse(2 * FIRE_RENEW_S),)


def _lock_now(state: DoorState, event: LockNow, rules: DoorRules) -> Step:
    if _must_stay_released(state, event.at_s):
        return state, ()
    return _hold(state, event.at_s, f"command of {event.by}")


def _lock_down(state: DoorState, event: LockDown, rules: DoorRules) -> Step:
    state = msgspec.structs.replace(state, mode=DoorMode.LOCKED_DOWN)
    report = Report("mode.changed", {"mode": state.mode.value, "by": event.by, "open": state.open})
    if _must_stay_released(state, event.at_s):
        return _only_for_leavers(state, event.at_s), (report,)
    state, actions = _hold(state, event.at_s, "lock-down")
    return state, (*actions, report)


def _only_for_leavers(state: DoorState, at_s: float) -> DoorState:
    """Time that was granted to somebody coming in is over; whoever is leaving keeps theirs."""
    if state.released_until_s is None:
        return state
    until_s = min(state.released_until_s, max(state.leaving_until_s, at_s))
    return msgspec.structs.replace(state, released_until_s=until_s, may_open_until_s=until_s + OPENING_GRACE_S)


def _must_stay_released(state: DoorState, now_s: float) -> bool:
    """While somebody is leaving or the fire input lets the lock go, no command holds it."""
    return state.fire_renew_s is not None or now_s < state.leaving_until_s


def _release(state: DoorState, event: ReleaseLockDown, rules: DoorRules) -> Step:
    if state.mode not in (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED):
        return state, ()
    state = msgspec.structs.replace(state, mode=DoorMode.LOCKED)
    return state, (Report("mode.changed", {"mode": state.mode.value, "by": event.by, "open": state.open}),)


def _tick(state: DoorState, event: Tick, rules: DoorRules) -> Step:
    actions: tuple[DoorAction, ...] = ()
    if state.fire_renew_s is not None and event.at_s >= state.fire_renew_s:
        state, more = _renew_fire(state, event.at_s)
        actions += more
    if state.released_until_s is not None and event.at_s >= state.released_until_s:
        state, more = _hold(state, event.at_s, "time")
        actions += more if state.fire_renew_s is None else more[1:]
    held_due = state.opened_s is not None and event.at_s >= state.opened_s + rules.held_open_s
    if held_due and not state.held:
        state = msgspec.structs.replace(state, held=True)
        actions += (Report("door.held", {"after_s": rules.held_open_s}),)
    return state, actions


_HANDLERS: dict[type, Any] = {
    Granted: _granted, ContactChanged: _contact, RexPressed: _rex, FireChanged: _fire,
    LockNow: _lock_now, LockDown: _lock_down, ReleaseLockDown: _release, Tick: _tick,
}  # fmt: skip
