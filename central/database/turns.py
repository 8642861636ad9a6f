"""Writers of one program come in the order in which they asked.

SQLite has one writer at a time, and its own waiting is a sleep and another try: beside a historian that catches up with ten thousand doors,
and begins the next transaction a millisecond after the last, others were seen to wait for half a minute and to be refused then.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Thread-safe. Not to be asked for a turn within a turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many want a turn while somebody has one."""
        with self._lock:
            return max(0, len(self._line) - 1)

    @contextmanager
    def turn(self, longest_s: float) -> Iterator[None]:
        """Who has waited for so long goes on all the same: the database itself still has one writer."""
        bell = threading.Event()
        with self._lock:
            self._line.append(bell)
            is_first = self._line[0] is bell
        if not is_first:
            bell.wait(longest_s)
        try:
            yield
        finally:
            self._leave(bell)

    def _leave(self, bell: threading.Event) -> None:
        with self._lock:
            self._line.remove(bell)
            if self._line:
                self._line[0].set()
