"""What an evaluation says: one JSON object. Rates are shares, 0..1; null stands where the list can prove nothing, with the reason beside."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from msgspec import Struct

from agent import __version__
from agent.vision.build import DETECTOR, EMBEDDER, LANDMARKS
from models_tflite.manifest import Manifest

USED = (DETECTOR, LANDMARKS, EMBEDDER)
PACKAGES = ("numpy", "opencv-python-headless", "ai-edge-litert", "tflite-runtime")

Interval = tuple[float, float]


class Provenance(Struct, frozen=True, kw_only=True):
    """What was measured with, so that the figures can be had again."""

    list: str
    list_sha256: str
    embedder_id: str
    models: dict[str, str]
    """The networks by role, each the first 12 digits of its SHA-256."""
    engine: str
    versions: dict[str, str]


class Rate(Struct, frozen=True, kw_only=True):
    """A share of errors. `method` says where the 95 % interval comes from."""

    rate: float
    errors: int
    comparisons: int
    interval_95: Interval
    method: str


class AtFmr(Struct, frozen=True, kw_only=True):
    """What a false match rate costs. All but `target_fmr` and `why_not` are null when the list is too short for it."""

    target_fmr: float
    threshold: float | None = None
    fmr: Rate | None = None
    fnmr: Rate | None = None
    """Every genuine pair counted; one whose face was not found is a false non-match."""
    why_not: str | None = None


class Stated(Struct, frozen=True, kw_only=True):
    """How the manifest's own threshold, not fitted on this list, does on it."""

    stated_fmr: float
    threshold: float
    accuracy: float
    fmr: Rate
    fnmr: Rate


class AfterDiscard(Struct, frozen=True, kw_only=True):
    """The false non-matches that are left when this share of the pairs, those of the worst quality, is set aside."""

    share: float
    fnmr: Rate


class QualityCheck(Struct, frozen=True, kw_only=True):
    """How well the quality of the pictures predicts that they match, at one of the manifest's thresholds."""

    spearman: float | None
    """Of the lower quality of a pair with its score; null where all are alike."""
    stated_fmr: float
    threshold: float
    discards: tuple[AfterDiscard, ...]
    mean_fnmr: float
    """While none to a fifth are set aside. Setting aside at random, it would be the FNMR of all."""


class OfGroup(Struct, frozen=True, kw_only=True):
    """Errors within a group of people. A rate is null where there are too few comparisons for it, and `why_not` says so."""

    group: str
    pictures: int
    people: int | None
    fmr: Rate | None
    """Of two people of this group."""
    fnmr: Rate | None
    """Of one person, both pictures labelled so."""
    why_not: tuple[str, ...]


class BetweenGroups(Struct, frozen=True, kw_only=True):
    """False matches of people of two groups."""

    groups: tuple[str, str]
    fmr: Rate | None
    why_not: tuple[str, ...]


class ByGroup(Struct, frozen=True, kw_only=True):
    """The errors of each group at one of the manifest's thresholds."""

    stated_fmr: float
    threshold: float
    groups: tuple[OfGroup, ...]
    between: tuple[BetweenGroups, ...]
    unlabelled_pictures: int


class Verification(Struct, frozen=True, kw_only=True):
    """One to one."""

    evaluation: str = "verification"
    pairs: int
    """Of the list, less those with a picture that cannot be read."""
    genuine_pairs: int
    impostor_pairs: int
    """Comparisons of different people that the false match rates rest on."""
    impostors: str
    pictures: int
    people: int | None
    """Null when the paths do not name them."""
    unreadable_pictures: int
    unreadable_pairs: int
    failures_to_acquire: int
    """Pictures in which detector or mesh found no face."""
    median_length: float | None
    """Of the embeddings before they were brought to unit length: the measure of a clear face. Null when nobody was compared."""
    length_deviation: float | None
    """Half of the range that the middle 68.3 % of those lengths lie in."""
    impostor_shape: tuple[float, float] | None
    """Mean and deviation of the scores of different people, as agent/vision/own_camera.py takes them; null of fewer than twenty."""
    genuine_pairs_missed: int
    """Of them, genuine pairs: false non-matches at every threshold."""
    accuracy: float
    """At thresholds fitted on the other folds."""
    accuracy_standard_error: float
    folds: int
    fold_thresholds: Interval
    """Lowest and highest."""
    area_under_curve: float
    equal_error_rate: float
    equal_error_threshold: float
    at_fmr: tuple[AtFmr, ...]
    stated: tuple[Stated, ...]
    quality: QualityCheck | None
    """Null when the manifest states no threshold."""
    by_group: tuple[ByGroup, ...] | None
    """Null when the list names no groups of people."""
    cannot_say: tuple[str, ...]
    """What this list cannot prove."""
    provenance: Provenance


def versions() -> dict[str, str]:
    """Of everything that the figures depend on."""
    found = {"doorward": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    if "opencv-python-headless" not in found:
        import cv2

        found["opencv"] = cv2.__version__
    return found


def models(manifest: Manifest) -> dict[str, str]:
    return {role: manifest.model(role).sha256[:12] for role in USED}


def rounded(value: float) -> float:
    """Seven significant digits: more are noise of the last bit."""
    return float(np.format_float_scientific(value, 6))
