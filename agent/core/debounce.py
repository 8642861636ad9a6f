"""A switch bounces for some milliseconds: a level counts once it has stood still for a while."""

from __future__ import annotations


class Debounce:
    """One input. The time that is reported is that of the edge after which it stood still, not of its confirmation."""

    def __init__(self, still_s: float) -> None:
        self._still_s = still_s
        self._stable: bool | None = None
        self._level: bool | None = None
        self._last_s = float("-inf")

    def edge(self, active: bool, at_s: float) -> None:
        """Take an edge; each one restarts the wait. A pulse shorter than the debounce time leaves nothing behind.

        A level that is older than the last edge was looked at before it and says nothing new.
        """
        if active != self._level and at_s >= self._last_s:
            self._level, self._last_s = active, at_s

    @property
    def due_s(self) -> float | None:
        """When a pending change is confirmed if nothing more happens."""
        return None if self._level is None or self._level == self._stable else self._last_s + self._still_s

    def settle(self, now_s: float) -> tuple[bool, float] | None:
        """The new level and the time of its edge, once confirmed."""
        due_s = self.due_s
        if due_s is None or now_s < due_s or self._level is None:
            return None
        self._stable = self._level
        return self._level, self._last_s
