"""Unlock schedules at the door: asked when they may have turned, told to the state machine when they have."""

from __future__ import annotations

from collections.abc import Callable

from agent.clock import Clock
from agent.core import door
from agent.core.desk import Desk
from agent.doorway import Doorway


class UnlockHours:
    """Of the loop's thread. A schedule speaks when it turns; what a person ordered in between stands."""

    def __init__(self, desk: Desk, doorway: Doorway, clock: Clock, is_sure: Callable[[], bool] = lambda: True) -> None:
        """`is_sure`: whether the hour of the day may be gone by. No door stands free because of a guess."""
        self._is_sure = is_sure
        self._desk, self._doorway, self._clock = desk, doorway, clock
        self._said = False
        self.due_s = float("-inf")
        self.awaits_first_card = False

    def keep(self, now_s: float) -> None:
        """Ask the schedule if it is time to."""
        if now_s >= self.due_s:
            self.ask()

    def ask(self, again: bool = False) -> None:
        """Ask now. `again`: say it even if it has been said, for a mode that stood above it has ended."""
        wall = self._clock.wall()
        now = self._desk.unlocking(wall)
        self.due_s = self._clock.mono_s() + max(0.0, (now.ask_again - wall).total_seconds())
        self.awaits_first_card = now.awaits_first_card
        unlocked = now.unlocked and self._is_sure()
        if unlocked != self._said or (again and unlocked):
            self._said = unlocked
            self._doorway.apply(door.ScheduleSays(at_s=self._clock.mono_s(), unlocked=unlocked, by="schedule"))

    def end(self) -> None:
        """A person locked the door: these hours are over, or take another first card."""
        self._desk.end_unlock(self._clock.wall())
        self.ask()

    def resume(self) -> None:
        """A person gave the door back to its hours."""
        self._desk.resume_unlock()
        self.ask(again=True)
