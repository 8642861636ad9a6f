"""What a check says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Level = Literal["well", "note", "warn", "bad"]
"""`note`: worth knowing, nothing to mend; `warn`: works today; `bad`: something does not work, or is not safe."""


class Finding(Struct, frozen=True, kw_only=True):
    """One line of a doctor's letter."""

    level: Level
    what: str
    why: str = ""
    """Why it matters at a door."""
    mend: str = ""
    """The exact command, or what to write where."""


def well(what: str) -> Finding:
    return Finding(level="well", what=what)


def note(what: str, why: str = "") -> Finding:
    return Finding(level="note", what=what, why=why)


def warn(what: str, why: str, mend: str) -> Finding:
    return Finding(level="warn", what=what, why=why, mend=mend)


def bad(what: str, why: str, mend: str) -> Finding:
    return Finding(level="bad", what=what, why=why, mend=mend)
