"""The watcher: observations and the door's news in, conduct out. Composes what the other files of this folder measure.

    Observation ─ visits (ground: pixels to metres) ─┬─ path, zones, glances, stress of each person ─ measures ─┐
    DoorNews ────────────────────────────────────────┴─ passages: several people, the door ─────────────────────┤
                                                                                norms: usual? ── Evidence ──► Conduct

Pure: it holds what it has seen, and time comes with the observations. Nothing is decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from math import hypot, inf

from msgspec import Struct
from msgspec.structs import replace

from agent.behaviour.camera import CameraSigns
from agent.behaviour.floor import FloorPlan
from agent.behaviour.ground import FloorPoint, Locator
from agent.behaviour.measures import Account, Measured, account
from agent.behaviour.norms import Moment, Norms
from agent.behaviour.passages import Passages, Subject, head_height_m
from agent.behaviour.stress import StressTrack
from agent.behaviour.visits import Visit, Visits
from agent.behaviour.zones import ZoneTrack, occupancy
from agent.core.conduct import Conduct, DoorNews, Evidence, FloorKind, PersonConduct
from agent.core.evidence import KINDS
from agent.core.messages import FaceSeen, Observation, PersonSeen


class WatchSettings(Struct, frozen=True, kw_only=True):
    """How often, and of whom."""

    every_s: float = 0.2
    """How often conduct is told."""
    most_told: int = 6
    """So many people, the nearest first."""
    stands_s: float = 1.0
    """Who was found so lately still stands there."""
    least_visit_s: float = 1.0
    """Shorter visits teach nothing."""
    news_waits: int = 64
    emotional: bool = False
    """Whether stress signs are measured: only where the deployment's profile allows it."""


