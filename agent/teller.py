"""What the door tells the person in front of it, and when: the answers of the core in the table of agent.core.feedback."""

from __future__ import annotations

from typing import Protocol

from agent.clock import Clock
from agent.core import door
from agent.core.decide import Case, Decision
from agent.core.feedback import FeedbackRules, Meaning, Signal, signal_for
from agent.core.meanings import meaning_of, meaning_of_wait
from agent.core.messages import ReadFault

MISREAD = ("parity", "framing", "lost", "overrun", "checksum", "too_many_waiting")
"""Faults of a fob that was really held out: it is worth another try. Others are noise, or a fob of another kind."""


class Signals(Protocol):
    """See hw.signals.Signals."""

    def show(self, signal: Signal) -> None: ...

    def rest(self, signal: Signal) -> None: ...

    def rest_now(self) -> None: ...


class Teller:
    """Of the loop's thread. Called after the lock has moved, never before."""

    def __init__(self, signals: Signals, rules: FeedbackRules, clock: Clock) -> None:
        self._signals, self._rules, self._clock = signals, rules, clock
        self._asked: Meaning | None = None
        """What a waiting person is asked for now."""
        self._resting = Meaning.READY
        self._warned = False

    def take_rules(self, rules: FeedbackRules) -> None:
        """Another language or other quiet hours: from the next sign on."""
        self._rules = rules

    def decided(self, decision: Decision, stuck: bool = False) -> None:
        """`stuck`: the lock could not be driven; nobody is told to come in at a door that holds."""
        self._asked = None
        if stuck:
            self._show(Meaning.OUT_OF_ORDER)
        else:
            self._show(meaning_of(decision), decision.pulse_s if decision.granted else None)

    def waits(self, case: Case) -> None:
        """Told once, not with each look."""
        meaning = meaning_of_wait(case)
        if meaning is not self._asked:
            self._asked = meaning
            self._show(meaning)

    def holds(self, seconds: float) -> None:
        """Somebody waits for a guard, for so long at most."""
        self._asked = None
        self._show(Meaning.HELP_IS_COMING, seconds)

    def let_in(self, seconds: float) -> None:
        """A guard opens."""
        self._show(Meaning.GRANTED, seconds)

    def refused(self) -> None:
        """A guard says no."""
        self._show(Meaning.DENIED)

    def help_is_coming(self) -> None:
        self._show(Meaning.HELP_IS_COMING)

    def misread(self, fault: ReadFault) -> None:
        if fault.fault in MISREAD:
            self._asked = None  # whoever still waits is asked again
            self._show(Meaning.TRY_AGAIN)

    def door(self, state: door.DoorState, enrols: bool = False) -> None:
        """The door's state has changed. `enrols`: somebody's face is being enrolled at its camera, and whoever stands there is to know."""
        warned = state.left_open != "no"
        # The reminder rests, so that a fob which is answered meanwhile does not end it
        self._rest(_resting(state, warned, enrols))
        if warned and not self._warned:
            self._show(Meaning.CLOSE_THE_DOOR)
        elif self._warned and not warned:
            self._signals.rest_now()
        self._warned = warned

    def _show(self, meaning: Meaning, lasts_s: float | None = None) -> None:
        self._signals.show(signal_for(meaning, self._rules, self._clock.wall().astimezone(), lasts_s=lasts_s))

    def _rest(self, meaning: Meaning) -> None:
        if meaning is not self._resting:
            self._resting = meaning
            self._signals.rest(signal_for(meaning, self._rules, self._clock.wall().astimezone()))


def _resting(state: door.DoorState, warned: bool, enrols: bool) -> Meaning:
    if warned:
        return Meaning.CLOSE_THE_DOOR
    if state.mode in door.KEPT_SHUT:
        return Meaning.OUT_OF_ORDER
    return Meaning.ENROLLING if enrols else Meaning.READY
