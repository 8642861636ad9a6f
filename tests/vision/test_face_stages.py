"""What the optional stages of a face are handed, and what they say when they have not looked for a while."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.core.messages import FaceSeen
from agent.vision.attention import AttentionTrack
from agent.vision.face_stages import MOST_UNWATCHED_S, AttentionStage, ExpressionStage, LivenessStage
from agent.vision.faces import Face
from agent.vision.landmarks import Mesh
from agent.vision.looks import Glimpse
from agent.vision.track import Track
from models_tflite.manifest import load_manifest

FACE = FaceSeen(track=1, box_px=(200, 100, 90, 90), score=0.9, quality=0.9, first_seen_s=0.0)
PIXELS = np.full((480, 640, 3), 120, np.uint8)


def mesh(score: float = 1.0) -> Mesh:
    matrix = np.array([[1, 0, -200], [0, 1, -100]], np.float32)
    raw = np.random.default_rng(1).integers(-128, 127, (468, 3)).astype(np.int8)
    return Mesh(raw, load_manifest().model("face_landmarks").outputs[0], matrix, score)


def glimpse(at_s: float, score: float = 1.0, **memories: Any) -> Glimpse:
    box = Face(FACE.box_px, 0.9, np.zeros((6, 2), np.float32))
    return Glimpse(PIXELS, at_s, Track(1, box, 0.0, at_s), mesh(score), memories)


def test_liveness_is_told_while_the_face_is_watched_and_for_a_moment_after():
    stage = LivenessStage()
    memory = stage.begin()
    assert stage.tell(memory, FACE, 10.0).liveness is None
    stage.take(memory, glimpse(10.0))
    told = stage.tell(memory, FACE, 10.0).liveness
    assert told is not None
    assert told.verdict == "unsure"
    assert stage.tell(memory, FACE, 10.0 + MOST_UNWATCHED_S).liveness == told
    assert stage.tell(memory, FACE, 10.1 + MOST_UNWATCHED_S).liveness is None


def test_what_the_mesh_takes_for_no_face_is_not_judged():
    stage = LivenessStage()
    memory = stage.begin()
    stage.take(memory, glimpse(10.0, score=0.3))
    assert stage.tell(memory, FACE, 10.0).liveness is None


@pytest.mark.parametrize("memories", [{}, {AttentionStage.name: AttentionTrack()}])
def test_liveness_does_without_what_attention_measures(memories):
    stage = LivenessStage()
    memory = stage.begin()
    stage.take(memory, glimpse(10.0, **memories))
    assert stage.tell(memory, FACE, 10.0).liveness is not None


class NoGazer:
    """Stands for the iris network: what it would see is not the question."""

    def __init__(self) -> None:
        self.measured = 0

    def measure(self, pixels: Any, mesh: Any) -> None:
        self.measured += 1


def test_attention_is_told_from_the_first_look_on_and_says_why_it_knows_nothing():
    gazer = NoGazer()
    stage = AttentionStage(gazer)  # type: ignore[arg-type]
    memory = stage.begin()
    stage.take(memory, glimpse(10.0))
    told = stage.tell(memory, FACE, 10.0).attention
    assert gazer.measured == 1
    assert told is not None
    assert told.gaze is None
    assert told.abstained


def test_of_what_is_no_face_no_expression_is_read():
    class Never:
        def square(self, points: Any) -> Any:
            raise AssertionError("not to be asked")

    stage = ExpressionStage(Never())  # type: ignore[arg-type]
    memory = stage.begin()
    stage.take(memory, glimpse(10.0, score=0.3))
    assert stage.tell(memory, FACE, 10.0).expression is None
