"""A frame to an Observation: the stages in their order, each timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

from msgspec import Struct

from agent.core.messages import FaceSeen, Observation
from agent.vision.align import Aligner
from agent.vision.blazeface import distinct
from agent.vision.detect import Detector
from agent.vision.embed import Embedder, EmbedPolicy, due
from agent.vision.faces import Face
from agent.vision.landmarks import Landmarks
from agent.vision.quality import QualitySettings, judge
from agent.vision.schedule import Schedule, ScheduleSettings
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

    schedule: ScheduleSettings = ScheduleSettings()
    track: TrackSettings = TrackSettings()
    embed: EmbedPolicy = EmbedPolicy()
    quality: QualitySettings = QualitySettings()


@dataclass
class StageTimes:
    """Seconds spent in each stage since `clear`, and how often it ran."""

    total_s: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start_s = perf_counter()
        try:
            yield
        finally:
            self.total_s[name] = self.total_s.get(name, 0.0) + perf_counter() - start_s
            self.count[name] = self.count.get(name, 0) + 1

    def clear(self) -> None:
        self.total_s.clear()
        self.count.clear()


class Chain:
    """The stages with their memory of earlier frames. One per camera; not thread-safe."""

    def __init__(self, stages: Stages, embedder_id: str, engine: Callable[[], str], settings: ChainSettings) -> None:
        """`engine` says what runs the networks now: it may change when an accelerator is lost."""
        self._stages, self._settings = stages, settings
        self._aligner = Aligner()
        self._tracker = Tracker(settings.track)
        self._schedule: Schedule | None = None
        self._frame_px = (0, 0)
        self._frames = 0
        self._embedder_id = embedder_id
        self.engine = engine
        self.times = StageTimes()

    def process(self, frame: Frame, now_s: float) -> Observation:
        """What is seen in a frame. `now_s` is only compared with itself and with the frame's time, both CLOCK_MONOTONIC."""
        start_s = perf_counter()
        self._frames += 1
        taken_s = min(frame.taken_s, now_s)
        faces = self._find(frame.pixels, taken_s)
        with self.times.stage("track"):
            self._tracker.update(faces, taken_s)
            tracks = due(self._tracker.live(), self._settings.embed, taken_s)
        for track in tracks:
            self._embed(frame.pixels, track, taken_s)
        seen = tuple(_report(track) for track in self._tracker.seen(taken_s))
        return Observation(frame=self._frames, taken_s=frame.taken_s, frame_px=self._frame_px, faces=seen, embedder_id=self._embedder_id,
                           engine=self.engine(), chain_ms=(perf_counter() - start_s) * 1000)  # fmt: skip

    def _find(self, pixels: Pixels, taken_s: float) -> list[Face]:
        """The faces in this frame's squares, each once; squares around tracks come first because they show a face closest."""
        boxes = [track.expected(taken_s) for track in self._tracker.live()]
        with self.times.stage("detect"):
            regions = self._schedule_for(pixels).regions(boxes)
            return distinct([face for region in regions for face in self._stages.detector.detect_in(pixels, region)])

    def _schedule_for(self, pixels: Pixels) -> Schedule:
        """The schedule of this frame size; a camera that changes its size begins a new one."""
        frame_px = (pixels.shape[1], pixels.shape[0])
        if self._schedule is None or frame_px != self._frame_px:
            self._schedule, self._frame_px = Schedule(frame_px, self._settings.schedule), frame_px
        return self._schedule

    def _embed(self, pixels: Pixels, track: Track, taken_s: float) -> None:
        track.tried_s, track.quality = taken_s, 0.0
        with self.times.stage("landmarks"):
            mesh = self._stages.landmarks(pixels, track.face.points_px)
        if mesh.score < LEAST_MESH_SCORE:
            self._tracker.doubt(track)
            return
        with self.times.stage("align"):
            aligned = self._aligner(pixels, mesh.five())
        with self.times.stage("quality"):
            quality = judge(aligned, track.face.box_px[2], track.face.points_px, self._settings.quality).score
        track.quality = quality
        if quality < self._settings.embed.least_quality:
            return
        with self.times.stage("embed"):
            embedding = self._stages.embedder(aligned)
        self._tracker.judge(track, Picture(taken_s, embedding, quality))


def _report(track: Track) -> FaceSeen:
    voice = track.voice()
    spoken = voice is not None
    return FaceSeen(
        track=track.id, box_px=track.face.box_px, score=track.face.score, quality=track.quality, first_seen_s=track.first_seen_s,
        embedding=voice.astype("<f4").tobytes() if voice is not None else b"",
        embedded_s=track.pictures[-1].taken_s if spoken else 0.0, pictures=len(track.pictures) if spoken else 0,
    )  # fmt: skip
