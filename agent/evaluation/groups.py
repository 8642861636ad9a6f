"""Error rates of groups of people, where a list says who is of which: an average may hide whom a door fails.

False matches are counted within each group and between every two, since an impostor is likelier to be taken for somebody of the same
sex, age and descent (P. Grother, M. Ngan and K. Hanaoka, NISTIR 8280, 2019). A group with too few comparisons gets no rate: an empty
rate is misread less than one with an interval from nothing to a fifth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from agent.evaluation import metrics
from agent.evaluation.lists import Pair, people_named, person_of, pictures_of
from agent.evaluation.people import AcrossPairs, AllPairs, Comparisons, Draws, Trials
from agent.evaluation.rates import rate_of
from agent.evaluation.report import BetweenGroups, ByGroup, OfGroup, Rate, rounded
from agent.evaluation.still import Look
from models_tflite.manifest import OperatingPoint

LEAST_GENUINE = 100
"""Comparisons of one person: with fewer not even 3 % could be shown (3 / rate)."""
_AT_ONCE = 2048


class Labelled:
    """A list of pairs whose pictures are labelled, ready to be judged at a threshold."""

    def __init__(self, pairs: Sequence[Pair], looks: Mapping[str, Look], groups: Mapping[str, str], draws: Draws | None, *,
                 all_pairs: bool) -> None:  # fmt: skip
        """`draws` of the people in the order in which the list names them; None where it does not."""
        self._pairs, self._groups, self._draws, self._all_pairs = pairs, groups, draws, all_pairs
        pictures = pictures_of(pairs)
        self._person = {name: number for number, name in enumerate(dict.fromkeys(map(person_of, pictures)))}
        self._named = people_named(pairs)
        self._labelled = [path for path in pictures if path in groups]
        self._unlabelled = len(pictures) - len(self._labelled)
        self._vectors = {path: np.frombuffer(looks[path].embedding, "<f4") for path in pictures if looks[path].acquired}
        self.names = sorted({groups[path] for path in self._labelled})

    def at(self, point: OperatingPoint) -> ByGroup:
        """Every group, and every two."""
        return ByGroup(
            stated_fmr=point.fmr, threshold=rounded(point.threshold), groups=tuple(self._of(name, point) for name in self.names),
            between=tuple(self._between(pair, point) for pair in combinations(self.names, 2)), unlabelled_pictures=self._unlabelled,
        )  # fmt: skip

    def _of(self, name: str, point: OperatingPoint) -> OfGroup:
        own = [path for path in self._labelled if self._groups[path] == name]
        fmr, no_fmr = self._fmr((name, name), point)
        fnmr, no_fnmr = self._fnmr(name, point)
        return OfGroup(group=name, pictures=len(own), people=len(set(map(person_of, own))) if self._named else None, fmr=fmr, fnmr=fnmr,
                       why_not=(*no_fmr, *no_fnmr))  # fmt: skip

    def _between(self, names: tuple[str, str], point: OperatingPoint) -> BetweenGroups:
        fmr, why_not = self._fmr(names, point)
        return BetweenGroups(groups=names, fmr=fmr, why_not=why_not)

    def _fnmr(self, name: str, point: OperatingPoint) -> tuple[Rate | None, tuple[str, ...]]:
        own = [pair for pair in self._pairs if pair.same and self._kinds(pair) == (name, name)]
        if len(own) < LEAST_GENUINE:
            return None, (f"FNMR: {len(own)} comparisons of one person; at least {LEAST_GENUINE} are needed",)
        wrong = [pair for pair in own if self._score(pair) < point.threshold]
        return rate_of(len(wrong), len(own), self._people(wrong), self._people(own), self._draws), ()

    def _fmr(self, names: tuple[str, str], point: OperatingPoint) -> tuple[Rate | None, tuple[str, ...]]:
        held, wrong, trials = self._every(names, point.threshold) if self._all_pairs else self._listed(names, point.threshold)
        needed = metrics.least_comparisons(point.fmr)
        if held < needed:
            return None, (f"FMR: {held} comparisons of different people; {needed} without one error would be needed to show"
                          f" {point.fmr:g} (3 / rate)",)  # fmt: skip
        return rate_of(len(wrong.a), held, wrong if self._named else None, trials if self._named else None, self._draws), ()

    def _listed(self, names: tuple[str, str], threshold: float) -> tuple[int, Comparisons, Trials]:
        """The list's pairs of different people, where both faces were found."""
        kinds = {names, names[::-1]}
        held = [
            pair for pair in self._pairs if not pair.same and self._kinds(pair) in kinds and self._score(pair) != metrics.MISSED
        ]
        return len(held), self._people([pair for pair in held if self._score(pair) >= threshold]), self._people(held)

    def _every(self, names: tuple[str, str], threshold: float) -> tuple[int, Comparisons, Trials]:
        """Every two pictures of different people."""
        (one, owner), (other, other_owner) = (self._matrix(name) for name in names)
        within = names[0] == names[1]
        a, b = [], []
        for start in range(0, len(one), _AT_ONCE):
            rows, columns = np.nonzero(one[start : start + _AT_ONCE] @ other.T >= threshold)
            rows = rows + start
            apart = (owner[rows] != other_owner[columns]) & ((columns > rows) | (not within))
            a.append(owner[rows[apart]])
            b.append(other_owner[columns[apart]])
        counts, other_counts = (np.bincount(each, minlength=len(self._person)).astype(float) for each in (owner, other_owner))
        trials = AllPairs(counts) if within else AcrossPairs(counts, other_counts)
        held = round(float(trials.weighed(np.ones((1, len(self._person))))[0]))
        return held, Comparisons(_joined(a), _joined(b)), trials

    def _matrix(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """The embeddings of a group's faces that were found, and their people."""
        own = [path for path in self._labelled if self._groups[path] == name and path in self._vectors]
        found = np.array([self._vectors[path] for path in own], np.float32).reshape(
            len(own), len(next(iter(self._vectors.values())))
        )
        return found, np.array([self._person[person_of(path)] for path in own], np.intp)

    def _kinds(self, pair: Pair) -> tuple[str | None, str | None]:
        return self._groups.get(pair.a), self._groups.get(pair.b)

    def _score(self, pair: Pair) -> float:
        """Cosine; minus infinity where a face was missed."""
        a, b = self._vectors.get(pair.a), self._vectors.get(pair.b)
        return metrics.MISSED if a is None or b is None else float(a @ b)

    def _people(self, pairs: Sequence[Pair]) -> Comparisons:
        a, b = (np.array([self._person[person_of(getattr(pair, side))] for pair in pairs], np.intp) for side in ("a", "b"))
        return Comparisons(a, b)


def _joined(parts: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    return np.concatenate(parts) if parts else np.zeros(0, np.intp)
