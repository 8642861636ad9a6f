"""The door's own camera, looked through with the door's own networks while vision rests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from agent.commission.aim import Look
from agent.config import Config
from agent.core.live import BodyBox, FaceBox, Sight
from agent.core.messages import Box
from agent.errors import CameraError
from agent.media.picture import conceal
from agent.media.veil import NOBODY, Veil
from agent.vision.build import PERSONS, build_stages
from agent.vision.engine import open_engine
from agent.vision.faces import Face
from agent.vision.find import FaceFinder, FinderSettings
from agent.vision.persons import Persons
from agent.vision.quality import QualitySettings, completed, measure, rated
from agent.vision.refusal import Signs, cause, cause_of_nothing, eye_brightness
from agent.vision.schedule import ScheduleSettings
from agent.vision.still import Portrait, StillFaces
from hw.camera_names import public_name
from hw.cameras import open_camera
from hw.interfaces import Frame, Pixels
from models_tflite.manifest import load_manifest

FRAME_S = 3.0
"""A camera that gives no picture for so long hangs."""
AROUND = 0.6
"""Of the face's size, to each side: the light behind somebody."""
STRIP_PX = 4
REPORT_WIDTH_PX = 960
JPEG_QUALITY = 80


class DoorEye:
    """Camera and networks, opened once. Not thread-safe."""

    def __init__(self, config: Config) -> None:
        """Raises CameraError, HardwareError, ModelError."""
        vision = config.vision
        manifest = load_manifest(Path(vision.models) if vision.models else None)
        with _runtime_is_quiet():
            engine = open_engine(vision.engine, vision.threads)
            self._stages = build_stages(engine, manifest)
            self._persons = Persons(engine.load(manifest.model(PERSONS)))
        self._finder = FaceFinder(self._stages.detector, FinderSettings())
        self._still, self._closely = StillFaces(self._stages), StillFaces(self._stages, ScheduleSettings())
        self._settings = QualitySettings()
        self._last: list[Box] = []
        self.name = public_name(vision.camera)
        self._camera = open_camera(vision)

    def frame(self) -> Frame:
        """The newest picture. Raises CameraError when none comes."""
        frame = self._camera.read(FRAME_S)
        if frame is None:
            raise CameraError(f"{self.name}: no picture for {FRAME_S:g} s: does another program hold the camera?")
        return frame

    def look(self, pixels: Pixels) -> Look:
        """What a frame (height x width x 3, BGR) shows of the widest face."""
        faces = sorted(self._finder.find(pixels, self._last), key=lambda face: -face.box_px[2])
        self._last = [face.box_px for face in faces[:1]]
        frame_px = (pixels.shape[1], pixels.shape[0])
        if not faces:
            return Look(frame_px=frame_px, cause=cause_of_nothing(pixels))
        return self._of_face(pixels, faces[0], frame_px)

    def people(self, pixels: Pixels) -> int:
        """How many are in a frame, as far as they can be found."""
        return max(len(self._closely.faces(pixels)), len(self._persons(pixels)))

    def faceless(self, pixels: Pixels) -> Pixels:
        """A copy in which every head that can be found is made of a few coarse cells."""
        faces = tuple(FaceBox(track=number, box_px=face.box_px) for number, face in enumerate(self._closely.faces(pixels), 1))
        bodies = tuple(
            BodyBox(track=number, box_px=body.box_px, face=None) for number, body in enumerate(self._persons(pixels), 1)
        )
        sight = Sight(taken_s=0.0, frame_px=(pixels.shape[1], pixels.shape[0]), faces=faces, bodies=bodies)
        picture = pixels.copy()
        conceal(picture, Veil().over(sight, NOBODY))
        return picture

    def close(self) -> None:
        self._camera.close()

    def _of_face(self, pixels: Pixels, face: Face, frame_px: tuple[int, int]) -> Look:
        around = light_around(pixels, face.box_px)
        portrait = self._still.portrait(pixels, face)
        if portrait is None:
            return Look(frame_px=frame_px, box_px=face.box_px, cause="covered", light=around, around=around)
        signs = _signs(portrait)
        embedded = self._still.embed(portrait)
        quality = completed(rated(signs.measures, self._settings), embedded.relative, self._settings).score
        return Look(
            frame_px=frame_px, box_px=face.box_px, quality=quality, cause=cause(signs), light=signs.measures.mean, around=around
        )


@contextmanager
def _runtime_is_quiet() -> Iterator[None]:
    """A network's runtime writes lines of its own to the terminal, into the midst of what is drawn there."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _signs(portrait: Portrait) -> Signs:
    face = portrait.face
    return Signs(measures=measure(portrait.aligned, face.box_px[2], face.points_px), face_score=face.score,
                 mesh_score=portrait.mesh.score, eyes=eye_brightness(portrait.aligned))  # fmt: skip


def light_around(pixels: Pixels, box: Box) -> float:
    """Mean grey beside a face and above it, 0..255: what is below it are clothes."""
    x, y, wide, high = (round(edge) for edge in box)
    left, right, top = max(0, round(x - AROUND * wide)), round(x + (1 + AROUND) * wide), max(0, round(y - AROUND * high))
    parts = (
        pixels[top : y + high, left : max(left, x)],
        pixels[top : y + high, x + wide : right],
        pixels[top : max(top, y), x : x + wide],
    )
    greys = [cv2.cvtColor(part, cv2.COLOR_BGR2GRAY).ravel() for part in parts if min(part.shape[:2]) >= STRIP_PX]
    return float(np.concatenate(greys).mean()) if greys else 0.0


def jpeg(pixels: Pixels) -> bytes:
    """For the report: no wider than it is printed."""
    share = min(1.0, REPORT_WIDTH_PX / pixels.shape[1])
    small = cv2.resize(pixels, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) if share < 1 else pixels
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])
