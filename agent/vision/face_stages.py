"""The optional stages of a face, each as `agent.vision.looks` calls it: shared networks, and a memory for each track."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from agent.core.messages import FaceSeen
from agent.vision.attention import AttentionTrack
from agent.vision.chain import LEAST_MESH_SCORE
from agent.vision.expression import Expressions, ExpressionTrack
from agent.vision.iris import Gazer
from agent.vision.liveness import LivenessTrack
from agent.vision.looks import Glimpse

MOST_UNWATCHED_S = 0.5
"""As long as a whole observation is believed (agent.core.messages.TABLE)."""


class AttentionStage:
    """Where head and eyes point, in every frame: blinks are short."""

    name, every_s = "attention", 0.0

    def __init__(self, gazer: Gazer) -> None:
        self._gazer = gazer

    def begin(self) -> AttentionTrack:
        return AttentionTrack()

    def take(self, memory: AttentionTrack, glimpse: Glimpse) -> None:
        pixels, mesh = glimpse.pixels, glimpse.mesh
        eyes = self._gazer.measure(pixels, mesh) if memory.due(glimpse.taken_s) else None
        memory.update(mesh, eyes, (pixels.shape[1], pixels.shape[0]), glimpse.taken_s)

    def tell(self, memory: AttentionTrack, face: FaceSeen, now_s: float) -> FaceSeen:
        return replace(face, attention=memory.at(now_s))


@dataclass
class _Watched:
    """A track's liveness, and when it was last looked at."""

    track: LivenessTrack
    seen_s: float = -1e9


class LivenessStage:
    """Whether it is a head or a picture of one, in every frame: motion is what tells them apart."""

    name, every_s = "liveness", 0.0

    def begin(self) -> _Watched:
        return _Watched(LivenessTrack())

    def take(self, memory: _Watched, glimpse: Glimpse) -> None:
        if glimpse.mesh.score < LEAST_MESH_SCORE:
            return
        attention = glimpse.memories.get(AttentionStage.name)
        eyes_open = attention.at(glimpse.taken_s).eyes_open if isinstance(attention, AttentionTrack) else None
        memory.track.update(glimpse.pixels, glimpse.mesh.points, glimpse.track.face.box_px, eyes_open, glimpse.taken_s)
        memory.seen_s = glimpse.taken_s

    def tell(self, memory: _Watched, face: FaceSeen, now_s: float) -> FaceSeen:
        """A verdict is told on for a moment only: what is not watched may have become a picture since."""
        return replace(face, liveness=memory.track.liveness) if now_s - memory.seen_s <= MOST_UNWATCHED_S else face


class ExpressionStage:
    """What a face shows. Made only where the deployment allows it (agent.vision.expression.load_expressions)."""

    name, every_s = "expression", 0.2

    def __init__(self, networks: Expressions) -> None:
        self._networks = networks

    def begin(self) -> ExpressionTrack:
        return ExpressionTrack()

    def take(self, memory: ExpressionTrack, glimpse: Glimpse) -> None:
        if glimpse.mesh.score >= LEAST_MESH_SCORE:
            square = self._networks.square(glimpse.mesh.points)
            memory.add(self._networks(glimpse.pixels, square), glimpse.taken_s, weight=glimpse.track.quality)

    def tell(self, memory: ExpressionTrack, face: FaceSeen, now_s: float) -> FaceSeen:
        return replace(face, expression=memory.at(now_s))
