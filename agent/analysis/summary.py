"""What a film showed, when it is over: who was in view and for how long, what was measured of them, and what it cost."""

from __future__ import annotations

from typing import Literal

import numpy as np
from msgspec import Struct

from agent.analysis.conducted import Behaviour
from agent.core.messages import EXPRESSIONS, FaceSeen, Liveness, Observation, PersonSeen


class Span(Struct, frozen=True):
    """From a frame to a frame, in seconds of the film."""

    from_s: float
    to_s: float


class FaceTrack(Struct, frozen=True, kw_only=True):
    """One face from when it came to when it went. Times are seconds of the film."""

    track: int
    first_s: float
    last_s: float
    frames: int
    embedded_s: float | None
    """When it could first be compared with a template."""
    best_quality: float
    widest_px: float
    blinks: int
    away: tuple[Span, ...]
    """When this person looked away from where they usually look."""
    measured_share: float
    """Of the frames: those in which head and eyes could be measured."""
    liveness: Liveness | None
    """The last verdict."""
    expressions: dict[str, float] | None
    """Mean probabilities; null when none was measured or none may be."""


class PersonTrack(Struct, frozen=True, kw_only=True):
    """One body from when it came to when it went."""

    track: int
    first_s: float
    last_s: float
    frames: int
    faces: tuple[int, ...]
    """Face tracks that belonged to it."""


class StageMs(Struct, frozen=True, kw_only=True):
    """What a stage cost in the frames in which it ran, milliseconds a frame."""

    p50: float
    p95: float
    frames: int


class Summary(Struct, frozen=True, kw_only=True, tag="summary"):
    """One film."""

    film: str
    complete: bool
    """False when the film ended before its end."""
    frame_px: tuple[int, int]
    frames: int
    """Frames that were looked at."""
    seconds: float
    """From the first of them to the end of the last."""
    faces: tuple[FaceTrack, ...]
    persons: tuple[PersonTrack, ...]
    real_time_factor: float
    """Seconds of film for each second of work, decoding and output included; above 1 is faster than real time."""
    stages_ms: dict[str, StageMs]
    chain_ms: StageMs
    faults: dict[str, int]
    """What went wrong, and in how many frames."""
    engine: str
    embedder_id: str
    profile: Literal["workplace-eu", "standard"]
    behaviour: Behaviour | None = None
    """What people did; null when that was not measured."""


class _Face:
    """One face track, as it grows."""

    def __init__(self, seen: FaceSeen, at_s: float) -> None:
        self.first, self.last, self.last_s = seen, seen, at_s
        self.first_s = at_s
        self.frames = self.measured = self.blinks = 0
        self.best_quality = self.widest_px = 0.0
        self.embedded_s: float | None = None
        self.liveness: Liveness | None = None
        self.away: list[Span] = []
        self._was_away = False
        self._expressed = np.zeros(len(EXPRESSIONS))
        self._times_expressed = 0

    def take(self, seen: FaceSeen, at_s: float) -> None:
        self.last, self.last_s = seen, at_s
        self.frames += 1
        self.best_quality = max(self.best_quality, seen.quality)
        self.widest_px = max(self.widest_px, seen.box_px[2])
        if seen.embedding and self.embedded_s is None:
            self.embedded_s = at_s
        self.liveness = seen.liveness or self.liveness
        if seen.expression is not None:
            self._expressed += seen.expression.probabilities
            self._times_expressed += 1
        self._attend(seen, at_s)

    def _attend(self, seen: FaceSeen, at_s: float) -> None:
        attention = seen.attention
        away = attention is not None and attention.away is True
        if away:
            began_s = self.away.pop().from_s if self._was_away else at_s
            self.away.append(Span(began_s, at_s))
        self._was_away = away
        if attention is not None:
            self.measured += attention.head is not None
            self.blinks = max(self.blinks, attention.blinks)

    def done(self) -> FaceTrack:
        return FaceTrack(
            track=self.first.track, first_s=_s(self.first_s), last_s=_s(self.last_s), frames=self.frames,
            embedded_s=None if self.embedded_s is None else _s(self.embedded_s), best_quality=round(self.best_quality, 3),
            widest_px=round(self.widest_px, 1), blinks=self.blinks, away=tuple(Span(_s(a.from_s), _s(a.to_s)) for a in self.away),
            measured_share=round(self.measured / self.frames, 3), liveness=self.liveness, expressions=self._mean_expressions(),
        )  # fmt: skip

    def _mean_expressions(self) -> dict[str, float] | None:
        if not self._times_expressed:
            return None
        means = (self._expressed / self._times_expressed).tolist()
        return {name: round(mean, 3) for name, mean in zip(EXPRESSIONS, means, strict=True)}


