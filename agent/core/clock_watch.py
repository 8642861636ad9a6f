"""Whether this controller knows what time it is, and by how much its clock was wrong. Pure: readings of both clocks go in.

Wall time minus CLOCK_MONOTONIC is one number for a whole start of the machine, as long as nobody sets the clock: NTP corrects the pace of
both alike, and only steps move one against the other (clock_gettime(2), adjtimex(2)). So when the clock is synchronised at last, that number
tells when everything happened that came before, exactly but for what the crystal had drifted by then (a controller's: some seconds a day).
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple

from msgspec import Struct

Standing = Literal["", "synchronised", "held", "unsure"]
"""`synchronised`: somebody keeps the clock right. `held`: it was right in this start of the machine and nobody has set it since, so it drifts
by some seconds a day. `unsure`: it may be anything. '': nobody says."""

STEP_US = 2_000_000
"""Less is drift that NTP takes back; more means that somebody, or something, has set the clock."""
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Mark(NamedTuple):
    """What an event carries besides its time."""

    boot: str
    """Which start of the machine it is; '' where nobody says."""
    standing: Standing


UNMARKED = Mark("", "")


class Reading(Struct, frozen=True):
    """Both clocks at one moment, in microseconds, and whether the wall clock is said to be synchronised (None: nobody says)."""

    mono_us: int
    wall_us: int
    synchronised: bool | None

    @property
    def offset_us(self) -> int:
        return self.wall_us - self.mono_us


class ClockNews(Struct, frozen=True):
    """An event: its kind and its data."""

    kind: str
    data: dict[str, Any]


class ClockWatch:
    """`take` a reading every second or so."""

    def __init__(self, told_us: int | None = None) -> None:
        """`told_us`: the offset that was told earlier in this start of the machine, by a program before this one."""
        self._told_us, self._last_us = told_us, told_us
        self.standing: Standing = ""

    @property
    def told_us(self) -> int | None:
        """Wall time minus monotonic time, of a clock that was right when it was told."""
        return self._told_us

    def take(self, reading: Reading) -> ClockNews | None:
        """What it means for people, if anything."""
        offset_us = reading.offset_us
        moved_us = 0 if self._last_us is None else offset_us - self._last_us
        self._last_us = offset_us
        if reading.synchronised:
            return self._right(offset_us, moved_us)
        known = self._told_us is not None and abs(offset_us - self._told_us) < STEP_US
        self.standing = "" if reading.synchronised is None else "held" if known else "unsure"
        return _jumped(offset_us, moved_us) if abs(moved_us) >= STEP_US else None

    def _right(self, offset_us: int, moved_us: int) -> ClockNews | None:
        before_us, self.standing = self._told_us, "synchronised"
        if before_us is not None and abs(offset_us - before_us) < STEP_US:
            return None  # however small the steps, they are told when they have become one
        self._told_us = offset_us
        if before_us is not None and abs(moved_us) >= STEP_US:
            return _jumped(offset_us, moved_us)
        return ClockNews("clock.synchronised", {"offset_s": _seconds(offset_us), "moved_s": _seconds(moved_us)})


def _jumped(offset_us: int, moved_us: int) -> ClockNews:
    return ClockNews("clock.jumped", {"offset_s": _seconds(offset_us), "moved_s": _seconds(moved_us)})


def _seconds(us: int) -> float:
    return us / 1e6


def to_us(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1)


def corrected(mono_s: float, offset_us: int) -> datetime:
    """When it was: monotonic seconds of an event, and wall minus monotonic time of the same start of the machine."""
    return EPOCH + timedelta(microseconds=round(mono_s * 1e6) + offset_us)
