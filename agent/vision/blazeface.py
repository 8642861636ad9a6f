"""Reading BlazeFace's numbers: anchors, boxes, points, and the blending of neighbours. Pure numpy.

Layout after arXiv 1907.05047 and MediaPipe's SSD anchor rules for the front camera model: a 128 px picture, two anchors a cell on the
16 x 16 grid and six on the 8 x 8 grid, all of them squares of the picture's own size, so that an anchor is just its centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np

from agent.vision.faces import Face, Floats, covered, iou
from agent.vision.pixels import Int8s
from models_tflite.manifest import Tensor

INPUT_PX = 128
GRIDS = ((16, 2), (8, 6))
SAME_FACE_IOU = 0.3
"""Boxes of one square that overlap this much show one face (MediaPipe's min_suppression_threshold)."""
SAME_FACE_COVERED = 0.6
"""A box that lies in another for this share is a part of it: tiles cut faces, faces do not contain faces."""


_NO_ROWS: Floats = np.zeros((0, 16), np.float32)
_NO_SCORES: Floats = np.zeros(0, np.float32)


def anchors() -> Floats:
    """Centres (x, y) in pixels of the 128 px picture, 896 x 2, in the order of the network's rows."""
    rows = [_grid(cells, repeats) for cells, repeats in GRIDS]
    return np.concatenate(rows)


def _grid(cells: int, repeats: int) -> Floats:
    steps = ((np.arange(cells) + 0.5) * (INPUT_PX / cells)).astype(np.float32)
    x, y = np.meshgrid(steps, steps)
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0)


class Decoder:
    """Int8 outputs to boxes, for every row at once.

    What the two grids differ in (scale, zero point, anchors) is laid out once as a column for each row, so that a frame costs a dozen
    numpy calls on the few rows that pass instead of twice as many on each grid.
    """

    def __init__(self, outputs: tuple[Tensor, ...], accept: float) -> None:
        """`outputs`: scores (logits) and boxes of the fine grid, then of the coarse one. `accept`: the least score, 0..1."""
        rows = [tensor.shape[1] for tensor in outputs[::2]]
        self._score_scale, self._score_zero = _columns(outputs[::2], rows)
        self._box_scale, box_zero = _columns(outputs[1::2], rows)
        least = log(accept / (1 - accept)) / self._score_scale + self._score_zero
        self._least = np.ceil(least[:, 0]).astype(np.int16)
        # A number stands for (raw - zero) * scale, from the anchor on except for width and height.
        self._offset = np.repeat(-box_zero * self._box_scale, 16, axis=1)
        self._offset.reshape(-1, 8, 2)[:, [0, 2, 3, 4, 5, 6, 7]] += anchors()[:, None]

    def __call__(self, outputs: tuple[Int8s, ...]) -> tuple[Floats, Floats]:
        """Rows of x, y, width, height and six points (16 numbers, pixels of the 128 px picture), and their scores, 0..1."""
        scores = np.concatenate((outputs[0].reshape(-1), outputs[2].reshape(-1)))
        hits = np.flatnonzero(scores >= self._least)
        if not len(hits):
            return _NO_ROWS, _NO_SCORES
        raw = np.concatenate((outputs[1].reshape(-1, 16), outputs[3].reshape(-1, 16)))[hits]
        rows = raw * self._box_scale[hits] + self._offset[hits]
        rows[:, :2] -= rows[:, 2:4] / 2
        logits = (scores[hits] - self._score_zero[hits, 0]) * self._score_scale[hits, 0]
        return rows, 1 / (1 + np.exp(-logits))


def _columns(tensors: Sequence[Tensor], rows: Sequence[int]) -> tuple[Floats, Floats]:
    """Scale and zero point of each row, 896 x 1."""
    scales = np.repeat([np.float32(tensor.scale) for tensor in tensors], rows)
    zeros = np.repeat([np.float32(tensor.zero_point) for tensor in tensors], rows)
    return scales[:, None], zeros[:, None]


def blend(rows: Floats, scores: Floats) -> list[tuple[Floats, float]]:
    """Weighted non-maximum suppression: each best row becomes the score-weighted mean of the rows that overlap it.

    Steadier than picking one: neighbouring anchors see the same face and their errors average out. Best first.
    """
    if len(rows) == 1:
        return [(rows[0], float(scores[0]))]
    left = np.argsort(-scores, kind="stable")
    found: list[tuple[Floats, float]] = []
    while len(left):
        best = left[0]
        near = _ious(rows[best, :4], rows[left, :4]) >= SAME_FACE_IOU
        near[0] = True  # a box without area overlaps nothing, itself included
        group = left[near]
        weights = scores[group] / scores[group].sum()
        found.append((weights @ rows[group], float(scores[best])))
        left = left[~near]
    return found


def _ious(one: Floats, many: Floats) -> Floats:
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[:2] + one[2:4], many[:, :2] + many[:, 2:4])
    sides = np.maximum(high - low, 0)
    common = sides[:, 0] * sides[:, 1]
    union = one[2] * one[3] + many[:, 2] * many[:, 3] - common
    return np.asarray(common / np.maximum(union, 1e-6), np.float32)


def distinct(faces: Sequence[Face]) -> list[Face]:
    """One of each face that several squares show: the one named first. Callers order by trust."""
    kept: list[Face] = []
    for face in faces:
        if not any(_same(face, other) for other in kept):
            kept.append(face)
    return kept


def _same(a: Face, b: Face) -> bool:
    return iou(a.box_px, b.box_px) >= SAME_FACE_IOU or covered(a.box_px, b.box_px) >= SAME_FACE_COVERED
