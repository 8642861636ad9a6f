"""Pairs of pictures to the figures of a verification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.evaluation import metrics
from agent.evaluation.discard import check_quality
from agent.evaluation.groups import Labelled
from agent.evaluation.lists import ListError, Pair, people_named, person_of, pictures_of
from agent.evaluation.people import LEAST_PEOPLE, AllPairs, Comparisons, Draws, draw
from agent.evaluation.pictures import Gathered
from agent.evaluation.rates import rate_of
from agent.evaluation.report import AtFmr, Provenance, Rate, Stated, Verification, rounded
from agent.evaluation.still import Look
from agent.vision.own_camera import BINS, shape_of
from models_tflite.manifest import OperatingPoint

TARGETS = (1e-2, 1e-3, 1e-4)
_AT_ONCE = 2048
"""Rows of the matrix of all scores that are in memory at once."""


class Scored(NamedTuple):
    """Scores with the people they belong to. A listed pair in which a face was missed has the score minus infinity."""

    genuine: metrics.Scores
    listed_impostor: metrics.Scores
    """For the accuracy, missed faces included."""
    impostor: metrics.Scores
    """Comparisons that took place: the false match rate rests on these, and a missed face must not flatter it."""
    genuine_people: Comparisons | None
    impostor_people: Comparisons | None
    """Null with all pairs: only those above a threshold are ever named."""
    all_pairs: AllPairs | None
    embeddings: NDArray[np.float32]
    """Of the acquired pictures, and the person of each, for all pairs."""
    owner: NDArray[np.intp]
    people: int | None


def score(pairs: Sequence[Pair], looks: Mapping[str, Look], *, all_pairs: bool) -> Scored:
    """Raises ListError when all pairs are asked for and the folders do not name the people."""
    named = people_named(pairs)
    if all_pairs and not named:
        raise ListError(
            "--all-pairs needs to know who is who: every path has to be .../PERSON/file, and same has to agree with it"
        )
    shown = [path for path in pictures_of(pairs) if looks[path].acquired]
    row = {path: number for number, path in enumerate(shown)}
    embeddings = _matrix([looks[path] for path in shown])
    person = {name: number for number, name in enumerate(dict.fromkeys(map(person_of, pictures_of(pairs))))}
    genuine, listed = ([pair for pair in pairs if pair.same is same] for same in (True, False))
    listed_scores, compared = _scores(listed, row, embeddings), [pair.a in row and pair.b in row for pair in listed]
    owner = np.array([person[person_of(path)] for path in shown], np.intp)
    impostor = _every_impostor(embeddings, owner) if all_pairs else listed_scores[compared]
    if not len(impostor):
        raise ListError("in no pair of two people a face was found in both pictures: nothing can be said of false matches")
    return Scored(
        genuine=_scores(genuine, row, embeddings), listed_impostor=listed_scores, impostor=impostor,
        genuine_people=_people(genuine, person) if named else None,
        impostor_people=_people([pair for pair, held in zip(listed, compared, strict=True) if held], person) if named else None,
        all_pairs=AllPairs(np.bincount(owner, minlength=len(person)).astype(float)) if all_pairs else None,
        embeddings=embeddings, owner=owner, people=len(person) if named else None,
    )  # fmt: skip


def evaluate(pairs: Sequence[Pair], gathered: Gathered[Look], provenance: Provenance, points: Sequence[OperatingPoint], *,
             all_pairs: bool, folds: int, random: np.random.Generator,
             groups: Mapping[str, str] | None = None) -> tuple[Verification, Scored]:  # fmt: skip
    """The figures, and the scores for whoever draws the curve. `groups`: of each picture that is labelled.

    Raises ListError when the list is too short for the folds.
    """
    readable = [pair for pair in pairs if pair.a in gathered.looks and pair.b in gathered.looks]
    least = min(sum(pair.same for pair in readable), sum(not pair.same for pair in readable))
    if least < folds:
        raise ListError(f"--folds is {folds}, but one kind of pair is there only {least} times; allowed are 2 to {least} folds")
    scored = score(readable, gathered.looks, all_pairs=all_pairs)
    judge = Judge(scored, random)
    fitted = metrics.accuracy_by_folds(scored.genuine, scored.listed_impostor, folds)
    crossing = metrics.equal_error(scored.genuine, scored.impostor)
    at_fmr = tuple(judge.at_fmr(target) for target in TARGETS)
    lengths = _lengths(gathered.looks[path] for path in pictures_of(readable))
    labelled = Labelled(readable, gathered.looks, groups, judge.draws, all_pairs=all_pairs) if groups else None
    report = Verification(
        pairs=len(readable), genuine_pairs=len(scored.genuine), impostor_pairs=len(scored.impostor),
        impostors="all pairs of pictures of different people" if all_pairs else "the list's pairs of different people",
        pictures=len(pictures_of(readable)), people=scored.people,
        unreadable_pictures=len(gathered.unreadable), unreadable_pairs=len(pairs) - len(readable),
        failures_to_acquire=sum(not gathered.looks[path].acquired for path in pictures_of(readable)),
        median_length=lengths[0] if lengths else None, length_deviation=lengths[1] if lengths else None,
        impostor_shape=_impostor_shape(scored.impostor),
        genuine_pairs_missed=int(np.count_nonzero(scored.genuine == metrics.MISSED)),
        accuracy=rounded(fitted.mean), accuracy_standard_error=rounded(fitted.standard_error), folds=folds,
        fold_thresholds=(rounded(min(fitted.thresholds)), rounded(max(fitted.thresholds))),
        area_under_curve=rounded(metrics.area_under_curve(scored.genuine, scored.impostor)),
        equal_error_rate=rounded(crossing.rate), equal_error_threshold=rounded(crossing.threshold),
        at_fmr=at_fmr, stated=tuple(judge.stated(point) for point in points),
        quality=check_quality(readable, gathered.looks, scored.genuine, points[0]) if points else None,
        by_group=tuple(labelled.at(point) for point in points) if labelled else None,
        cannot_say=_cannot_say(at_fmr, scored, labelled is not None), provenance=provenance,
    )  # fmt: skip
    return report, scored


class Judge:
    """Error rates with their intervals."""

    def __init__(self, scored: Scored, random: np.random.Generator) -> None:
        self._scored = scored
        many = scored.people is not None and scored.people >= LEAST_PEOPLE
        self.draws: Draws | None = draw(scored.people or 0, random) if many else None

    def at_fmr(self, target: float) -> AtFmr:
        """The threshold for a false match rate and what it costs, or why this list cannot say."""
        held, needed = len(self._scored.impostor), metrics.least_comparisons(target)
        if held < needed:
            return AtFmr(target_fmr=target, why_not=f"{held} comparisons of different people; {needed} without one error would be needed"
                         f" to show {target:g} at 95 % confidence (3 / rate)")  # fmt: skip
        threshold = metrics.threshold_at_fmr(self._scored.impostor, target)
        return AtFmr(target_fmr=target, threshold=threshold, fmr=self.fmr(threshold), fnmr=self.fnmr(threshold))

    def stated(self, point: OperatingPoint) -> Stated:
        scored = self._scored
        right = metrics.accuracy(scored.genuine, scored.listed_impostor, point.threshold)
        return Stated(stated_fmr=point.fmr, threshold=rounded(point.threshold), accuracy=rounded(right), fmr=self.fmr(point.threshold),
                      fnmr=self.fnmr(point.threshold))  # fmt: skip

    def fmr(self, threshold: float) -> Rate:
        scored = self._scored
        wrong = scored.impostor >= threshold
        if scored.all_pairs is not None:
            return self._rate(wrong, matching_people(scored, threshold), scored.all_pairs)
        return self._rate(wrong, _those(scored.impostor_people, wrong), scored.impostor_people)

    def fnmr(self, threshold: float) -> Rate:
        wrong = self._scored.genuine < threshold
        return self._rate(wrong, _those(self._scored.genuine_people, wrong), self._scored.genuine_people)

    def _rate(self, wrong: NDArray[np.bool_], errors: Comparisons | None, trials: Comparisons | AllPairs | None) -> Rate:
        return rate_of(int(np.count_nonzero(wrong)), len(wrong), errors, trials, self.draws)


def matching_people(scored: Scored, threshold: float) -> Comparisons:
    """The people of each false match among all pairs."""
    a, b = [], []
    for start, block in _blocks(scored.embeddings):
        rows, columns = np.nonzero(block >= threshold)
        rows = rows + start
        apart = (columns > rows) & (scored.owner[rows] != scored.owner[columns])
        a.append(scored.owner[rows[apart]])
        b.append(scored.owner[columns[apart]])
    return Comparisons(np.concatenate(a), np.concatenate(b))


def _every_impostor(embeddings: NDArray[np.float32], owner: NDArray[np.intp]) -> metrics.Scores:
    """The score of every pair of pictures of different people, each once."""
    found = [np.zeros(0, np.float32)]
    columns = np.arange(len(embeddings))
    for start, block in _blocks(embeddings):
        rows = np.arange(start, start + len(block))
        found.append(block[(columns > rows[:, None]) & (owner[rows][:, None] != owner)])
    return np.concatenate(found).astype(np.float64)


def _blocks(embeddings: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The matrix of all scores in bands, each with its first row."""
    for start in range(0, len(embeddings), _AT_ONCE):
        yield start, embeddings[start : start + _AT_ONCE] @ embeddings.T


