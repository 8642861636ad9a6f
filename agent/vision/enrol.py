"""A portrait to a template, or a reason that a person can act on."""

from __future__ import annotations

from msgspec import Struct

from agent.core.messages import HeadPose
from agent.vision.chain import Stages
from agent.vision.faces import Face
from agent.vision.head_pose import HeadPoseSettings, head_pose
from agent.vision.quality import QualitySettings, completed, measure, rated
from agent.vision.refusal import ADVICE, Reason, Signs, cause, cause_of_nothing, eye_brightness
from agent.vision.schedule import ScheduleSettings
from agent.vision.still import SECOND_FACE_SHARE, Portrait, StillFaces, reduced
from hw.interfaces import Pixels


class Template(Struct, frozen=True, kw_only=True):
    """What a cardholder is compared with. `embedding` is unit length, float32 little-endian."""

    embedding: bytes
    embedder_id: str
    quality: float
    face_px: float
    head: HeadPose
    """How the head was turned."""


class TemplateRefused(Struct, frozen=True, kw_only=True):
    """Why a picture makes no template: a word for programs and a sentence for the person in front of the camera."""

    reason: Reason
    advice: str
    quality: float | None = None


class EnrolSettings(Struct, frozen=True, kw_only=True):
    """A template is compared with for years: it must be better than what a passing face may be."""

    least_face_px: float = 40.0
    least_score: float = 0.6
    """Of 2,320 portraits of the press this and the next refuse 1 in 39; pairs with one of these failed seven times as often."""
    least_eyes: float = 0.4
    """Eyes darker than this share of the cheeks are behind dark glasses: the template would be of the glasses."""
    quality: QualitySettings = QualitySettings()


class Enroller:
    """Not thread-safe: the stages use their buffers again."""

    def __init__(self, stages: Stages, embedder_id: str, settings: EnrolSettings) -> None:
        self._still, self._closely = StillFaces(stages), StillFaces(stages, ScheduleSettings())
        self._embedder_id, self._settings = embedder_id, settings

    def template_from_picture(self, pixels: Pixels) -> Template | TemplateRefused:
        """The template of the one person in a picture (height x width x 3, BGR)."""
        picture = reduced(pixels)
        faces = sorted(self._still.faces(picture), key=lambda face: -face.box_px[2])
        if not faces:
            return _refuse(self._why_nobody(picture))
        if any(self._could_be_meant(picture, other, faces[0]) for other in faces[1:]):
            return _refuse("several_faces")
        return self.template_of_face(picture, faces[0])

    def template_of_face(self, picture: Pixels, face: Face) -> Template | TemplateRefused:
        """The template of a face that was found already: in a door's frame, by its own search."""
        if face.box_px[2] < self._settings.least_face_px:
            return _refuse("too_small")
        portrait = self._still.portrait(picture, face)
        if portrait is None:
            return _refuse("covered")
        height_px, width_px = picture.shape[:2]
        frame_px = (round(width_px * portrait.share), round(height_px * portrait.share))
        return self._template(portrait, head_pose(portrait.mesh, frame_px, HeadPoseSettings()))

    def _could_be_meant(self, picture: Pixels, other: Face, widest: Face) -> bool:
        """Whether somebody else is as near; what the mesh sees no face in (half a head, a pattern) is nobody."""
        near = other.box_px[2] >= SECOND_FACE_SHARE * widest.box_px[2]
        return near and self._still.portrait(picture, other) is not None

    def _why_nobody(self, picture: Pixels) -> Reason:
        """A picture in which nobody can be found is often one that nobody could be found in, or its people are far away."""
        far = any(face.box_px[2] < self._settings.least_face_px for face in self._closely.faces(picture))
        return "too_small" if far else cause_of_nothing(picture) or "no_face"

    def _template(self, portrait: Portrait, head: HeadPose) -> Template | TemplateRefused:
        settings, face = self._settings, portrait.face
        signs = _signs(portrait)
        embedded = self._still.embed(portrait)
        quality = completed(rated(signs.measures, settings.quality), embedded.relative, settings.quality).score
        if quality < settings.least_score:
            return _refuse(cause(signs), quality)
        if signs.eyes < settings.least_eyes:
            return _refuse("dark_glasses", quality)
        embedding = embedded.vector.astype("<f4").tobytes()
        return Template(embedding=embedding, embedder_id=self._embedder_id, quality=quality, face_px=face.box_px[2],
                        head=head)  # fmt: skip


def _signs(portrait: Portrait) -> Signs:
    face = portrait.face
    return Signs(measures=measure(portrait.aligned, face.box_px[2], face.points_px), face_score=face.score,
                 mesh_score=portrait.mesh.score, eyes=eye_brightness(portrait.aligned))  # fmt: skip


def _refuse(reason: Reason, quality: float | None = None) -> TemplateRefused:
    return TemplateRefused(reason=reason, advice=ADVICE[reason], quality=quality)
