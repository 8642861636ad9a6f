"""Puts the stages together from the models' manifest: for the vision program, for enrolment, for measurements."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agent.calibration import Calibration, threshold_in_force
from agent.config import Config, micro_expressions_allowed
from agent.errors import ModelError
from agent.vision.chain import Chain, ChainSettings, Stages
from agent.vision.detect import Detector, DetectorSettings
from agent.vision.embed import Embedder
from agent.vision.engine import Engine
from agent.vision.enrol import Enroller, EnrolSettings
from agent.vision.expression import Expressions, load_expressions
from agent.vision.face_stages import AttentionStage, ExpressionStage, LivenessStage
from agent.vision.iris import Gazer
from agent.vision.landmarks import Landmarks
from agent.vision.looks import FaceStage, Looks
from agent.vision.person_track import BodyStage
from agent.vision.persons import Persons
from agent.vision.track import TrackSettings
from models_tflite.manifest import Manifest

DETECTOR, LANDMARKS, EMBEDDER = "face_detector", "face_landmarks", "face_embedder"
IRIS, PERSONS = "face_iris", "person_pose"


def build_detector(engine: Engine, manifest: Manifest) -> Detector:
    """The face detector; raises ModelError for a file that is not the manifest's."""
    entry = manifest.model(DETECTOR)
    if entry.acceptance_score is None:
        raise ModelError("face_detector: the manifest states no acceptance score; rebuild it with `doorward models build`")
    return Detector(engine.load(entry), DetectorSettings(accept=entry.acceptance_score))


def build_embedder(engine: Engine, manifest: Manifest) -> Embedder:
    """The embedder; raises ModelError for a file that is not the manifest's."""
    entry = manifest.model(EMBEDDER)
    return Embedder(engine.load(entry), entry.typical_length, entry.length_deviation)


def build_stages(engine: Engine, manifest: Manifest) -> Stages:
    """Every stage that runs a network; raises ModelError for a file that is not the manifest's."""
    landmarks = Landmarks(engine.load(manifest.model(LANDMARKS)))
    return Stages(build_detector(engine, manifest), landmarks, build_embedder(engine, manifest))


class Networks(NamedTuple):
    """Everything that is opened once for a camera. What a configuration leaves out is None, and its files stay closed."""

    stages: Stages
    gazer: Gazer | None
    watches_life: bool
    """Whether liveness is judged; it needs no network of its own."""
    persons: Persons | None
    expressions: Expressions | None
    brief_changes: FaceStage | None = None
    """Needs no network of its own, and is left out unless it is asked for where the profile allows it."""


def open_networks(engine: Engine, manifest: Manifest, config: Config) -> Networks:
    """Raises ModelError for a file that is not the manifest's."""
    wanted = config.vision.stages
    return Networks(
        stages=build_stages(engine, manifest),
        gazer=Gazer(engine.load(manifest.model(IRIS))) if "attention" in wanted else None,
        watches_life="liveness" in wanted,
        persons=Persons(engine.load(manifest.model(PERSONS))) if "persons" in wanted else None,
        expressions=load_expressions(engine, manifest, config.deployment),
        brief_changes=brief_changes(config),
    )


def brief_changes(config: Config) -> FaceStage | None:
    """The experimental stage, or None where the deployment does not allow or not want it: then not even its module is loaded."""
    if not micro_expressions_allowed(config):
        return None
    from agent.vision.micro_expressions import MicroExpressionStage

    return MicroExpressionStage()


def build_chain(engine: Engine, manifest: Manifest, config: Config, calibration: Calibration | None = None) -> Chain:
    """The whole chain of a door, with what was measured on its camera."""
    return build_chain_maker(engine, manifest, config, calibration)()


def build_chain_maker(
    engine: Engine, manifest: Manifest, config: Config, calibration: Calibration | None = None
) -> Callable[[], Chain]:
    """Makes chains that remember nothing of each other and share the networks: one at a time may be used.

    The cosine below which a picture shows somebody else than its track is the door's own threshold.
    """
    networks = open_networks(engine, manifest, config)
    settings = ChainSettings(track=TrackSettings(same_person=threshold_in_force(config, manifest, calibration)))
    return lambda: Chain(networks.stages, manifest.embedder_id, engine.describe, settings, build_looks(networks))


def build_looks(networks: Networks) -> Looks:
    """The optional stages with their memories empty, in the order in which they look."""
    faces: list[FaceStage] = []
    if networks.gazer is not None:
        faces.append(AttentionStage(networks.gazer))
    if networks.watches_life:
        faces.append(LivenessStage())
    if networks.expressions is not None:
        faces.append(ExpressionStage(networks.expressions))
    if networks.brief_changes is not None:
        faces.append(networks.brief_changes)
    return Looks(networks.stages.landmarks, faces, None if networks.persons is None else BodyStage(networks.persons))


def build_enroller(engine: Engine, manifest: Manifest) -> Enroller:
    """What makes a template of a portrait, with the same networks that the door uses."""
    return Enroller(build_stages(engine, manifest), manifest.embedder_id, EnrolSettings())
