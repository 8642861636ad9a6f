"""Keeps what is useful from taking down what is needed: a stage that fails costs its own answer, is counted and told, and is left out
for a while when it keeps failing.

A stage that looks at faces is counted for each of them: one odd face may not take a stage from everybody else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

log = logging.getLogger(__name__)

MOST_IN_ROW = 5
"""Failures in a row after which a stage is left out: one may be an odd picture, five are no accident."""
REST_S = 60.0
"""Then it is tried again: what it could not look at has passed, or it costs one failure a minute."""

THE_FRAME = 0
"""Whom a stage looks at that looks at no one face; tracks are counted from 1."""

T = TypeVar("T")


@dataclass
class _Row:
    """Failures in a row with one face."""

    count: int
    said: str
    again_s: float = 0.0


class Guard:
    """Runs an optional stage. One per stage."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        """In all."""
        self._rows: dict[int, _Row] = {}
        self._last = ""
        """What the last run failed with; it stands until one goes well, also when that face has gone."""

    def off(self, now_s: float, of: int = THE_FRAME) -> bool:
        """Whether the stage is left out for this track."""
        row = self._rows.get(of)
        return row is not None and row.count >= MOST_IN_ROW and now_s < row.again_s

    def failed(self, of: int = THE_FRAME) -> bool:
        """Whether its last run for this track failed."""
        return of in self._rows

    @property
    def fault(self) -> str:
        """What is wrong, for the health message; empty when the last run, and the last one with each face in view, went well."""
        worst = max(self._rows.values(), key=lambda row: row.count, default=None)
        if worst is None:
            return self._last and f"{self.name}: {self._last}"
        left_out = f"; left out and tried again after {REST_S:g} s" if worst.count >= MOST_IN_ROW else ""
        return f"{self.name}: {worst.said}{left_out}"

    def run(self, stage: Callable[[], T], now_s: float, of: int = THE_FRAME) -> T | None:
        """What the stage gave for a track; None when it failed or is left out. `now_s` is the frame's time."""
        if self.off(now_s, of):
            return None
        try:
            found = stage()
        except Exception as error:  # noqa: BLE001 - counted, logged, reported by `fault`, and after five in a row the stage rests
            self._count(error, now_s, of)
            return None
        self._rows.pop(of, None)
        self._last = ""
        return found

    def forget(self, live: Collection[int]) -> None:
        """Tracks that are over take their failures with them."""
        self._rows = {of: row for of, row in self._rows.items() if of == THE_FRAME or of in live}

    def _count(self, error: Exception, now_s: float, of: int) -> None:
        self.failures += 1
        self._last = f"{type(error).__name__}: {error}"
        row = self._rows.setdefault(of, _Row(0, ""))
        row.count, row.said, row.again_s = row.count + 1, self._last, now_s + REST_S
        if self.failures & (self.failures - 1) == 0 or row.count == MOST_IN_ROW:  # 1, 2, 4, 8 ...: it must not fill the log
            log.exception("optional stage failed stage=%s of=%d in_row=%d total=%d", self.name, of, row.count, self.failures)
