"""Reading BlazeFace's numbers: anchors, boxes, points, and the blending of neighbours. Pure numpy.

Layout after arXiv 1907.05047 and MediaPipe's SSD anchor rules for the front camera model: a 128 px picture, two anchors a cell on the
16 x 16 grid and six on the 8 x 8 grid, all of them squares of the picture's own size, so that an anchor is just its centre.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agent.vision.faces import Face, Floats, covered, iou

INPUT_PX = 128
GRIDS = ((16, 2), (8, 6))
SAME_FACE_IOU = 0.3
"""Boxes of one square that overlap this much show one face (MediaPipe's min_suppression_threshold)."""
SAME_FACE_COVERED = 0.6
"""A box that lies in another for this share is a part of it: tiles cut faces, faces do not contain faces."""


def anchors() -> Floats:
    """Centres (x, y) in pixels of the 128 px picture, 896 x 2, in the order of the network's rows."""
    rows = [_grid(cells, repeats) for cells, repeats in GRIDS]
    return np.concatenate(rows)


def _grid(cells: int, repeats: int) -> Floats:
    steps = ((np.arange(cells) + 0.5) * (INPUT_PX / cells)).astype(np.float32)
    x, y = np.meshgrid(steps, steps)
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), repeats, axis=0)


def decode(raw: Floats, centres: Floats) -> Floats:
    """Rows of x, y, width, height and six points (16 numbers, pixels of the 128 px picture) from the network's.

    `raw` is n x 16: centre relative to the anchor, size, then points relative to the anchor, all in pixels.
    """
    out = raw.astype(np.float32, copy=True)
    out.reshape(-1, 8, 2)[:, 2:] += centres[:, None]
    out[:, :2] += centres - out[:, 2:4] / 2
    return out


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
