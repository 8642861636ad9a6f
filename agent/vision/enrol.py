"""A portrait to a template, or a reason that a person can act on."""

from __future__ import annotations

from typing import Literal

import numpy as np
from msgspec import Struct

from agent.vision.chain import Stages
from agent.vision.faces import Face
from agent.vision.quality import Quality, QualitySettings, judge
from agent.vision.still import SECOND_FACE_SHARE, StillFaces, reduced
from hw.interfaces import Pixels

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
        self._still, self._embedder_id, self._settings = StillFaces(stages), embedder_id, settings

    def template_from_picture(self, pixels: Pixels) -> Template | TemplateRefused:
        """The template of the one person in a picture (height x width x 3, BGR)."""
        picture = reduced(pixels)
        faces = sorted(self._still.faces(picture), key=lambda face: -face.box_px[2])
        if not faces:
            return _refuse("no_face")
        if len(faces) > 1 and faces[1].box_px[2] >= SECOND_FACE_SHARE * faces[0].box_px[2]:
            return _refuse("several_faces")
        face = faces[0]
        portrait = self._still.portrait(picture, face)
        if portrait is None:
            return _refuse("no_face")
        quality = judge(portrait.aligned, face.box_px[2], face.points_px, self._settings.quality)
        reason = self._objection(quality, face, portrait.aligned)
        if reason is not None:
            return _refuse(reason, quality.score)
        embedding = self._still.embed(portrait).astype("<f4").tobytes()
        return Template(embedding=embedding, embedder_id=self._embedder_id, quality=quality.score, face_px=face.box_px[2])

    def _objection(self, quality: Quality, face: Face, aligned: Pixels) -> Reason | None:
        if face.box_px[2] < self._settings.least_face_px:
            return "too_small"
        for part, reason in _PARTS:
            if getattr(quality, part) < self._settings.least_part:
                return reason or ("too_dark" if float(np.mean(aligned)) < 128 else "too_bright")
        return None


def _refuse(reason: Reason, quality: float | None = None) -> TemplateRefused:
    return TemplateRefused(reason=reason, advice=_ADVICE[reason], quality=quality)
