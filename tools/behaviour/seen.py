"""Walks to observations without pictures: what the chain would say of them, with the errors that it was measured to make.

Thousands of passes go through the watcher this way in minutes. Everything behind the observation is the real thing, and so is what
is made of head and eyes (agent.vision.attention); simulated are the pictures and the networks. tools/behaviour/noise.json holds the errors
and is measured on rendered scenes by tools.behaviour.measure; `harder` multiplies them, for a worse camera.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from agent.core.messages import Box, FaceSeen, Gaze, HeadPose, Liveness, Observation, PersonSeen
from agent.vision.attention import AttentionTrack
from agent.vision.iris import Eye, EyesMeasured
from demo.cutout import FACE_BELOW_CROWN_M
from demo.view import FACE_WIDTH_M, View
from demo.walks import Place, Walk

FRAMES_PER_S = 15.0
EMBEDDING = 192
EMBEDDED_PX, EMBEDDED_AFTER_S = 40.0, 0.3
FACE_TALL = 1.3
"""A face's height in its widths."""
SHOULDERS_M = 0.40
SHOULDERS_HIGH = 0.82
"""Of the height (Drillis and Contini, 1966)."""
BODY_WIDE_M, HEAD_ABOVE_FACES = 0.55, 0.5
HIDES_M, HIDES_HEAD_M = 0.2, 0.11
"""Half of what a body and a head hide of what is behind them."""
MISS_S = 1.6
"""agent.vision.track.TrackSettings.miss_s: after so long without a face its track is over."""
BRIDGE_S = 0.15
BODY_SHOWN_S, BODY_MISS_S, BODY_EVERY_S = 0.45, 1.4, 0.2
HARDER_MISSED, HARDER_GAP_S = 0.04, 0.4
MOST_SEEN_DEG = 62.0
"""A head turned further from the camera is no face any more."""


class Noise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the chain errs. Shares are of a face's width; `_kept` is how much of an error the next frame (1/15 s) still has."""

    width_of_person: float
    """Standard deviation over people of the logarithm of a face's width: heads differ, and so do boxes about them."""
    width: float
    width_kept: float
    centre: float
    centre_kept: float
    shoulders_of_person: float
    shoulders: float
    shoulders_kept: float
    head_deg: float
    head_kept: float
    gaze_deg: float
    eyes_from_px: float
    """The least width of a face whose eyes can be measured,"""
    eyes_missed: float
    """and in what share of the frames they cannot be all the same."""
    face_from_px: float
    face_missed: float
    """Share of frames in which a face in view is not found,"""
    face_missed_s: float
    """and how long such a gap lasts on average."""
    body_missed: float
    late_s: float
    """From the exposure to the observation."""

    def harder(self, times: float) -> Noise:
        """The same with every error so many times as large, and faces, bodies and eyes not found in some frames in a hundred for each."""
        sizes = {name: times * getattr(self, name)
                 for name in ("width_of_person", "width", "centre", "shoulders_of_person", "shoulders", "head_deg", "gaze_deg")}  # fmt: skip
        missed = min(0.4, HARDER_MISSED * (times - 1))
        return msgspec.structs.replace(self, **sizes, face_missed=missed, face_missed_s=HARDER_GAP_S, body_missed=2 * missed,
                                       eyes_missed=self.eyes_missed + 2 * missed)  # fmt: skip


def measured_noise() -> Noise:
    return msgspec.json.decode(Path(__file__).with_name("noise.json").read_bytes(), type=Noise)


class Camera(Struct, frozen=True, kw_only=True):
    """What is looked through."""

    view: View = View()
    noise: Noise
    frames_per_s: float = FRAMES_PER_S


@dataclass
class _Drift:
    """An error that lasts: each frame keeps a part of the last one's."""

    size: float
    kept: float
    chance: np.random.Generator
    value: float = 0.0

    def __post_init__(self) -> None:
        self.value = self.size * float(self.chance.standard_normal())

    def next(self) -> float:
        fresh = math.sqrt(max(0.0, 1 - self.kept**2)) * self.size * float(self.chance.standard_normal())
        self.value = self.kept * self.value + fresh
        return self.value


@dataclass
class _Head:
    """What is remembered of one walk's face and body between frames."""

    walk: Walk
    number: int
    chance: np.random.Generator
    noise: Noise
    embedding: bytes = b""
    face: int | None = None
    body: int | None = None
    face_since_s: float = 0.0
    body_since_s: float = 0.0
    face_s: float = -1e9
    body_s: float = -1e9
    body_due_s: float = -1e9
    body_box: Box = (0.0, 0.0, 0.0, 0.0)
    missing_until_s: float = -1e9
    attention: AttentionTrack = field(default_factory=AttentionTrack)
    bias: float = 0.0
    shoulders_bias: float = 0.0

    def __post_init__(self) -> None:
        noise, chance = self.noise, self.chance
        self.bias = noise.width_of_person * float(chance.standard_normal())
        self.shoulders_bias = noise.shoulders_of_person * float(chance.standard_normal())
        vector = chance.standard_normal(EMBEDDING).astype("<f4")
        self.embedding = (vector / np.linalg.norm(vector)).astype("<f4").tobytes()
        self.width = _Drift(noise.width, noise.width_kept, chance)
        self.across, self.down = (_Drift(noise.centre, noise.centre_kept, chance) for _ in range(2))
        self.shoulders = _Drift(noise.shoulders, noise.shoulders_kept, chance)
        self.yaw, self.pitch = (_Drift(noise.head_deg, noise.head_kept, chance) for _ in range(2))


