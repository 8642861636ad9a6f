"""What a self-test found."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

Status = Literal["ok", "fault", "unsure", "skipped", "absent"]
"""`unsure`: nobody said how it went; `skipped`: not allowed or not asked for; `absent`: this door has none, which is no fault."""

SOUND: frozenset[Status] = frozenset({"ok", "absent"})


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    what: str
    """What was seen."""
    likely: str = ""
    """The likely wire or cause."""
    mend: str = ""
    """What to do about it."""


class Result(Struct, frozen=True, kw_only=True):
    """How a step ended."""

    step: str
    title: str
    status: Status
    said: str = ""
    """In one line, what was seen when all was well, or why nothing was."""
    faults: tuple[Fault, ...] = ()
    measured: dict[str, str] = {}
    """Figures with their units, for the report."""
    took_s: float = 0.0


class Report(Struct, frozen=True, kw_only=True):
    """A whole self-test."""

    site: str
    door: str
    made_at: datetime
    versions: dict[str, str]
    results: tuple[Result, ...]
    left_out: tuple[str, ...] = ()
    """Steps that `--only` did not name."""
    picture_jpeg: bytes = b""
    """What the camera sees, when the installer wanted it in the report."""

    @property
    def well(self) -> bool:
        return all(result.status in SOUND for result in self.results)

    @property
    def findings(self) -> int:
        return sum(len(result.faults) or 1 for result in self.results if result.status not in SOUND)


class Judged(Struct, frozen=True, kw_only=True):
    """A verdict: nothing wrong, or what."""

    said: str = ""
    faults: tuple[Fault, ...] = ()
    measured: dict[str, str] = {}
    unsure: bool = False

    @property
    def status(self) -> Status:
        if self.faults:
            return "fault"
        return "unsure" if self.unsure else "ok"
