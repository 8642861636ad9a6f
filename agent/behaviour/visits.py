"""Who is before the door, each from when they came to when they went: bodies and faces of an observation become visits.

A body may show its face only now and then, a face near the camera may have no body. So a visit has a body track, face tracks, or both, and
two visits become one when vision finds that this face is that body's. A track that breaks for a moment continues its visit where it
was lost; who comes again after a while begins a new visit, which knows by the face how often that was (kept in memory for minutes,
in no file).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import hypot
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from agent.behaviour.glances import GlanceTrack
from agent.behaviour.ground import FloorPoint
from agent.behaviour.paths import PathTrack
from agent.behaviour.stress import StressTrack
from agent.behaviour.zones import ZoneTrack
from agent.core.conduct import Evidence
from agent.core.messages import BriefChanges, FaceSeen, Observation, PersonSeen

FAR_M = 5.0
"""Who follows nobody."""

Locate = Callable[[PersonSeen | None, FaceSeen | None], FloorPoint | None]
"""Where on the floor somebody stands; None when that cannot be told."""


class VisitSettings(Struct, frozen=True, kw_only=True):
    """Limits of what is one visit."""

    gone_s: float = 2.0
    """Not seen for so long: over. Vision keeps a hidden body's track for 1.4 s."""
    most: int = 12
    """So many people are followed at once; a crowd is a crowd."""
    near_m: float = 0.7
    """A new track begins within this of where a visit was lost a moment ago, allowing for its walking: the same person."""
    walks_m_s: float = 1.5
    at_door_m: float = 1.2
    again_within_s: float = 600.0
    """Who comes again within this time has been waiting out of view."""
    again_after_s: float = 5.0
    same_face: float = 0.5
    """Cosine of two mean embeddings above which they are taken for one person here; nothing is decided on it."""
    most_remembered: int = 20


class Sighting(NamedTuple):
    """One person in one frame."""

    body: PersonSeen | None
    face: FaceSeen | None
    point: FloorPoint | None

    def found_s(self, at_s: float) -> float:
        """When they were last really found, in a frame of `at_s`: a face is told for a moment longer, and a body for longer still."""
        return min(at_s, max((one.seen_s or at_s for one in (self.face, self.body) if one is not None), default=at_s))


@dataclass
class Visit:
    """One person's stay in view."""

    id: int
    since_s: float
    zones: ZoneTrack
    path: PathTrack = field(default_factory=PathTrack)
    glances: GlanceTrack = field(default_factory=GlanceTrack)
    stress: StressTrack | None = None
    brief: BriefChanges | None = None
    """What vision last told of brief changes of their face, where that is made."""
    body: int | None = None
    face: int | None = None
    seen_s: float = 0.0
    """When they were last really found; later, vision may tell where they should be."""
    point: FloorPoint | None = None
    placed_s: float = 0.0
    """When they were last found at `point`: a body may be seen whose place cannot be told."""
    top_px: float | None = None
    """The upper edge of their body's box: their crown."""
    norm_key: str = ""
    """Of the cardholder, when one was recognised and has consented."""
    came_before: tuple[float, ...] = ()
    """When earlier visits of this person ended."""
    embedding: bytes = b""
    person: str = ""
    """The same word for all visits of whom the same face was seen a while ago: nobody makes usual by themselves what they alone do."""
    known: bool = False
    """Whether it was looked for among earlier visits."""
    crossings_until_s: float = float("-inf")
    """Its crossings up to then are counted."""
    unlike_others: bool = False
    """A fact spoke against this visit: nothing usual is learned from it."""
    refused: int = 0
    """How often a read of theirs was,"""
    let_in: bool = False
    """and whether the last one was not."""
    crowd: float = 1.0
    """The most people who stood at the door meanwhile, from a crowd on."""
    followed_m: float = FAR_M
    """How near they came behind somebody, at the nearest."""

    @property
    def ended_well(self) -> bool:
        """Nothing spoke against it, and whoever was refused was let in after all."""
        return not self.unlike_others and (self.let_in or not self.refused)

    def answered(self, what: str) -> None:
        """The door's answer to a read of theirs."""
        if what in ("granted", "denied"):
            self.refused += what == "denied"
            self.let_in = what == "granted"

    def kept_company(self, scene: Sequence[Evidence]) -> None:
        """What is told of several people, as far as it is theirs too."""
        for each in scene:
            if each.kind == "crowding":
                self.crowd = max(self.crowd, each.value)
            elif each.kind == "following" and each.track is not None and each.track == self.body:
                self.followed_m = min(self.followed_m, each.value)

    def take(self, at_s: float, sighting: Sighting) -> None:
        """What was seen of them in a frame."""
        face, point = sighting.face, sighting.point
        self.seen_s = max(self.seen_s, sighting.found_s(at_s))
        if point is not None:
            self.point, self.placed_s = point, self.seen_s
        self.path.take(at_s, point)
        self.zones.take(at_s, point)
        self.glances.take(at_s, face.attention if face is not None else None)
        if face is None:
            return
        self.face, self.embedding = face.track, face.embedding or self.embedding
        self.brief = face.brief_changes or self.brief
        if self.stress is not None:
            self.stress.take(at_s, face)


