"""A frame to an Observation: who is in view first, and what else there is to see in them behind it, each stage timed."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from agent.core.messages import FaceSeen, Observation
from agent.vision.align import Aligner
from agent.vision.detect import Detector
from agent.vision.embed import Embedder, EmbedPolicy, due, of_track
from agent.vision.faces import Face
from agent.vision.find import FaceFinder, FinderSettings
from agent.vision.guard import Guard
from agent.vision.landmarks import Landmarks
from agent.vision.looks import Looks, Seen
from agent.vision.quality import QualitySettings, completed, judge
from agent.vision.timing import StageTimes
from agent.vision.track import Picture, Track, Tracker, TrackSettings
from hw.interfaces import Frame, Pixels

LEAST_MESH_SCORE = 0.5
"""Where the mesh sees no face, the detector was mistaken or something is in front of the face: nothing is compared."""


class Stages(NamedTuple):
    """The stages that run networks."""

    detector: Detector
    landmarks: Landmarks
    embedder: Embedder


class ChainSettings(Struct, frozen=True, kw_only=True):
    """Every stage's settings."""

    finder: FinderSettings = FinderSettings()
    track: TrackSettings = TrackSettings()
    embed: EmbedPolicy = EmbedPolicy()
    quality: QualitySettings = QualitySettings()


class First(NamedTuple):
    """Who is in a frame, before the stages that are not needed for that have looked at it."""

    observation: Observation
    """Of what those stages measure: what they last knew of each track."""
    news: bool
    """Somebody was embedded in this frame: worth telling at once."""
    frame: Frame
    taken_s: float
    began_s: float


class Chain:
    """The stages with their memory of earlier frames. One per camera; not thread-safe."""

    def __init__(self, stages: Stages, embedder_id: str, engine: Callable[[], str], settings: ChainSettings,
                 looks: Looks | None = None) -> None:  # fmt: skip
        """`engine` says what runs the networks now: it may change when an accelerator is lost. `looks`: the stages beyond identity."""
        self.stages, self._settings = stages, settings
        self._aligner = Aligner()
        self._tracker = Tracker(settings.track)
        self._finder, self._motion = FaceFinder(stages.detector, settings.finder), Guard("motion")
        self._looks = looks or Looks(stages.landmarks)
        self._frames = 0
        self.embedder_id = embedder_id
        self.engine = engine
        self.times = StageTimes()

    def faults(self) -> tuple[str, ...]:
        """Which stages that identity can do without are failing or left out, in words."""
        return tuple(guard.fault for guard in (self._motion, *self._looks.guards) if guard.fault)

    def process(self, frame: Frame, now_s: float) -> Observation:
        """All that is seen in a frame: `identify`, then `look`."""
        return self.look(self.identify(frame, now_s))

    def identify(self, frame: Frame, now_s: float) -> First:
        """Who is in view. `now_s` is only compared with itself and with the frame's time, both CLOCK_MONOTONIC.

        A door waits for this and for nothing else; whoever calls may send it before the rest is looked at.
        """
        began_s = perf_counter()
        self._frames += 1
        taken_s, pixels = min(frame.taken_s, now_s), frame.pixels
        self._find(pixels, taken_s)
        embedded = [self._embed(pixels, track, taken_s) for track in due(self._tracker.live(), self._settings.embed, taken_s)]
        self._looks.forget(self._tracker.live())
        observation = Observation(frame=self._frames, taken_s=frame.taken_s, frame_px=(pixels.shape[1], pixels.shape[0]), faces=(),
                                  embedder_id=self.embedder_id, engine=self.engine(), chain_ms=0.0)  # fmt: skip
        return First(self._told(observation, taken_s, began_s), any(embedded), frame, taken_s, began_s)

    def look(self, first: First) -> Observation:
        """The same with what the other stages see in the frame. Never raises for their sake: `faults` tells of them."""
        in_view = self._tracker.seen(first.taken_s)
        self._looks.update(Seen(first.frame.pixels, first.taken_s), in_view, self.times)
        return self._told(first.observation, first.taken_s, first.began_s)

    def in_view(self, taken_s: float) -> list[tuple[int, Face]]:
        """The faces that were found in the frame that was taken then, with their tracks."""
        return [(track.id, track.face) for track in self._tracker.seen(taken_s) if track.seen_s == taken_s]

    def embedded_in(self, taken_s: float) -> list[Track]:
        """The tracks that were embedded in the frame that was taken then."""
        return [track for track in self._tracker.seen(taken_s) if track.pictures and track.pictures[-1].taken_s == taken_s]

    def _told(self, observation: Observation, taken_s: float, began_s: float) -> Observation:
        """The observation with what is known now."""
        faces = tuple(self._looks.add_to(_report(track), taken_s) for track in self._tracker.seen(taken_s))
        return replace(observation, faces=faces, persons=self._looks.persons(taken_s), chain_ms=(perf_counter() - began_s) * 1000)

    def _find(self, pixels: Pixels, taken_s: float) -> None:
        """Gives this frame's faces to tracks."""
        expected = [track.expected(taken_s) for track in self._tracker.live()]
        with self.times.stage("motion"):
            moving = self._motion.run(lambda: self._finder.moving(pixels, taken_s, expected), taken_s) or []
        with self.times.stage("detect"):
            faces = self._finder.find(pixels, expected, [*moving, *self._looks.faceless(taken_s)])
        with self.times.stage("track"):
            self._tracker.update(faces, taken_s)

    def _embed(self, pixels: Pixels, track: Track, taken_s: float) -> bool:
        """Whether the track has a new picture."""
        track.tried_s, track.quality = taken_s, 0.0
        with self.times.stage("landmarks"):
            mesh = self.stages.landmarks(pixels, track.face.points_px)
        if mesh.score < LEAST_MESH_SCORE:
            self._tracker.doubt(track)
            return False
        with self.times.stage("align"):
            aligned = self._aligner(pixels, mesh.five())
        with self.times.stage("quality"):
            quality = judge(aligned, track.face.box_px[2], track.face.points_px, self._settings.quality)
        track.quality = quality.score
        if quality.score < self._settings.embed.least_quality:
            return False
        with self.times.stage("embed"):
            embedded = of_track(self.stages.embedder, aligned, track)
        quality = completed(quality, embedded.relative, self._settings.quality)
        self._tracker.judge(track, Picture(taken_s, embedded.vector, quality.score))
        return True


def _report(track: Track) -> FaceSeen:
    voice = track.voice()
    spoken = voice is not None
    return FaceSeen(
        track=track.id, box_px=track.face.box_px, score=track.face.score, quality=track.quality, first_seen_s=track.first_seen_s,
        seen_s=track.seen_s,
        embedding=voice.astype("<f4").tobytes() if voice is not None else b"",
        embedded_s=track.pictures[-1].taken_s if spoken else 0.0, pictures=len(track.pictures) if spoken else 0,
    )  # fmt: skip
