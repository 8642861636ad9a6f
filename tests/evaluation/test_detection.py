"""Boxes found beside boxes drawn."""

from __future__ import annotations

from agent.evaluation.detection import Found, evaluate, matched
from agent.evaluation.pictures import Gathered
from tests.evaluation.looks import PROVENANCE

NEAR, FAR = (100.0, 100.0, 90.0, 90.0), (300.0, 50.0, 25.0, 25.0)


def test_each_face_is_found_once_and_the_surest_chooses_first():
    shifted = (110.0, 100.0, 90.0, 90.0)
    assert matched([NEAR], [NEAR, shifted], 0.5) == [True]
    assert matched([NEAR, shifted], [NEAR, NEAR], 0.5) == [True, True]
    assert matched([NEAR, FAR], [], 0.5) == [False, False]


def test_a_box_that_overlaps_by_less_than_half_is_no_find():
    aside = (145.0, 100.0, 90.0, 90.0)  # a third of the union
    assert matched([NEAR], [aside], 0.5) == [False]
    assert matched([NEAR], [aside], 0.3) == [True]


def test_recall_precision_and_sizes():
    found = {"a": Found((NEAR,)), "b": Found(((0.0, 0.0, 50.0, 50.0),))}
    report = evaluate({"a": [NEAR, FAR], "b": [], "c": [NEAR]}, Gathered(found, {"c": "no picture"}), PROVENANCE)
    assert (report.faces, report.recall, report.precision, report.unreadable_pictures) == (2, 0.5, 0.5, 1)
    assert [(size.from_px, size.to_px, size.recall) for size in report.by_size] == [(0, 30, 0.0), (80, 120, 1.0)]


def test_nothing_found_has_no_precision():
    report = evaluate({"a": [NEAR]}, Gathered({"a": Found(())}, {}), PROVENANCE)
    assert (report.recall, report.precision) == (0, None)
