"""Which of seven expressions labelled faces show: how often the stage is right, how far its probabilities can be believed, when it is silent.

Accuracy depends on how often each expression occurs in a list, so beside it stands balanced accuracy, the mean recall of the expressions that
occur. A face that was not found is wrong, and no abstention. Calibration is over faces that were seen: expected calibration error over ten
equal bins of confidence (C. Guo et al., 'On calibration of modern neural networks', ICML 2017) and negative log-likelihood in nats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.core.messages import EXPRESSIONS
from agent.evaluation import metrics
from agent.evaluation.lists import ListError
from agent.evaluation.people import DRAWS, LEAST_PEOPLE
from agent.evaluation.pictures import Gathered
from agent.evaluation.report import Interval, Provenance, rounded
from agent.evaluation.still import subject
from agent.vision.chain import Stages
from agent.vision.expression import COLOUR, GREYS, Expressions, Square, whole
from agent.vision.still import StillFaces, reduced
from hw.interfaces import Pixels
from models_tflite.manifest import Manifest

Cropped = Literal["auto", "yes", "no"]
Counts = NDArray[np.float64]

CROP_PX = 64
"""Pictures no larger hold nothing but the face in every list known to us (FER2013's have 48 px): no detector is asked."""
LARGEST_CROP_PX = 256
"""A picture no larger, about square, in which no face is found, is taken for a face that fills it."""
CROP_RATIO = 1.5
MISSED = len(EXPRESSIONS)
"""The column of faces that were not found."""
BINS = 10
CONFIDENCES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Shown(Struct, frozen=True, kw_only=True):
    """What was seen in a picture; no probabilities where no face was found."""

    probabilities: tuple[float, ...] = ()
    share: float = 0.0
    """How much `face_expression` counted."""
    source: Literal["mesh", "whole picture", "none"] = "none"


class Share(Struct, frozen=True, kw_only=True):
    """A share of right answers, or of answers given. `method` says where the 95 % interval comes from."""

    share: float
    right: int
    of: int
    interval_95: Interval
    method: str


class Mean(Struct, frozen=True, kw_only=True):
    """A mean over expressions."""

    value: float
    interval_95: Interval
    method: str


class OfExpression(Struct, frozen=True, kw_only=True):
    """One expression of the list. Precision is null when it was never answered."""

    expression: str
    pictures: int
    recall: float
    precision: float | None
    f1: float
    recall_interval_95: Interval


class Abstained(Struct, frozen=True, kw_only=True):
    """What an abstention below a confidence costs and wins; over faces that were seen. Accuracy is null when nothing was answered."""

    least_confidence: float
    abstention_rate: float
    accuracy: Share | None


class Calibration(Struct, frozen=True, kw_only=True):
    """How far the probabilities can be believed, over faces that were seen."""

    pictures: int
    mean_confidence: float
    accuracy: float
    expected_calibration_error: float
    negative_log_likelihood: float


class ExpressionFigures(Struct, frozen=True, kw_only=True):
    """Expressions."""

    evaluation: str = "expression"
    pictures: int
    unreadable_pictures: int
    faces_not_found: int
    taken_as_crops: int
    """Pictures that were looked at as a whole."""
    mean_share_of_colour: float | None
    people: int | None
    """Null when the paths do not name at least 20 (`.../PERSON/file`)."""
    accuracy: Share
    balanced_accuracy: Mean
    macro_f1: Mean
    expressions: tuple[OfExpression, ...]
    absent: tuple[str, ...]
    """Expressions of which the list has no picture: nothing is known of their recall."""
    columns: tuple[str, ...] = (*EXPRESSIONS, "no face")
    confusion: dict[str, tuple[int, ...]]
    """Of each expression in the list, how often what was answered; the columns are named in `columns`."""
    calibration: Calibration | None
    abstained: Abstained
    """At the confidence below which a door's track says nothing."""
    at_confidence: tuple[Abstained, ...]
    provenance: Provenance


class Reader:
    """A picture to its expression, as a door would see it. Not thread-safe."""

    def __init__(self, stages: Stages, expressions: Expressions, cropped: Cropped) -> None:
        """`cropped`: whether the pictures are faces already cut; `auto` decides for each."""
        self._stages, self._expressions, self._cropped = stages, expressions, cropped
        self._faces = StillFaces(stages)

    def __call__(self, pixels: Pixels) -> Shown:
        """Shown of a picture (height x width x 3, BGR)."""
        picture = reduced(pixels)
        longest, shortest = max(picture.shape[:2]), min(picture.shape[:2])
        if self._cropped == "yes" or (self._cropped == "auto" and longest <= CROP_PX):
            return self._shown(picture, whole(picture), "whole picture")
        square = self._square(picture)
        if square is not None:
            return self._shown(picture, square, "mesh")
        if self._cropped == "auto" and longest <= min(LARGEST_CROP_PX, CROP_RATIO * shortest):
            return self._shown(picture, whole(picture), "whole picture")
        return Shown()

    def _square(self, picture: Pixels) -> Square | None:
        face = subject(self._faces.faces(picture), (picture.shape[1], picture.shape[0]))
        portrait = self._faces.portrait(picture, face) if face is not None else None
        return None if portrait is None else self._expressions.square(portrait.mesh.points / np.float32(portrait.share))

    def _shown(self, picture: Pixels, square: Square, source: Literal["mesh", "whole picture"]) -> Shown:
        reading = self._expressions(picture, square)
        if reading is None:
            return Shown()
        return Shown(probabilities=tuple(map(float, reading.probabilities)), share=reading.share, source=source)


def with_networks(provenance: Provenance, manifest: Manifest, chain: str) -> tuple[Provenance, str]:
    """What was measured with, the expression networks and this module's own text added."""
    used = {role: manifest.model(role).sha256 for role in (COLOUR, *GREYS)}
    digest = hashlib.sha256("".join([chain, *used.values(), Path(__file__).read_text("utf-8")]).encode())
    models = provenance.models | {role: sha256[:12] for role, sha256 in used.items()}
    return msgspec.structs.replace(provenance, models=models), digest.hexdigest()[:16]


class Answers(NamedTuple):
    """One entry a picture. `answered` is MISSED and the probabilities are zero where no face was found."""

    labelled: NDArray[np.intp]
    answered: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    owner: NDArray[np.intp]
    """The person of each, or the picture itself when people are not named."""
    people: int | None

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.labelled == self.answered)


