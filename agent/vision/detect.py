"""Faces in a square of the frame."""

from __future__ import annotations

from math import log

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.vision.blazeface import INPUT_PX, anchors, blend, decode
from agent.vision.engine import Network, dequantise
from agent.vision.faces import Face, Floats, Region
from agent.vision.pixels import Int8s, input_buffer, into_input
from hw.interfaces import Pixels


class DetectorSettings(Struct, frozen=True, kw_only=True):
    """What counts as a face."""

    accept: float
    """Least score, 0..1, from the model's manifest."""
    cut_margin: float = 0.05
    """A box that leaves its square by more than this share of its size, where the frame goes on, is a cut face: left to another square."""


class Detector:
    """BlazeFace-front on any square of a frame. Not thread-safe: its buffers are used again by each call."""

    def __init__(self, network: Network, settings: DetectorSettings) -> None:
        self._network, self._settings = network, settings
        self._anchors = anchors()
        self._square: Pixels = np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8)
        self._input = input_buffer(INPUT_PX)
        self._least_logit = log(settings.accept / (1 - settings.accept))

    def detect_in(self, pixels: Pixels, region: Region) -> list[Face]:
        """The faces in a square of the frame (height x width x 3, BGR), best first, in the frame's pixels."""
        cut_square(pixels, region, self._square)
        into_input(self._square, self._input)
        rows, scores = self._read(self._network.run(self._input))
        if not len(rows):
            return []
        height, width = pixels.shape[:2]
        found = (_to_frame(row, score, region) for row, score in blend(rows, scores))
        return [face for face in found if self._whole(face.box_px, region, width, height)]

    def _read(self, outputs: tuple[Int8s, ...]) -> tuple[Floats, Floats]:
        """Decoded rows and scores of what passes; rows that don't are never turned into floats."""
        logits, boxes, start = [], [], 0
        centres = []
        for score_index in (0, 2):
            score_of, box_of = self._network.outputs[score_index], self._network.outputs[score_index + 1]
            raw = outputs[score_index].reshape(-1)
            hits = np.flatnonzero(raw >= score_of.zero_point + self._least_logit / score_of.scale)
            centres.append(self._anchors[start + hits])
            logits.append(dequantise(raw[hits], score_of))
            boxes.append(dequantise(outputs[score_index + 1].reshape(-1, 16)[hits], box_of))
            start += len(raw)
        scores = (1 / (1 + np.exp(-np.concatenate(logits)))).astype(np.float32)
        return decode(np.concatenate(boxes), np.concatenate(centres)), scores

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
    # Averaging areas: a bilinear cut of five pixels to one would see two of the five and call the rest noise.
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cv2.resize(pixels[top:bottom, left:right], (x1 - x0, y1 - y0), dst=out[y0:y1, x0:x1], interpolation=method)


def _to_frame(row: Floats, score: float, region: Region) -> Face:
    scale = region.side / INPUT_PX
    x, y, width, height = (float(value) * scale for value in row[:4])
    points = row[4:].reshape(6, 2) * np.float32(scale) + np.array([region.x, region.y], np.float32)
    return Face((x + region.x, y + region.y, width, height), score, points)
