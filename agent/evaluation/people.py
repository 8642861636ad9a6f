"""How far an error rate can be trusted: people drawn again with replacement.

Pairs that share a person are not independent: one lookalike makes many false matches. So people are drawn, not pairs: a pair of two people
counts as often as the product of their draws, a pair of one person as often as that person is drawn (the subset bootstrap: R. M.
Bolle, N. K. Ratha and S. Pankanti, 'Error analysis of pattern recognition systems: the subsets bootstrap', CVIU 93 (2004) 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]
Draws = NDArray[np.float64]

LEAST_PEOPLE = 20
"""With fewer people a bootstrap over them says little, and less than it seems to."""
DRAWS = 1000
_AT_ONCE = 4096


class Comparisons(NamedTuple):
    """The people of each comparison by number; both the same in a genuine one."""

    a: Indices
    b: Indices

    def weighed(self, draws: Draws) -> Draws:
        """How many comparisons each draw holds."""
        total = np.zeros(len(draws))
        for start in range(0, len(self.a), _AT_ONCE):
            a, b = self.a[start : start + _AT_ONCE], self.b[start : start + _AT_ONCE]
            total += np.sum(draws[:, a] * np.where(a == b, 1.0, draws[:, b]), axis=1)
        return total


class AllPairs(NamedTuple):
    """Every pair of pictures of different people, without listing them: `pictures` of each person."""

    pictures: NDArray[np.float64]

    def weighed(self, draws: Draws) -> Draws:
        """Half of (all)^2 less what each person has with themselves."""
        return np.asarray(((draws @ self.pictures) ** 2 - (draws**2) @ (self.pictures**2)) / 2, np.float64)


class AcrossPairs(NamedTuple):
    """Every pair of a picture of one kind with one of another, of different people: the pictures of each person, by kind."""

    one: NDArray[np.float64]
    other: NDArray[np.float64]

    def weighed(self, draws: Draws) -> Draws:
        """(all of one kind) x (all of the other) less what each person has with themselves."""
        return np.asarray((draws @ self.one) * (draws @ self.other) - (draws**2) @ (self.one * self.other), np.float64)


Trials = Comparisons | AllPairs | AcrossPairs


def draw(people: int, random: np.random.Generator, draws: int = DRAWS) -> Draws:
    """How often each person is drawn, draws x people."""
    return random.multinomial(people, np.full(people, 1 / people), size=draws).astype(np.float64)


def interval(errors: Comparisons, trials: Trials, draws: Draws) -> tuple[float, float]:
    """The middle 95 % of an error rate over draws of people; draws that hold no comparison are left out."""
    total = trials.weighed(draws)
    held = total > 0
    low, high = np.percentile(errors.weighed(draws)[held] / total[held], (2.5, 97.5))
    return float(low), float(high)