def _scores(pairs: Sequence[Pair], row: Mapping[str, int], embeddings: NDArray[np.float32]) -> metrics.Scores:
    """Cosines in the list's order; minus infinity where a face was missed."""
    found = np.full(len(pairs), metrics.MISSED)
    held = [number for number, pair in enumerate(pairs) if pair.a in row and pair.b in row]
    if held:
        a, b = (embeddings[[row[getattr(pairs[number], side)] for number in held]] for side in ("a", "b"))
        found[held] = np.einsum("ij,ij->i", a, b)
    return found


def _matrix(looks: Sequence[Look]) -> NDArray[np.float32]:
    if not looks:
        raise ListError("in not one picture of the list a face was found; are they upright pictures of people?")
    return np.stack([np.frombuffer(look.embedding, "<f4") for look in looks])


def _lengths(looks: Iterable[Look]) -> tuple[float, float] | None:
    """Median of the embeddings' lengths, and their deviation as quantiles show it: those of the unclearest faces lie far out."""
    lengths = [look.length for look in looks if look.length > 0]
    if not lengths:
        return None
    low, middle, high = np.percentile(lengths, (50 - metrics.ONE_SIGMA, 50, 50 + metrics.ONE_SIGMA))
    return (rounded(middle), rounded((high - low) / 2)) if high > low else None


