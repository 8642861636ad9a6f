"""Models that run beside those in force: they look at some of the same faces, decide nothing, and are told of to the door, which counts.

Bounded by count, as all that is optional: of a face its first embedded picture, for a door may decide on that, then every EVERY-th; one face
in a frame, and only in frames that come in time. Behind everything that the door waits for, and in a guard: what goes wrong here is a fault
in the health message, which ends the trial, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

from agent.core.messages import ShadowSeen
from agent.vision.align import Aligner
from agent.vision.chain import LEAST_MESH_SCORE, Stages
from agent.vision.faces import Face, iou, square_around
from agent.vision.guard import Guard
from agent.vision.timing import StageTimes
from agent.vision.track import Track
from hw.interfaces import Frame, Pixels

EVERY = 12
"""Of a face that stays, one picture in so many: about one in four seconds."""
NEAR_TIMES = 3.0
"""Side of the square in which the detector looks, in sizes of the face: what a track's own square has."""
LEAST_SAME = 0.4
"""Overlap of two boxes that are of one face."""


class Watched(Protocol):
    """The part of a chain that is needed here."""

    times: StageTimes

    def embedded_in(self, taken_s: float) -> Sequence[Track]:
        """The tracks that were embedded in the frame that was taken then."""
        ...


class Shadow:
    """One camera's. Not thread-safe."""

    def __init__(self, number: int, stages: Stages, chain: Watched) -> None:
        """`number`: of the models beside; `stages`: with those models; `chain`: the one in force."""
        self._number, self._stages, self._chain = number, stages, chain
        self._aligner, self._guard = Aligner(), Guard(f"models {number} beside")
        self._due: dict[int, int] = {}
        """Track -> how many of its pictures had been taken when the next one is looked at."""

    @property
    def fault(self) -> str:
        return self._guard.fault

    def see(self, frame: Frame, now_s: float) -> list[ShadowSeen]:
        """What is to be told to the door of this frame: nothing, or one face."""
        taken_s = min(frame.taken_s, now_s)
        for track in self._chain.embedded_in(taken_s):
            if track.taken >= self._due.get(track.id, 0):
                self._due[track.id] = track.taken + EVERY
                self._forget()
                found = self._guard.run(lambda track=track: self._compare(frame.pixels, track, taken_s), taken_s)  # type: ignore[misc]
                return [found] if found is not None else []
        return []

    def _forget(self) -> None:
        while len(self._due) > 64:
            del self._due[next(iter(self._due))]

    def _compare(self, pixels: Pixels, track: Track, taken_s: float) -> ShadowSeen:
        face = self._found(pixels, track.face)
        began_s = perf_counter()
        after = self._embedded(pixels, track, face) if face is not None else b""
        after_ms = (perf_counter() - began_s) * 1000
        return ShadowSeen(
            at_s=taken_s, number=self._number, track=track.id, before=track.pictures[-1].embedding.astype("<f4").tobytes(), after=after,
            before_ms=self._chain.times.mean_ms("landmarks", "align", "embed"), after_ms=after_ms,
        )  # fmt: skip

    def _embedded(self, pixels: Pixels, track: Track, face: Face) -> bytes:
        """As the chain embeds a track, with the models beside, from their own detector's box on."""
        mesh = self._stages.landmarks(pixels, face.points_px)
        if mesh.score < LEAST_MESH_SCORE:
            return b""
        aligned, embedder = self._aligner(pixels, mesh.five()), self._stages.embedder
        first = len(track.pictures) == 1  # then the chain had nothing but this picture, and looked at both of its mirror images
        found = embedder.measured(aligned) if first else embedder.one_side(aligned, mirrored=track.taken % 2 == 0)
        return found.vector.astype("<f4").tobytes()

    def _found(self, pixels: Pixels, face: Face) -> Face | None:
        near = self._stages.detector.detect_in(pixels, square_around(face.box_px, NEAR_TIMES))
        same = [each for each in near if iou(each.box_px, face.box_px) >= LEAST_SAME]
        return max(same, key=lambda each: each.score, default=None)
