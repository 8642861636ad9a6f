"""`doorward calibrate`: the threshold for the door's own camera, from what vision counted while people passed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agent.calibration import FILE, TALLY_FILE, Calibration, save_calibration
from agent.clock import SystemClock
from agent.config import Config, load_config
from agent.errors import ConfigError, ModelError, Refused
from agent.ownership import give_to_owner_of
from agent.programs_cli import DEFAULT_CONFIG
from agent.vision.own_camera import Estimate, NotEnough, OwnCameraSettings, Shape, Tally, estimate
from agent.vision.tally_file import load_tally
from hw.camera_names import lasting_name, public_name
from models_tflite.manifest import EMBEDDER, Manifest, load_manifest

DONE, FINDING = 0, 1


class Report(Struct, frozen=True, kw_only=True):
    """What `--json` says. `estimate` is null while there are not enough pairs."""

    ready: bool
    pairs: int
    needed: int
    fmr: float
    camera: str
    embedder_id: str
    estimate: Estimate | None
    applied: str | None
    """The file that was written."""


def add_parser(subparsers: Any) -> None:
    """Adds `calibrate` to the program's subcommands."""
    line = "the threshold for this door's own camera, from the faces that passed"
    parser = subparsers.add_parser("calibrate", help=line, description=f"{line}; docs/PERCEPTION.md explains it")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--apply", action="store_true", help="write the threshold; the door takes it when it starts next")
    parser.add_argument(
        "--forget", action="store_true", help="delete the count and the threshold: begin anew, with the manifest's"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line on standard output")
    parser.set_defaults(func=calibrate)


def calibrate(args: argparse.Namespace) -> int:
    """0 when there is a threshold, 1 while there are not enough pairs; ConfigError and ModelError as the programs."""
    config = load_config(args.config)
    folder = Path(config.records.folder)
    if args.forget:
        return _forget(folder)
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    tally = load_tally(folder / TALLY_FILE) or Tally(embedder_id=manifest.embedder_id, camera=lasting_name(config.vision.camera))
    found = judge(tally, config, manifest)
    applied = str(_apply(folder / FILE, found, tally, config)) if args.apply and isinstance(found, Estimate) else None
    if args.json:
        print(msgspec.json.encode(_report(found, tally, config, applied)).decode(), flush=True)
    else:
        print(sentence(found, config), file=sys.stderr)
    if applied is not None:
        print(f"wrote {applied}; restart the door for it to take it", file=sys.stderr)
    return DONE if isinstance(found, Estimate) else FINDING


def judge(tally: Tally, config: Config, manifest: Manifest) -> Estimate | NotEnough:
    """Raises Refused for a count of another embedder or camera, ModelError for a manifest that lacks the shape of its scores."""
    camera = lasting_name(config.vision.camera)
    if (tally.embedder_id, tally.camera) != (manifest.embedder_id, camera):
        raise Refused(
            f"the count is of camera {tally.camera!r} and embedder {tally.embedder_id}; this door has {camera!r} and"
            f" {manifest.embedder_id}: let vision run with `vision.calibrate = true`, or `doorward calibrate --forget`"
        )
    shape = manifest.model(EMBEDDER).impostor_shape
    if shape is None:
        raise ModelError("face_embedder: the manifest does not say how the scores of different people lie; measure it with"
                         " `doorward eval verification --write-operating-points`")  # fmt: skip
    return estimate(tally, Shape(*shape), manifest.threshold_at_fmr(config.policy.fmr), OwnCameraSettings())


def sentence(found: Estimate | NotEnough, config: Config) -> str:
    """For people."""
    if isinstance(found, NotEnough):
        return f"not enough yet: {found.pairs} of {found.needed} pairs of people who were seen at the same time"
    low, high = found.interval_90
    words = [
        f"FMR {config.policy.fmr:g} on {public_name(config.vision.camera)}: threshold {found.threshold:.4f}"
        f" (manifest {found.floor:.4f}; this camera's scores say {found.estimated:.4f},"
        f" 90 % interval {low:.4f} to {high:.4f}; {found.pairs} pairs)"
    ]
    if found.capped:
        words.append("This camera needs more than a threshold may rise: to it people look too much alike. Better light or another"
                     " camera is needed; until then false matches are more frequent than stated")  # fmt: skip
    if found.alike:
        words.append(f"{found.alike} pairs look like one person twice: is there a mirror, a screen or a poster in view?")
    return ".\n".join(words)


def _report(found: Estimate | NotEnough, tally: Tally, config: Config, applied: str | None) -> Report:
    ready = isinstance(found, Estimate)
    return Report(ready=ready, pairs=tally.pairs, needed=OwnCameraSettings().least_pairs, fmr=config.policy.fmr, camera=tally.camera,
                  embedder_id=tally.embedder_id, estimate=found if isinstance(found, Estimate) else None, applied=applied)  # fmt: skip


def _apply(path: Path, found: Estimate, tally: Tally, config: Config) -> Path:
    made = Calibration(threshold=found.threshold, embedder_id=tally.embedder_id, fmr=config.policy.fmr, camera=tally.camera,
                       pairs=found.pairs, interval_90=found.interval_90, made_at=SystemClock().wall())  # fmt: skip
    try:
        save_calibration(path, made)
        give_to_owner_of(path.parent, path)  # by `sudo` it would be root's alone, and the door could not read it
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; run as the user that the programs run as") from error
    return path


def _forget(folder: Path) -> int:
    for path in (folder / TALLY_FILE, folder / FILE):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be deleted: {error.strerror}; run as the user that the programs run as") from error
    print("forgotten; restart vision and door", file=sys.stderr)
    return DONE
