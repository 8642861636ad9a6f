"""Writing something down without making anybody wait for it: a lock-down waits for no disk, and for no import that holds the database."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from central.database.engine import StoreError

log = logging.getLogger(__name__)

WITHIN_S = 1.0
MOST = 8
"""So much may wait for a database that does not answer; what comes then is told in the log alone."""


class Promptly:
    """From any thread."""

    def __init__(self, within_s: float = WITHIN_S) -> None:
        self._within_s, self._room = within_s, threading.BoundedSemaphore(MOST)

    def write(self, work: Callable[[], None], what: str) -> None:
        """Done when this returns, unless the database takes longer than a second: then it is done behind our back. `what` is for the log."""
        if not self._room.acquire(blocking=False):
            log.error("not written down, the database does not answer: %s", what)
            return
        done = threading.Event()

        def run() -> None:
            try:
                work()
            except StoreError as error:
                log.error("not written down: %s error=%s", what, error)
            finally:
                self._room.release()
                done.set()

        threading.Thread(target=run, name="written down", daemon=True).start()
        if not done.wait(self._within_s):
            log.warning("the database takes long to write down: %s", what)
