"""The optional stages of a face, each as `agent.vision.looks` calls it: shared networks, and a memory for each track."""

from __future__ import annotations

from msgspec.structs import replace

from agent.core.messages import FaceSeen
from agent.vision.attention import AttentionTrack
from agent.vision.chain import LEAST_MESH_SCORE
from agent.vision.expression import Expressions, ExpressionTrack
from agent.vision.iris import Gazer
from agent.vision.looks import Glimpse


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
