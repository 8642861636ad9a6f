"""Intervals by drawing people, held against loops over every pair."""

from __future__ import annotations

import numpy as np
import pytest

from agent.evaluation.people import AllPairs, Comparisons, draw, interval


def random():
    return np.random.default_rng(5)


def test_a_draw_has_as_many_people_as_there_are():
    assert np.all(draw(30, random(), 50).sum(axis=1) == 30)


def test_a_pair_counts_as_often_as_both_people_were_drawn():
    draws = np.array([[2.0, 3.0, 0.0]])
    assert Comparisons(np.array([0, 0, 1]), np.array([1, 0, 2])).weighed(draws).tolist() == [2 * 3 + 2 + 0]


def test_all_pairs_are_those_of_listing_them():
    pictures, draws = np.array([3, 1, 2, 4]), draw(4, random(), 20)
    owner = np.repeat(np.arange(4), pictures)
    pairs = [(owner[i], owner[j]) for i in range(len(owner)) for j in range(i) if owner[i] != owner[j]]
    listed = Comparisons(*(np.array(side) for side in zip(*pairs, strict=True)))
    np.testing.assert_allclose(AllPairs(pictures.astype(float)).weighed(draws), listed.weighed(draws))


def test_more_pairs_than_fit_in_one_step_are_all_counted():
    people = np.zeros(10_000, np.intp)
    assert Comparisons(people, people).weighed(np.array([[1.0, 0.0]])).tolist() == [10_000]


def test_the_interval_is_that_of_the_binomial_where_people_are_independent():
    people, wrong = np.arange(1000), np.arange(100)
    low, high = interval(Comparisons(wrong, wrong), Comparisons(people, people), draw(1000, random()))
    assert (low, high) == pytest.approx((0.0815, 0.1186), abs=0.003)


def test_errors_that_are_all_one_persons_make_the_interval_wider():
    people = np.repeat(np.arange(100), 10)
    spread, single = people[::10], np.concatenate([np.full(10, person) for person in range(10)])
    draws = draw(100, random())
    wide = interval(Comparisons(single, single), Comparisons(people, people), draws)
    narrow = interval(Comparisons(spread, spread), Comparisons(people, people), draws)
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])