class Observer:
    """Observations of walks. The same seed gives the same observations."""

    def __init__(self, camera: Camera, walks: Sequence[Walk], seed: int, liveness: Liveness | None = None) -> None:
        """`liveness` is what vision says of each face, once it was watched for so long."""
        self._camera, self._liveness = camera, liveness
        self._heads = [
            _Head(walk, number, np.random.default_rng((seed, number)), camera.noise) for number, walk in enumerate(walks)
        ]
        self._tracks = 0
        self._frames = 0

    def all(self, from_s: float, until_s: float) -> Iterator[Observation]:
        """A frame each 1/15 s."""
        for number in range(math.floor((until_s - from_s) * self._camera.frames_per_s)):
            yield self.at(from_s + number / self._camera.frames_per_s)

    def at(self, t_s: float) -> Observation:
        """The next frame; times must rise."""
        self._frames += 1
        placed = [(head, head.walk.at(t_s)) for head in self._heads]
        present = sorted(
            ((head, place) for head, place in placed if place is not None and place.z_m > 0.25), key=lambda one: one[1].z_m
        )
        faces, persons = [], []
        for index, (head, place) in enumerate(present):
            nearer = present[:index]
            face = self._face(head, place, nearer, t_s)
            body = self._body(head, place, nearer, face, t_s)
            faces += [face] if face else []
            persons += [body] if body else []
        view = self._camera.view
        return Observation(frame=self._frames, taken_s=t_s, frame_px=(view.width_px, view.height_px), faces=tuple(faces),
                           embedder_id="simulated", engine="simulated", chain_ms=0.0, persons=tuple(persons))  # fmt: skip

    def face_of(self, walk: int) -> int | None:
        """The face track that a walk (by its number) has or had last."""
        return self._heads[walk].face

    def _true_face(self, head: _Head, place: Place) -> Box:
        view, face_m = self._camera.view, head.walk.height_m - FACE_BELOW_CROWN_M + place.bob_m
        x, y = view.project(place.x_m, face_m, place.z_m)
        width = view.focal_px * FACE_WIDTH_M / view.depth_m(face_m, place.z_m)
        return x - width / 2, y - FACE_TALL * width / 2, width, FACE_TALL * width

    def _face(self, head: _Head, place: Place, nearer: Sequence[tuple[_Head, Place]], t_s: float) -> FaceSeen | None:
        true = self._true_face(head, place)
        x, y, width, height = self._boxed(head, true)
        if self._is_found(head, place, true, nearer, t_s):
            if t_s - head.face_s > MISS_S or head.face is None:
                self._tracks += 1
                head.face, head.face_since_s, head.attention = self._tracks, t_s, AttentionTrack()
            head.face_s = t_s
            self._look(head, place, true[2], t_s)
        if head.face is None or t_s - head.face_s > BRIDGE_S:
            return None
        old_s = t_s - head.face_since_s
        known = old_s >= EMBEDDED_AFTER_S and true[2] >= EMBEDDED_PX and abs(place.yaw_deg) < 40
        liveness = self._liveness if self._liveness is not None and old_s >= self._liveness.watched_s else None
        return FaceSeen(track=head.face, box_px=(x, y, width, height), score=0.9, quality=0.7, first_seen_s=head.face_since_s,
                        embedding=head.embedding if known else b"", embedded_s=t_s if known else 0.0, pictures=4 if known else 0,
                        attention=head.attention.at(t_s), liveness=liveness)  # fmt: skip

    def _boxed(self, head: _Head, true: Box) -> Box:
        x, y, width, height = true
        factor = math.exp(head.bias + head.width.next())
        middle = (x + width / 2 + head.across.next() * width, y + height / 2 + head.down.next() * width)
        return middle[0] - factor * width / 2, middle[1] - factor * height / 2, factor * width, factor * height

    def _is_found(self, head: _Head, place: Place, true: Box, nearer: Sequence[tuple[_Head, Place]], t_s: float) -> bool:
        x, y, width, height = true
        view, noise = self._camera.view, head.noise
        inside = x > -0.25 * width and x + width < view.width_px + 0.25 * width and y > -0.25 * height
        inside = inside and y + height < view.height_px + 0.25 * height
        if not inside or width < noise.face_from_px or abs(place.yaw_deg) > MOST_SEEN_DEG or self._hidden(head, true, nearer):
            return False
        if t_s < head.missing_until_s:
            return False
        # So that gaps of `face_missed_s` on average take `face_missed` of the time
        if head.chance.random() < noise.face_missed / max(noise.face_missed_s * self._camera.frames_per_s, 1.0):
            head.missing_until_s = t_s + float(head.chance.exponential(noise.face_missed_s))
            return False
        return True

    def _hidden(self, head: _Head, true: Box, nearer: Sequence[tuple[_Head, Place]]) -> bool:
        middle = true[0] + true[2] / 2
        for other, place in nearer:
            x, y, width, height = self._true_face(other, place)
            apart_m = abs(x + width / 2 - middle) / width * FACE_WIDTH_M
            below = true[1] + true[3] / 2 - (y + height)
            half_m = HIDES_M if below > 0 else HIDES_HEAD_M
            if apart_m < half_m and true[1] + true[3] > y - HEAD_ABOVE_FACES * width:
                return True
        return False

    def _look(self, head: _Head, place: Place, face_px: float, t_s: float) -> None:
        noise, chance = head.noise, head.chance
        yaw, pitch = place.yaw_deg + head.yaw.next(), head.pitch.next()
        sure = 0.9 if abs(yaw) < 45 else 0.5
        pose = HeadPose(yaw_deg=yaw, pitch_deg=pitch, roll_deg=place.roll_deg, confidence=sure)
        fault = "too_small" if face_px < noise.eyes_from_px else "turned_away" if abs(yaw) > 40 else ""
        if not fault and chance.random() < noise.eyes_missed:
            fault = "blurred"
        gaze = None if fault else Gaze(yaw_deg=yaw + noise.gaze_deg * float(chance.standard_normal()),
                                       pitch_deg=pitch + noise.gaze_deg * float(chance.standard_normal()), confidence=0.8)  # fmt: skip
        eyes = EyesMeasured(right=_EYE, left=_EYE, gaze=gaze, openness=0.3, lids_seen=0.0, iris_seen=1.0, fault=fault)
        head.attention.take(pose, eyes, t_s)

    def _body(
        self, head: _Head, place: Place, nearer: Sequence[tuple[_Head, Place]], face: FaceSeen | None, t_s: float
    ) -> PersonSeen | None:
        true, noise = self._true_face(head, place), head.noise
        if t_s >= head.body_due_s:
            head.body_due_s = t_s + BODY_EVERY_S
            if self._body_in_view(true) and not self._body_hidden(place, nearer) and head.chance.random() >= noise.body_missed:
                if head.body is None or t_s - head.body_s > BODY_MISS_S:
                    self._tracks += 1
                    head.body, head.body_since_s = self._tracks, t_s
                head.body_s = t_s
        if head.body is None or t_s - head.body_s > BODY_SHOWN_S:
            return None
        return PersonSeen(track=head.body, box_px=self._body_box(head, place, true), score=0.7, first_seen_s=head.body_since_s,
                          seen_s=max(head.body_s, head.face_s), face=face.track if face else None,
                          feet_px=self._feet(place), shoulders_px=self._shoulders(head, place, true),
                          shoulders_at_px=self._camera.view.project(place.x_m, SHOULDERS_HIGH * head.walk.height_m, place.z_m))  # fmt: skip

    def _body_in_view(self, true: Box) -> bool:
        half = 0.5 * BODY_WIDE_M / FACE_WIDTH_M * true[2]
        middle = true[0] + true[2] / 2
        return middle + half > 0.3 * half and middle - half < self._camera.view.width_px - 0.3 * half

    def _body_hidden(self, place: Place, nearer: Sequence[tuple[_Head, Place]]) -> bool:
        return any(abs(other.x_m / other.z_m - place.x_m / place.z_m) * other.z_m < 0.6 * HIDES_M for _, other in nearer)

    def _body_box(self, head: _Head, place: Place, true: Box) -> Box:
        width = BODY_WIDE_M / FACE_WIDTH_M * true[2]
        top = true[1] - HEAD_ABOVE_FACES * true[2]
        floor = self._camera.view.project(place.x_m, 0.0, place.z_m)[1]
        return true[0] + true[2] / 2 - width / 2, top, width, min(floor, self._camera.view.height_px + 20.0) - top

    def _feet(self, place: Place) -> tuple[float, float] | None:
        view = self._camera.view
        x, y = view.project(place.x_m, 0.0, place.z_m)
        return (x, y) if 0 <= x < view.width_px and y < view.height_px - 4 else None

    def _shoulders(self, head: _Head, place: Place, true: Box) -> float | None:
        half = 0.5 * SHOULDERS_M / FACE_WIDTH_M * true[2]
        middle = true[0] + true[2] / 2
        if middle - half < 0 or middle + half > self._camera.view.width_px:
            return None
        return 2 * half * math.exp(head.shoulders_bias + head.shoulders.next())


_EYE = Eye(iris_px=(0.0, 0.0), iris_width_px=8.0, middle_px=(0.0, 0.0), width_px=20.0, openness=0.3, light=120.0, shade=60.0, glare=0.0,
           contrast=1.0, sharp=1.0)  # fmt: skip
"""Of an eye only where it looks is simulated."""
