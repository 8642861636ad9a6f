"""The Raspberry Pi's own cameras, through picamera2 (a package of Raspberry Pi OS; libcamera is not to be had from PyPI)."""

from __future__ import annotations

import threading
import time
from typing import Any

from agent.errors import CameraError, HardwareError
from hw.interfaces import Frame
from hw.newest import NewestFrame

# libcamera names a format after the bytes of a little-endian word, so its "RGB888" lies in memory as B, G, R: just what OpenCV and
# hw.interfaces.Frame call BGR. Asking for "BGR888" would give red faces in blue.
FORMAT = "RGB888"
BUFFERS = 3
"""One being filled, one waiting, one being copied."""
JOIN_S = 2.0


def _module() -> Any:
    try:
        import picamera2
    except ImportError as error:
        mend = "sudo apt install python3-picamera2, and make the venv with --system-site-packages"
        raise HardwareError(f"camera picamera2: the driver is not installed ({error}): {mend}") from error
    return picamera2


class PiCamera:
    """Gives the newest frame of the first camera."""

    def __init__(self, width_px: int, height_px: int, frames_per_s: float) -> None:
        """Raises HardwareError without the driver, CameraError when no camera answers."""
        driver = _module().Picamera2
        try:
            self._camera = driver()
            self._camera.configure(_configuration(self._camera, width_px, height_px, frames_per_s))
            self._camera.start()
        except Exception as error:
            # libcamera raises RuntimeError, IndexError (no camera) and its own types
            mend = "see `rpicam-hello --list-cameras`; is the ribbon cable seated at both ends?"
            raise CameraError(f"camera picamera2: cannot be started: {error}; {mend}") from error
        self._newest = NewestFrame()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return "picamera2"

    def read(self, timeout_s: float) -> Frame | None:
        """See hw.interfaces.Camera."""
        return self._newest.take(timeout_s)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(JOIN_S)
        self._camera.stop()
        self._camera.close()
        self._newest.fail(CameraError("camera picamera2: was closed"))

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                request = self._camera.capture_request()
                try:
                    pixels = request.make_array("main")  # a copy: the buffer goes back to the camera
                finally:
                    request.release()
                self._newest.put(Frame(pixels, time.monotonic()))
        except Exception as error:  # noqa: BLE001 - a thread's death must reach the reader, whatever libcamera raised
            self._newest.fail(CameraError(f"camera picamera2: {error}"))


def _configuration(camera: Any, width_px: int, height_px: int, frames_per_s: float) -> Any:
    period_us = round(1e6 / frames_per_s)
    main = {"size": (width_px, height_px), "format": FORMAT}
    controls = {"FrameDurationLimits": (period_us, period_us)}
    return camera.create_video_configuration(main=main, controls=controls, buffer_count=BUFFERS)
