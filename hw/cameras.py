"""Which camera a controller has: a word of the configuration to a driver. Each driver is imported only when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent.errors import CameraError
from hw.interfaces import Camera

if TYPE_CHECKING:
    from hw.camera_pipe import Source


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

    `picamera2`, `rpicam:N` (through rpicam-vid), `csi:N` and `gst:ELEMENTS` (both through gst-launch), `sim:PATH`, or what OpenCV opens: a
    number, /dev/videoN, rtsp:URL, file:PATH.
    """
    name = settings.camera
    if name.startswith(("csi:", "gst:", "rpicam:")):
        return _through_a_pipe(name, settings)
    if name == "picamera2":
        from hw.camera_picamera2 import PiCamera

        return PiCamera(settings.width_px, settings.height_px, settings.frames_per_s)
    if name.startswith("sim:"):
        from hw.camera_sim import SimCamera

        return SimCamera(Path(name.removeprefix("sim:")), settings.frames_per_s)
    from hw.camera_opencv import OpenCvCamera

    return OpenCvCamera(name, settings.width_px, settings.height_px, settings.frames_per_s)


def _through_a_pipe(name: str, settings: CameraSettings) -> Camera:
    from hw.camera_pipe import PipeCamera

    return PipeCamera(_source(name), settings.width_px, settings.height_px, settings.frames_per_s)


def _source(name: str) -> Source:
    from hw.camera_gst import any_source, csi
    from hw.camera_rpicam import Rpicam

    kind, _, rest = name.partition(":")
    if kind == "gst":
        return any_source(rest)
    if not (rest.isascii() and rest.isdigit()):
        raise CameraError(f"camera {name}: `{kind}:` is followed by the camera's number, like {kind}:0")
    return csi(int(rest)) if kind == "csi" else Rpicam(int(rest))


def edition(settings: CameraSettings) -> Hashable:
    """What tells a film from another one that was put in its place; None of a camera, and of a film that is not there."""
    kind, _, path = settings.camera.partition(":")
    try:
        found = os.stat(path) if kind == "file" else None
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns, found.st_size)
