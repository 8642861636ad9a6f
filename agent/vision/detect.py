"""Faces in a square of the frame."""

from __future__ import annotations

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.vision.blazeface import INPUT_PX, Decoder, blend
from agent.vision.engine import Network
from agent.vision.faces import Face, Floats, Region, covered, iou, square_around
from agent.vision.pixels import input_buffer, into_input
from hw.interfaces import Pixels


class DetectorSettings(Struct, frozen=True, kw_only=True):
    """What counts as a face."""

    accept: float
    """Least score, 0..1, of a face in its own surroundings, from the model's manifest."""
    suspect: float = 0.5
    """Least score in a square of the search, where faces are small and nothing is reported before a second look."""
    certain: float = 0.7
    """Least score at that second look. Of 120 faces 20 px wide in 192 px squares .6 at once finds 70 %; .5 and then .7 from near finds 86 %.
    In 3,468 squares of photographs, a film and drawings without any face .6 takes 44 things for one; .5 and then .7 takes 7, among them
    a headlamp and the back of a head, and the mesh none of these."""
    near_times: float = 3.0
    """Side of the square of the second look, in sizes of the suspect: what a track's own square has."""
    cut_margin: float = 0.05
    """A box that leaves its square by more than this share of its size, where the frame goes on, is a cut face: left to another square."""


class Detector:
    """BlazeFace-front on any square of a frame. Not thread-safe: its buffers are used again by each call."""

    def __init__(self, network: Network, settings: DetectorSettings) -> None:
        self._network, self._settings = network, settings
        self._square: Pixels = np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8)
        self._input = input_buffer(INPUT_PX)
        self._accept = Decoder(network.outputs, settings.accept)
        self._suspect = Decoder(network.outputs, settings.suspect)

    def detect_in(self, pixels: Pixels, region: Region) -> list[Face]:
        """The faces in a square of the frame (height x width x 3, BGR), best first, in the frame's pixels."""
        return self._faces_in(pixels, region, self._accept)

    def suspects_in(self, pixels: Pixels, region: Region) -> list[Face]:
        """What may be a face in a square of the search: every one needs `confirm`."""
        return self._faces_in(pixels, region, self._suspect)

    def confirm(self, pixels: Pixels, suspect: Face) -> Face | None:
        """The suspect as a second look from near shows it; None when it is no face then: a suitcase that looked like one from afar."""
        near = self.detect_in(pixels, square_around(suspect.box_px, self._settings.near_times))
        sure = [face for face in near if face.score >= self._settings.certain and covered(face.box_px, suspect.box_px) >= 0.5]
        return max(sure, key=lambda face: iou(face.box_px, suspect.box_px), default=None)

    def _faces_in(self, pixels: Pixels, region: Region, decode: Decoder) -> list[Face]:
        cut_square(pixels, region, self._square)
        into_input(self._square, self._input)
        rows, scores = decode(self._network.run(self._input))
        if not len(rows):
            return []
        height, width = pixels.shape[:2]
        found = (_to_frame(row, score, region) for row, score in blend(rows, scores))
        return [face for face in found if self._whole(face.box_px, region, width, height)]

    def _whole(self, box: Box, region: Region, width: int, height: int) -> bool:
        """Whether the box is a face of positive size that the square has not cut off from the rest of the frame."""
        x, y, wide, high = box
        if wide < 1 or high < 1:
            return False
        spare_x, spare_y = self._settings.cut_margin * wide, self._settings.cut_margin * high
        left, top, right, bottom = region.x, region.y, region.x + region.side, region.y + region.side
        return ((x >= left - spare_x or left <= 0) and (y >= top - spare_y or top <= 0)
                and (x + wide <= right + spare_x or right >= width)
                and (y + high <= bottom + spare_y or bottom >= height))  # fmt: skip


def cut_square(pixels: Pixels, region: Region, out: Pixels) -> None:
    """Scales a square of the frame into `out` (square, BGR); what lies outside the frame is black."""
    side, (height, width) = out.shape[0], pixels.shape[:2]
    left, right = max(region.x, 0), min(region.x + region.side, width)
    top, bottom = max(region.y, 0), min(region.y + region.side, height)
    if right <= left or bottom <= top:
        out[:] = 0
        return
    scale = side / region.side
    x0, x1 = round((left - region.x) * scale), max(1, round((right - region.x) * scale))
    y0, y1 = round((top - region.y) * scale), max(1, round((bottom - region.y) * scale))
    if (x0, y0, x1, y1) != (0, 0, side, side):
        out[:] = 0
    cut = _halved(pixels[top:bottom, left:right], 1 / scale)
    cv2.resize(cut, (x1 - x0, y1 - y0), dst=out[y0:y1, x0:x1], interpolation=cv2.INTER_LINEAR)


def _halved(cut: Pixels, factor: float) -> Pixels:
    """Halves a cut until at most four of its pixels (`factor`) go into one of the result, in each direction.

    Bilinear sampling uses two of them, which costs no recall up to three and none of a tracked face's large picture up to four; of the
    whole frame's five it costs a quarter of the faces that are just large enough. Averaging in one step takes 0.3 ms; halving is a path
    of its own in OpenCV and takes a third of it. An odd last row or column is left out: a 300th of the square.
    """
    while factor > 4 and min(cut.shape[:2]) >= 2:
        height, width = cut.shape[0] // 2, cut.shape[1] // 2
        cut = np.asarray(cv2.resize(cut[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        factor /= 2
    return cut


def _to_frame(row: Floats, score: float, region: Region) -> Face:
    scale = region.side / INPUT_PX
    scaled = row * np.float32(scale)
    x, y, width, height = scaled[:4].tolist()
    points = scaled[4:].reshape(6, 2) + np.array([region.x, region.y], np.float32)
    return Face((x + region.x, y + region.y, width, height), score, points)
