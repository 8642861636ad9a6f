"""A Raspberry Pi's camera through `rpicam-vid`, which Raspberry Pi OS Lite has from the start: no picamera2, and so no network, is needed.

Options after Raspberry Pi's documentation of rpicam-apps (camera software); the frames are those of its encoder `yuv420`, rows as long as
libcamera lays them: multiples of 64 bytes on a Raspberry Pi 5, of 32 before, and half of that for the colours.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.errors import CameraError
from hw.raw_video import Layout

ROW_PX = 64
"""A width that is a multiple of it has no padding on any board."""


@dataclass(frozen=True)
class Rpicam:
    """Camera `number` as `rpicam-hello --list-cameras` counts them."""

    number: int = 0
    layout: Layout = "I420"
    command: str = "rpicam-vid"
    package: str = "rpicam-apps-lite"
    mend: str = "does the ribbon cable sit, contacts towards the board, and does `rpicam-hello --list-cameras` show the camera?"

    @property
    def name(self) -> str:
        return f"rpicam:{self.number}"

    def words(self, width_px: int, height_px: int, frames_per_s: float, descriptor: int) -> list[str]:
        """See hw.camera_pipe.Source."""
        if width_px % ROW_PX:
            raise CameraError(f"camera {self.name}: {width_px} px wide: a multiple of {ROW_PX} is needed, such as 640 or 1280")
        return [
            "--camera", str(self.number), "--nopreview", "--timeout", "0", "--verbose", "0", "--flush", "--codec", "yuv420",
            "--width", str(width_px), "--height", str(height_px), "--framerate", f"{frames_per_s:g}", "--output", f"/dev/fd/{descriptor}",
        ]  # fmt: skip
