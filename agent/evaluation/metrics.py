"""Error rates of comparisons, from scores alone. Pure numpy; a comparison is a match when its score reaches the threshold.

Words after ISO/IEC 19795-1: false match rate (FMR), false non-match rate (FNMR). A genuine comparison that could not take place,
because no face was found, has the score minus infinity: it is a false non-match at every threshold.
"""

from __future__ import annotations

from math import floor, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

STEP = 1e-4
"""Thresholds are stated to four places."""
MISSED = float("-inf")
ONE_SIGMA = 34.134
"""Per cent of a normal distribution between its middle and one standard deviation."""
Z_95 = 1.959964
"""Standard normal quantile of 97.5 %."""


class Rates(NamedTuple):
    """Errors at one threshold, as counts and as shares."""

    false_matches: int
    fmr: float
    false_non_matches: int
    fnmr: float


class FoldAccuracy(NamedTuple):
    """`standard_error` is that of the mean over the folds."""

    mean: float
    standard_error: float
    thresholds: tuple[float, ...]


class Crossing(NamedTuple):
    """Where FMR and FNMR are equal."""

    rate: float
    threshold: float


def rates(genuine: Scores, impostor: Scores, threshold: float) -> Rates:
    """Neither may be empty."""
    false, missed = int(np.count_nonzero(impostor >= threshold)), int(np.count_nonzero(genuine < threshold))
    return Rates(false, false / len(impostor), missed, missed / len(genuine))


def threshold_at_fmr(impostor: Scores, fmr: float) -> float:
    """The lowest threshold, to four places, at which not more than `fmr` (0..1, not 1) of the impostor scores match."""
    allowed = floor(fmr * len(impostor) + 1e-9)
    if not allowed < len(impostor):
        raise ValueError(f"a false match rate of {fmr} allows every comparison to match")
    first_refused = float(np.partition(impostor, len(impostor) - 1 - allowed)[len(impostor) - 1 - allowed])
    return above(first_refused)


def above(score: float) -> float:
    """The lowest multiple of STEP that is greater than a score."""
    steps = floor(score / STEP)
    while round(steps * STEP, 4) <= score:
        steps += 1
    return round(steps * STEP, 4)


def least_comparisons(fmr: float) -> int:
    """How many comparisons without one error show at 95 % confidence that the rate is not above `fmr`: the rule of three.

    (1 - fmr)^n <= .05 for n = 3 / fmr: J. A. Hanley and A. Lippman-Hand, JAMA 249 (1983) 1743.
    """
    return round(3 / fmr)


def wilson(errors: int, trials: int) -> tuple[float, float]:
    """95 % score interval of a share (E. B. Wilson, JASA 22 (1927) 209). Takes the trials for independent."""
    if trials <= 0:
        return 0.0, 1.0
    share, weight = errors / trials, Z_95**2 / trials
    middle = (share + weight / 2) / (1 + weight)
    half = Z_95 * sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return (0.0 if errors == 0 else low), (1.0 if errors == trials else high)


def area_under_curve(genuine: Scores, impostor: Scores) -> float:
    """The chance that a genuine score is above an impostor's, ties counted half: the Mann-Whitney statistic."""
    ordered = np.sort(impostor)
    below = np.searchsorted(ordered, genuine, "left") + np.searchsorted(ordered, genuine, "right")
    return float(np.mean(below) / 2 / len(ordered))


def equal_error(genuine: Scores, impostor: Scores) -> Crossing:
    """Where the two rates cross; between two thresholds they are taken for straight lines."""
    finite = genuine[np.isfinite(genuine)]
    thresholds = np.unique(np.concatenate((finite, impostor, [2.0])))
    fmr = 1 - np.searchsorted(np.sort(impostor), thresholds, "left") / len(impostor)
    fnmr = np.searchsorted(np.sort(genuine), thresholds, "left") / len(genuine)
    after = int(np.argmax(fnmr >= fmr))  # at threshold 2 nothing matches: there is one
    if after == 0:
        return Crossing(float(fnmr[0]), float(thresholds[0]))
    gap_before, gap_after = fmr[after - 1] - fnmr[after - 1], fnmr[after] - fmr[after]
    share = gap_before / (gap_before + gap_after)
    rate = fmr[after - 1] + share * (fmr[after] - fmr[after - 1])
    return Crossing(float(rate), float(thresholds[after]))


def curve(genuine: Scores, impostor: Scores, points: int = 400) -> tuple[Scores, Scores]:
    """FMR (rising, evenly spread on a logarithmic axis from one false match to all) and the FNMR at each."""
    ordered, own = np.sort(impostor)[::-1], np.sort(genuine)
    allowed = np.unique(np.geomspace(1, len(ordered), points).astype(int))
    # Just enough is let through for `allowed` false matches: the threshold is the last of them.
    fnmr = np.searchsorted(own, ordered[allowed - 1], "left") / len(own)
    return allowed / len(ordered), fnmr


def best_threshold(genuine: Scores, impostor: Scores) -> float:
    """The threshold with the most right answers; in the middle of the widest such stretch."""
    edges = np.unique(np.concatenate((genuine, impostor)))
    edges = edges[np.isfinite(edges)]
    if not len(edges):
        return 0.0
    middles = np.concatenate(([edges[0] - STEP], (edges[:-1] + edges[1:]) / 2, [edges[-1] + STEP]))
    right = (
        len(genuine) - np.searchsorted(np.sort(genuine), middles, "left") + np.searchsorted(np.sort(impostor), middles, "left")
    )
    widths = np.concatenate(([0.0], np.diff(edges), [0.0]))
    return float(middles[np.argmax(np.where(right == right.max(), widths, -1.0))])


def accuracy(genuine: Scores, impostor: Scores, threshold: float) -> float:
    """The share of right answers. An impostor comparison that could not take place counts as right: nobody was let in."""
    right = np.count_nonzero(genuine >= threshold) + np.count_nonzero(impostor < threshold)
    return float(right / (len(genuine) + len(impostor)))


def accuracy_by_folds(genuine: Scores, impostor: Scores, folds: int) -> FoldAccuracy:
    """Mean accuracy over the folds, each judged at the best threshold of the others (LFW's View 2).

    The genuine scores in their order are cut into `folds` equal runs, the impostor scores likewise; a run of each is a fold. For LFW's
    own list of ten times 300 and 300 these are its ten folds (G. B. Huang et al., UMass Amherst TR 07-49).
    """
    parts = list(zip(np.array_split(genuine, folds), np.array_split(impostor, folds), strict=True))
    thresholds = [_of_the_others(parts, left_out) for left_out in range(folds)]
    found = [accuracy(own, other, threshold) for (own, other), threshold in zip(parts, thresholds, strict=True)]
    return FoldAccuracy(float(np.mean(found)), float(np.std(found, ddof=1) / sqrt(folds)), tuple(thresholds))


def _of_the_others(parts: list[tuple[Scores, Scores]], left_out: int) -> float:
    others = [part for number, part in enumerate(parts) if number != left_out]
    return best_threshold(np.concatenate([own for own, _ in others]), np.concatenate([other for _, other in others]))
