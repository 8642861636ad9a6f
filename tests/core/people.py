"""Embeddings, faces and views for the tests of the decision. The vectors are made up: only their angles matter here."""

from __future__ import annotations

import math

import numpy as np

from agent.core.identity import FaceRules
from agent.core.messages import FaceSeen, Observation

MODEL = "embedder-1"
RULES = FaceRules(threshold=0.4, fmr=0.001, embedder_id=MODEL, min_face_px=40.0, min_quality=0.2)
SIZE = 192
FIRST_SEEN_S = 9.5
"""All these faces came into view just before the fob is read at ten seconds."""


def at_cosine(cosine: float, axis: int = 1) -> bytes:
    """A unit vector with this cosine to the owner's."""
    vector = np.zeros(SIZE, "<f4")
    vector[0], vector[axis] = cosine, math.sqrt(1 - cosine * cosine)
    return vector.tobytes()


OWNER = at_cosine(1.0)
STRANGER = at_cosine(0.05)


def face(
    embedding: bytes = OWNER, width_px: float = 120.0, quality: float = 0.8, embedded_s: float = 10.0, track: int = 1
) -> FaceSeen:
    return FaceSeen(
        track=track,
        box_px=(100.0, 100.0, width_px, 1.2 * width_px),
        score=0.9,
        quality=quality,
        first_seen_s=FIRST_SEEN_S,
        embedding=embedding,
        embedded_s=embedded_s,
        pictures=3,
    )


def view_of(*faces: FaceSeen, taken_s: float = 10.0, embedder_id: str = MODEL) -> Observation:
    return Observation(
        frame=7, taken_s=taken_s, frame_px=(640, 480), faces=faces, embedder_id=embedder_id, engine="cpu", chain_ms=9.0
    )
