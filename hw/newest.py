"""A place for one frame: whoever is late gets the newest, and nothing queues."""

from __future__ import annotations

import threading

from agent.errors import CameraError
from hw.interfaces import Frame


class FilmEnded(CameraError):
    """The last frame of a file was given: opening it again would only play it again."""


class NewestFrame:
    """Filled by a grabber's thread, emptied by the vision loop."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._error: CameraError | None = None
        self.overwritten = 0

    def put(self, frame: Frame) -> None:
        """Show a frame; one that nobody took is dropped and counted."""
        with self._changed:
            self.overwritten += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def fail(self, error: CameraError) -> None:
        """No frame will ever come again, for this reason; the first reason stands."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify()

    def take(self, timeout_s: float) -> Frame | None:
        """The frame not yet taken, or None when none came in time. After the last frame, raises what `fail` was told."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._error is not None, timeout_s)
            frame, self._frame = self._frame, None
            if frame is None and self._error is not None:
                raise type(self._error)(str(self._error))
            return frame
