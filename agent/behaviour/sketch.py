"""How often what was measured, in a few hundred bytes: a histogram whose bins grow with the value.

From `least` to `most` bins are a factor of (1 + a) / (1 - a) wide, so a quantile is off by at most a = 5 % of itself (C. Masson, J. E. Rim,
H. K. Lee: DDSketch, VLDB 2019); below `least` by at most `least`; of what is above `most` only that is known. What is counted is kept exactly
up to `EXACT` (most counts at a door are 0, 1 and 2). Weights are added, so that histograms are merged by adding, whatever the order.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from msgspec import Struct

RELATIVE_ERROR = 0.05
EXACT = 20
"""Counts up to this have a bin of their own."""
_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GROWTH = math.log(_GROWTH)
_SPANS = {
    "s": (0.2, 3600.0), "share": (0.01, 1.0), "index": (0.01, 1.0), "m": (0.1, 30.0), "m/s": (0.1, 10.0), "m/s3": (0.1, 300.0),
    "deg/m": (1.0, 3000.0), "times": (EXACT, 1000.0), "persons": (EXACT, 200.0),
}  # fmt: skip
_ANY_SPAN = (0.001, 10_000.0)
_COUNTS = ("times", "persons")


class Scale(Struct, frozen=True, array_like=True):
    """Which values share a bin. The first bin holds what is below `least`, the last what is above `most`."""

    least: float
    most: float
    counts: bool = False
    """Whole numbers from 0: bins of their own up to `least`."""

    @property
    def bins(self) -> int:
        """How many there are."""
        return self._exact + math.ceil(math.log(self.most / self.least) / _LOG_GROWTH) + 1

    @property
    def _exact(self) -> int:
        return int(self.least) + 1 if self.counts else 1

    def bin_of(self, value: float) -> int:
        """The bin of a value; NaN is not allowed."""
        if value <= self.least:
            return max(0, math.floor(value)) if self.counts else 0
        if value > self.most:
            return self.bins - 1
        return min(self.bins - 2, self._exact - 1 + math.ceil(math.log(value / self.least) / _LOG_GROWTH))

    def low_of(self, number: int) -> float:
        """What a value must exceed to be in this bin or a higher one (of counts: reach)."""
        if number < self._exact:
            return float(number) if self.counts else 0.0
        return self.least * _GROWTH ** (number - self._exact)

    def middle_of(self, number: int) -> float:
        """The value that a bin stands for."""
        if number < self._exact:
            return float(number) if self.counts else 0.0
        if number == self.bins - 1:
            return self.most
        middle = min(self.most, self.low_of(number) * 2 * _GROWTH / (_GROWTH + 1))
        return round(middle) if self.counts else middle


def scale_of(unit: str) -> Scale:
    """The scale for what is measured in that unit."""
    least, most = _SPANS.get(unit, _ANY_SPAN)
    return Scale(least, most, unit in _COUNTS)


def quantile(scale: Scale, weights: Sequence[float], share: float) -> float | None:
    """The smallest value that a share (0..1) of the weight does not exceed; None when there is no weight."""
    return quantiles(scale, weights, (share,))[0] if any(weights) else None


def quantiles(scale: Scale, weights: Sequence[float], shares: Iterable[float]) -> list[float]:
    """As `quantile`, for several; there has to be weight."""
    running = list(accumulate(weights))
    least = min(filter(None, weights))
    return [scale.middle_of(bisect_left(running, max(least, share * running[-1] * (1 - 1e-9)))) for share in shares]


def as_much(weights: Sequence[float]) -> list[float]:
    """For each bin the weight of it and of all that are higher."""
    return list(accumulate(reversed(weights)))[::-1]


def as_little(weights: Sequence[float]) -> list[float]:
    """For each bin the weight of it and of all that are lower."""
    return list(accumulate(weights))


class Sketch(Struct):
    """Weights on a scale: what can be added to, merged and written down. `of_unit` makes an empty one."""

    scale: Scale
    weights: list[float]

    @classmethod
    def of_unit(cls, unit: str) -> Sketch:
        scale = scale_of(unit)
        return cls(scale, [0.0] * scale.bins)

    @property
    def total(self) -> float:
        return sum(self.weights)

    def add(self, value: float, weight: float = 1.0) -> None:
        """Raises ValueError for what is no number, and for a weight that is not positive and finite."""
        if math.isnan(value) or not 0.0 < weight < math.inf:
            raise ValueError(f"value {value} with weight {weight}; allowed are numbers with weights above 0")
        self.weights[self.scale.bin_of(value)] += weight

    def fade(self, share: float) -> None:
        """Let everything weigh that share (0..1) of what it did."""
        self.weights = [weight * share for weight in self.weights]

    def merge(self, other: Sketch, share: float = 1.0) -> None:
        """Add another's weights, times `share`. Raises ValueError for one on another scale."""
        if other.scale != self.scale:
            raise ValueError(f"scales differ: {self.scale} and {other.scale}")
        self.weights = [mine + share * theirs for mine, theirs in zip(self.weights, other.weights, strict=True)]

    def quantile(self, share: float) -> float | None:
        return quantile(self.scale, self.weights, share)

    def encode(self) -> Sparse:
        """The bins from the first to the last that has weight, to a thousandth."""
        held = [number for number, weight in enumerate(self.weights) if round(weight, 3) > 0.0]
        first, last = (held[0], held[-1]) if held else (0, -1)
        return Sparse(self.scale, first, tuple(round(weight, 3) for weight in self.weights[first : last + 1]))

    @classmethod
    def decode(cls, sparse: Sparse) -> Sketch:
        """Raises ValueError for what is no sketch."""
        bins, held = sparse.scale.bins, sparse.weights
        if not (sparse.first >= 0 and sparse.first + len(held) <= bins and all(0.0 <= weight < math.inf for weight in held)):
            raise ValueError(f"{len(held)} weights from bin {sparse.first}; allowed are {bins} bins of weights from 0 on")
        return cls(sparse.scale, [0.0] * sparse.first + list(held) + [0.0] * (bins - sparse.first - len(held)))


class Sparse(Struct, frozen=True, array_like=True):
    """A sketch as it is written down."""

    scale: Scale
    first: int
    weights: tuple[float, ...]
