"""The door's mode on disk: a lock-down survives a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from agent.core.messages import DoorMode
from agent.errors import JournalError
from agent.files import write_whole

SAVE_WAIT_S = 0.2
"""So long a command's answer waits for the disk. A worn card may take seconds, and the loop that waits here serves the exit button too."""

_LASTING = (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED)


def save_mode(path: Path, mode: DoorMode) -> None:
    """Write the mode so that a power cut leaves the old or the new one, never half. Only lock-downs and blocks last."""
    word = mode.value if mode in _LASTING else DoorMode.LOCKED.value
    try:
        write_whole(path, word.encode("ascii"))
    except OSError as error:
        raise JournalError(f"{path}: the door's mode cannot be saved: {error}") from error


class _Saving:
    """One mode on its way to the disk."""

    def __init__(self, mode: DoorMode) -> None:
        self.mode = mode
        self.error: JournalError | None = None
        self.done = threading.Event()


class ModeKeeper:
    """Saves modes in a thread of its own, in their order. `on_fault` is told, in that thread, of one that could not be saved."""

    def __init__(self, path: Path, on_fault: Callable[[str], None], save: Callable[[Path, DoorMode], None] = save_mode) -> None:
        self._path, self._on_fault, self._save = path, on_fault, save
        self._waiting: SimpleQueue[_Saving] = SimpleQueue()
        threading.Thread(target=self._run, name="mode", daemon=True).start()

    def save(self, mode: DoorMode, wait_s: float = SAVE_WAIT_S) -> None:
        """Raises JournalError when the mode is not on the disk: it could not be written, or is still being written."""
        saving = _Saving(mode)
        self._waiting.put(saving)
        if not saving.done.wait(wait_s):
            raise JournalError(f"{self._path}: the disk is slow, the door's mode is still being saved")
        if saving.error is not None:
            raise saving.error

    def _run(self) -> None:
        while True:
            saving = self._waiting.get()
            try:
                self._save(self._path, saving.mode)
            except JournalError as error:
                saving.error = error
                self._on_fault(str(error))
            saving.done.set()


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
