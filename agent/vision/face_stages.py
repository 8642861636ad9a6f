"""The optional stages of a face, each as `agent.vision.looks` calls it: shared networks, and a memory for each track."""

from __future__ import annotations

from msgspec.structs import replace

from agent.core.messages import FaceSeen
from agent.vision.expression import Expressions, ExpressionTrack
from agent.vision.chain import LEAST_MESH_SCORE
from agent.vision.looks import Glimpse


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
