"""The faces of a frame: those that are followed in their own squares, and new ones where the schedule says, each confirmed from near."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from agent.core.messages import Box
from agent.vision.blazeface import distinct
from agent.vision.detect import Detector
from agent.vision.faces import Face
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
        return self._confirmed(pixels, faces, sorted(suspects, key=lambda face: -face.score))

    def _confirmed(self, pixels: Pixels, faces: list[Face], suspects: list[Face]) -> list[Face]:
        """The faces and those suspects that are none of them and stand a second look."""
        new = distinct([*faces, *suspects])[len(faces) :]
        near = (self._detector.confirm(pixels, face) for face in new[: self._settings.suspects_a_frame])
        return distinct([*faces, *(face for face in near if face is not None)])

    def _fit(self, pixels: Pixels) -> None:
        """A camera that changes its size begins anew."""
        frame_px = (pixels.shape[1], pixels.shape[0])
        if frame_px != self._frame_px:
            self._frame_px = frame_px
            self._schedule = Schedule(frame_px, self._settings.schedule)
            self._motion = Motion(frame_px, self._settings.motion)
