"""The door's mode on disk: a lock-down survives a restart."""

from __future__ import annotations

import os
from pathlib import Path

from agent.core.messages import DoorMode
from agent.errors import JournalError

_LASTING = (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED)


def save_mode(path: Path, mode: DoorMode) -> None:
    """Write the mode so that a power cut leaves the old or the new one, never half. Only lock-downs and blocks last."""
    word = mode.value if mode in _LASTING else DoorMode.LOCKED.value
    fresh = path.with_suffix(".new")
    try:
        with fresh.open("w", encoding="ascii") as file:
            file.write(word)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise JournalError(f"{path}: the door's mode cannot be saved: {error}") from error


def load_mode(path: Path) -> DoorMode:
    """The saved mode; Locked when none was saved. A file that says something else means lock-down: somebody wrote to it, ask a person."""
    try:
        word = path.read_text("ascii").strip()
    except FileNotFoundError:
        return DoorMode.LOCKED
    except (OSError, UnicodeDecodeError):
        return DoorMode.LOCKED_DOWN
    lasting = {mode.value: mode for mode in (*_LASTING, DoorMode.LOCKED)}
    return lasting.get(word, DoorMode.LOCKED_DOWN)
