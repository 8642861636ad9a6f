"""How long to wait before something that failed is tried again."""

from __future__ import annotations


class Backoff:
    """Each wait is twice the last one, from `first_s` to `longest_s`, until something worked."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def wait_s(self) -> float:
        """The wait after one more failure."""
        wait_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return wait_s

    def worked(self) -> None:
        self._next_s = self._first_s
