"""1:1 verification: is the person at the door the person the fob was issued to?

Similarity is the cosine of two unit-length embeddings. The threshold stands for a stated false match rate (ISO/IEC 19795-1) and is
handed in; this file knows no number of its own. Two hundred products need no numpy, and without it the door program takes 13 MB less
and starts 0.1 s sooner.
"""

from __future__ import annotations

import math
import struct
from operator import mul

from msgspec import Struct

from agent.core.messages import CLOCK_SLACK_S, FaceSeen, Liveness, Observation

NEAREST_SHARE = 0.5
"""A face counts as 'at the door' when it is at least half as wide as the widest one. So the owner far behind a thief does not open for
the thief: at 1 m the nearest stands twice as close as one at 2 m."""

EMBEDDING_MAX_AGE_S = 1.0
"""The newest picture in a track's mean may be this old: a face that turned away a moment ago still counts, one that left does not."""

UNIT_SLACK = 0.02
"""How far a vector's squared length may be from 1: rounding to float32 takes less than a thousandth of it."""


class FaceRules(Struct, frozen=True, kw_only=True):
    """What a face must show to be compared, and when it matches."""

    threshold: float
    fmr: float
    embedder_id: str
    min_face_px: float
    min_quality: float


class Match(Struct, frozen=True, kw_only=True):
    """The best comparison of a cardholder's templates with the faces at the door: kept as evidence."""

    track: int
    score: float
    threshold: float
    fmr: float
    pictures: int
    quality: float
    face_px: float
    first_seen_s: float
    embedder_id: str
    liveness: Liveness | None = None
    """What vision made of the face by then; None when it does not judge that, or not yet."""

    @property
    def matches(self) -> bool:
        return self.score >= self.threshold


def faces_at_door(observation: Observation, rules: FaceRules, now_s: float) -> list[FaceSeen]:
    """The faces that may be compared now: near, clear, and embedded a moment ago."""
    # Compared with each limit by itself: a box without a width (NaN) then lets nobody pass instead of switching the rule off
    widths_px = [face.box_px[2] for face in observation.faces]
    share_px = math.nan if any(map(math.isnan, widths_px)) else NEAREST_SHARE * max(widths_px, default=0.0)
    return [face for face in observation.faces
            if face.box_px[2] >= rules.min_face_px and face.box_px[2] >= share_px and face.quality >= rules.min_quality
            and face.embedding and -CLOCK_SLACK_S <= now_s - face.embedded_s <= EMBEDDING_MAX_AGE_S]  # fmt: skip


def best_match(templates: tuple[bytes, ...], faces: list[FaceSeen], rules: FaceRules) -> Match | None:
    """The highest cosine between any template and any face; None when there is nothing to compare."""
    return max(compare(templates, faces, rules), key=lambda match: match.score, default=None)


def compare(templates: tuple[bytes, ...], faces: list[FaceSeen], rules: FaceRules) -> list[Match]:
    """Each face with the template that it is most like."""
    return [
        _match(max((cosine(template, face.embedding) for template in templates), default=-1.0), face, rules) for face in faces
    ]


def _match(score: float, face: FaceSeen, rules: FaceRules) -> Match:
    return Match(track=face.track, score=score, threshold=rules.threshold, fmr=rules.fmr, pictures=face.pictures,
                 quality=face.quality, face_px=face.box_px[2], first_seen_s=face.first_seen_s,
                 embedder_id=rules.embedder_id, liveness=face.liveness)  # fmt: skip


def cosine(left: bytes, right: bytes) -> float:
    """Cosine of two unit-length float32 little-endian vectors; -1 (nobody) when they are anything else or of different sizes."""
    if len(left) != len(right) or len(left) % 4:
        return -1.0
    form = f"<{len(left) // 4}f"
    one, other = struct.unpack(form, left), struct.unpack(form, right)
    return max(-1.0, min(1.0, _dot(one, other))) if _is_unit(one) and _is_unit(other) else -1.0


def _dot(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return float(sum(map(mul, one, other)))


def _is_unit(vector: tuple[float, ...]) -> bool:
    return abs(_dot(vector, vector) - 1) <= UNIT_SLACK
