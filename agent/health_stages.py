"""Which parts of a program do not move, and the heartbeat that the supervisor hears only while all of them do.

Each stage says in words what hangs in it, or nothing. What a new start mends (a thread that has ended, a lock that nobody closes any more)
keeps the heartbeat back; systemd then ends the program within `WatchdogSec`, the lock's coil loses its power, and it starts anew. What a new
start cannot mend (a disk, a network, a camera, an adapter) is told and costs nobody the door: docs/SERVICES.md has the table.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

log = logging.getLogger(__name__)

TELL_AFTER = 2
"""Looks in a row, a second apart: a program that was held up for a moment has all its threads behind at once."""

Check = Callable[[], str]
"""What hangs, in words; '' when nothing does. Called once a second from the program's main thread: it may not wait."""


class Stages:
    """Call `look` once a second. `on_hung` hears of each stage once, when it has begun to hang."""

    def __init__(
        self, checks: Mapping[str, Check], on_hung: Callable[[str], None] = log.debug, in_kernel: Callable[[], bool] | None = None
    ) -> None:
        """`in_kernel`: whether some thread waits inside the kernel for a device."""
        self._checks, self._on_hung, self._in_kernel = checks, on_hung, in_kernel or waits_in_kernel
        self._in_row: dict[str, int] = {}
        self.hung: tuple[str, ...] = ()
        """What hangs now, in words."""

    def look(self) -> bool:
        """Whether the supervisor may hear that all is alive."""
        found = {name: words for name, check in self._checks.items() if (words := check())}
        self.hung = tuple(f"{name}: {words}" for name, words in found.items())
        self._in_row = {name: self._in_row.get(name, 0) + 1 for name in found}
        for name, words in found.items():
            if self._in_row[name] == TELL_AFTER:
                log.error("stage hangs stage=%s %s", name, words)
                self._on_hung(f"{name}: {words}")
        # A process of which one thread waits inside the kernel cannot be killed, and keeps its pins: a new one would not get them
        return not found or self._in_kernel()


def waits_in_kernel(tasks: Path = Path("/proc/self/task")) -> bool:
    """Whether a thread of this process is in an uninterruptible sleep (proc(5): state D)."""
    return any(_state(task / "stat") == "D" for task in _entries(tasks))


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError:
        return []


def _state(stat: Path) -> str:
    """The letter behind the name, which may itself hold brackets and blanks."""
    try:
        return stat.read_text("ascii", "replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):  # a thread that has just ended
        return ""
