"""One to many: is the right one of the gallery found, and is a stranger left unnamed?

Words after ISO/IEC 19795-1 and NIST IR 8271: a probe whose person is in the gallery is mated. FNIR at a threshold is the share of mated
probes whose person is not the best candidate or does not reach the threshold; FPIR the share of the other probes for whom
anybody reaches it. Both hold for a gallery of this size only: FPIR grows with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.evaluation import metrics
from agent.evaluation.lists import ListError, Search
from agent.evaluation.pictures import Gathered
from agent.evaluation.report import Provenance, Rate, rounded
from agent.evaluation.still import Look
from models_tflite.manifest import OperatingPoint

TARGETS = (1e-1, 1e-2, 1e-3)


class AtThreshold(Struct, frozen=True, kw_only=True):
    """`fpir` is null without strangers among the probes, `fnir` without enrolled people among them."""

    of: str
    """Where the threshold comes from."""
    threshold: float | None = None
    fpir: Rate | None = None
    fnir: Rate | None = None
    why_not: str | None = None


class Identification(Struct, frozen=True, kw_only=True):
    """One to many."""

    evaluation: str = "identification"
    gallery_people: int
    gallery_pictures: int
    mated_probes: int
    other_probes: int
    unreadable_pictures: int
    gallery_failures_to_acquire: int
    probe_failures_to_acquire: int
    rank_1: Rate | None
    """The share of mated probes whose person is *not* the best candidate, whatever the score."""
    rank_1_rate: float | None
    at: tuple[AtThreshold, ...]
    provenance: Provenance


class Searched(NamedTuple):
    """`mated` has the score of each mated probe whose best candidate is right, minus infinity for the others; `other` the best score that
    each other probe has with anybody."""

    mated: metrics.Scores
    other: metrics.Scores


def search(rows: Sequence[Search], looks: Mapping[str, Look]) -> Searched:
    """Every probe against every gallery picture; a person's score is that of their best picture. Missed probes find nobody."""
    gallery = [row for row in rows if row.use == "gallery" and looks[row.path].acquired]
    if not gallery:
        raise ListError("in not one picture of the gallery a face was found")
    enrolled = {row.person for row in rows if row.use == "gallery"}
    templates, owners = _matrix(gallery, looks), np.array([row.person for row in gallery])
    mated: list[float] = []
    other: list[float] = []
    for row in (row for row in rows if row.use == "probe"):
        best, owner = _best(looks[row.path], templates, owners)
        if row.person in enrolled:
            mated.append(best if owner == row.person else metrics.MISSED)
        else:
            other.append(best)
    return Searched(np.array(mated), np.array(other))


def evaluate(
    rows: Sequence[Search], gathered: Gathered[Look], provenance: Provenance, points: Sequence[OperatingPoint]
) -> Identification:
    readable = [row for row in rows if row.path in gathered.looks]
    found = search(readable, gathered.looks)
    by_use = {use: [row for row in readable if row.use == use] for use in ("gallery", "probe")}
    missed = {use: sum(not gathered.looks[row.path].acquired for row in held) for use, held in by_use.items()}
    at = [_at(found, f"manifest, FMR {point.fmr:g}", rounded(point.threshold)) for point in points]
    wrong = int(np.count_nonzero(found.mated == metrics.MISSED))
    return Identification(
        gallery_people=len({row.person for row in by_use["gallery"]}), gallery_pictures=len(by_use["gallery"]),
        mated_probes=len(found.mated), other_probes=len(found.other), unreadable_pictures=len(gathered.unreadable),
        gallery_failures_to_acquire=missed["gallery"], probe_failures_to_acquire=missed["probe"],
        rank_1=_rate(wrong, len(found.mated)), rank_1_rate=rounded(1 - wrong / len(found.mated)) if len(found.mated) else None,
        at=(*at, *(_at_fpir(found, target) for target in TARGETS)), provenance=provenance,
    )  # fmt: skip


def _at_fpir(found: Searched, target: float) -> AtThreshold:
    words, needed = f"this list, FPIR {target:g}", metrics.least_comparisons(target)
    if len(found.other) < needed:
        return AtThreshold(of=words, why_not=f"{len(found.other)} probes of people who are not in the gallery; {needed} without one error"
                           f" would be needed to show {target:g} at 95 % confidence (3 / rate)")  # fmt: skip
    # A probe without a face finds nobody; as a score that is below every threshold.
    return _at(found, words, metrics.threshold_at_fmr(np.maximum(found.other, -1.0), target))


def _at(found: Searched, of: str, threshold: float) -> AtThreshold:
    positive, negative = int(np.count_nonzero(found.other >= threshold)), int(np.count_nonzero(found.mated < threshold))
    return AtThreshold(of=of, threshold=threshold, fpir=_rate(positive, len(found.other)), fnir=_rate(negative, len(found.mated)))


def _rate(errors: int, trials: int) -> Rate | None:
    if not trials:
        return None
    low, high = metrics.wilson(errors, trials)
    return Rate(rate=rounded(errors / trials), errors=errors, comparisons=trials, interval_95=(rounded(low), rounded(high)),
                method="Wilson, probes taken for independent")  # fmt: skip


def _best(look: Look, templates: NDArray[np.float32], owners: NDArray[np.str_]) -> tuple[float, str]:
    if not look.acquired:
        return metrics.MISSED, ""
    scores = templates @ np.frombuffer(look.embedding, "<f4")
    best = int(np.argmax(scores))
    return float(scores[best]), str(owners[best])


def _matrix(rows: Sequence[Search], looks: Mapping[str, Look]) -> NDArray[np.float32]:
    return np.stack([np.frombuffer(looks[row.path].embedding, "<f4") for row in rows])
