"""Risks of people in view and of the place, over time: one lingering person is one episode with few updates, not five events a second.

Pure, and of one thread. An episode begins when a band is above ordinary, is told again only when it comes higher, and ends when nothing has
been seen of it for the policy's `lower_after_s`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from agent.core.conduct import Conduct, Evidence, PersonConduct
from agent.core.evidence import KINDS
from agent.core.risk import NOTHING, Risk, RiskTrack, assess
from agent.core.risk_policy import BANDS, Band, RiskPolicy

MOST_AT_ONCE = 64
"""Episodes that are followed; more would be a broken vision program."""
MOST_NAME = 40
"""Characters of a zone's name that are told."""


class Subject(Struct, frozen=True, kw_only=True):
    """Who or what an episode is about."""

    scene: str = ""
    """A kind of evidence about the place; empty for a person."""
    body: int | None = None
    face: int | None = None
    zone: str = ""
    at_m: tuple[float, float] | None = None


class Turn(Struct, frozen=True, kw_only=True):
    """Something to tell."""

    what: Literal["raised", "cleared"]
    number: int
    """Of the episode, from 1."""
    again: bool
    """It was told before, at a lower band."""
    subject: Subject
    risk: Risk
    """What was seen last; for what is over, what was seen at its worst."""
    band: Band
    lasted_s: float


class Standing(Struct, frozen=True, kw_only=True):
    """The worst there is now."""

    band: Band = "ordinary"
    sentence: str = ""
    zone: str = ""


class _Episode:
    def __init__(self, number: int, subject: Subject, since_s: float, lower_after_s: float) -> None:
        self.number, self.subject, self.since_s = number, subject, since_s
        self.track = RiskTrack(lower_after_s)
        self.told: Band = "ordinary"
        self.told_count = 0.0
        """How many people a told fact spoke of."""
        self.risk = NOTHING
        self.worst = NOTHING

    def is_about(self, subject: Subject) -> bool:
        mine = self.subject
        if subject.scene or mine.scene:
            return subject.scene == mine.scene
        return (mine.body is not None and mine.body == subject.body) or (mine.face is not None and mine.face == subject.face)

    def take(self, now_s: float, subject: Subject, risk: Risk) -> None:
        # A body without its face of a moment ago is still the one that had it
        keep = Subject(scene=subject.scene, body=self.subject.body if subject.body is None else subject.body,
                       face=self.subject.face if subject.face is None else subject.face, zone=subject.zone, at_m=subject.at_m)  # fmt: skip
        self.subject, self.risk = keep, risk
        self.track.take(now_s, risk.band)
        if risk.score >= self.worst.score:
            self.worst = risk

    def turn(self, now_s: float) -> Turn | None:
        band, again = self.track.band(now_s), self.told != "ordinary"
        if band == "ordinary":
            return self._said("cleared", again, self.worst, self.told, now_s) if again else None
        count = _people(self.risk)
        if BANDS.index(band) <= BANDS.index(self.told) and count < self.told_count + 1:
            return None
        self.told, self.told_count = max(band, self.told, key=BANDS.index), count
        return self._said("raised", again, self.risk, band, now_s)

    def _said(self, what: Literal["raised", "cleared"], again: bool, risk: Risk, band: Band, now_s: float) -> Turn:
        return Turn(what=what, number=self.number, again=again and what == "raised", subject=self.subject, risk=risk, band=band,
                    lasted_s=now_s - self.since_s)  # fmt: skip


def _people(risk: Risk) -> float:
    """How many people the facts speak of: one more who slips in is news, although the band is the same."""
    counts = [item.evidence.value for item in risk.items
              if item.points > 0 and KINDS[item.evidence.kind].unit == "persons" and KINDS[item.evidence.kind].tail == "fact"]  # fmt: skip
    return max(counts, default=0.0)


class Episodes:
    """Of one door."""

    def __init__(self, policy: RiskPolicy) -> None:
        self._policy = policy
        self._open: list[_Episode] = []
        self._count = 0
        self.left_out = 0
        """That there was no room for."""

    def take(self, now_s: float, conduct: Conduct | None, own: tuple[Evidence, ...] = ()) -> list[Turn]:
        """What is known now (None: nothing new, or nothing that may be believed), and what the door itself knows of the place.

        Returns what is to be told.
        """
        for subject, risk in self._seen(conduct, own):
            self._note(now_s, subject, risk)
        turns = [turn for episode in self._open if (turn := episode.turn(now_s)) is not None]
        self._open = [episode for episode in self._open if episode.track.band(now_s) != "ordinary"]
        return turns

    def standing(self, now_s: float) -> Standing:
        """The worst of all."""
        worst = max(self._open, key=lambda episode: (BANDS.index(episode.track.band(now_s)), episode.risk.score), default=None)
        if worst is None:
            return Standing()
        risk = worst.risk if worst.risk.headline else worst.worst
        return Standing(band=worst.track.band(now_s), sentence=risk.headline, zone=worst.subject.zone)

    def _seen(self, conduct: Conduct | None, own: tuple[Evidence, ...]) -> Iterator[tuple[Subject, Risk]]:
        for person in conduct.persons if conduct else ():
            yield _subject(person), assess(person.evidence, self._policy)
        scene = (*own, *(conduct.scene if conduct else ()))
        for kind in dict.fromkeys(evidence.kind for evidence in scene):
            yield Subject(scene=kind), assess((evidence for evidence in scene if evidence.kind == kind), self._policy)

    def _note(self, now_s: float, subject: Subject, risk: Risk) -> None:
        episode = next((each for each in self._open if each.is_about(subject)), None)
        if episode is None:
            if risk.band == "ordinary":
                return
            if len(self._open) >= MOST_AT_ONCE:
                self.left_out += 1
                return
            self._count += 1
            episode = _Episode(self._count, subject, now_s, self._policy.lower_after_s)
            self._open.append(episode)
        episode.take(now_s, subject, risk)


def _subject(person: PersonConduct) -> Subject:
    return Subject(body=person.body, face=person.face, zone=person.zone[:MOST_NAME], at_m=person.at_m)
