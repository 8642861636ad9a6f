"""Puts the stages together from the models' manifest: for the vision program, for enrolment, for measurements."""

from __future__ import annotations

from collections.abc import Callable

from agent.config import Config
from agent.errors import ModelError
from agent.vision.chain import Chain, ChainSettings, Stages
from agent.vision.detect import Detector, DetectorSettings
from agent.vision.embed import Embedder
from agent.vision.engine import Engine
from agent.vision.enrol import Enroller, EnrolSettings
from agent.vision.landmarks import Landmarks
from agent.vision.track import TrackSettings
from models_tflite.manifest import Manifest

DETECTOR, LANDMARKS, EMBEDDER = "face_detector", "face_landmarks", "face_embedder"


def build_detector(engine: Engine, manifest: Manifest) -> Detector:
    """The face detector; raises ModelError for a file that is not the manifest's."""
    entry = manifest.model(DETECTOR)
    if entry.acceptance_score is None:
        raise ModelError("face_detector: the manifest states no acceptance score; rebuild it with `doorward models build`")
    return Detector(engine.load(entry), DetectorSettings(accept=entry.acceptance_score))


def build_embedder(engine: Engine, manifest: Manifest) -> Embedder:
    """The embedder; raises ModelError for a file that is not the manifest's."""
    entry = manifest.model(EMBEDDER)
    return Embedder(engine.load(entry), entry.typical_length)


def build_stages(engine: Engine, manifest: Manifest) -> Stages:
    """Every stage that runs a network; raises ModelError for a file that is not the manifest's."""
    landmarks = Landmarks(engine.load(manifest.model(LANDMARKS)))
    return Stages(build_detector(engine, manifest), landmarks, build_embedder(engine, manifest))


def build_chain(engine: Engine, manifest: Manifest, fmr: float) -> Chain:
    """The whole chain. `fmr` sets the cosine below which a picture shows somebody else than its track: the door's own threshold."""
    settings = ChainSettings(track=TrackSettings(same_person=manifest.threshold_at_fmr(fmr)))
    return Chain(build_stages(engine, manifest), manifest.embedder_id, engine.describe, settings)


def build_chain_maker(engine: Engine, manifest: Manifest, config: Config) -> Callable[[], Chain]:
    """Makes chains that remember nothing of each other and share the networks: one at a time may be used."""
    stages = build_stages(engine, manifest)
    settings = ChainSettings(track=TrackSettings(same_person=manifest.threshold_at_fmr(config.policy.fmr)))
    return lambda: Chain(stages, manifest.embedder_id, engine.describe, settings)


def build_enroller(engine: Engine, manifest: Manifest) -> Enroller:
    """What makes a template of a portrait, with the same networks that the door uses."""
    return Enroller(build_stages(engine, manifest), manifest.embedder_id, EnrolSettings())
