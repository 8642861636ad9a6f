"""A portrait to a template, or a reason that a person can act on."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from msgspec import Struct

from agent.vision.align import Aligner
from agent.vision.blazeface import distinct
from agent.vision.chain import LEAST_MESH_SCORE, Stages
from agent.vision.faces import Face, Region, centre, square_around
from agent.vision.quality import Quality, QualitySettings, judge
from agent.vision.schedule import ScheduleSettings, search_regions
from hw.interfaces import Pixels

REFINE_TIMES = 3.0
"""A second look at a face in a square of three times its size, as a door's tracks have it, places eyes and mouth more exactly."""
LARGEST_FACE_PX = 224.0
"""Twice what the embedder sees."""
LARGEST_SIDE_PX = 1280
"""Larger pictures are first reduced: nothing in them that the embedder could use."""
SECOND_FACE_SHARE = 0.5
"""Somebody else in the picture with a face at least so wide could be meant as well: then nobody is enrolled."""

Reason = Literal["no_face", "several_faces", "too_small", "too_dark", "too_bright", "flat_light", "blurred", "turned_away"]

_ADVICE: dict[Reason, str] = {
    "no_face": "no face was found: use a picture that shows the whole face from the front",
    "several_faces": "more than one person is in the picture: cut it so that only one remains",
    "too_small": "the face is too small: come closer to the camera",
    "too_dark": "the face is too dark: put the light in front, not behind",
    "too_bright": "the face is too bright: move out of the glare",
    "flat_light": "the face has hardly any contrast: wipe the lens or use better light",
    "blurred": "the face is blurred: keep still and let the camera focus",
    "turned_away": "the face is turned away: face the camera",
}

# Causes before effects: a dark face is flat as well, and a flat one looks blurred.
_PARTS: tuple[tuple[str, Reason | None], ...] = (
    ("size", "too_small"), ("light", None), ("pose", "turned_away"), ("contrast", "flat_light"), ("sharp", "blurred"),
)  # fmt: skip


class Template(Struct, frozen=True, kw_only=True):
    """What a cardholder is compared with. `embedding` is unit length, float32 little-endian."""

    embedding: bytes
    embedder_id: str
    quality: float
    face_px: float


class TemplateRefused(Struct, frozen=True, kw_only=True):
    """Why a picture makes no template: a word for programs and a sentence for the person in front of the camera."""

    reason: Reason
    advice: str
    quality: float | None = None


class EnrolSettings(Struct, frozen=True, kw_only=True):
    """A template is compared with for years: it must be better than what a passing face may be."""

    least_face_px: float = 60.0
    least_part: float = 0.5
    """Least of each part of the quality, 0..1."""
    quality: QualitySettings = QualitySettings()


class Enroller:
    """Not thread-safe: the stages use their buffers again."""

    def __init__(self, stages: Stages, embedder_id: str, settings: EnrolSettings) -> None:
        self._stages, self._embedder_id, self._settings = stages, embedder_id, settings
        self._align = Aligner()

    def template_from_picture(self, pixels: Pixels) -> Template | TemplateRefused:
        """The template of the one person in a picture (height x width x 3, BGR)."""
        picture = _reduced(pixels)
        faces = self._faces(picture)
        if not faces:
            return _refuse("no_face")
        if len(faces) > 1 and faces[1].box_px[2] >= SECOND_FACE_SHARE * faces[0].box_px[2]:
            return _refuse("several_faces")
        face = faces[0]
        aligned = self._aligned(picture, face)
        if aligned is None:
            return _refuse("no_face")
        quality = judge(aligned, face.box_px[2], face.points_px, self._settings.quality)
        reason = self._objection(quality, face, aligned)
        if reason is not None:
            return _refuse(reason, quality.score)
        embedding = self._stages.embedder(aligned).astype("<f4").tobytes()
        return Template(embedding=embedding, embedder_id=self._embedder_id, quality=quality.score, face_px=face.box_px[2])

    def _faces(self, picture: Pixels) -> list[Face]:
        """Every face once, largest first. A whole look misses the small, so the tiles of a door's search are looked at as well."""
        frame_px = (picture.shape[1], picture.shape[0])
        regions = [_margin_around(frame_px), *search_regions(frame_px, ScheduleSettings())]
        found = [face for region in regions for face in self._stages.detector.detect_in(picture, region)]
        found.sort(key=lambda face: -face.box_px[2])
        confirmed = (self._confirm(picture, face) for face in found)
        return _distinct([face for face in confirmed if face is not None])

    def _confirm(self, picture: Pixels, face: Face) -> Face | None:
        """The face as a closer look shows it; a suitcase that looked like one from afar is gone then."""
        near = self._stages.detector.detect_in(picture, square_around(face.box_px, REFINE_TIMES))
        return min(near, key=lambda other: _distance(face, other), default=None)

    def _aligned(self, picture: Pixels, face: Face) -> Pixels | None:
        """The aligned face; None where the mesh sees no face. Large faces are first reduced: the aligner samples single pixels."""
        share = min(1.0, LARGEST_FACE_PX / face.box_px[2])
        small = _scaled(picture, share)
        mesh = self._stages.landmarks(small, face.points_px * np.float32(share))
        return self._align(small, mesh.five()) if mesh.score >= LEAST_MESH_SCORE else None

    def _objection(self, quality: Quality, face: Face, aligned: Pixels) -> Reason | None:
        if face.box_px[2] < self._settings.least_face_px:
            return "too_small"
        for part, reason in _PARTS:
            if getattr(quality, part) < self._settings.least_part:
                return reason or ("too_dark" if float(np.mean(aligned)) < 128 else "too_bright")
        return None


def _reduced(pixels: Pixels) -> Pixels:
    return _scaled(pixels, min(1.0, LARGEST_SIDE_PX / max(pixels.shape[:2])))


def _scaled(pixels: Pixels, share: float) -> Pixels:
    if share >= 1:
        return pixels
    return np.asarray(cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


def _margin_around(frame_px: tuple[int, int]) -> Region:
    """A square half as large again: a portrait cut close fills the detector's picture more than the faces it was trained with."""
    side = round(1.5 * max(frame_px))
    return Region((frame_px[0] - side) // 2, (frame_px[1] - side) // 2, side)


def _distance(a: Face, b: Face) -> float:
    (ax, ay), (bx, by) = centre(a.box_px), centre(b.box_px)
    return float(np.hypot(ax - bx, ay - by))


def _distinct(faces: list[Face]) -> list[Face]:
    """One of each face by score, then ordered by width."""
    return sorted(distinct(sorted(faces, key=lambda face: -face.score)), key=lambda face: -face.box_px[2])


def _refuse(reason: Reason, quality: float | None = None) -> TemplateRefused:
    return TemplateRefused(reason=reason, advice=_ADVICE[reason], quality=quality)