class _Person:
    """One person track, as it grows."""

    def __init__(self, track: int, at_s: float) -> None:
        self.track, self.first_s, self.last_s, self.frames = track, at_s, at_s, 0
        self.faces: dict[int, None] = {}

    def take(self, seen: PersonSeen, at_s: float) -> None:
        self.last_s = at_s
        self.frames += 1
        if seen.face is not None:
            self.faces[seen.face] = None

    def done(self) -> PersonTrack:
        return PersonTrack(
            track=self.track, first_s=_s(self.first_s), last_s=_s(self.last_s), frames=self.frames, faces=tuple(self.faces)
        )


class Tally:
    """Counts a film's observations and costs while they are made."""

    def __init__(self) -> None:
        self.frames = 0
        self.last: Observation | None = None
        self._longest_gap_s = 0.0
        self._faces: dict[int, _Face] = {}
        self._persons: dict[int, _Person] = {}
        self._stage_ms: dict[str, list[float]] = {}
        self._chain_ms: list[float] = []
        self._faults: dict[str, int] = {}

    def take(self, observation: Observation, stage_s: dict[str, float]) -> None:
        """One frame's outcome; `stage_s` is what each stage that ran in it cost."""
        at_s = observation.taken_s
        self.frames, self.last = self.frames + 1, observation
        for seen in observation.faces:
            self._faces.setdefault(seen.track, _Face(seen, at_s)).take(seen, at_s)
        for body in observation.persons:
            self._persons.setdefault(body.track, _Person(body.track, at_s)).take(body, at_s)
        for stage, seconds in stage_s.items():
            self._stage_ms.setdefault(stage, []).append(seconds * 1000)
        self._chain_ms.append(observation.chain_ms)

    def fault(self, what: str) -> None:
        """Something went wrong in a frame."""
        self._faults[what] = self._faults.get(what, 0) + 1

    def summary(self, film: str, complete: bool, worked_s: float, profile: Literal["workplace-eu", "standard"],
                behaviour: Behaviour | None = None) -> Summary:  # fmt: skip
        """Raises ValueError when no frame was looked at."""
        last = self.last
        if last is None:
            raise ValueError("nothing to sum up: no frame was looked at")
        seconds = last.taken_s * self.frames / max(1, self.frames - 1)
        return Summary(
            film=film, complete=complete, frame_px=last.frame_px, frames=self.frames, seconds=_s(seconds),
            faces=tuple(face.done() for face in self._faces.values()), persons=tuple(body.done() for body in self._persons.values()),
            real_time_factor=round(seconds / max(worked_s, 1e-9), 2), chain_ms=_stage(self._chain_ms),
            stages_ms={stage: _stage(taken) for stage, taken in self._stage_ms.items()}, faults=self._faults,
            engine=last.engine, embedder_id=last.embedder_id, profile=profile, behaviour=behaviour,
        )  # fmt: skip


def _stage(taken_ms: list[float]) -> StageMs:
    p50, p95 = np.percentile(np.array(taken_ms), (50, 95)).tolist()
    return StageMs(p50=round(p50, 2), p95=round(p95, 2), frames=len(taken_ms))


def _s(seconds: float) -> float:
    """Milliseconds are as exact as a film's times are."""
    return round(seconds, 3)
