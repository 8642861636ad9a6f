"""Faces of a single picture, found and aligned as a door would see them: for enrolment and for measurements alike.

A door follows a face over frames; a picture has one chance. So the whole picture, with a margin, and every tile of a door's search are
looked at, and each face again from near, as a door's tracks have it.
"""

from __future__ import annotations

from math import hypot
from typing import NamedTuple

import cv2
import numpy as np

from agent.vision.align import Aligner
from agent.vision.blazeface import distinct
from agent.vision.chain import LEAST_MESH_SCORE, Stages
from agent.vision.embed import Embedded
from agent.vision.faces import Face, Region, centre, square_around
from agent.vision.landmarks import Mesh
from agent.vision.schedule import ScheduleSettings, search_regions
from hw.interfaces import Pixels

LARGEST_SIDE_PX = 1280
"""Larger pictures are first reduced: nothing in them that the embedder could use."""
LARGEST_FACE_PX = 224.0
"""Twice what the embedder sees. Larger faces are first reduced: the aligner samples single pixels."""
REFINE_TIMES = 3.0
"""A second look at a face in a square of three times its size, as a door's tracks have it, places eyes and mouth more exactly."""
SECOND_FACE_SHARE = 0.5
"""Somebody else with a face at least so wide, of the widest, could be meant as well."""


PORTRAITS = ScheduleSettings(least_face_px=50)
"""What enrolment and comparison search a picture for: whom it is about, not whoever walks by far behind."""


class Portrait(NamedTuple):
    """A face of a picture, ready to be judged and embedded."""

    face: Face
    mesh: Mesh
    """In pixels of the picture times `share`."""
    share: float
    aligned: Pixels
    """112 x 112 BGR; the next portrait overwrites it."""


class StillFaces:
    """Not thread-safe: the stages use their buffers again."""

    def __init__(self, stages: Stages, search: ScheduleSettings = PORTRAITS) -> None:
        self._stages, self._search, self._align = stages, search, Aligner()

    def faces(self, picture: Pixels) -> list[Face]:
        """Every face of a picture (height x width x 3, BGR) once, as a closer look at it shows it; most certain first."""
        found = [face for region in self._regions(picture) for face in self._stages.detector.detect_in(picture, region)]
        near = [closer for face in found if (closer := self._closer(picture, face)) is not None]
        return distinct(sorted(near, key=lambda face: -face.score))

    def portrait(self, picture: Pixels, face: Face) -> Portrait | None:
        """The aligned face; None where the mesh sees none."""
        share = min(1.0, LARGEST_FACE_PX / face.box_px[2])
        small = scaled(picture, share)
        mesh = self._stages.landmarks(small, face.points_px * np.float32(share))
        if mesh.score < LEAST_MESH_SCORE:
            return None
        return Portrait(face, mesh, share, self._align(small, mesh.five()))

    def embed(self, portrait: Portrait) -> Embedded:
        """The embedding, and how clear the network found the face."""
        return self._stages.embedder.measured(portrait.aligned)

    def _closer(self, picture: Pixels, face: Face) -> Face | None:
        """The face in a square of three times its size; None when it is none from near: a suitcase that looked like one from afar."""
        near = self._stages.detector.detect_in(picture, square_around(face.box_px, REFINE_TIMES))
        return min(near, key=lambda other: apart(centre(face.box_px), centre(other.box_px)), default=None)

    def _regions(self, picture: Pixels) -> list[Region]:
        """A square half as large again as the picture, for portraits cut closer than the faces the detector knows, then a door's search."""
        height, width = picture.shape[:2]
        side = round(1.5 * max(width, height))
        around = Region((width - side) // 2, (height - side) // 2, side)
        return [around, *search_regions((width, height), self._search)]


def reduced(pixels: Pixels) -> Pixels:
    """A picture no longer than LARGEST_SIDE_PX."""
    return scaled(pixels, min(1.0, LARGEST_SIDE_PX / max(pixels.shape[:2])))


def scaled(pixels: Pixels, share: float) -> Pixels:
    """A picture made smaller; one that would grow stays as it is."""
    if share >= 1:
        return pixels
    return np.asarray(cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The distance of two points."""
    return hypot(a[0] - b[0], a[1] - b[1])
