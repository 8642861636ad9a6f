"""What people did in a film, when it is over: ways, zones, looks, what stood out. The measures are those of agent.behaviour, the risk is
agent.core.risk's; here they are only gathered over whole visits, where a door keeps half a minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from agent.analysis.trace import Glance, Place, Side, Speed, Stretch, Trace, length_m, straightness
from agent.behaviour.floor import FloorPlan
from agent.behaviour.glances import Glances, GlanceSettings, GlanceTrack
from agent.behaviour.ground import FloorPoint, Locator
from agent.behaviour.paths import PathSettings, PathTrack
from agent.behaviour.visits import Visit, Visits
from agent.behaviour.zones import ZoneTrack
from agent.core.conduct import Conduct, FloorKind, PersonConduct
from agent.core.evidence import KINDS, sentence
from agent.core.messages import Observation
from agent.core.risk import Risk, Weighed, assess
from agent.core.risk_policy import RiskPolicy

WHOLE_S = 7200.0
"""A visit's memories reach back so far, so that the summary is of all of it."""
SPEED_LATE_S = 0.6
"""A speed is that of the middle of 1.2 s (agent.behaviour.paths)."""
JOINED_S = 0.5
"""Looks of one kind that follow each other within this are one stretch."""
SEEN_S = 0.4
"""A body that was not found for so long is not in view: they are looked for five times a second."""
MOST_PLACES = 20_000
SIDES: tuple[Side, ...] = ("left", "right", "back", "up")


class Told(Struct, frozen=True, kw_only=True):
    """One item of evidence, as people and programs read it."""

    kind: str
    value: float
    unit: str
    over_s: float
    confidence: float
    p: float | None
    points: float
    """What it adds to the risk by itself."""
    sentence: str
    at_s: float


class RiskTold(Struct, frozen=True, kw_only=True):
    """The highest risk of a visit."""

    score: float
    band: str
    at_s: float


class Looks(Struct, frozen=True, kw_only=True):
    """Glances of a whole visit. Nothing is counted in time that could not be measured."""

    count: int
    left: int
    right: int
    """Sides of the picture."""
    back: int
    up: int
    down: int
    """Not in `count`."""
    times_s: tuple[float, ...]
    away_s: float
    measured_s: float
    not_measured_s: dict[str, float]
    """Seconds by reason."""


class Crossed(Struct, frozen=True, kw_only=True):
    """Somebody crossed a line."""

    line: str
    direction: str
    at_s: float


class Behaved(Struct, frozen=True, kw_only=True):
    """One visit. In metres only where a floor is known; null is what could not be measured."""

    number: int
    bodies: tuple[int, ...]
    faces: tuple[int, ...]
    """Tracks, as in the observations."""
    first_s: float
    last_s: float
    dwell_s: dict[str, float]
    entries: dict[str, int]
    path_m: float | None
    speed_median_m_s: float | None
    """While walking; 0 for who only stood."""
    speed_peak_m_s: float | None
    """The highest that was told, each over 1.2 s."""
    straightness: float | None
    turned_back: int | None
    glances: Looks
    crossings: tuple[Crossed, ...]
    risk: RiskTold | None
    evidence: tuple[Told, ...]
    """At the time of the highest risk, the heaviest first."""
    abstained: tuple[str, ...]
    """What could not be measured when they were last seen, and why."""


class Behaviour(Struct, frozen=True, kw_only=True):
    """The film as a whole."""

    floor: FloorKind
    floor_says: str
    """Where metres come from, in words."""
    most_people: int
    """At once."""
    crossed_in: int
    crossed_out: int
    scene: tuple[Told, ...]
    """About the place and several people: the strongest of each kind."""
    people: tuple[Behaved, ...]


@dataclass
class _Record:
    """One visit as it grows."""

    number: int
    visit: Visit
    first_s: float
    last_s: float
    noted_s: float
    """The newest frame in which they were in view; `last_s` is when they were last really found."""
    bodies: dict[int, None] = field(default_factory=dict)
    faces: dict[int, None] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    speeds: list[Speed] = field(default_factory=list)
    glances: list[Glance] = field(default_factory=list)
    looks: list[Stretch] = field(default_factory=list)
    unmeasured: dict[str, float] = field(default_factory=dict)
    known: Glances | None = None
    risk: Risk | None = None
    risk_s: float = 0.0
    abstained: tuple[str, ...] = ()
    placed: FloorPoint | None = None
    """The newest place: the visit keeps its last one while none is known."""


