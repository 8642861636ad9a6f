"""One to many: the right one found, the stranger left unnamed."""

from __future__ import annotations

import pytest

from agent.evaluation.identification import evaluate
from agent.evaluation.lists import ListError, Search
from agent.evaluation.still import Look
from models_tflite.manifest import OperatingPoint
from tests.evaluation.looks import PROVENANCE, gathered, look

POINT = OperatingPoint(
    fmr=1e-3, threshold=0.5, fmr_interval_95=(0.0, 1.0), impostor_pairs=1, fnmr=0.0, genuine_pairs=1, measured_on=""
)
GALLERY = [Search("a", "ann", "gallery"), Search("a2", "ann", "gallery"), Search("b", "bea", "gallery")]
LOOKS = {"a": look([1, 0, 0]), "a2": look([1, 0.1, 0]), "b": look([0, 1, 0])}


def measured(probes):
    """Probes by path: (person, look)."""
    rows = [*GALLERY, *(Search(path, person, "probe") for path, (person, _) in probes.items())]
    looks = {**LOOKS, **{path: seen for path, (_, seen) in probes.items()}}
    return evaluate(rows, gathered(looks), PROVENANCE, [POINT])


def test_the_right_person_is_found_by_their_best_picture():
    report = measured({"p": ("ann", look([1, 0.2, 0])), "q": ("bea", look([0.1, 1, 0]))})
    assert (report.rank_1_rate, report.gallery_people, report.gallery_pictures, report.mated_probes) == (1, 2, 3, 2)
    assert (report.at[0].fnir.errors, report.at[0].fpir) == (0, None)


def test_the_wrong_person_first_is_a_miss_whatever_the_score():
    report = measured({"p": ("ann", look([0, 1, 0]))})
    assert (report.rank_1_rate, report.rank_1.errors, report.at[0].fnir.rate) == (0, 1, 1)


def test_a_stranger_who_resembles_somebody_is_a_false_positive_and_another_is_not():
    report = measured({"p": ("cat", look([1, 0, 0])), "q": ("dot", look([0, 0, 1])), "r": ("eve", Look())})
    assert (report.other_probes, report.at[0].fpir.errors, report.rank_1_rate) == (3, 1, None)


def test_a_probe_without_a_face_is_missed_and_counted():
    report = measured({"p": ("ann", Look())})
    assert (report.probe_failures_to_acquire, report.at[0].fnir.rate) == (1, 1)


def test_ten_strangers_say_nothing_of_a_rate_of_one_in_a_hundred():
    report = measured({f"p{n}": ("cat", look([0, 0, 1])) for n in range(10)})
    assert report.at[2].why_not.startswith("10 probes of people who are not in the gallery; 300 ")
    assert report.at[2].threshold is None


def test_thirty_strangers_give_a_threshold_for_one_in_ten():
    report = measured({f"p{n}": ("cat", look([1, 0, n])) for n in range(30)})
    assert report.at[1].fpir.errors <= 3
    assert report.at[1].threshold is not None


def test_a_gallery_without_a_face_is_refused():
    with pytest.raises(ListError, match="gallery"):
        evaluate(
            [*GALLERY, Search("p", "ann", "probe")], gathered({**dict.fromkeys(LOOKS, Look()), "p": LOOKS["a"]}), PROVENANCE, []
        )
