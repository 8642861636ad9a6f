"""A single picture through the chain: the face of the person it is about, embedded as a door would embed it.

Found and aligned as enrolment does (agent/vision/still.py), without its refusals: an evaluation has to count the poor pictures as well. A
door sees a person many times and averages; one picture is the harder case.
"""

from __future__ import annotations

from msgspec import Struct

from agent.core.messages import Box
from agent.vision.chain import Stages
from agent.vision.faces import Face, centre
from agent.vision.quality import QualitySettings, completed, judge
from agent.vision.still import SECOND_FACE_SHARE, StillFaces, apart, reduced
from hw.interfaces import Pixels


class Look(Struct, frozen=True, kw_only=True):
    """What the chain made of a picture. `embedding` is unit length, float32 little-endian; empty when nobody could be compared."""

    embedding: bytes = b""
    box_px: Box | None = None
    score: float = 0.0
    quality: float = 0.0
    faces: int = 0
    length: float = 0.0
    """Of the embedding, before it was brought to unit length."""

    @property
    def acquired(self) -> bool:
        return bool(self.embedding)


class Still:
    """Not thread-safe: the stages use their buffers again."""

    def __init__(self, stages: Stages) -> None:
        self._faces = StillFaces(stages)

    def __call__(self, pixels: Pixels) -> Look:
        """The subject of a picture (height x width x 3, BGR); a Look without embedding when detector or mesh find no face."""
        picture = reduced(pixels)
        faces = self._faces.faces(picture)
        face = subject(faces, (picture.shape[1], picture.shape[0]))
        if face is None:
            return Look()
        portrait = self._faces.portrait(picture, face)
        if portrait is None:
            return Look(box_px=face.box_px, score=face.score, faces=len(faces))
        embedded, settings = self._faces.embed(portrait), QualitySettings()
        quality = completed(judge(portrait.aligned, face.box_px[2], face.points_px, settings), embedded.relative, settings)
        return Look(embedding=embedded.vector.astype("<f4").tobytes(), box_px=face.box_px, score=face.score, quality=quality.score,
                    faces=len(faces), length=embedded.length)  # fmt: skip


def subject(faces: list[Face], picture_px: tuple[int, int]) -> Face | None:
    """Whom a picture is about: of the faces at least half as wide as the widest, the one nearest to the picture's middle."""
    widest = max((face.box_px[2] for face in faces), default=0.0)
    large = [face for face in faces if face.box_px[2] >= SECOND_FACE_SHARE * widest]
    middle = (picture_px[0] / 2, picture_px[1] / 2)
    return min(large, key=lambda face: apart(centre(face.box_px), middle), default=None)
