"""Pairs to figures: what is counted, what is left out, and what a list cannot prove."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.errors import Refused
from agent.evaluation.lists import ListError, Pair, person_of
from agent.evaluation.operating_points import manifest_text, points_of, with_points, write_points
from agent.evaluation.rates import PEOPLE_BOOTSTRAP, WILSON
from agent.evaluation.still import Look
from agent.evaluation.verification import evaluate
from models_tflite.manifest import EMBEDDER, HERE, Manifest, OperatingPoint, load_manifest
from tests.evaluation.looks import PROVENANCE, crowd, gathered, look

POINT = OperatingPoint(
    fmr=1e-3, threshold=0.5, fmr_interval_95=(0.0, 1.0), impostor_pairs=1, fnmr=0.0, genuine_pairs=1, measured_on=""
)


def measured(pairs, looks, unreadable=None, *, all_pairs=False, folds=2):
    return evaluate(pairs, gathered(looks, unreadable), PROVENANCE, [POINT], all_pairs=all_pairs, folds=folds,
                    random=np.random.default_rng(1))[0]  # fmt: skip


def crowd_pairs(people):
    same = [Pair(f"p{n}/0.jpg", f"p{n}/1.jpg", True) for n in range(people)]
    return same + [Pair(f"p{n}/0.jpg", f"p{(n + 1) % people}/0.jpg", False) for n in range(people)]


def one_by_one(looks):
    vectors = {path: np.frombuffer(seen.embedding, "<f4") for path, seen in looks.items()}
    paths = list(vectors)
    return [float(vectors[a] @ vectors[b]) for i, a in enumerate(paths) for b in paths[:i] if person_of(a) != person_of(b)]


ANN, BEA = look([1, 0]), look([0, 1])
FOUR = [Pair("ann/1", "ann/2", True), Pair("bea/1", "bea/2", True), Pair("ann/1", "bea/1", False), Pair("ann/2", "bea/2", False)]


def test_people_who_are_told_apart_make_no_error():
    report = measured(FOUR, {"ann/1": ANN, "ann/2": ANN, "bea/1": BEA, "bea/2": BEA})
    assert (report.accuracy, report.equal_error_rate, report.area_under_curve) == (1, 0, 1)
    assert (report.pairs, report.genuine_pairs, report.impostor_pairs, report.pictures, report.people) == (4, 2, 2, 4, 2)


def test_a_face_that_was_not_found_is_a_false_non_match_at_every_threshold():
    report = measured(FOUR, {"ann/1": ANN, "ann/2": Look(), "bea/1": BEA, "bea/2": BEA})
    assert (report.failures_to_acquire, report.genuine_pairs_missed) == (1, 1)
    assert report.stated[0].fnmr.errors == 1
    assert report.stated[0].accuracy == 0.75
    assert report.impostor_pairs == 1  # a false match rate over comparisons that could not be is flattery


def test_a_picture_that_cannot_be_read_leaves_its_pairs_out_and_is_counted():
    pairs = [*FOUR, Pair("ann/1", "ann/3", True)]
    report = measured(pairs, {"ann/1": ANN, "ann/2": ANN, "bea/1": BEA, "bea/2": BEA}, {"ann/3": "no picture"})
    assert (report.pairs, report.unreadable_pairs, report.unreadable_pictures) == (4, 1, 1)
    assert report.stated[0].fnmr.errors == 0


def test_a_short_list_says_null_and_why():
    looks = crowd(50, 2, 0.3)
    report = measured(crowd_pairs(50), looks)
    assert [(point.target_fmr, point.threshold) for point in report.at_fmr] == [(1e-2, None), (1e-3, None), (1e-4, None)]
    assert report.at_fmr[2].why_not.startswith("50 comparisons of different people; 30000 ")
    assert sum(words.startswith("FMR ") for words in report.cannot_say) == 3


def test_all_pairs_are_those_of_comparing_everybody_with_everybody():
    looks = crowd(60, 2, 0.5)
    report = measured(crowd_pairs(60), looks, all_pairs=True)
    scores = one_by_one(looks)
    assert report.impostor_pairs == len(scores) == 60 * 59 // 2 * 4
    assert report.stated[0].fmr.errors == sum(score >= 0.5 for score in scores)
    at = report.at_fmr[0]
    assert sum(score >= at.threshold for score in scores) == at.fmr.errors <= 0.01 * len(scores)
    assert report.at_fmr[1].threshold is not None
    assert report.at_fmr[2].threshold is None


def test_intervals_come_from_people_where_there_are_enough_and_from_pairs_elsewhere():
    many, few = (measured(crowd_pairs(n), crowd(n, 3, 0.9), all_pairs=True).stated[0] for n in (60, 10))
    assert (many.fmr.method, many.fnmr.method, few.fmr.method) == (PEOPLE_BOOTSTRAP, PEOPLE_BOOTSTRAP, WILSON)
    assert many.fmr.interval_95[0] < many.fmr.rate < many.fmr.interval_95[1]


def test_no_error_at_all_is_not_taken_for_certainty():
    stated = measured(crowd_pairs(60), crowd(60, 2, 0.0)).stated[0]
    assert (stated.fnmr.errors, stated.fnmr.method) == (0, WILSON)
    assert stated.fnmr.interval_95[1] > 0.05


def test_the_same_list_gives_the_same_line():
    lines = {msgspec.json.encode(measured(crowd_pairs(60), crowd(60, 3, 0.8), all_pairs=True)) for _ in range(2)}
    assert len(lines) == 1


def test_all_pairs_need_to_know_who_is_who():
    with pytest.raises(ListError, match=r"--all-pairs .*PERSON/file"):
        measured([Pair("1", "2", True), Pair("1", "3", False)], {"1": ANN, "2": ANN, "3": BEA}, all_pairs=True, folds=1)


def test_more_folds_than_pairs_are_refused():
    with pytest.raises(ListError, match=r"--folds is 10, .* allowed are 2 to 2 folds"):
        measured(FOUR, {"ann/1": ANN, "ann/2": ANN, "bea/1": BEA, "bea/2": BEA}, folds=10)


def test_a_list_without_a_single_face_is_refused():
    with pytest.raises(ListError, match="not one picture"):
        measured(FOUR, dict.fromkeys(["ann/1", "ann/2", "bea/1", "bea/2"], Look()))


@pytest.fixture(scope="module")
def large():
    return measured(crowd_pairs(400), crowd(400, 2, 0.6), all_pairs=True)


def test_operating_points_carry_threshold_interval_and_what_was_measured(large, tmp_path):
    points = points_of(large, "Crowd 7 (made up)")
    (tmp_path / "manifest.json").write_bytes((HERE / "manifest.json").read_bytes())
    write_points(tmp_path, points, large)

    manifest = load_manifest(tmp_path)
    assert [point.fmr for point in points] == [1e-3, 1e-4]
    assert manifest.model(EMBEDDER).operating_points == points
    assert manifest.model(EMBEDDER).typical_length == large.median_length == 50.5
    assert manifest.model(EMBEDDER).length_deviation == large.length_deviation == 0.5
    assert manifest.model(EMBEDDER).impostor_shape == large.impostor_shape
    assert manifest.threshold_at_fmr(1e-4) == large.at_fmr[2].threshold
    assert points[0].measured_on.startswith("Crowd 7 (made up): 800 listed pairs of 800 pictures of 400 people; whole chain")
    assert [entry.name for entry in tmp_path.iterdir()] == ["manifest.json"]


def test_writing_operating_points_changes_nothing_else_of_the_manifest(large):
    shipped = msgspec.json.decode((HERE / "manifest.json").read_bytes(), type=Manifest)
    written = msgspec.json.decode(manifest_text(with_points(shipped, (POINT,), large)), type=Manifest)
    own = shipped.model(EMBEDDER)
    assert written.model(EMBEDDER).operating_points == (POINT,)
    as_shipped = msgspec.structs.replace(
        large, median_length=own.typical_length, length_deviation=own.length_deviation, impostor_shape=own.impostor_shape
    )
    restored = manifest_text(with_points(written, own.operating_points, as_shipped))
    assert msgspec.json.decode(restored, type=Manifest) == shipped
    assert b'"folder"' not in restored


def test_the_shape_of_the_scores_of_different_people_is_that_of_the_list(large):
    mean, deviation = large.impostor_shape
    assert abs(mean) < 0.01
    assert (
        0.2 < deviation < 0.3
    )  # sixteen random directions: 1 / sqrt(16), the tails not counted, more after Fisher's transformation


def test_a_list_that_cannot_carry_a_threshold_writes_none(large):
    with pytest.raises(Refused, match=r"FMR 0\.001 needs 30000 comparisons .* there are 60; --all-pairs"):
        points_of(measured(crowd_pairs(60), crowd(60, 2, 0.5)), "short")
    with pytest.raises(Refused, match="1 pictures of the list could not be read"):
        points_of(msgspec.structs.replace(large, unreadable_pictures=1), "holes")
    with pytest.raises(Refused, match="at least 20 people"):
        points_of(msgspec.structs.replace(large, people=None), "nameless")
