"""What a door never looks at: the expression networks, which the law keeps out of workplaces."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from agent.config import Config, Deployment, parse_config
from agent.vision.build import build_chain, build_enroller
from agent.vision.engine import Engine, Network, open_engine
from agent.vision.enrol import Template
from models_tflite.manifest import HERE, Manifest, ModelEntry, load_manifest
from tests.models_tflite.test_networks import picture

IDENTITY = ["face_detector", "face_embedder", "face_landmarks"]
SEEN_AT_A_DOOR = sorted([*IDENTITY, "face_iris", "person_pose"])


class Listening:
    """The real engine, and a list of what it was asked for."""

    name, degraded = "litert", False

    def __init__(self) -> None:
        self._engine: Engine = open_engine("litert", 1)
        self.asked: list[str] = []

    def load(self, entry: ModelEntry) -> Network:
        self.asked.append(entry.role)
        return self._engine.load(entry)

    def describe(self) -> str:
        return self._engine.describe()


@pytest.fixture
def without_expression(tmp_path: Path) -> Manifest:
    """A models folder in which each expression network is a folder: whoever opens it fails."""
    shutil.copytree(HERE, tmp_path / "models", ignore=shutil.ignore_patterns("*.py", "build", "__pycache__"))
    for entry in load_manifest(tmp_path / "models").models:
        if "expression" in entry.role:
            entry.path.unlink()
            entry.path.mkdir()
    return load_manifest(tmp_path / "models")


def test_vision_asks_for_no_expression_network_and_works_where_they_cannot_be_opened(without_expression: Manifest) -> None:
    engine = Listening()
    build_chain(engine, without_expression, Config(site="hq", door="front"))
    enroller = build_enroller(engine, without_expression)
    assert isinstance(enroller.template_from_picture(np.ascontiguousarray(picture("president.jpg"))), Template)
    assert sorted(set(engine.asked)) == SEEN_AT_A_DOOR


@pytest.mark.parametrize(
    ("stages", "networks"),
    [((), []), (("persons",), ["person_pose"]), (("attention",), ["face_iris"]), (("liveness",), [])],
)
def test_a_stage_that_is_left_out_leaves_its_network_closed(stages: tuple[str, ...], networks: list[str]) -> None:
    engine = Listening()
    build_chain(engine, load_manifest(), parse_config({"site": "hq", "door": "front", "vision": {"stages": stages}}))
    assert sorted(set(engine.asked)) == sorted([*IDENTITY, *networks])


def test_no_network_is_opened_twice() -> None:
    engine = Listening()
    build_chain(
        engine, load_manifest(), Config(site="hq", door="front", deployment=Deployment(profile="standard", expression=True))
    )
    assert sorted(engine.asked) == sorted(set(engine.asked))


def test_the_door_reads_its_thresholds_without_opening_any_network(without_expression: Manifest) -> None:
    for entry in without_expression.models:
        if entry.path.is_file():
            entry.path.unlink()
    assert without_expression.threshold_at_fmr(1e-3) > 0
    assert without_expression.embedder_id == load_manifest().embedder_id


def test_what_a_door_loads_fits_the_accelerators_memory_and_everything_together_a_doors() -> None:
    """8 MB on the accelerator, with every stage that is on unless a configuration says otherwise; 16 MB for all that is shipped."""
    manifest = load_manifest()
    assert sum(manifest.model(role).path.stat().st_size for role in SEEN_AT_A_DOOR) < 8_000_000
    assert sum(entry.path.stat().st_size for entry in manifest.models) < 16_000_000