def answers(labels: Mapping[str, str], shown: Mapping[str, Shown]) -> Answers:
    """Of every labelled picture that was read. Raises ListError when there is none."""
    paths = [path for path in labels if path in shown]
    if not paths:
        raise ListError("not one picture of the list was read")
    probabilities = np.array([shown[path].probabilities or (0.0,) * MISSED for path in paths])
    seen = probabilities.sum(axis=1) > 0
    folders = [str(PurePosixPath(path).parent) for path in paths]
    named = {folder: number for number, folder in enumerate(dict.fromkeys(folders))}
    many = len(named) >= LEAST_PEOPLE  # fewer folders are more likely sets or expressions than people
    owner = np.array([named[folder] for folder in folders] if many else range(len(paths)), np.intp)
    labelled = np.array([EXPRESSIONS.index(labels[path]) for path in paths], np.intp)
    answered = np.where(seen, probabilities.argmax(axis=1), MISSED)
    return Answers(labelled, answered, probabilities, owner, len(named) if many else None)


def confusion(labelled: NDArray[np.intp], answered: NDArray[np.intp], weights: Counts | None = None) -> Counts:
    """7 rows (the label) of 8 columns (the answer, then faces not found)."""
    cells = np.bincount(labelled * (MISSED + 1) + answered, weights, minlength=MISSED * (MISSED + 1))
    return np.asarray(cells.reshape(MISSED, MISSED + 1), np.float64)


class Rates(NamedTuple):
    """From one confusion; expressions that do not occur are left out of the means."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float


def rates(counts: Counts) -> Rates:
    """Of a confusion that is not empty."""
    right, labelled, answered = np.diag(counts), counts.sum(axis=1), counts[:, :MISSED].sum(axis=0)
    there = labelled > 0
    recall = right[there] / labelled[there]
    f1 = 2 * right[there] / (labelled[there] + answered[there])
    return Rates(float(right.sum() / labelled.sum()), float(recall.mean()), float(f1.mean()))


def evaluate(labels: Mapping[str, str], gathered: Gathered[Shown], provenance: Provenance, *, least_confidence: float,
             random: np.random.Generator) -> ExpressionFigures:  # fmt: skip
    """The figures of a list: path -> expression. `least_confidence` is the door's."""
    found, looks = answers(labels, gathered.looks), list(gathered.looks.values())
    counts = confusion(found.labelled, found.answered)
    now, low, high = rates(counts), *_interval(found, random)
    method = "bootstrap over people" if found.people else "bootstrap over pictures, taken for independent"
    shares = [look.share for look in looks if look.source != "none"]
    return ExpressionFigures(
        pictures=len(found.labelled), unreadable_pictures=len(gathered.unreadable),
        faces_not_found=int(np.count_nonzero(found.answered == MISSED)),
        taken_as_crops=sum(look.source == "whole picture" for look in looks),
        mean_share_of_colour=rounded(float(np.mean(shares))) if shares else None, people=found.people,
        accuracy=_accuracy(found, (low.accuracy, high.accuracy), method),
        balanced_accuracy=_mean(now.balanced_accuracy, low.balanced_accuracy, high.balanced_accuracy, method),
        macro_f1=_mean(now.macro_f1, low.macro_f1, high.macro_f1, method), expressions=_each(counts),
        absent=tuple(name for name, row in zip(EXPRESSIONS, counts, strict=True) if not row.any()),
        confusion={name: tuple(map(int, row)) for name, row in zip(EXPRESSIONS, counts, strict=True) if row.any()},
        calibration=_calibration(found), abstained=_abstained(found, least_confidence),
        at_confidence=tuple(_abstained(found, confidence) for confidence in CONFIDENCES), provenance=provenance,
    )  # fmt: skip


