"""A single picture through the chain: the face of the person it is about, embedded as a door would embed it.

The same networks, squares, cuts and alignment as enrolment uses (agent/vision/enrol.py), without its refusals: an evaluation
has to count the poor pictures as well. A door sees a person many times and averages; one picture is the harder case.
"""

from __future__ import annotations

from math import hypot

import cv2
import numpy as np
from msgspec import Struct

from agent.core.messages import Box
from agent.vision.align import Aligner
from agent.vision.blazeface import distinct
from agent.vision.chain import LEAST_MESH_SCORE, Stages
from agent.vision.enrol import LARGEST_FACE_PX, LARGEST_SIDE_PX, REFINE_TIMES, SECOND_FACE_SHARE
from agent.vision.faces import Face, Region, centre, square_around
from agent.vision.quality import QualitySettings, judge
from agent.vision.schedule import ScheduleSettings, search_regions
from hw.interfaces import Pixels


class Look(Struct, frozen=True, kw_only=True):
    """What the chain made of a picture. `embedding` is unit length, float32 little-endian; empty when nobody could be compared."""

    embedding: bytes = b""
    box_px: Box | None = None
    score: float = 0.0
    quality: float = 0.0
    faces: int = 0

    @property
    def acquired(self) -> bool:
        return bool(self.embedding)


class Still:
    """Not thread-safe: the stages use their buffers again."""

    def __init__(self, stages: Stages) -> None:
        self._stages, self._align = stages, Aligner()

    def __call__(self, pixels: Pixels) -> Look:
        """The subject of a picture (height x width x 3, BGR); a Look without embedding when detector or mesh find no face."""
        picture = scaled(pixels, min(1.0, LARGEST_SIDE_PX / max(pixels.shape[:2])))
        faces = self.faces(picture)
        face = subject(faces, (picture.shape[1], picture.shape[0]))
        if face is None:
            return Look()
        aligned = self._aligned(picture, face)
        if aligned is None:
            return Look(box_px=face.box_px, score=face.score, faces=len(faces))
        quality = judge(aligned, face.box_px[2], face.points_px, QualitySettings()).score
        embedding = self._stages.embedder(aligned).astype("<f4").tobytes()
        return Look(embedding=embedding, box_px=face.box_px, score=face.score, quality=quality, faces=len(faces))

    def faces(self, picture: Pixels) -> list[Face]:
        """Every face once, as a closer look at it shows it; most certain first."""
        found = [face for region in _search(picture) for face in self._stages.detector.detect_in(picture, region)]
        near = [closer for face in found if (closer := self._closer(picture, face)) is not None]
        return distinct(sorted(near, key=lambda face: -face.score))

    def _closer(self, picture: Pixels, face: Face) -> Face | None:
        """The face in a square of three times its size, as a door's tracks have it; None when it is no face from near."""
        near = self._stages.detector.detect_in(picture, square_around(face.box_px, REFINE_TIMES))
        return min(near, key=lambda other: _apart(centre(face.box_px), centre(other.box_px)), default=None)

    def _aligned(self, picture: Pixels, face: Face) -> Pixels | None:
        share = min(1.0, LARGEST_FACE_PX / face.box_px[2])
        small = scaled(picture, share)
        mesh = self._stages.landmarks(small, face.points_px * np.float32(share))
        return self._align(small, mesh.five()) if mesh.score >= LEAST_MESH_SCORE else None


def subject(faces: list[Face], picture_px: tuple[int, int]) -> Face | None:
    """Whom a picture is about: of the faces at least half as wide as the widest, the one nearest to the picture's middle."""
    widest = max((face.box_px[2] for face in faces), default=0.0)
    large = [face for face in faces if face.box_px[2] >= SECOND_FACE_SHARE * widest]
    middle = (picture_px[0] / 2, picture_px[1] / 2)
    return min(large, key=lambda face: _apart(centre(face.box_px), middle), default=None)


def scaled(pixels: Pixels, share: float) -> Pixels:
    if share >= 1:
        return pixels
    return np.asarray(cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def _search(picture: Pixels) -> list[Region]:
    """A square half as large again as the picture, for faces that fill it, then the door's search."""
    height, width = picture.shape[:2]
    side = round(1.5 * max(width, height))
    around = Region((width - side) // 2, (height - side) // 2, side)
    return [around, *search_regions((width, height), ScheduleSettings())]


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    return hypot(a[0] - b[0], a[1] - b[1])
