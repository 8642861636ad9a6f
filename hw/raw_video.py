"""Raw pictures as GStreamer lays them into memory: how many bytes a frame has, and where the pixels are in them.

Layout and strides after GStreamer's documentation "Raw Video Media Types" and gstvideo's default strides: rows of packed formats and
of each plane begin at multiples of four bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from agent.errors import CameraError
from hw.interfaces import Pixels

Layout = Literal["BGR", "BGRx", "I420"]


@dataclass(frozen=True)
class RawVideo:
    """Frames of one layout and size. Raises CameraError for a size that the layout does not have."""

    layout: Layout
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if self.layout == "I420" and (self.width_px % 8 or self.height_px % 2):
            size = f"{self.width_px}x{self.height_px}"
            raise CameraError(f"{size} px: I420 halves its colours: the width must be a multiple of 8 and the height of 2")

    @property
    def frame_bytes(self) -> int:
        """Of one whole frame, padding included."""
        if self.layout == "I420":
            return self.width_px * self.height_px * 3 // 2
        return self._row_bytes * self.height_px

    @property
    def _row_bytes(self) -> int:
        depth = 4 if self.layout == "BGRx" else 3
        return -(-self.width_px * depth // 4) * 4

    def pixels(self, raw: bytearray) -> Pixels:
        """The picture in `frame_bytes` bytes as height x width x 3, BGR, a copy: `raw` may be filled anew."""
        flat = np.frombuffer(raw, np.uint8)
        if self.layout == "I420":
            # BT.601, what GStreamer's converters take for pictures without a colour space of their own
            return np.asarray(
                cv2.cvtColor(flat.reshape(self.height_px * 3 // 2, self.width_px), cv2.COLOR_YUV2BGR_I420), np.uint8
            )
        rows = flat.reshape(self.height_px, self._row_bytes)
        if self.layout == "BGRx":
            return np.asarray(cv2.cvtColor(rows.reshape(self.height_px, self.width_px, 4), cv2.COLOR_BGRA2BGR), np.uint8)
        return rows[:, : 3 * self.width_px].reshape(self.height_px, self.width_px, 3).copy()
