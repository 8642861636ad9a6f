"""Log lines written by a thread of their own: a pipe or a journald that takes nothing any more must not hold the door's loop."""

from __future__ import annotations

import logging
import sys
import threading
from queue import SimpleQueue
from typing import TextIO

MAX_WAITING = 1000
"""Lines that wait for a reader; of more, only their number is told."""

LAST_LINES_S = 0.5
"""How long the program's end may wait for the last lines to be written."""


class LogThread(logging.Handler):
    """A handler that never waits. Start it after the last fork."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._dropped = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        if self._lines.qsize() >= MAX_WAITING:
            self._dropped += 1
            return
        self._lines.put(self.format(record))

    def flush(self) -> None:
        """Give the last lines a moment; `logging` calls this when the program ends."""
        written = threading.Event()
        self._lines.put(written)
        written.wait(LAST_LINES_S)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            if isinstance(line, threading.Event):
                line.set()
                continue
            dropped, self._dropped = self._dropped, 0
            lost = f"WARNING {dropped} log lines lost: nobody read them\n" if dropped else ""
            try:
                self._stream.write(f"{lost}{line}\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody is there to be told; the next line may find somebody
                self._dropped += 1


def log_by_thread() -> None:
    """Take over from the handlers of the root logger, with their format."""
    root = logging.getLogger()
    handler = LogThread(sys.stderr)
    if root.handlers:
        handler.setFormatter(root.handlers[0].formatter)
    root.handlers = [handler]
