"""Reading the detector's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from agent.vision.blazeface import Decoder, anchors, blend, distinct
from agent.vision.faces import Face
from models_tflite.manifest import Tensor


def face(x, y, width, score=0.9):
    return Face((x, y, width, width), score, np.zeros((6, 2), np.float32))


def test_the_anchors_are_the_896_of_the_published_front_model():
    centres = anchors()
    assert centres.shape == (896, 2)
    assert centres[:3].tolist() == [[4, 4], [4, 4], [12, 4]]  # two on each 8 px cell, row by row
    assert centres[511].tolist() == [124, 124]
    assert centres[512:519].tolist() == [[8, 8]] * 6 + [[24, 8]]  # six on each 16 px cell
    assert centres[895].tolist() == [120, 120]


def outputs_with(row: int, numbers: list[int], score: int = 100):
    """The network's four outputs where one row says something and all others nothing."""
    scores, boxes = np.full(896, -128, np.int8), np.zeros((896, 16), np.int8)
    scores[row], boxes[row] = score, numbers
    return scores[None, :512, None], boxes[None, :512], scores[None, 512:, None], boxes[None, 512:]


TENSORS = (
    Tensor("s8", (1, 512, 1), "int8", 0.0625, 0), Tensor("b8", (1, 512, 16), "int8", 0.5, -10),
    Tensor("s16", (1, 384, 1), "int8", 0.125, 4), Tensor("b16", (1, 384, 16), "int8", 0.25, 20),
)  # fmt: skip


def test_a_row_of_the_fine_grid_is_a_box_and_points_about_its_anchor():
    rows, scores = Decoder(TENSORS, 0.6)(outputs_with(2, [-10, -10, 30, 50, -16, 0] + [-10] * 10))
    assert scores == pytest.approx([1 / (1 + np.exp(-6.25))])
    assert rows[0, :4].tolist() == [12 - 10, 4 - 15, 20, 30]  # second cell of the first row, 20 x 30 about it
    assert rows[0, 4:6].tolist() == [12 - 3, 4 + 5]
    assert rows[0, 6:].tolist() == [12, 4] * 5


def test_the_coarse_grid_has_numbers_of_its_own():
    rows, scores = Decoder(TENSORS, 0.6)(outputs_with(895, [20, 20, 100, 100] + [20] * 12, score=20))
    assert scores == pytest.approx([1 / (1 + np.exp(-2.0))])
    assert rows[0].tolist() == [110, 110, 20, 20] + [120] * 12


@pytest.mark.parametrize(("score", "counts"), [(6, False), (7, True)])
def test_a_score_counts_from_the_accepted_one_on(score, counts):
    accept = 1 / (1 + np.exp(-7 * 0.0625)) - 1e-4  # just below what an int8 score of 7 stands for
    rows, _ = Decoder(TENSORS, accept)(outputs_with(0, [0] * 16, score=score))
    assert len(rows) == counts


def test_when_every_row_says_face_nothing_breaks():
    rows, scores = Decoder(TENSORS, 0.6)(tuple(np.full(tensor.shape, 127, np.int8) for tensor in TENSORS))
    assert rows.shape == (896, 16)
    assert np.isfinite(rows).all()
    assert (scores > 0.6).all()


def test_neighbouring_boxes_become_one_weighted_by_their_scores():
    rows = np.zeros((2, 16), np.float32)
    rows[0, :4], rows[1, :4] = (0, 0, 40, 40), (4, 0, 40, 40)
    [(row, score)] = blend(rows, np.array([0.6, 0.9], np.float32))
    assert abs(row[0] - 4 * 0.9 / 1.5) < 1e-5
    assert abs(score - 0.9) < 1e-6


def test_two_faces_apart_stay_two_the_surer_first():
    rows = np.zeros((2, 16), np.float32)
    rows[0, :4], rows[1, :4] = (0, 0, 40, 40), (60, 0, 40, 40)
    found = blend(rows, np.array([0.6, 0.9], np.float32))
    assert [round(score, 1) for _, score in found] == [0.9, 0.6]


def test_a_box_without_area_does_not_hang_the_blending():
    assert len(blend(np.zeros((3, 16), np.float32), np.array([0.6, 0.9, 0.7], np.float32))) == 3


def test_a_face_that_two_squares_show_counts_once():
    kept = distinct([face(100, 100, 80), face(104, 98, 84), face(300, 100, 80)])
    assert [f.box_px[0] for f in kept] == [100, 300]


def test_a_part_of_a_face_is_not_a_second_face():
    assert len(distinct([face(100, 100, 120), face(110, 150, 50)])) == 1
