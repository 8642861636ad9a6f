"""Keeps what is useful from taking down what is needed: a stage that fails costs its own answer, is counted and told, and is left out
when it keeps failing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger(__name__)

MOST_IN_ROW = 5
"""Failures in a row after which a stage is left out until the program is started anew: one may be an odd picture, five are a broken stage."""

T = TypeVar("T")


class Guard:
    """Runs an optional stage. One per stage."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        """In all."""
        self._in_row = 0
        self._last = ""

    @property
    def off(self) -> bool:
        """Whether the stage is left out."""
        return self._in_row >= MOST_IN_ROW

    @property
    def fault(self) -> str:
        """What is wrong, for the health message; empty after a run that went well."""
        if not self._in_row:
            return ""
        return f"{self.name}: {self._last}" + ("; left out until the program is started anew" if self.off else "")

    def run(self, stage: Callable[[], T]) -> T | None:
        """What the stage gave; None when it failed or is left out."""
        if self.off:
            return None
        try:
            found = stage()
        except Exception as error:  # noqa: BLE001 - counted, logged, reported by `fault`, and after five in a row the stage is left out
            self._count(error)
            return None
        self._in_row = 0
        return found

    def _count(self, error: Exception) -> None:
        self.failures += 1
        self._in_row += 1
        self._last = f"{type(error).__name__}: {error}"
        if self._in_row in (1, MOST_IN_ROW):
            log.exception(
                "optional stage failed stage=%s in_row=%d total=%d off=%s", self.name, self._in_row, self.failures, self.off
            )
