"""Evidence -> a risk with its reasons. Pure arithmetic that a person can do again by hand; docs/RISK.md shows an example.

Each item adds `deviation * confidence * weight`. Items are joined as chances of independent causes are, 1 - (1 - a)(1 - b)…: never more
than 1, never less for one item more, and the same in any order. What cannot be measured has no item, and so raises nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from agent.core.conduct import Conduct, Evidence, PersonConduct
from agent.core.evidence import KINDS, sentence
from agent.core.risk_policy import BANDS, Band, RiskPolicy

USUAL_P = 0.05
"""One ordinary visit in twenty shows as much: nothing odd yet,"""
ODD_P = 0.001
"""and one in a thousand: as odd as can be. Between them deviation grows with the logarithm."""


class Weighed(Struct, frozen=True, kw_only=True):
    """One item and what it adds."""

    evidence: Evidence
    deviation: float
    """0 usual .. 1 as odd as can be."""
    points: float
    """What it adds to the risk, were it alone."""
    capped: bool = False
    """It belongs to a group whose sum was more than the policy lets it be."""


class Risk(Struct, frozen=True, kw_only=True):
    """How far what was seen is from what is usual here: no verdict on a mind."""

    score: float
    """0..1"""
    band: Band
    items: tuple[Weighed, ...]
    """The heaviest first, one of each kind."""
    hard: float = 0.0
    """What the harder facts among them come to by themselves."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Of what adds something, the heaviest first."""
        return tuple(sentence(item.evidence) for item in self.items if item.points > 0)

    @property
    def headline(self) -> str:
        """The heaviest; empty where nothing adds anything."""
        return sentence(self.items[0].evidence) if self.items and self.items[0].points > 0 else ""

    def may_keep_out(self, policy: RiskPolicy) -> bool:
        """Whether a person may be kept out for it: only beside a harder fact, unless the site's policy says otherwise in writing."""
        return policy.deny_on_behaviour_alone or self.hard >= policy.least_hard


NOTHING = Risk(score=0.0, band="ordinary", items=())


def assess(evidence: Iterable[Evidence], policy: RiskPolicy) -> Risk:
    """The risk of all these together. Kinds that are not known here and numbers that are none are left out."""
    items = _one_of_each(weigh(each) for each in evidence if is_sound(each))
    hard = _joined(item.points for item in items if KINDS[item.evidence.kind].hard)
    emotional = _joined(item.points for item in items if KINDS[item.evidence.kind].emotional)
    behaviour = _joined(item.points for item in items if _is_behaviour(item))
    soft = _joined((min(emotional, policy.emotional_at_most), behaviour))
    most = policy.behaviour_at_most
    score = _joined((hard, min(soft, most)))
    told = tuple(_marked(item, emotional > policy.emotional_at_most, soft > most) for item in items)
    return Risk(score=score, band=policy.band_of(score), items=told, hard=hard)


def weigh(evidence: Evidence) -> Weighed:
    """One item by itself."""
    deviation = deviation_of(evidence)
    return Weighed(evidence=evidence, deviation=deviation,
                   points=deviation * min(1.0, max(0.0, evidence.confidence)) * KINDS[evidence.kind].weight)  # fmt: skip


def deviation_of(evidence: Evidence) -> float:
    """0 for what one ordinary visit in twenty shows, 1 for one in a thousand, and for facts; 0 where no norm says anything."""
    if KINDS[evidence.kind].tail == "fact":
        return 1.0
    if evidence.p is None:
        return 0.0
    oddness = math.log10(USUAL_P / max(evidence.p, ODD_P)) / math.log10(USUAL_P / ODD_P)
    return min(1.0, max(0.0, oddness))


def is_sound(evidence: Evidence) -> bool:
    """A kind that is known here, and numbers that are numbers."""
    usual = evidence.usual
    numbers = (evidence.value, evidence.over_s, evidence.confidence, evidence.at_s, 0.0 if evidence.p is None else evidence.p,
               *((usual.median, usual.low, usual.high, usual.visits) if usual else ()))  # fmt: skip
    return evidence.kind in KINDS and all(map(math.isfinite, numbers))


def _one_of_each(items: Iterable[Weighed]) -> list[Weighed]:
    """Of each kind the heaviest, the heaviest kind first: what is told twice is no more than what is told once."""
    best: dict[str, Weighed] = {}
    for item in items:
        known = best.get(item.evidence.kind)
        if known is None or _rank(item) > _rank(known):
            best[item.evidence.kind] = item
    return sorted(best.values(), key=_rank, reverse=True)


def _rank(item: Weighed) -> tuple[float, float, float, str, float]:
    """Total enough that the same items give the same answer in any order."""
    return item.points, item.deviation, item.evidence.value, item.evidence.kind, item.evidence.at_s


def _joined(points: Iterable[float]) -> float:
    """1 - (1 - a)(1 - b)…, in one order, for the last bit of a product depends on it."""
    return 1.0 - math.prod(1.0 - each for each in sorted(points))


def _is_behaviour(item: Weighed) -> bool:
    kind = KINDS[item.evidence.kind]
    return not kind.hard and not kind.emotional