class Recorder:
    """Gathers what people do in one film. `plan` is that of the film's own pictures."""

    def __init__(self, plan: FloorPlan, floor_says: str, policy: RiskPolicy | None = None) -> None:
        self.plan, self._says, self._policy = plan, floor_says, policy or RiskPolicy()
        self._visits, self._locate = Visits(self._begin), Locator(plan.ground)
        self._records: dict[int, _Record] = {}
        self._scene: dict[str, Weighed] = {}
        self._most = 0

    def take(self, observation: Observation, conduct: Conduct | None) -> None:
        """A frame, and what the watcher told of it if it told anything."""
        now_s, before = observation.taken_s, {visit.id for visit in self._visits.present()}
        over = {visit.id for visit in self._visits.take(observation, self._locate)}
        present = self._visits.present()
        seen = [visit for visit in present if now_s - visit.seen_s <= SEEN_S]
        self._most = max(self._most, len(seen))
        for visit in seen:
            record = self._records.setdefault(visit.id, _Record(visit.id, visit, now_s, now_s, now_s))
            _note(record, now_s)
        self._join(before - over - {visit.id for visit in present}, present)
        if conduct is not None:
            self._hear(conduct, present)

    def traces(self) -> tuple[Trace, ...]:
        """For the plot: everybody who was there, in the order in which they came."""
        return tuple(_trace(record, number) for number, record in enumerate(self._in_order(), start=1))

    def behaviour(self) -> Behaviour:
        people = tuple(_behaved(record, number) for number, record in enumerate(self._in_order(), start=1))
        directions = [crossing.direction for person in people for crossing in person.crossings]
        return Behaviour(
            floor=self.plan.ground.kind, floor_says=self._says, most_people=self._most, crossed_in=directions.count("in"),
            crossed_out=directions.count("out"), scene=tuple(_told(each) for each in self._scene.values()), people=people,
        )  # fmt: skip

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _begin(self, number: int, since_s: float) -> Visit:
        return Visit(id=number, since_s=since_s, zones=ZoneTrack(self.plan), path=PathTrack(PathSettings(window_s=WHOLE_S)),
                     glances=GlanceTrack(GlanceSettings(window_s=WHOLE_S, most_times=1024)))  # fmt: skip

    def _in_order(self) -> list[_Record]:
        return sorted(self._records.values(), key=lambda record: (record.first_s, record.number))

    def _join(self, gone: Iterable[int], present: Sequence[Visit]) -> None:
        """A visit that turned out to be another's: what was gathered of it is that one's."""
        for number in gone:
            record = self._records.get(number)
            if record is None:
                continue
            heirs = (self._records[visit.id] for visit in present if visit.id in self._records and _same(visit, record))
            heir = next(heirs, None)
            if heir is not None:
                _inherit(heir, self._records.pop(number))

    def _hear(self, conduct: Conduct, present: Sequence[Visit]) -> None:
        for person in conduct.persons:
            meant = next((visit.id for visit in present if (visit.body, visit.face) == (person.body, person.face)), None)
            if meant in self._records:
                self._hear_of(self._records[meant], person, conduct.at_s)
        for item in assess(conduct.scene, self._policy).items:
            known = self._scene.get(item.evidence.kind)
            if known is None or (item.points, item.evidence.value) > (known.points, known.evidence.value):
                self._scene[item.evidence.kind] = item

    def _hear_of(self, record: _Record, person: PersonConduct, at_s: float) -> None:
        if at_s - record.last_s <= SEEN_S:
            record.speeds.append(Speed(at_s - SPEED_LATE_S, person.speed_m_s))
            record.abstained = person.abstained
        risk = assess(person.evidence, self._policy)
        if record.risk is None or risk.score >= record.risk.score:
            record.risk, record.risk_s = risk, at_s


def _same(visit: Visit, record: _Record) -> bool:
    return visit.body in record.bodies or visit.face in record.faces


def _note(record: _Record, now_s: float) -> None:
    """A frame in which somebody was seen."""
    visit, gap_s = record.visit, now_s - record.noted_s
    record.noted_s, record.last_s = now_s, max(record.last_s, visit.seen_s)
    for tracks, track in ((record.bodies, visit.body), (record.faces, visit.face)):
        if track is not None:
            tracks[track] = None
    if visit.point is not None and visit.point is not record.placed and len(record.places) < MOST_PLACES:
        record.placed = visit.point
        record.places.append(Place(now_s, visit.point.x_m, visit.point.y_m))
    _attend(record, visit.glances.glances(now_s), now_s, gap_s)


