"""A flood of the same small trouble is told once, and then by its count: a loose wire must not fill a journal."""

from __future__ import annotations


class Fold:
    """Counts for each name. The first `most` within a stretch of `within_s` seconds are told each, the others as one number at its end."""

    def __init__(self, most: int = 10, within_s: float = 60.0) -> None:
        self._most, self._within_s = most, within_s
        self._stretches: dict[str, tuple[float, int]] = {}
        """Name -> when its stretch ends, and how many came in it."""

    def tells(self, name: str, now_s: float) -> bool:
        """Whether this one is told by itself."""
        ends_s, count = self._stretches.get(name, (now_s + self._within_s, 0))
        self._stretches[name] = (ends_s, count + 1)
        return count < self._most

    @property
    def due_s(self) -> float | None:
        """When `ended` has something to say at the earliest."""
        return min((ends_s for ends_s, _ in self._stretches.values()), default=None)

    def ended(self, now_s: float) -> list[tuple[str, int]]:
        """Stretches that are over: each name with how many of it were not told."""
        over = [(name, count) for name, (ends_s, count) in self._stretches.items() if now_s >= ends_s]
        for name, _ in over:
            del self._stretches[name]
        return [(name, count - self._most) for name, count in over if count > self._most]
