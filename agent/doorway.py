"""The state machine's hands: each input goes through the pure core, and what it answers is carried out, lock first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agent.clock import Clock
from agent.core import door
from agent.core.messages import Event
from agent.errors import HardwareError
from agent.records.journal import Journal

if TYPE_CHECKING:
    from hw.interfaces import Lock  # that file knows pictures, and with them numpy: 13 MB that a door has no use for

log = logging.getLogger(__name__)


class Doorway:
    """Holds the door's state. `apply` is the only way to change it; of one thread."""

    def __init__(
        self, lock: Lock, rules: door.DoorRules, journal: Journal, clock: Clock, state: door.DoorState,
        heard: Callable[[Event], None] = lambda event: None,
    ) -> None:  # fmt: skip
        """`heard` gets each event once it is on record; it may neither wait nor raise, for the relay moves behind it."""
        self._lock, self._rules, self._journal, self._clock, self._heard = lock, rules, journal, clock, heard
        self.state = state

    def take_rules(self, rules: door.DoorRules) -> None:
        self._rules = rules

    @property
    def released(self) -> bool:
        """Whether the lock has really let go: a relay that fails is behind its state."""
        return self._lock.released

    @property
    def due_s(self) -> float | None:
        return door.next_deadline_s(self.state, self._rules)

    def tick(self, now_s: float) -> None:
        if (due_s := self.due_s) is not None and now_s >= due_s:
            self.apply(door.Tick(at_s=now_s))

    def apply(self, event: door.DoorInput) -> str:
        """One step of the door. Returns the lock's fault, if it could not be driven."""
        self.state, actions = door.step(self.state, event, self._rules)
        fault = "".join(self._perform(action) for action in actions)
        if fault:
            self.announce("lock.fault", {"error": fault})
        return fault

    def announce(self, kind: str, data: dict[str, Any]) -> Event:
        """Put an event on record, in memory that outlives the process; disk and network follow in threads of their own."""
        event = self._journal.append(kind, data, at=self._clock.wall(), mono_s=self._clock.mono_s())
        self._heard(event)
        return event

    def _perform(self, action: door.DoorAction) -> str:
        try:
            if isinstance(action, door.Pulse):
                self._lock.pulse(action.seconds)
            elif isinstance(action, door.Secure):
                self._lock.secure()
            else:
                self.announce(action.kind, action.data)
        except HardwareError as error:
            log.error("door lock fault=%s", error)
            return str(error)
        return ""
