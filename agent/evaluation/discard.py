"""Whether the quality of a picture says how well it can be compared: errors against what is set aside.

If the pairs with the worst quality are set aside, a quality that is worth something takes the false non-matches with them (error versus
discard: P. Grother and E. Tabassi, IEEE PAMI 29 (2007) 531). A pair is as good as the worse of its two pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.evaluation import metrics
from agent.evaluation.lists import Pair
from agent.evaluation.rates import rate_of
from agent.evaluation.report import AfterDiscard, QualityCheck, rounded
from agent.evaluation.still import Look
from models_tflite.manifest import OperatingPoint

SHARES = (0.0, 0.05, 0.1, 0.2)
MOST = 0.2
"""The area is taken up to here: nobody sets aside more of those who come to a door."""


def check_quality(
    pairs: Sequence[Pair], looks: Mapping[str, Look], genuine: metrics.Scores, point: OperatingPoint
) -> QualityCheck:
    """`genuine`: the scores of the pairs of one person in the list's order; minus infinity where a face was missed."""
    quality = np.array([min(looks[pair.a].quality, looks[pair.b].quality) for pair in pairs if pair.same])
    wrong = (genuine < point.threshold)[np.argsort(quality, kind="stable")]
    return QualityCheck(
        spearman=None if np.ptp(quality) == 0 or np.ptp(ranks(genuine)) == 0 else rounded(spearman(quality, genuine)),
        stated_fmr=point.fmr, threshold=rounded(point.threshold), discards=tuple(_after(wrong, share) for share in SHARES),
        mean_fnmr=rounded(mean_after_discard(wrong)),
    )  # fmt: skip


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Correlation of ranks, equal values sharing the mean of theirs."""
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place], np.float64)


def mean_after_discard(wrong: NDArray[np.bool_]) -> float:
    """The mean of the error rates that are left after nothing, one, two ... up to a fifth of the comparisons are set aside, worst first."""
    left = np.cumsum(wrong[::-1])[::-1] / np.arange(len(wrong), 0, -1)
    return float(np.mean(left[: int(MOST * len(wrong)) + 1]))


def _after(wrong: NDArray[np.bool_], share: float) -> AfterDiscard:
    kept = wrong[int(share * len(wrong)) :]
    return AfterDiscard(share=share, fnmr=rate_of(int(np.count_nonzero(kept)), len(kept), None, None, None))
