"""The cheapest pairing must be the cheapest: compared with every pairing there is."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from agent.vision.assign import assign

INF = float("inf")
costs_of = st.integers(1, 4).flatmap(
    lambda columns: st.lists(
        st.lists(st.one_of(st.floats(-1, 3), st.just(INF), st.just(0.5)), min_size=columns, max_size=columns),
        min_size=1,
        max_size=4,
    )
)


def cheapest(costs: list[list[float]], limit: float) -> float:
    """By trying everything."""
    columns = [*range(len(costs[0])), *([None] * len(costs))]
    ways = itertools.permutations(columns, len(costs))
    return min(sum(limit if j is None else min(limit, costs[i][j]) for i, j in enumerate(way)) for way in ways)


@given(costs_of, st.sampled_from([0.5, 1.0, 2.0]))
def test_no_other_pairing_is_cheaper_and_nobody_is_paired_twice(costs, limit):
    pairs = assign(costs, limit)
    total = sum(costs[i][j] for i, j in pairs) + limit * (len(costs) - len(pairs))
    assert abs(total - cheapest(costs, limit)) < 1e-9
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(costs[i][j] < limit for i, j in pairs)


def test_what_is_nearest_to_one_is_left_to_whom_it_fits_better_in_all():
    assert assign([[0.1, 0.2], [0.15, 0.9]], 1.0) == [(0, 1), (1, 0)]


def test_with_nobody_to_pair_there_are_no_pairs():
    assert assign([], 1.0) == []
    assert assign([[], []], 1.0) == []
