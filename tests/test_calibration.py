"""From a count of scores to a door that asks for more: on request, on this camera only, and never for less."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from agent.calibration import (
    FILE,
    TALLY_FILE,
    Calibration,
    calibration_in_force,
    load_calibration,
    save_calibration,
    why_not_in_force,
)
from agent.cli import main
from agent.config import load_config
from agent.door_app import decision_policy
from agent.errors import ConfigError
from agent.vision.own_camera import Tally, counts_of
from hw.camera_names import lasting_name
from models_tflite.manifest import load_manifest

MANIFEST = load_manifest()
FLOOR = MANIFEST.threshold_at_fmr(1e-3)
MADE = Calibration(threshold=0.52, embedder_id=MANIFEST.embedder_id, fmr=1e-3, camera=lasting_name("0"), pairs=400, interval_90=(0.5, 0.54),
                   made_at=datetime(2026, 1, 1, tzinfo=timezone.utc))  # fmt: skip


@pytest.fixture
def door(tmp_path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text(f'site = "hq"\ndoor = "front"\n[records]\nfolder = "{tmp_path}"\n[vision]\ncamera = "0"\n')
    return path


def count(door: Path, mean: float, pairs: int, camera: str = "0") -> None:
    """What vision has counted: scores that are normal after Fisher's transformation."""
    scores = np.tanh(np.random.default_rng(1).normal(mean, 0.15, pairs))
    tally = Tally(embedder_id=MANIFEST.embedder_id, camera=lasting_name(camera), counts=counts_of(scores.tolist()))
    (door.parent / TALLY_FILE).parent.mkdir()
    (door.parent / TALLY_FILE).write_bytes(msgspec.json.encode(tally))


def threshold_of(door: Path, told: list[str] | None = None) -> float:
    config = load_config(door)
    return decision_policy(
        config, MANIFEST, calibration_in_force(config, MANIFEST, ([] if told is None else told).append)
    ).face.threshold


def test_a_new_door_has_the_manifests_threshold_and_says_how_many_pairs_are_missing(door, capsys):
    assert threshold_of(door) == FLOOR
    assert main(["calibrate", "--config", str(door)]) == 1
    assert "not enough yet: 0 of 300 pairs" in capsys.readouterr().err


def test_a_count_changes_nothing_until_a_person_applies_it(door, capsys):
    count(door, 0.1, 2000)
    assert main(["calibrate", "--config", str(door), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ready"], said["applied"]) == (True, None)
    assert said["estimate"]["threshold"] > FLOOR + 0.03
    assert threshold_of(door) == FLOOR

    assert main(["calibrate", "--config", str(door), "--apply"]) == 0
    assert threshold_of(door) == said["estimate"]["threshold"]
    assert "restart the door" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave files that others cannot read")
def test_applied_by_sudo_the_file_is_the_doors_and_not_roots(door):
    count(door, 0.1, 2000)
    os.chown(door.parent, 12345, 12345)
    assert main(["calibrate", "--config", str(door), "--apply"]) == 0
    written = (door.parent / FILE).stat()
    assert (written.st_uid, written.st_gid, written.st_mode & 0o777) == (12345, 12345, 0o600)


def test_too_few_pairs_are_not_applied(door):
    count(door, 0.1, 100)
    assert main(["calibrate", "--config", str(door), "--apply"]) == 1
    assert threshold_of(door) == FLOOR


def test_forgetting_goes_back_to_the_manifest(door):
    count(door, 0.1, 2000)
    assert main(["calibrate", "--config", str(door), "--apply"]) == 0
    assert main(["calibrate", "--config", str(door), "--forget"]) == 0
    assert threshold_of(door) == FLOOR
    assert not (door.parent / TALLY_FILE).exists()


def test_the_count_of_another_camera_is_refused(door, capsys):
    count(door, 0.1, 2000, camera="1")
    assert main(["calibrate", "--config", str(door), "--apply"]) == 1
    assert "the count is of camera '1 " in capsys.readouterr().err
    assert not (door.parent / FILE).exists()


def test_a_calibration_can_only_raise_the_threshold(door):
    save_calibration(door.parent / FILE, replace(MADE, threshold=0.1))
    assert threshold_of(door) == FLOOR
    save_calibration(door.parent / FILE, MADE)
    assert threshold_of(door) == 0.52


@pytest.mark.parametrize("other", [{"embedder_id": "another"}, {"fmr": 1e-4}, {"camera": "/dev/video7"}])
def test_what_was_measured_with_something_else_is_left_aside_and_told(door, other):
    save_calibration(door.parent / FILE, replace(MADE, **other))
    told = []
    assert threshold_of(door, told) == FLOOR
    assert len(told) == 1
    assert "not in force" in told[0]


def test_a_calibration_of_this_door_is_in_force():
    assert why_not_in_force(MADE, MADE.embedder_id, 1e-3, lasting_name("0")) == ""


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"threshold": "high"}', msgspec.json.encode(replace(MADE, threshold=7.0))])
def test_a_damaged_calibration_is_an_error_that_says_what_to_do(tmp_path, raw):
    (tmp_path / FILE).write_bytes(raw)
    with pytest.raises(ConfigError, match=r"calibration\.json: .*doorward calibrate --apply"):
        load_calibration(tmp_path / FILE)


def test_a_door_with_a_damaged_calibration_starts_and_says_so(door):
    """Otherwise neither its exits nor its fire input would be watched."""
    (door.parent / FILE).write_bytes(b"{")
    told = []
    assert threshold_of(door, told) == FLOOR
    assert "not in force" in told[0]


def test_no_file_can_deny_everybody(door):
    (door.parent / FILE).write_bytes(msgspec.json.encode(replace(MADE, threshold=1.0)))
    assert threshold_of(door) == pytest.approx(FLOOR + 0.15)


def test_no_file_is_no_calibration(tmp_path):
    assert load_calibration(tmp_path / FILE) is None
