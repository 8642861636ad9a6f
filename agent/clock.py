"""The two clocks of a controller, handed to whoever needs the time so that tests and replay can bring their own."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Protocol


class Clock(Protocol):
    """`mono_s` orders what happens; `wall` tells people when, and schedules what the hour is."""

    def mono_s(self) -> float: ...

    def wall(self) -> datetime: ...


class SystemClock:
    """CLOCK_MONOTONIC, shared by all processes of a controller, and UTC."""

    def mono_s(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(timezone.utc)