def _attend(record: _Record, glances: Glances, now_s: float, gap_s: float) -> None:
    known, record.known = record.known, glances
    fresh = glances.times_s[-(glances.count - known.count) :] if known is not None and glances.count > known.count else ()
    sides = [side for side in SIDES for _ in range(getattr(glances, side) - (getattr(known, side) if known is not None else 0))]
    record.glances += [Glance(at_s, side) for at_s, side in zip(fresh, sides, strict=False)]
    if glances.abstained:
        record.unmeasured[glances.abstained] = record.unmeasured.get(glances.abstained, 0.0) + min(gap_s, JOINED_S)
    away = known is not None and glances.away_s > known.away_s
    state = "not_measured" if glances.abstained else "away" if away else "measured"
    last = record.looks[-1] if record.looks else None
    if last is not None and last.state == state and now_s - last.to_s <= JOINED_S:
        record.looks[-1] = last._replace(to_s=now_s)
    else:
        began_s = last.to_s if last is not None and now_s - last.to_s <= JOINED_S else now_s
        record.looks.append(Stretch(began_s, now_s, state))  # type: ignore[arg-type]


def _inherit(heir: _Record, record: _Record) -> None:
    heir.first_s = min(heir.first_s, record.first_s)
    heir.bodies, heir.faces = {**record.bodies, **heir.bodies}, {**record.faces, **heir.faces}
    heir.places = sorted([*heir.places, *record.places])
    heir.speeds = sorted([*heir.speeds, *record.speeds], key=lambda speed: speed.at_s)
    heir.glances = sorted([*heir.glances, *record.glances])
    heir.looks = sorted([*heir.looks, *record.looks])


def _trace(record: _Record, number: int) -> Trace:
    return Trace(number=number, first_s=record.first_s, last_s=record.last_s, places=tuple(record.places), speeds=tuple(record.speeds),
                 dwell_s=dict(record.visit.zones.state(record.last_s).dwell_s), glances=tuple(record.glances),
                 looks=tuple(record.looks), unmeasured=max(record.unmeasured, key=record.unmeasured.__getitem__, default=""))  # fmt: skip


def _behaved(record: _Record, number: int) -> Behaved:
    zone, motion = record.visit.zones.state(record.last_s), record.visit.path.motion(record.last_s)
    return Behaved(
        number=number, bodies=tuple(record.bodies), faces=tuple(record.faces), first_s=record.first_s, last_s=record.last_s,
        dwell_s=dict(zone.dwell_s), entries=dict(zone.entries), glances=_looks(record),
        path_m=length_m(record.places) if record.places else None, speed_peak_m_s=_peak(record),
        speed_median_m_s=None if motion is None else motion.speed_median_m_s,
        straightness=straightness(record.places), turned_back=None if motion is None else motion.turned_back_visit,
        crossings=tuple(Crossed(line=each.line, direction=each.direction, at_s=each.at_s) for each in zone.crossings),
        risk=None if record.risk is None else RiskTold(score=record.risk.score, band=record.risk.band, at_s=record.risk_s),
        evidence=() if record.risk is None else tuple(_told(item) for item in record.risk.items), abstained=record.abstained,
    )  # fmt: skip


def _peak(record: _Record) -> float | None:
    return max((speed.m_s for speed in record.speeds if speed.m_s is not None), default=None)


def _looks(record: _Record) -> Looks:
    known = record.known
    if known is None:
        return Looks(count=0, left=0, right=0, back=0, up=0, down=0, times_s=(), away_s=0.0, measured_s=0.0, not_measured_s={})
    return Looks(count=known.count, left=known.left, right=known.right, back=known.back, up=known.up, down=known.down,
                 times_s=known.times_s, away_s=known.away_s, measured_s=known.measured_s, not_measured_s=record.unmeasured)  # fmt: skip


def _told(item: Weighed) -> Told:
    evidence = item.evidence
    return Told(
        kind=evidence.kind, value=evidence.value, unit=KINDS[evidence.kind].unit, over_s=evidence.over_s, p=evidence.p,
        confidence=evidence.confidence, points=item.points, sentence=sentence(evidence), at_s=evidence.at_s,
    )  # fmt: skip
