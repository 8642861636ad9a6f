"""A quality is worth something when the errors go with the worst of it."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from agent.evaluation.discard import check_quality, mean_after_discard, ranks, spearman
from agent.evaluation.lists import Pair
from agent.evaluation.still import Look
from tests.evaluation.looks import look
from tests.evaluation.test_verification import POINT

RANDOM = np.random.default_rng(3)
PAIRS = [Pair(f"{n}/a", f"{n}/b", True) for n in range(200)]
SCORES = RANDOM.uniform(0.3, 1, 200)


def looks(qualities) -> dict[str, Look]:
    seen = look([1, 0])
    both = {f"{n}/a": replace(seen, quality=float(quality)) for n, quality in enumerate(qualities)}
    return both | {f"{n}/b": replace(seen, quality=1.0) for n in range(200)}


def test_a_quality_that_knows_the_scores_takes_all_errors_away():
    found = check_quality(PAIRS, looks(SCORES), SCORES, replace(POINT, threshold=0.35))
    assert found.spearman == pytest.approx(1)
    assert found.discards[0].fnmr.errors > 5
    assert found.discards[-1].fnmr.errors == 0
    assert found.mean_fnmr < 0.5 * found.discards[0].fnmr.rate


def test_a_quality_that_knows_nothing_takes_none_away():
    found = check_quality(PAIRS, looks(RANDOM.permutation(SCORES)), SCORES, replace(POINT, threshold=0.65))
    assert abs(found.spearman) < 0.2
    assert found.mean_fnmr == pytest.approx(found.discards[0].fnmr.rate, abs=0.05)


def test_a_face_that_was_missed_has_the_worst_quality_and_is_an_error():
    scores = SCORES.copy()
    scores[:20] = -np.inf
    qualities = np.where(np.isfinite(scores), 0.8, 0.0)
    found = check_quality(PAIRS, looks(qualities), scores, replace(POINT, threshold=0.0))
    assert [each.fnmr.errors for each in found.discards] == [20, 10, 0, 0]


def test_a_quality_that_is_always_the_same_has_no_correlation():
    assert check_quality(PAIRS, looks([0.5] * 200), SCORES, POINT).spearman is None


def test_ranks_of_equals_are_shared():
    assert ranks(np.array([3.0, 1.0, 3.0])).tolist() == [2.5, 1.0, 2.5]
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([10.0, 40, 50, 900])) == pytest.approx(1)


def test_the_mean_error_counts_every_share_up_to_a_fifth():
    assert mean_after_discard(np.array([True] + [False] * 9)) == pytest.approx((0.1 + 0 + 0) / 3)
