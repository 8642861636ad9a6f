"""Cameras and films through OpenCV: USB by number, /dev/videoN, RTSP, and files at the pace at which they were taken."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from agent.errors import CameraError
from hw.camera_names import public_name
from hw.interfaces import Frame
from hw.newest import FilmEnded, NewestFrame

RTSP_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay|stimeout;3000000|timeout;3000000"
"""TCP, because a lost UDP packet smears faces over the frame; no buffer; give up after three seconds (in microseconds) of silence,
well within the watchdog's patience."""
OPTIONS_NAME = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
OPEN_TIMEOUT_MS = 3000
READ_TIMEOUT_MS = 3000
FRAMES_LOST = 3
"""Failed grabs in a row that mean the device is gone: a USB camera may lose one when the bus is busy."""
JOIN_S = 2.0


class OpenCvCamera:
    """A grabber thread empties the driver's queue as fast as it fills and keeps the newest frame only.

    Without it a slow consumer is served frames that V4L2 or FFMPEG queued up to a second ago, and the door would decide on the past.
    """

    def __init__(self, source: str, width_px: int, height_px: int, frames_per_s: float) -> None:
        """`source`: '0', '/dev/video0', 'rtsp://host/path' or 'file:PATH'. Raises CameraError when it cannot be opened."""
        self._name = public_name(source)
        self._is_film = source.startswith("file:")
        self._capture = _open(source, width_px, height_px, frames_per_s)
        film_rate = float(self._capture.get(cv2.CAP_PROP_FPS)) if self._is_film else 0.0
        # Containers without a rate answer 0 or nonsense like 90000.
        self._pace_s = 1 / film_rate if 0 < film_rate <= 240 else 1 / frames_per_s
        self._newest = NewestFrame()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return self._name

    def read(self, timeout_s: float) -> Frame | None:
        """See hw.interfaces.Camera."""
        return self._newest.take(timeout_s)

    def close(self) -> None:
        """Ends the grabber. A driver that hangs in a read is left to its thread, which ends with the process."""
        self._stop.set()
        self._thread.join(JOIN_S)
        self._newest.fail(self._closed())

    def _closed(self) -> CameraError:
        return CameraError(f"camera {self._name}: was closed")

    def _run(self) -> None:
        try:
            error = self._play_film() if self._is_film else self._grab()
        except Exception as cause:  # noqa: BLE001 - a thread's death must reach the reader, whatever OpenCV raised
            error = CameraError(f"camera {self._name}: {cause}")
        finally:
            self._capture.release()
        self._newest.fail(error)

    def _grab(self) -> CameraError:
        lost = 0
        while not self._stop.is_set():
            good, pixels = self._capture.read()
            if good:
                lost = 0
                self._newest.put(Frame(pixels, time.monotonic()))  # type: ignore[arg-type]  # a colour capture is uint8
                continue
            lost += 1
            if lost == FRAMES_LOST:
                return CameraError(f"camera {self._name}: gives no more frames; is it still plugged in and powered?")
            self._stop.wait(0.05)
        return self._closed()

    def _play_film(self) -> CameraError:
        due_s = time.monotonic()
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            good, pixels = self._capture.read()
            if not good:
                return FilmEnded(f"camera {self._name}: film ended")
            self._newest.put(Frame(pixels, time.monotonic()))  # type: ignore[arg-type]  # a colour capture is uint8
            due_s += self._pace_s
        return self._closed()


def _open(source: str, width_px: int, height_px: int, frames_per_s: float) -> cv2.VideoCapture:
    if source.startswith("file:"):
        return _open_film(Path(source.removeprefix("file:")))
    if source.startswith("rtsp:"):
        return _open_stream(source)
    return _open_device(source, width_px, height_px, frames_per_s)


def _open_film(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise CameraError(f"camera file:{path}: there is no such file")
    return _demand(cv2.VideoCapture(str(path)), f"file:{path}", "it is no film that FFMPEG knows; try `ffprobe` on it")


def _open_stream(url: str) -> cv2.VideoCapture:
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
    mend = "does `ffplay` show this address, and do user and password stand in it?"
    with _ffmpeg_options(RTSP_OPTIONS):
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
    return _demand(capture, public_name(url), mend)


@contextmanager
def _ffmpeg_options(options: str) -> Iterator[None]:
    """OpenCV takes them from the environment alone, when it opens; left there, they would take the first frames from a film. Whoever has
    set them before the start has the say."""
    if OPTIONS_NAME in os.environ:
        yield
        return
    os.environ[OPTIONS_NAME] = options
    try:
        yield
    finally:
        del os.environ[OPTIONS_NAME]


def _open_device(source: str, width_px: int, height_px: int, frames_per_s: float) -> cv2.VideoCapture:
    index: int | str = int(source) if source.isdigit() else source
    mend = "see `v4l2-ctl --list-devices`; the user must be in the group video"
    capture = _demand(cv2.VideoCapture(index, cv2.CAP_V4L2), source, mend)
    # MJPEG, because raw 1280x720 at 15 frames a second does not fit through USB 2.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    for setting, value in ((cv2.CAP_PROP_FRAME_WIDTH, width_px), (cv2.CAP_PROP_FRAME_HEIGHT, height_px),
                           (cv2.CAP_PROP_FPS, frames_per_s), (cv2.CAP_PROP_BUFFERSIZE, 1)):  # fmt: skip
        capture.set(setting, value)
    return capture


def _demand(capture: cv2.VideoCapture, name: str, mend: str) -> cv2.VideoCapture:
    if capture.isOpened():
        return capture
    capture.release()
    raise CameraError(f"camera {name}: cannot be opened: {mend}")
