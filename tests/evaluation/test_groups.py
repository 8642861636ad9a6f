"""Errors by group of people: counted where labels are, refused where there are too few, and never made up."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from agent.evaluation.lists import ListError, Pair, person_of, read_groups, read_labelled_pairs
from agent.evaluation.rates import PEOPLE_BOOTSTRAP, WILSON
from agent.evaluation.still import Look
from agent.evaluation.verification import evaluate
from tests.evaluation.looks import PROVENANCE, crowd, gathered
from tests.evaluation.test_verification import POINT, crowd_pairs

pytestmark = pytest.mark.slow

PEOPLE = 220
COARSE = replace(POINT, fmr=1e-2, threshold=0.5)


def report(groups, looks=None, point=COARSE, pairs=None, *, all_pairs=True):
    return evaluate(pairs or crowd_pairs(PEOPLE), gathered(looks or crowd(PEOPLE, 2, 0.6)), PROVENANCE, [point], all_pairs=all_pairs, folds=2,
                    random=np.random.default_rng(1), groups=groups)[0]  # fmt: skip


def halves(looks) -> dict[str, str]:
    """Every second person is of group a."""
    return {path: "ab"[int(person_of(path)[1:]) % 2] for path in looks}


@pytest.fixture(scope="module")
def looks():
    return crowd(PEOPLE, 2, 0.6)


def one_by_one(looks, groups, names, threshold):
    """Errors and comparisons of different people of two groups, counted the slow way."""
    vectors = {path: np.frombuffer(seen.embedding, "<f4") for path, seen in looks.items()}
    scores = [
        float(vectors[a] @ vectors[b]) for number, a in enumerate(vectors) for b in list(vectors)[:number]
        if person_of(a) != person_of(b) and sorted((groups[a], groups[b])) == sorted(names)
    ]  # fmt: skip
    return sum(score >= threshold for score in scores), len(scores)


def test_every_group_and_every_two_have_their_false_matches(looks):
    groups = halves(looks)
    (found,) = report(groups, looks).by_group
    assert [each.group for each in found.groups] == ["a", "b"]
    for each in found.groups:
        assert (each.fmr.errors, each.fmr.comparisons) == one_by_one(looks, groups, (each.group, each.group), COARSE.threshold)
        assert (each.people, each.pictures, each.why_not) == (PEOPLE // 2, PEOPLE, ())
        assert each.fmr.interval_95[0] < each.fmr.rate < each.fmr.interval_95[1]
        assert each.fmr.method == PEOPLE_BOOTSTRAP
    (between,) = found.between
    assert (between.fmr.errors, between.fmr.comparisons) == one_by_one(looks, groups, ("a", "b"), COARSE.threshold)


def test_the_groups_together_are_the_whole(looks):
    whole = report(halves(looks), looks)
    (found,) = whole.by_group
    parts = [*(each.fmr for each in found.groups), *(each.fmr for each in found.between)]
    assert sum(part.comparisons for part in parts) == whole.stated[0].fmr.comparisons
    assert sum(part.errors for part in parts) == whole.stated[0].fmr.errors
    assert sum(each.fnmr.errors for each in found.groups) == whole.stated[0].fnmr.errors


def test_a_group_that_the_network_fails_stands_out(looks):
    worse = {path: crowd(PEOPLE, 2, 1.4)[path] if halves(looks)[path] == "b" else seen for path, seen in looks.items()}
    (found,) = report(halves(looks), worse).by_group
    a, b = found.groups
    assert b.fnmr.interval_95[0] > a.fnmr.interval_95[1]


def test_a_missed_face_counts_against_its_group(looks):
    missed = {path: Look() if path in {"p1/0.jpg", "p3/0.jpg"} else seen for path, seen in looks.items()}
    before, after = (report(halves(looks), each).by_group[0].groups for each in (looks, missed))
    assert after[1].fnmr.errors >= before[1].fnmr.errors + 1
    assert after[0].fnmr == before[0].fnmr
    assert after[1].fmr.comparisons < before[1].fmr.comparisons


def test_a_small_group_gets_no_rate_but_the_reason(looks):
    few = {path: "few" if int(person_of(path)[1:]) < 5 else "many" for path in looks}
    (found,) = report(few, looks).by_group
    small, large = found.groups
    assert (small.fmr, small.fnmr) == (None, None)
    assert small.why_not[0].startswith("FMR: 40 comparisons of different people; 300 without one error")
    assert small.why_not[1] == "FNMR: 5 comparisons of one person; at least 100 are needed"
    assert large.fmr is not None
    assert found.between[0].fmr.comparisons == 5 * 215 * 4


def test_a_rare_false_match_needs_more_comparisons_than_a_frequent_one(looks):
    (found,) = report(halves(looks), looks, replace(POINT, fmr=1e-6)).by_group
    assert all(each.fmr is None and each.fnmr is not None for each in found.groups)


def test_one_person_in_two_groups_is_no_impostor_of_themselves(looks):
    by_picture = {path: "first" if path.endswith("0.jpg") else "second" for path in looks}
    (found,) = report(by_picture, looks).by_group
    assert found.between[0].fmr.comparisons == PEOPLE * (PEOPLE - 1)
    assert all(each.fnmr is None for each in found.groups)  # nobody has two pictures in one group


def test_pictures_without_a_label_are_counted_and_belong_to_no_group(looks):
    some = {path: group for path, group in halves(looks).items() if group == "a"}
    (found,) = report(some, looks).by_group
    assert found.unlabelled_pictures == PEOPLE
    assert [each.group for each in found.groups] == ["a"]
    assert found.between == ()


def test_without_all_pairs_the_lists_own_pairs_are_counted():
    pairs = [Pair(str(n), str(n + 1000), True) for n in range(120)] + [Pair(str(n), str(n + 2000), False) for n in range(320)]
    seen = crowd(1, 3000, 5.0)
    looks = {str(n): seen[f"p0/{n}.jpg"] for n in range(3000)}
    found = report({str(n): "g" for n in range(3000)}, looks, pairs=pairs, all_pairs=False).by_group[0].groups[0]
    assert (found.fmr.comparisons, found.fnmr.comparisons, found.people) == (320, 120, None)
    assert found.fnmr.method == WILSON


def test_a_list_without_labels_says_nothing_of_groups_and_says_that_it_does_not(looks):
    silent, labelled = report({}, looks), report(halves(looks), looks)
    assert silent.by_group is None
    assert any("names no groups" in words for words in silent.cannot_say)
    assert not any("names no groups" in words for words in labelled.cannot_say)


# -- the lists ----------------------------------------------------------------------------------------------------------------------


def test_labels_are_read_from_the_list_or_from_a_file_of_their_own(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("path_a,path_b,same,group_a,group_b\na/1,a/2,1,x,x\na/1,b/1,0,x,\n")
    assert read_labelled_pairs(path) == ([Pair("a/1", "a/2", True), Pair("a/1", "b/1", False)], {"a/1": "x", "a/2": "x"})
    path.write_text("path,group\na/1,x\nb/1,y\n")
    assert read_groups(path) == {"a/1": "x", "b/1": "y"}


def test_a_picture_of_two_groups_is_refused_with_its_line(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("path_a,path_b,same,group_a,group_b\na/1,a/2,1,x,x\na/1,b/1,0,y,x\n")
    with pytest.raises(ListError, match=r"l\.csv, line 3: a/1 is of group 'y' here and of 'x' before"):
        read_labelled_pairs(path)


def test_half_a_label_is_refused(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("path_a,path_b,same,group_a\na/1,a/2,1,x\n")
    with pytest.raises(ListError, match="or 'path_a,path_b,same,group_a,group_b'"):
        read_labelled_pairs(path)
