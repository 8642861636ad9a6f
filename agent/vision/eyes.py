"""The camera as the vision loop sees it: there, or gone and looked for again. A lost camera is a state, not an end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf

from agent.errors import CameraError, HardwareError
from hw.interfaces import Camera, Frame
from hw.newest import FilmEnded

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 8.0
"""A USB camera that was plugged in again is seen within this; opening a missing one costs little."""
SILENT_S = 2.0
"""A camera that is open and gives nothing for this long has hung: it is closed and opened anew."""


class Eyes:
    """Reads frames, reopening the camera with growing pauses. `fault` says in words what is wrong, '' when nothing is."""

    def __init__(self, name: str, open_camera: Callable[[], Camera], mono_s: Callable[[], float],
                 pause: Callable[[float], object]) -> None:  # fmt: skip
        """`pause(seconds)` waits, or returns early when the program is told to stop."""
        self.name = name
        self.fault = "not opened yet"
        self._open_camera, self._mono_s, self._pause = open_camera, mono_s, pause
        self._camera: Camera | None = None
        self._retry_s = FIRST_RETRY_S
        self._next_try_s = mono_s()
        self._last_frame_s = 0.0

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame, or None when none came in time or the camera is gone. Never raises for a camera's sake."""
        camera = self._camera or self._try_open()
        if camera is None:
            self._pause(max(0.0, min(timeout_s, self._next_try_s - self._mono_s())))
            return None
        try:
            frame = camera.read(timeout_s)
            self._demand_life(frame)
        except FilmEnded as error:
            self._lose(str(error))
            self._next_try_s = inf
            return None
        except (CameraError, HardwareError) as error:
            self._lose(str(error))
            return None
        return frame

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _demand_life(self, frame: Frame | None) -> None:
        now_s = self._mono_s()
        if frame is not None:
            self._last_frame_s, self._retry_s, self.fault = now_s, FIRST_RETRY_S, ""
        elif now_s - self._last_frame_s > SILENT_S:
            raise CameraError(f"camera {self.name}: open, and no frame for {SILENT_S:g} s; opened anew")

    def _try_open(self) -> Camera | None:
        if self._mono_s() < self._next_try_s:
            return None
        try:
            self._camera = self._open_camera()
        except (CameraError, HardwareError) as error:
            self._lose(str(error))
            return None
        self._last_frame_s = self._mono_s()
        log.info("camera opened camera=%s", self._camera.name)
        return self._camera

    def _lose(self, fault: str) -> None:
        if fault != self.fault:
            log.error("camera lost camera=%s retry_s=%g fault=%r", self.name, self._retry_s, fault)
        self.fault = fault
        self.close()
        self._next_try_s = self._mono_s() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
