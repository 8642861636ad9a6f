"""Error rates, held against definitions written out one comparison at a time and against published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.evaluation import metrics

cosines = st.integers(-1000, 1000).map(lambda thousandth: thousandth / 1000)
scores = hnp.arrays(np.float64, st.integers(1, 40), elements=cosines)
with_misses = hnp.arrays(np.float64, st.integers(1, 40), elements=st.one_of(cosines, st.just(metrics.MISSED)))


def errors_one_by_one(genuine, impostor, threshold):
    return sum(1 for s in impostor if s >= threshold), sum(1 for s in genuine if not s >= threshold)


@given(with_misses, scores, cosines)
def test_rates_are_those_of_counting_one_by_one(genuine, impostor, threshold):
    found = metrics.rates(genuine, impostor, threshold)
    assert (found.false_matches, found.false_non_matches) == errors_one_by_one(genuine, impostor, threshold)
    assert found.fmr == found.false_matches / len(impostor)
    assert found.fnmr == found.false_non_matches / len(genuine)


@given(scores, st.sampled_from([0.5, 0.1, 0.01, 0.001]))
def test_the_threshold_of_a_false_match_rate_keeps_it_and_a_step_lower_does_not(impostor, fmr):
    threshold = metrics.threshold_at_fmr(impostor, fmr)
    assert np.mean(impostor >= threshold) <= fmr
    assert np.mean(impostor >= threshold - 1.01 * metrics.STEP) > fmr


@given(st.floats(-1, 1))
def test_a_threshold_of_four_places_is_above_its_score_by_a_step_at_most(score):
    assert score < metrics.above(score) <= score + 1.0001 * metrics.STEP
    assert metrics.above(score) == round(metrics.above(score), 4)


def test_a_rate_that_lets_everybody_match_is_refused():
    with pytest.raises(ValueError, match="every comparison"):
        metrics.threshold_at_fmr(np.array([0.1]), 1.0)


@given(with_misses, scores)
def test_the_area_is_the_chance_that_the_right_person_scores_higher(genuine, impostor):
    wins = sum((g > i) + 0.5 * (g == i) for g in genuine for i in impostor)
    assert metrics.area_under_curve(genuine, impostor) == pytest.approx(wins / len(genuine) / len(impostor))


@given(with_misses, scores)
def test_the_equal_error_lies_between_the_rates_on_both_sides_of_the_crossing(genuine, impostor):
    crossing = metrics.equal_error(genuine, impostor)
    every = np.unique(np.concatenate((genuine[np.isfinite(genuine)], impostor, [2.0])))
    pairs = [metrics.rates(genuine, impostor, t) for t in every]
    best = min(max(pair.fmr, pair.fnmr) for pair in pairs)
    worst = max(min(pair.fmr, pair.fnmr) for pair in pairs)
    assert worst - 1e-12 <= crossing.rate <= best + 1e-12


def test_scores_that_are_apart_have_no_equal_error_and_the_whole_area():
    genuine, impostor = np.array([0.7, 0.8]), np.array([0.1, 0.2, 0.3])
    assert metrics.equal_error(genuine, impostor).rate == 0
    assert metrics.area_under_curve(genuine, impostor) == 1


@given(with_misses, scores)
def test_no_other_threshold_gives_more_right_answers(genuine, impostor):
    best = metrics.accuracy(genuine, impostor, metrics.best_threshold(genuine, impostor))
    candidates = [-2.0, 2.0, *(s + shift for s in [*genuine, *impostor] if np.isfinite(s) for shift in (-1e-6, 0, 1e-6))]
    assert best == pytest.approx(max(metrics.accuracy(genuine, impostor, t) for t in candidates))


def test_each_fold_is_judged_by_the_others():
    genuine, impostor = np.repeat([0.9, 0.5], 10), np.full(20, 0.1)
    found = metrics.accuracy_by_folds(genuine, impostor, 2)
    # Fitted on .5 against .1 the threshold is .3, where .9 passes; fitted on .9 against .1 it is .5, which .5 still reaches.
    assert found.thresholds == pytest.approx((0.3, 0.5))
    assert found.mean == 1
    found = metrics.accuracy_by_folds(np.repeat([0.9, 0.4], 10), impostor, 2)
    assert found.mean == pytest.approx((1 + 0.5) / 2)
    assert found.standard_error == pytest.approx(0.25)


def test_the_folds_of_a_list_of_ten_times_300_are_its_own():
    genuine = np.repeat(np.linspace(0.5, 0.9, 10), 300)
    impostor = np.repeat(np.linspace(0, 0.45, 10), 300)
    thresholds = metrics.accuracy_by_folds(genuine, impostor, 10).thresholds
    # Leaving out the first fold takes the lowest genuine scores away, leaving out the last the highest impostor ones.
    ordinary = (0.45 + 0.5) / 2
    assert thresholds == pytest.approx(((0.45 + 0.5 + 0.4 / 9) / 2, *[ordinary] * 8, (0.45 - 0.05 + 0.5) / 2))


def test_a_missed_face_is_a_false_non_match_but_keeps_a_stranger_out():
    one = np.array([metrics.MISSED])
    assert metrics.accuracy(one, np.array([0.0]), -1.0) == 0
    assert metrics.accuracy(np.array([0.5]), one, -1.0) == 1
    assert metrics.rates(one, np.array([0.0]), -1.0).fnmr == 1


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3 (score).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_the_published_one(errors, trials, low, high):
    assert metrics.wilson(errors, trials) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_every_interval_holds_its_rate(counts):
    errors, trials = counts
    low, high = metrics.wilson(errors, trials)
    assert 0 <= low <= errors / trials <= high <= 1


@pytest.mark.parametrize("fmr", [1e-2, 1e-3, 1e-4])
def test_the_rule_of_three_is_the_95_percent_bound_of_no_error(fmr):
    assert (1 - fmr) ** metrics.least_comparisons(fmr) == pytest.approx(0.05, rel=0.02)


@given(with_misses, scores)
def test_the_curve_falls_and_every_point_of_it_is_reached_by_a_threshold(genuine, impostor):
    fmr, fnmr = metrics.curve(genuine, impostor)
    assert np.all(np.diff(fmr) > 0)
    assert np.all(np.diff(fnmr) <= 0)
    reachable = {metrics.rates(genuine, impostor, t).fnmr for t in impostor}
    assert set(fnmr) <= reachable
