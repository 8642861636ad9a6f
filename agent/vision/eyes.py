"""The camera as the vision loop sees it: there, or gone and looked for again. A lost camera is a state, not an end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from agent.errors import CameraError, HardwareError
from hw.interfaces import Camera, Frame
from hw.newest import FilmEnded

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 8.0
"""A USB camera that was plugged in again is seen within this; opening a missing one costs little."""
SILENT_S = 2.0
"""A camera that is open and gives nothing for this long has hung: it is closed and opened anew."""

STUCK_S = 60.0
"""A camera that is being opened or closed for so long is with a driver that does not come back: a new program may have more luck."""

Beside = Callable[[Callable[[], None]], object]
"""Lets something be done that may take seconds, and returns at once."""


def in_a_thread(job: Callable[[], None]) -> None:
    """A driver that hangs keeps its thread, and nobody else."""
    threading.Thread(target=job, name="camera", daemon=True).start()


@dataclass
class _Opening:
    """A camera that is being opened or closed beside the loop."""

    since_s: float
    done: bool = False
    camera: Camera | None = None
    error: CameraError | HardwareError | None = None


class Eyes:
    """Reads frames, reopening the camera with growing pauses. `fault` says in words what is wrong, '' when nothing is.

    Opening an address that does not answer takes seconds, and so does closing a driver that hangs. Both are done beside the loop, which
    goes on to say how it is.
    """

    def __init__(self, name: str, open_camera: Callable[[], Camera], mono_s: Callable[[], float], pause: Callable[[float], object],
                 edition: Callable[[], Hashable] = lambda: None, beside: Beside = in_a_thread) -> None:  # fmt: skip
        """`pause(seconds)` waits, or returns early when the program is told to stop. `edition()`: see hw.cameras; a film that has ended is
        played again only when it has changed."""
        self.name = name
        self.fault = "not opened yet"
        self._open_camera, self._mono_s, self._pause = open_camera, mono_s, pause
        self._edition, self._beside = edition, beside
        self._camera: Camera | None = None
        self._under_way: _Opening | None = None
        self._opened: Hashable = None
        self._over = False
        """The film in place has been played to its end."""
        self._retry_s = FIRST_RETRY_S
        self._next_try_s = mono_s()
        self._last_frame_s = 0.0

    def read(self, timeout_s: float) -> Frame | None:
        """The newest frame, or None when none came in time or the camera is gone. Never raises for a camera's sake."""
        camera = self._camera or self._try_open()
        if camera is None:
            wait_s = timeout_s if self._under_way else min(timeout_s, self._next_try_s - self._mono_s())
            self._pause(max(0.0, wait_s))
            return None
        try:
            frame = camera.read(timeout_s)
            self._demand_life(frame)
        except FilmEnded as error:
            self._over = True
            self._lose(str(error))
            return None
        except (CameraError, HardwareError) as error:
            self._lose(str(error))
            return None
        return frame

    def hung(self) -> str:
        """What does not move and would after a new start, in words; '' when all does."""
        under_way = self._under_way
        away_s = self._mono_s() - under_way.since_s if under_way is not None and not under_way.done else 0.0
        return f"its driver has not come back for {away_s:.0f} s" if away_s > STUCK_S else ""

    def close(self) -> None:
        """Gives the camera back. One that is just being opened goes with the process."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _demand_life(self, frame: Frame | None) -> None:
        now_s = self._mono_s()
        if frame is not None:
            if self.fault:
                log.info("camera gives frames camera=%s", self.name)
            self._last_frame_s, self._retry_s, self.fault = now_s, FIRST_RETRY_S, ""
        elif now_s - self._last_frame_s > SILENT_S:
            raise CameraError(f"camera {self.name}: open, and no frame for {SILENT_S:g} s; opened anew")

    def _try_open(self) -> Camera | None:
        """The camera, once it is open. Opening is begun when it is time to."""
        if self._under_way is None and self._is_time():
            self._begin_opening()
        if self._under_way is None or not self._under_way.done:
            return None
        ended, self._under_way = self._under_way, None
        if ended.error is not None:
            self._lose(str(ended.error))
        if ended.camera is not None:
            self._last_frame_s = self._mono_s()
            self._camera = ended.camera
        return self._camera

    def _is_time(self) -> bool:
        if self._mono_s() < self._next_try_s:
            return False
        if self._over and self._edition() == self._opened:
            self._next_try_s = self._mono_s() + LAST_RETRY_S
            return False
        return True

    def _begin_opening(self) -> None:
        opening = self._under_way = _Opening(self._mono_s())
        self._over, self._opened = False, self._edition()

        def job() -> None:
            try:
                opening.camera = self._open_camera()
            except (CameraError, HardwareError) as error:
                opening.error = error
            except Exception as cause:  # noqa: BLE001 - whatever a driver raises, it is looked for again
                opening.error = CameraError(f"camera {self.name}: cannot be opened: {cause!r}")
            opening.done = True

        self._beside(job)

    def _lose(self, fault: str) -> None:
        if fault != self.fault:
            log.error("camera lost camera=%s retry_s=%g fault=%r", self.name, self._retry_s, fault)
        self.fault = fault
        self._close_beside()
        self._next_try_s = self._mono_s() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def _close_beside(self) -> None:
        """The device is free before it is opened again."""
        camera, self._camera = self._camera, None
        if camera is None:
            return
        closing = self._under_way = _Opening(self._mono_s())

        def job() -> None:
            try:
                camera.close()
            except Exception as cause:  # noqa: BLE001 - told, and the camera is opened anew all the same
                log.warning("camera not closed camera=%s why=%r", self.name, str(cause))
            closing.done = True

        self._beside(job)