def _interval(found: Answers, random: np.random.Generator) -> tuple[Rates, Rates]:
    """The middle 95 % of each rate over draws of people, or of pictures, with replacement."""
    units = int(found.owner.max()) + 1
    draws = (random.multinomial(units, np.full(units, 1 / units)) for _ in range(DRAWS))
    drawn = [rates(confusion(found.labelled, found.answered, draw[found.owner].astype(np.float64))) for draw in draws]
    low, high = np.percentile(np.array(drawn), (2.5, 97.5), axis=0)
    return Rates(*map(float, low)), Rates(*map(float, high))


def _accuracy(found: Answers, interval: Interval, method: str) -> Share:
    right, trials = int(np.count_nonzero(found.right)), len(found.labelled)
    if right in {0, trials}:  # every draw would say the same, which is surer than any list can be
        return _share(right, trials)
    low, high = interval
    return Share(share=rounded(right / trials), right=right, of=trials, interval_95=(rounded(low), rounded(high)), method=method)


def _share(right: int, trials: int) -> Share:
    low, high = metrics.wilson(right, trials)
    return Share(share=rounded(right / trials), right=right, of=trials, interval_95=(rounded(low), rounded(high)),
                 method="Wilson, pictures taken for independent")  # fmt: skip


def _mean(value: float, low: float, high: float, method: str) -> Mean:
    return Mean(value=rounded(value), interval_95=(rounded(low), rounded(high)), method=method)


def _each(counts: Counts) -> tuple[OfExpression, ...]:
    return tuple(_of(name, counts, number) for number, name in enumerate(EXPRESSIONS) if counts[number].any())


def _of(name: str, counts: Counts, number: int) -> OfExpression:
    right, labelled, answered = (int(value) for value in (counts[number, number], counts[number].sum(), counts[:, number].sum()))
    low, high = metrics.wilson(right, labelled)
    return OfExpression(expression=name, pictures=labelled, recall=rounded(right / labelled),
                        precision=rounded(right / answered) if answered else None, f1=rounded(2 * right / (labelled + answered)),
                        recall_interval_95=(rounded(low), rounded(high)))  # fmt: skip


def _calibration(found: Answers) -> Calibration | None:
    seen = found.answered != MISSED
    if not seen.any():
        return None
    probabilities, labelled, right = found.probabilities[seen], found.labelled[seen], found.right[seen]
    confidence = probabilities.max(axis=1)
    of_label = probabilities[np.arange(len(labelled)), labelled]
    return Calibration(
        pictures=len(labelled), mean_confidence=rounded(float(confidence.mean())), accuracy=rounded(float(right.mean())),
        expected_calibration_error=rounded(calibration_error(confidence, right)),
        negative_log_likelihood=rounded(float(-np.log(np.maximum(of_label, 1e-9)).mean())),
    )  # fmt: skip


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The mean distance of confidence and accuracy over bins of confidence, each counted by its pictures."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, confidence, BINS) - np.bincount(bins, right.astype(float), BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _abstained(found: Answers, least: float) -> Abstained:
    seen = found.answered != MISSED
    given = seen & (found.probabilities.max(axis=1) >= least)
    count = int(np.count_nonzero(given))
    return Abstained(least_confidence=least, abstention_rate=rounded(1 - count / max(1, int(np.count_nonzero(seen)))),
                     accuracy=_share(int(np.count_nonzero(found.right & given)), count) if count else None)  # fmt: skip
