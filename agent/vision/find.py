"""The faces of a frame: those that are followed in their own squares, and new ones where the schedule says, each confirmed from near."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from agent.core.messages import Box
from agent.vision.blazeface import SAME_FACE_IOU, distinct
from agent.vision.detect import Detector
from agent.vision.faces import Face, iou
from agent.vision.motion import Motion, MotionSettings
from agent.vision.schedule import Schedule, ScheduleSettings
from hw.interfaces import Pixels


class FinderSettings(Struct, frozen=True, kw_only=True):
    """Where to look, and how often."""

    schedule: ScheduleSettings = ScheduleSettings()
    motion: MotionSettings = MotionSettings()
    suspects_a_frame: int = 3
    """Second looks a frame, at the best first: a wall of pictures must not cost the frame rate."""


class FaceFinder:
    """Remembers what moved and where the search stands. One per camera; not thread-safe."""

    def __init__(self, detector: Detector, settings: FinderSettings) -> None:
        self._detector, self._settings = detector, settings
        self._frame_px = (0, 0)

    def moving(self, pixels: Pixels, taken_s: float, tracked: Sequence[Box]) -> list[Box]:
        """What moves in a frame, apart from those whose faces are tracked (boxes where they are expected): hints for `find`."""
        self._fit(pixels)
        return self._motion.boxes(pixels, taken_s, tracked)

    def find(self, pixels: Pixels, tracked: Sequence[Box], hints: Sequence[Box] = ()) -> list[Face]:
        """The faces in this frame's squares (height x width x 3, BGR), each once; those in squares of their own come first.

        `tracked`: where the tracked faces are expected. `hints`: boxes in which somebody may be whom no track stands for.
        """
        self._fit(pixels)
        plan = self._schedule.plan(tracked, hints)
        faces = distinct([face for square in plan.own for face in self._detector.detect_in(pixels, square)])
        suspects = [face for square in plan.search for face in self._detector.suspects_in(pixels, square)]
        return confirmed(self._detector, pixels, faces, suspects, self._settings.suspects_a_frame)

    def _fit(self, pixels: Pixels) -> None:
        """A camera that changes its size begins anew."""
        frame_px = (pixels.shape[1], pixels.shape[0])
        if frame_px != self._frame_px:
            self._frame_px = frame_px
            self._schedule = Schedule(frame_px, self._settings.schedule)
            self._motion = Motion(frame_px, self._settings.motion)


def confirmed(detector: Detector, pixels: Pixels, faces: list[Face], suspects: Sequence[Face], most: int) -> list[Face]:
    """The faces, and of the suspects that are none of them the best `most`, if they stand a second look.

    A suspect does not make way for a better one within it: in a small square a mouth can look more like a face than the face
    does that is cut by it.
    """
    new: list[Face] = []
    for face in sorted(suspects, key=lambda face: -face.score):
        known = len(distinct([*faces, face])) == len(faces)
        if not known and not any(iou(face.box_px, other.box_px) >= SAME_FACE_IOU for other in new):
            new.append(face)
    near = (detector.confirm(pixels, face) for face in new[:most])
    return distinct([*faces, *(face for face in near if face is not None)])