def _marked(item: Weighed, emotional: bool, soft: bool) -> Weighed:
    kind = KINDS[item.evidence.kind]
    capped = not kind.hard and item.points > 0 and (soft or (emotional and kind.emotional))
    return Weighed(evidence=item.evidence, deviation=item.deviation, points=item.points, capped=True) if capped else item


# -- over time -----------------------------------------------------------------------------------------------------------------


class RiskTrack:
    """The band in force over time: raised at once, lowered when it has been lower for so long."""

    def __init__(self, lower_after_s: float) -> None:
        self._lower_after_s = lower_after_s
        self._last_s: dict[Band, float] = {}
        """When each band, or a higher one, was last seen."""

    def take(self, now_s: float, band: Band) -> Band:
        """What is seen now; returns the band in force."""
        for lower in BANDS[: BANDS.index(band) + 1]:
            self._last_s[lower] = now_s
        return self.band(now_s)

    def band(self, now_s: float) -> Band:
        lasting = (band for band in reversed(BANDS) if now_s - self._last_s.get(band, -math.inf) < self._lower_after_s)
        return next(lasting, "ordinary")


# -- whose conduct -------------------------------------------------------------------------------------------------------------

AT_DOOR_M = 2.0
"""Whoever holds a fob to the reader stands within so much of the threshold's middle."""


def whose(conduct: Conduct, face: int | None) -> PersonConduct | None:
    """The person of a face track; else whoever stands nearest at the door, or is there alone. None when it would be a guess."""
    if face is not None and (known := next((p for p in conduct.persons if p.face == face), None)) is not None:
        return known
    placed = [(math.hypot(*p.at_m), number) for number, p in enumerate(conduct.persons) if p.at_m is not None]
    near = min((place for place in placed if place[0] <= AT_DOOR_M), default=None)
    if near is not None:
        return conduct.persons[near[1]]
    alone = len(conduct.persons) == 1 and conduct.persons[0].at_m is None
    return conduct.persons[0] if alone else None


def evidence_about(person: PersonConduct | None, place: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """What is known of a person and of the place. What the place tells of somebody else is not theirs: of whom a tailgater has slipped in
    behind a minute ago, say."""
    return (*(person.evidence if person else ()), *(each for each in place if _concerns(each, person)))


def _concerns(evidence: Evidence, person: PersonConduct | None) -> bool:
    if evidence.track is None and evidence.face is None:
        return True
    same_body = person is not None and person.body is not None and person.body == evidence.track
    return same_body or (person is not None and person.face is not None and person.face == evidence.face)


MOST_PERSONS, MOST_ITEMS, MOST_PLACES = 128, 512, 64
MOST_NAME = 40
"""Characters: as long as the name of a zone or a line may be (docs/FLOOR.md)."""
"""Vision tells of six people and some twenty kinds; what is far more is no answer to weigh while somebody waits for the lock."""


def is_flood(conduct: Conduct) -> bool:
    """More than anybody can do before a door."""
    places = (*conduct.in_zones, *conduct.crossed)
    return (len(conduct.persons) > MOST_PERSONS or sum(1 for _ in _all(conduct)) > MOST_ITEMS or len(places) > 2 * MOST_PLACES
            or any(len(name) > MOST_NAME for name in places))  # fmt: skip


def lawful(conduct: Conduct, emotional_allowed: bool) -> tuple[Conduct, int, int]:
    """What may be believed and may be known here, how many items could not be believed, and how many the deployment forbids."""
    kept = [_lawful(evidence, emotional_allowed) for evidence in _all(conduct)]
    if all(word == "kept" for word in kept) and all(_abstained(p, emotional_allowed) == p.abstained for p in conduct.persons):
        return conduct, 0, 0
    persons = tuple(_only(person, emotional_allowed) for person in conduct.persons)
    scene = tuple(each for each in conduct.scene if _lawful(each, emotional_allowed) == "kept")
    clean = replace(conduct, persons=persons, scene=scene)
    return clean, kept.count("unsound"), kept.count("forbidden")


def _all(conduct: Conduct) -> Iterable[Evidence]:
    yield from conduct.scene
    for person in conduct.persons:
        yield from person.evidence


def _lawful(evidence: Evidence, emotional_allowed: bool) -> str:
    if not is_sound(evidence):
        return "unsound"
    return "forbidden" if KINDS[evidence.kind].emotional and not emotional_allowed else "kept"


def _only(person: PersonConduct, emotional_allowed: bool) -> PersonConduct:
    kept = tuple(each for each in person.evidence if _lawful(each, emotional_allowed) == "kept")
    return PersonConduct(body=person.body, face=person.face, since_s=person.since_s, zone=person.zone, at_m=person.at_m,
                         speed_m_s=person.speed_m_s, evidence=kept, abstained=_abstained(person, emotional_allowed))  # fmt: skip


_EMOTIONAL_WORDS = re.compile(r"stress|emotion|express|aggress|panic|arous|mood", re.IGNORECASE)


def _abstained(person: PersonConduct, emotional_allowed: bool) -> tuple[str, ...]:
    """Not even that somebody's stress could not be measured."""
    return tuple(word for word in person.abstained if emotional_allowed or not _EMOTIONAL_WORDS.search(word))