def _impostor_shape(scores: metrics.Scores) -> tuple[float, float] | None:
    shape = shape_of(np.histogram(scores, np.linspace(-1, 1, BINS + 1))[0].tolist())
    return None if shape is None else (rounded(shape.mean), rounded(shape.deviation))


def _people(pairs: Sequence[Pair], person: Mapping[str, int]) -> Comparisons:
    a, b = (np.array([person[person_of(getattr(pair, side))] for pair in pairs], np.intp) for side in ("a", "b"))
    return Comparisons(a, b)


def _those(people: Comparisons | None, wrong: NDArray[np.bool_]) -> Comparisons | None:
    return None if people is None else Comparisons(people.a[wrong], people.b[wrong])


def _cannot_say(at_fmr: Sequence[AtFmr], scored: Scored, labelled: bool) -> tuple[str, ...]:
    words = [f"FMR {point.target_fmr:g}: {point.why_not}" for point in at_fmr if point.why_not]
    words.append("thresholds in at_fmr are fitted on this list; on other people they are a little worse")
    if scored.people is None:
        words.append(
            "the paths do not name the people, so intervals take pairs for independent and are too narrow where people recur"
        )
    words.append("the rates are those of these pictures: another camera and another light have other ones")
    if not labelled:
        words.append("the list names no groups of people, so nothing is said of differences between them")
    return tuple(words)
