"""A clock that tests turn by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

MIDNIGHT = datetime(2026, 3, 1, tzinfo=timezone.utc)


class HandClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def mono_s(self) -> float:
        return self.now_s

    def wall(self) -> datetime:
        return MIDNIGHT + timedelta(seconds=self.now_s)

    def pause(self, seconds: float) -> None:
        self.now_s += seconds