class Watcher:
    """Everything that is measured of people at one door."""

    def __init__(self, plan: FloorPlan, norms: Norms, settings: WatchSettings | None = None) -> None:
        self.plan, self.norms, self._settings = plan, norms, settings or WatchSettings()
        self._places = Locator(plan.ground)
        self._visits = Visits(self._begin)
        self._passages, self._camera = Passages(), CameraSigns()
        self._news: deque[DoorNews] = deque(maxlen=self._settings.news_waits)
        self._told_s = float("-inf")
        self._scene: tuple[Evidence, ...] = ()
        self._crossed: dict[str, tuple[int, int]] = {}
        self.floor: FloorKind = plan.ground.kind
        """`moved` while the marking is not valid: then nothing is told in metres."""

    def news(self, news: DoorNews) -> None:
        """Something happened at the door."""
        self._news.append(news)
        visit = self._visits.with_face(news.face)
        if visit is None:
            return
        visit.answered(news.what)
        visit.norm_key = news.norm_key or visit.norm_key

    def see(self, observation: Observation, wall: datetime, things: Sequence[Evidence] = (),
            camera_signs: tuple[str, ...] = ()) -> Conduct | None:  # fmt: skip
        """Take in a frame; now and then, what is known of everybody. `wall` is local time; `things`: what was left or carried off;
        `camera_signs`: what somebody may have done to the camera."""
        now_s = observation.taken_s
        for visit in self._visits.take(observation, self._locate):
            self._learn(visit, wall)
        subjects = [self._subject(visit, now_s) for visit in self._visits.present()]
        news = [self._news.popleft() for _ in range(len(self._news))]
        passages = self._passages.take(now_s, subjects, news)
        for visit in self._visits.present():
            visit.kept_company(passages)
            self._count_crossings(visit, now_s)
        self._scene = (*passages, *things, *self._camera.take(camera_signs, subjects, now_s))
        if 0.0 <= now_s - self._told_s < self._settings.every_s and not news:
            return None
        self._told_s = now_s
        return self._conduct(now_s, wall)

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _begin(self, number: int, since_s: float) -> Visit:
        stress = StressTrack() if self._settings.emotional else None
        return Visit(id=number, since_s=since_s, zones=ZoneTrack(self.plan), stress=stress)

    def _locate(self, body: PersonSeen | None, face: FaceSeen | None) -> FloorPoint | None:
        return None if self.floor in ("moved", "none") else self._places(body, face)

    def _subject(self, visit: Visit, now_s: float) -> Subject:
        return Subject(id=visit.id, body=visit.body, face=visit.face, point=visit.point, zone=self._kind_of(visit, now_s),
                       since_s=visit.since_s, seen_s=visit.placed_s or visit.seen_s, height_m=self._height_m(visit))  # fmt: skip

    def _kind_of(self, visit: Visit, now_s: float) -> str:
        """Of the zone that somebody is in: its name is the installer's affair."""
        zone = self.plan.zone(visit.zones.state(now_s).zone)
        return zone.kind if zone is not None else ""

    def _height_m(self, visit: Visit) -> float | None:
        """Of their crown above the floor; None where the picture cuts it off."""
        if visit.point is None or visit.top_px is None or visit.top_px <= 1.0 or self.floor in ("moved", "none"):
            return None
        return head_height_m(self.plan.ground, (visit.point.x_m, visit.point.y_m), visit.top_px)

    def _count_crossings(self, visit: Visit, now_s: float) -> None:
        for crossing in visit.zones.state(now_s).crossings:
            if crossing.at_s > visit.crossings_until_s:
                inwards, outwards = self._crossed.get(crossing.line, (0, 0))
                came_in = crossing.direction == "in"
                self._crossed[crossing.line] = (inwards + came_in, outwards + (not came_in))
                visit.crossings_until_s = crossing.at_s

    def _conduct(self, now_s: float, wall: datetime) -> Conduct:
        present = sorted(self._visits.present(), key=_away_m)[: self._settings.most_told]
        persons = tuple(self._person(visit, now_s, wall) for visit in present)
        scene = tuple(self._judged(each, wall, "") for each in self._scene if not self._is_of(each, present))
        zones = occupancy(visit.zones.state(now_s) for visit in self._visits.present() if self._at_m(visit, now_s) is not None)
        return Conduct(at_s=now_s, persons=persons, scene=scene, in_zones=zones, crossed=dict(self._crossed), floor=self.floor,
                       norms=self.norms.edition)  # fmt: skip

    def _person(self, visit: Visit, now_s: float, wall: datetime) -> PersonConduct:
        told = account(visit, self.plan, now_s, wall)
        return PersonConduct(
            body=visit.body, face=visit.face, since_s=visit.since_s, zone=told.zone.zone, abstained=told.abstained,
            at_m=self._at_m(visit, now_s),
            speed_m_s=round(told.motion.speed_m_s, 2) if told.motion is not None else None,
            evidence=tuple(self._judged(each, wall, visit.norm_key) for each in self._evidence(visit, told, now_s)),
        )  # fmt: skip

    def _at_m(self, visit: Visit, now_s: float) -> tuple[float, float] | None:
        """Where they stand; whoever was last found longer ago has gone in, perhaps, and is not who holds a fob out now."""
        if visit.point is None or now_s - visit.seen_s > self._settings.stands_s:
            return None
        return round(visit.point.x_m, 2), round(visit.point.y_m, 2)

    def _evidence(self, visit: Visit, told: Account, now_s: float) -> list[Evidence]:
        of_several = [each for each in self._scene if self._is_of(each, [visit])]
        visit.unlike_others |= any(_speaks_against(each.kind) for each in of_several)
        return [*(_evidence(kind, measured, visit, now_s) for kind, measured in told.values.items()), *of_several]

    @staticmethod
    def _is_of(evidence: Evidence, visits: Sequence[Visit]) -> bool:
        """Whether it is about one of these people."""
        return any(
            (evidence.track is not None and evidence.track == visit.body)
            or (evidence.face is not None and evidence.face == visit.face)
            for visit in visits
        )

    def _judged(self, evidence: Evidence, wall: datetime, norm_key: str) -> Evidence:
        """Held against what is usual."""
        if KINDS[evidence.kind].tail == "fact":
            return evidence
        usual, p = self.norms.judge(evidence.kind, evidence.value, Moment(wall, norm_key))
        return replace(evidence, usual=usual, p=p)

    def _learn(self, visit: Visit, wall: datetime) -> None:
        """A visit is over: what it showed becomes part of what is usual, unless a fact spoke against it."""
        if not visit.ended_well or visit.seen_s - visit.since_s < self._settings.least_visit_s:
            return
        values = {kind: measured.value for kind, measured in account(visit, self.plan, visit.seen_s, wall).values.items()}
        values["denied_reads"] = float(visit.refused)
        if visit.point is not None:
            values |= {"crowding": visit.crowd, "following": visit.followed_m}
        if any(map(_speaks_against, values)):
            return
        self.norms.learn(values, Moment(wall, visit.norm_key), visit.norm_key or visit.person)


def _evidence(kind: str, measured: Measured, visit: Visit, now_s: float) -> Evidence:
    return Evidence(kind=kind, value=round(measured.value, 3), over_s=round(measured.over_s, 2), confidence=round(measured.confidence, 3),
                    detail=measured.detail, track=visit.body, face=visit.face, at_s=now_s)  # fmt: skip


def _speaks_against(kind: str) -> bool:
    """A fact that weighs anything: a child at somebody's hand is told of and is nothing odd."""
    return KINDS[kind].tail == "fact" and KINDS[kind].weight > 0


def _away_m(visit: Visit) -> float:
    """From the middle of the threshold; whoever has no place comes last."""
    return hypot(visit.point.x_m, visit.point.y_m) if visit.point is not None else inf