class Visits:
    """Everybody in view. `begin` makes a visit with empty memories: (id, since_s) -> Visit."""

    def __init__(self, begin: Callable[[int, float], Visit], settings: VisitSettings | None = None) -> None:
        self._begin, self._settings = begin, settings or VisitSettings()
        self._visits: list[Visit] = []
        self._before: deque[Visit] = deque(maxlen=self._settings.most_remembered)
        self._last_id = 0

    def take(self, observation: Observation, locate: Locate) -> list[Visit]:
        """Take in a frame; returns the visits that are over. Frames are to come in the order in which they were taken."""
        now_s, taken = observation.taken_s, set[int]()
        for sighting in sightings(observation, locate)[: self._settings.most]:
            visit = self._of(sighting, now_s, taken)
            taken.add(visit.id)
            visit.body = sighting.body.track if sighting.body is not None else visit.body
            visit.top_px = sighting.body.box_px[1] if sighting.body is not None and sighting.point is not None else None
            visit.take(now_s, sighting)
            self._recognise(visit, now_s)
        return self._end(now_s)

    def present(self) -> list[Visit]:
        """Everybody who is here, or was a moment ago, in the order in which they came."""
        return list(self._visits)

    def with_face(self, track: int | None) -> Visit | None:
        """Whose face this track is, of those who are here."""
        return next((visit for visit in self._visits if track is not None and visit.face == track), None)

    def _of(self, sighting: Sighting, now_s: float, taken: set[int]) -> Visit:
        by_body = self._find(sighting.body.track if sighting.body else None, "body")
        by_face = self._find(sighting.face.track if sighting.face else None, "face")
        if by_body is not None and by_face is not None and by_body is not by_face:
            return self._joined(by_body, by_face)
        return by_body or by_face or self._lost_here(sighting, now_s, taken) or self._new(now_s)

    def _find(self, track: int | None, kind: str) -> Visit | None:
        return next((visit for visit in self._visits if track is not None and getattr(visit, kind) == track), None)

    def _joined(self, one: Visit, other: Visit) -> Visit:
        """The face was another visit's until now: the longer memory is kept."""
        kept, dropped = sorted((one, other), key=lambda visit: visit.since_s)
        kept.unlike_others |= dropped.unlike_others
        kept.crossings_until_s = max(kept.crossings_until_s, dropped.crossings_until_s)
        kept.refused, kept.let_in = kept.refused + dropped.refused, kept.let_in or dropped.let_in
        kept.norm_key = kept.norm_key or dropped.norm_key
        self._visits.remove(dropped)
        return kept

    def _lost_here(self, sighting: Sighting, now_s: float, taken: set[int]) -> Visit | None:
        """The visit whose track broke off here a moment ago."""
        if sighting.point is None:
            return None
        lost = [
            visit for visit in self._visits if visit.id not in taken and visit.seen_s < now_s and self._may_be(visit, sighting)
        ]
        near = [(distance, visit) for visit in lost if (distance := self._apart_m(visit, sighting.point, now_s)) is not None]
        return min(near, key=lambda pair: pair[0])[1] if near else None

    def _may_be(self, visit: Visit, sighting: Sighting) -> bool:
        """By their faces, where both are known. At the door nobody is taken for whom was lost there: that one went in, this one is next."""
        face = sighting.face.embedding if sighting.face is not None else b""
        if face and visit.embedding:
            return alike(face, visit.embedding) >= self._settings.same_face
        return visit.point is not None and visit.point.y_m > self._settings.at_door_m

    def _apart_m(self, visit: Visit, point: FloorPoint, now_s: float) -> float | None:
        if visit.point is None:
            return None
        reach_m = self._settings.near_m + self._settings.walks_m_s * (now_s - visit.seen_s)
        apart_m = hypot(point.x_m - visit.point.x_m, point.y_m - visit.point.y_m)
        return apart_m if apart_m <= reach_m else None

    def _new(self, now_s: float) -> Visit:
        self._last_id += 1
        visit = self._begin(self._last_id, now_s)
        visit.person = str(visit.id)
        self._visits.append(visit)
        return visit

    def _end(self, now_s: float) -> list[Visit]:
        over = [visit for visit in self._visits if not 0.0 <= now_s - visit.seen_s <= self._settings.gone_s]
        self._visits = [visit for visit in self._visits if visit not in over]
        self._before.extend(visit for visit in over if visit.embedding)
        while self._before and now_s - self._before[0].seen_s > self._settings.again_within_s:
            self._before.popleft()
        return over

    def _recognise(self, visit: Visit, now_s: float) -> None:
        """Whether this person was here before, by the face, once it is known."""
        if visit.known or not visit.embedding:
            return
        visit.known = True
        earlier = [before for before in self._before if self._is_again(before, visit, now_s)]
        visit.came_before = tuple(sorted({end_s for before in earlier for end_s in (before.seen_s, *before.came_before)}))
        visit.person = earlier[0].person if earlier else visit.person

    def _is_again(self, before: Visit, visit: Visit, now_s: float) -> bool:
        away_s = visit.since_s - before.seen_s
        if not self._settings.again_after_s <= away_s or now_s - before.seen_s > self._settings.again_within_s:
            return False
        return alike(before.embedding, visit.embedding) >= self._settings.same_face


def sightings(observation: Observation, locate: Locate) -> list[Sighting]:
    """Bodies with their faces, and faces without a body, nearest first where that is known."""
    faces = {face.track: face for face in observation.faces}
    found = [Sighting(body, faces.pop(body.face, None) if body.face is not None else None, None) for body in observation.persons]
    found += [Sighting(None, face, None) for face in faces.values()]
    placed = [sighting._replace(point=locate(sighting.body, sighting.face)) for sighting in found]
    return sorted(placed, key=lambda one: one.point.y_m if one.point is not None else float("inf"))


def alike(one: bytes, other: bytes) -> float:
    """Cosine of two unit vectors, float32 little-endian; 0 when they are not of one length."""
    if len(one) != len(other) or not one:
        return 0.0
    return float(np.frombuffer(one, "<f4") @ np.frombuffer(other, "<f4"))
