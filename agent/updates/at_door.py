"""Updates in the door's loop: settings are taken when nobody is at the door, and how vision is goes to the post."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from agent.core import door
from agent.core.decide import DecisionPolicy
from agent.core.feedback import FeedbackRules
from agent.core.pins import PinRules
from agent.core.risk_policy import RiskPolicy
from agent.enrol_desk import EnrolRules

LONGEST_WAIT_S = 600.0
"""A door with somebody always before it takes what is new after this, between two people."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything in the door's loop that an update can change."""

    policy: DecisionPolicy
    rules: door.DoorRules
    risk: RiskPolicy
    feedback: FeedbackRules
    pins: PinRules
    enrol: EnrolRules


class NewSettings(Struct, frozen=True):
    """An item for the loop's inbox. `taken` is to be called when they count."""

    settings: Settings
    taken: Callable[[], None]


class Pending:
    """The settings that wait. Of several the newest: it was made of the ones before."""

    def __init__(self) -> None:
        self._new: NewSettings | None = None
        self._since_s = 0.0

    def put(self, new: NewSettings, now_s: float) -> None:
        if self._new is None:
            self._since_s = now_s
        self._new = new

    def due(self, now_s: float, at_rest: bool, nobody_there: bool) -> NewSettings | None:
        """What is to be taken now. `at_rest`: no fob waits for its answer and the lock holds, or the door stands free anyway."""
        if self._new is None or not at_rest or not (nobody_there or now_s - self._since_s >= LONGEST_WAIT_S):
            return None
        new, self._new = self._new, None
        return new
