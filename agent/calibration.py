"""The threshold that was measured on a door's own camera: written by `doorward calibrate --apply`, read by the door when it starts.

Standard library and msgspec only: the door program reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.config import Config
from agent.errors import ConfigError
from agent.files import write_whole
from hw.camera_names import lasting_name
from models_tflite.manifest import Manifest

FILE = "calibration.json"
"""In Config.records.folder, as is"""
TALLY_FILE = "camera/tally.json"
"""what vision counts (agent/vision/own_camera.py), in a folder of its own, the only one but that of its pictures that it may write to."""


class Calibration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A threshold for one camera, one embedder and one false match rate."""

    threshold: float
    embedder_id: str
    fmr: float
    camera: str
    pairs: int
    interval_90: tuple[float, float]
    made_at: datetime


MOST_RISE = 0.15
"""No file may ask for more than this above the stated threshold: it would deny everybody."""


def load_calibration(path: Path) -> Calibration | None:
    """None when there is none. Raises ConfigError for a file that is damaged: nobody may guess a threshold."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Calibration)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {error}; run `doorward calibrate --apply` again, or delete the file"
        ) from error
    if not -1 <= found.threshold <= 1:
        raise ConfigError(
            f"{path}: threshold is {found.threshold!r}; allowed are cosines, -1 to 1; run `doorward calibrate --apply` again"
        )
    return found


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Raises OSError."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(calibration), indent=2) + b"\n")


def threshold_in_force(config: Config, manifest: Manifest, calibration: Calibration | None) -> float:
    """The cosine that a door asks for, and below which a track's picture shows somebody else: whatever is highest."""
    stated = manifest.threshold_at_fmr(config.policy.fmr)
    own_camera = min(calibration.threshold, stated + MOST_RISE) if calibration is not None else -1.0
    return max(stated, config.policy.threshold_floor, own_camera)


def calibration_in_force(config: Config, manifest: Manifest, tell: Callable[[str], None]) -> Calibration | None:
    """What was measured on this camera; one that is damaged, or of another camera, embedder or rate, is told and left aside.

    Never an error: a door that did not start for it would watch neither its exits nor its fire input.
    """
    try:
        found = load_calibration(Path(config.records.folder) / FILE)
    except ConfigError as error:
        tell(f"the camera's calibration is not in force: {error}")
        return None
    camera = lasting_name(config.vision.camera)
    why_not = why_not_in_force(found, manifest.embedder_id, config.policy.fmr, camera) if found is not None else ""
    if why_not:
        tell(f"the camera's calibration is not in force: {why_not}")
    return None if why_not else found


def why_not_in_force(calibration: Calibration, embedder_id: str, fmr: float, camera: str) -> str:
    """Why a calibration says nothing of this door as it is now; empty when it is in force."""
    for name, then, now in (
        ("embedder", calibration.embedder_id, embedder_id), ("false match rate", f"{calibration.fmr:g}", f"{fmr:g}"),
        ("camera", calibration.camera, camera),
    ):  # fmt: skip
        if then != now:
            return f"it was made with the {name} {then}, now it is {now}; the manifest's threshold holds until the camera is calibrated anew"
    return ""
