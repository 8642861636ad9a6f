"""Whose face stands at the door: the nearest, clear, newly seen, and of unit length."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.identity import EMBEDDING_MAX_AGE_S, best_match, cosine, faces_at_door
from tests.core.people import MODEL, OWNER, RULES, SIZE, STRANGER, at_cosine, face, view_of


def tracks(*faces, now_s=10.1, taken_s=10.0):
    return [f.track for f in faces_at_door(view_of(*faces, taken_s=taken_s), RULES, now_s)]


# -- similarity ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1.0, 0.4, 0.0, -0.7])
def test_similarity_is_the_cosine(value):
    assert cosine(OWNER, at_cosine(value)) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_vector_that_is_not_finite_is_nobody(bad):
    broken = np.frombuffer(OWNER, "<f4").copy()
    broken[3] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cosine(broken.tobytes(), OWNER) == -1.0
        assert cosine(OWNER, broken.tobytes()) == -1.0
        assert cosine(broken.tobytes(), broken.tobytes()) == -1.0


@pytest.mark.parametrize("other", [b"", OWNER[:-4], OWNER + bytes(4), OWNER[:-1], bytes(768)])
def test_a_vector_of_another_length_and_one_of_zeros_are_nobody(other):
    assert cosine(OWNER, other) == -1.0
    assert cosine(other, OWNER) == -1.0


@pytest.mark.parametrize("both", [b"", OWNER[:-1], bytes(768)])
def test_two_vectors_with_the_same_fault_do_not_match_each_other(both):
    assert cosine(both, both) == -1.0


@pytest.mark.parametrize("scale", [0.5, 1.5, 4.0, 1e30])
def test_a_vector_that_is_not_of_unit_length_is_nobody(scale):
    """Otherwise a network whose output is not normalised would make strangers match: .3 at one and a half times the length is .45."""
    stretched = (np.frombuffer(at_cosine(0.3), "<f4") * np.float32(scale)).astype("<f4").tobytes()
    assert cosine(OWNER, stretched) == -1.0
    assert cosine(stretched, OWNER) == -1.0


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_any_bytes_give_a_finite_similarity_within_one(left, right):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = cosine(left, right)
    assert -1.0 <= value <= 1.0


@given(st.integers(0, 2**32 - 1))
def test_similarity_is_symmetric_and_one_with_itself(seed):
    vector = np.random.default_rng(seed).standard_normal(SIZE).astype("<f4")
    length = float(np.linalg.norm(vector))
    one = (vector / length).astype("<f4").tobytes()
    assert cosine(one, one) == pytest.approx(1.0, abs=1e-3)
    assert cosine(one, OWNER) == pytest.approx(cosine(OWNER, one), abs=1e-6)


# -- whose face counts ---------------------------------------------------------------------------------------------------------


def test_a_face_less_than_half_as_wide_as_the_nearest_is_not_at_the_door():
    """The thief stands at the door, the owner far behind."""
    assert tracks(face(STRANGER, width_px=120, track=1), face(OWNER, width_px=59, track=2)) == [1]


def test_two_people_side_by_side_are_both_at_the_door():
    assert tracks(face(track=1, width_px=120), face(track=2, width_px=61)) == [1, 2]


def test_an_unclear_face_still_counts_as_the_nearest():
    """Whoever stands in front and looks away does not lend the door to somebody behind."""
    assert tracks(face(track=1, width_px=200, quality=0.0), face(OWNER, track=2, width_px=90)) == []


def test_a_face_that_was_not_compared_yet_does_not_count():
    assert tracks(face(b"")) == []


@pytest.mark.parametrize(("width_px", "counts"), [(39.9, False), (40.0, True)])
def test_a_face_must_be_large_enough(width_px, counts):
    assert bool(tracks(face(width_px=width_px))) is counts


@pytest.mark.parametrize(("quality", "counts"), [(0.19, False), (0.2, True), (math.nan, False)])
def test_a_face_must_be_clear_enough(quality, counts):
    assert bool(tracks(face(quality=quality))) is counts


@pytest.mark.parametrize(
    ("age_s", "counts"), [(0.0, True), (EMBEDDING_MAX_AGE_S - 0.01, True), (EMBEDDING_MAX_AGE_S + 0.01, False)]
)
def test_a_face_whose_last_good_picture_is_old_does_not_count(age_s, counts):
    assert bool(tracks(face(embedded_s=10.0), now_s=10.0 + age_s)) is counts


@pytest.mark.parametrize("embedded_s", [11.0, 1e9, math.inf, math.nan, -math.inf])
def test_a_picture_from_the_future_or_from_no_time_does_not_count(embedded_s):
    assert tracks(face(embedded_s=embedded_s), now_s=10.1) == []


@pytest.mark.parametrize("order", [1, -1])
def test_a_face_of_no_width_does_not_switch_the_nearest_rule_off(order):
    faces = [face(track=1, width_px=math.nan), face(STRANGER, track=2, width_px=200), face(OWNER, track=3, width_px=60)]
    assert 3 not in tracks(*faces[::order])


def test_an_empty_view_has_nobody_at_the_door():
    assert tracks() == []


# -- the best match ------------------------------------------------------------------------------------------------------------


def test_the_owner_among_strangers_is_found_and_described():
    match = best_match((OWNER,), [face(STRANGER, track=1), face(at_cosine(0.6), track=2), face(at_cosine(0.5), track=3)], RULES)
    assert match is not None
    assert (match.track, match.threshold, match.fmr, match.embedder_id, match.pictures) == (2, 0.4, 0.001, MODEL, 3)
    assert match.score == pytest.approx(0.6, abs=1e-6)
    assert match.matches


def test_any_of_several_templates_may_match():
    match = best_match((STRANGER, at_cosine(0.2), OWNER), [face(OWNER)], RULES)
    assert match is not None
    assert match.score == pytest.approx(1.0)


@pytest.mark.parametrize(("score", "matches"), [(0.399, False), (0.401, True)])
def test_the_threshold_decides(score, matches):
    match = best_match((OWNER,), [face(at_cosine(score))], RULES)
    assert match is not None
    assert match.matches is matches


def test_nothing_to_compare_is_no_match():
    assert best_match((OWNER,), [], RULES) is None
    match = best_match((), [face()], RULES)
    assert match is not None
    assert not match.matches
