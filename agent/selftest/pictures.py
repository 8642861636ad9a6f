"""Looks at what a camera gives, in figures."""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np

from agent.selftest.judge_machine import CameraSeen
from hw.camera_names import public_name
from hw.cameras import open_camera
from hw.interfaces import Frame

REPORT_WIDTH_PX = 480


def look(vision: Any, warm_up_s: float, watch_s: float) -> tuple[CameraSeen, bytes]:
    """What the camera of a `vision` table shows for a while, and its last picture as a small JPEG. Raises CameraError and HardwareError."""
    camera = open_camera(vision)
    try:
        _frames(camera, warm_up_s)
        began_s = time.monotonic()
        frames = _frames(camera, watch_s)
        return _seen(vision, frames, time.monotonic() - began_s), _jpeg(frames[-1]) if frames else b""
    finally:
        camera.close()


def _frames(camera: Any, seconds: float) -> list[Frame]:
    frames: list[Frame] = []
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        frame = camera.read(left_s)
        if frame is not None:
            frames.append(frame)
    return frames


def _seen(vision: Any, frames: list[Frame], seconds: float) -> CameraSeen:
    wanted = {
        "camera": public_name(vision.camera),
        "wanted_px": (vision.width_px, vision.height_px),
        "wanted_rate": vision.frames_per_s,
    }
    if not frames:
        return CameraSeen(**wanted)
    last = frames[-1].pixels
    grey = cv2.cvtColor(last, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    return CameraSeen(
        **wanted, frames=len(frames), seconds=seconds, width_px=width, height_px=height, mean=float(grey.mean()), deviation=float(grey.std()),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        alive=any(not np.array_equal(frame.pixels, last) for frame in frames[:-1]),
    )  # fmt: skip


def _jpeg(frame: Frame) -> bytes:
    height, width = frame.pixels.shape[:2]
    small = cv2.resize(frame.pixels, (REPORT_WIDTH_PX, round(height * REPORT_WIDTH_PX / width)), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 75])[1])
