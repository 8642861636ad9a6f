"""A camera looked at for a while, as if it were a film."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import inf

from agent.errors import CameraError, FilmError
from hw.interfaces import Camera, Frame
from hw.newest import FilmEnded

READ_S = 0.2
SILENT_S = 5.0
"""A camera that gives nothing for so long will give nothing."""
EARLY_SHARE = 0.8
"""Of the interval: a camera's frames come a little early or late, and none may be let go for that."""

_CAMERA = re.compile(r"picamera2|rpicam:\d|csi:\d|gst:.+|\d+|/dev/.+|rtsp:.+")


def names_camera(source: str) -> bool:
    """Whether a word of the command line names a camera: a number, /dev/…, rtsp:…, rpicam:N, csi:N, gst:… or picamera2."""
    return _CAMERA.fullmatch(source) is not None


class Live:
    """Frames of an open camera from now on, for `seconds` or until told to stop. It is the caller's to close the camera."""

    def __init__(self, camera: Camera, most_per_s: float, seconds: float, stopped: Callable[[], bool]) -> None:
        self.name, self.rate = camera.name, most_per_s
        self.expected = 0 if seconds == inf else round(seconds * most_per_s)
        self._camera, self._seconds, self._stopped = camera, seconds, stopped
        self._gone = ""

    def frames(self) -> Iterator[Frame]:
        """`taken_s` is counted from the first frame. Raises FilmError when the camera gives none."""
        first_s, last_s = inf, -inf
        while not self._stopped():
            frame = self._read()
            if frame is None:
                break
            first_s = min(first_s, frame.taken_s)
            if frame.taken_s - first_s >= self._seconds:
                break
            if frame.taken_s - last_s >= EARLY_SHARE / self.rate:
                last_s = frame.taken_s
                yield Frame(frame.pixels, frame.taken_s - first_s)
        if first_s == inf and not self._stopped():
            raise FilmError(self._gone or f"camera {self.name}: gave no frame")

    def lacking(self) -> str:
        """Why the camera gave no more frames before its time was over; empty when it did."""
        return self._gone

    def _read(self) -> Frame | None:
        """The next frame; None when there is none any more, or when told to stop."""
        waited_s = 0.0
        while not self._stopped():
            try:
                frame = self._camera.read(READ_S)
            except FilmEnded:
                return None
            except CameraError as error:
                self._gone = str(error)
                return None
            if frame is not None:
                return frame
            waited_s += READ_S
            if waited_s > SILENT_S:
                self._gone = f"camera {self.name}: no frame for {SILENT_S:g} s"
                return None
        return None
