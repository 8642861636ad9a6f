"""Writes the thresholds of a verification into the manifest of the networks, with the data and the intervals they rest on."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from agent.errors import ModelError, Refused
from agent.evaluation.people import LEAST_PEOPLE
from agent.evaluation.report import AtFmr, Verification
from models_tflite.manifest import EMBEDDER, MANIFEST, Manifest, OperatingPoint

FMRS = (1e-3, 1e-4)
LEAST_ERRORS = 30
"""So many errors bring the rate within 30 % of the truth, nine times in ten: the rule of 30 (G. R. Doddington et al., Speech Communication
31 (2000) 225)."""


def points_of(report: Verification, name: str) -> tuple[OperatingPoint, ...]:
    """The operating points; Refused when the list does not carry them, with what is missing."""
    if report.unreadable_pictures:
        raise Refused(f"no operating points: {report.unreadable_pictures} pictures of the list could not be read; what is shipped rests on"
                      " the whole list")  # fmt: skip
    if report.people is None or report.people < LEAST_PEOPLE:
        raise Refused(
            f"no operating points: the list has to name at least {LEAST_PEOPLE} people (.../PERSON/file), for the intervals"
        )
    at = {point.target_fmr: point for point in report.at_fmr}
    return tuple(_point(at[fmr], report, name) for fmr in FMRS)


def write_points(folder: Path, points: tuple[OperatingPoint, ...], report: Verification) -> Path:
    """Replaces what the manifest of `folder` says of the embedder's scores, all or nothing; ModelError when that fails."""
    path = folder / MANIFEST
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        draft.write_bytes(manifest_text(with_points(manifest, points, report)))
        draft.replace(path)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as cause:
        raise ModelError(f"{path}: operating points cannot be written: {cause}") from cause
    return path


def with_points(manifest: Manifest, points: tuple[OperatingPoint, ...], report: Verification) -> Manifest:
    """The manifest with other operating points of the embedder, and what else was measured with them."""
    embedder = msgspec.structs.replace(manifest.model(EMBEDDER), operating_points=points, typical_length=report.median_length,
                                       length_deviation=report.length_deviation,
                                       impostor_shape=report.impostor_shape)  # fmt: skip
    models = tuple(embedder if entry.role == EMBEDDER else entry for entry in manifest.models)
    return msgspec.structs.replace(manifest, models=models)


def manifest_text(manifest: Manifest) -> bytes:
    """The manifest's file."""
    fields = msgspec.to_builtins(manifest)
    for entry in fields["models"]:
        entry.pop("folder", None)
        for name in ("typical_length", "length_deviation", "impostor_shape"):
            if entry[name] is None:
                del entry[name]
    return msgspec.json.format(msgspec.json.encode(fields), indent=2) + b"\n"


def _point(point: AtFmr, report: Verification, name: str) -> OperatingPoint:
    needed = round(LEAST_ERRORS / point.target_fmr)
    if report.impostor_pairs < needed or point.threshold is None or point.fmr is None or point.fnmr is None:
        raise Refused(
            f"no operating points: a threshold for FMR {point.target_fmr:g} needs {needed} comparisons of different people, enough for"
            f" {LEAST_ERRORS} errors; there are {report.impostor_pairs}; --all-pairs compares everybody with everybody"
        )
    return OperatingPoint(
        fmr=point.target_fmr, threshold=point.threshold, fmr_interval_95=point.fmr.interval_95, impostor_pairs=report.impostor_pairs,
        fnmr=point.fnmr.rate, genuine_pairs=report.genuine_pairs, measured_on=sentence(report, name),
    )  # fmt: skip


def sentence(report: Verification, name: str) -> str:
    """What was measured, on what."""
    return (f"{name}: {report.pairs:,} listed pairs of {report.pictures:,} pictures of {report.people:,} people; whole chain of detector,"
            " landmarks for the alignment and int8 embedder over both mirror images, a missed face counted as a false non-match"
            f" ({report.failures_to_acquire} pictures); false match rate over {report.impostors}, interval by bootstrap over people;"
            " threshold fitted on this list; list's SHA-256 begins " + report.provenance.list_sha256[:12])  # fmt: skip
