"""Reading the detector's numbers."""

from __future__ import annotations

import numpy as np

from agent.vision.blazeface import anchors, blend, decode, distinct
from agent.vision.faces import Face


def face(x, y, width, score=0.9):
    return Face((x, y, width, width), score, np.zeros((6, 2), np.float32))


def test_the_anchors_are_the_896_of_the_published_front_model():
    centres = anchors()
    assert centres.shape == (896, 2)
    assert centres[:3].tolist() == [[4, 4], [4, 4], [12, 4]]  # two on each 8 px cell, row by row
    assert centres[511].tolist() == [124, 124]
    assert centres[512:519].tolist() == [[8, 8]] * 6 + [[24, 8]]  # six on each 16 px cell
    assert centres[895].tolist() == [120, 120]


def test_a_row_of_zeros_and_a_size_is_a_box_about_its_anchor():
    raw = np.zeros((1, 16), np.float32)
    raw[0, 2:4] = 20, 30
    raw[0, 4:6] = -3, 5
    row = decode(raw, np.array([[64, 40]], np.float32))[0]
    assert row[:4].tolist() == [54, 25, 20, 30]
    assert row[4:6].tolist() == [61, 45]
    assert row[6:].tolist() == [64, 40] * 5


def test_decoding_leaves_the_networks_own_numbers_alone():
    raw = np.ones((1, 16), np.float32)
    decode(raw, np.array([[64, 40]], np.float32))
    assert raw.tolist() == [[1.0] * 16]


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
