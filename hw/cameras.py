"""Which camera a controller has: a word of the configuration to a driver. Each driver is imported only when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hw.interfaces import Camera


class CameraSettings(Protocol):
    """What a driver needs to know; the `vision` table of the configuration has it."""

    @property
    def camera(self) -> str: ...
    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def frames_per_s(self) -> float: ...


def open_camera(settings: CameraSettings) -> Camera:
    """The camera that `settings.camera` names; raises CameraError (HardwareError when its driver is not installed).

    `picamera2`, `sim:PATH`, or what OpenCV opens: a number, /dev/videoN, rtsp:URL, file:PATH.
    """
    name = settings.camera
    if name == "picamera2":
        from hw.camera_picamera2 import PiCamera

        return PiCamera(settings.width_px, settings.height_px, settings.frames_per_s)
    if name.startswith("sim:"):
        from hw.camera_sim import SimCamera

        return SimCamera(Path(name.removeprefix("sim:")), settings.frames_per_s)
    from hw.camera_opencv import OpenCvCamera

    return OpenCvCamera(name, settings.width_px, settings.height_px, settings.frames_per_s)
