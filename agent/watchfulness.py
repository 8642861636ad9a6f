"""The door's watch over risk: beside each decision, and over time for whoever is in view. Of the loop's thread.

Behaviour may be absent or wrong at any time. Whatever goes wrong in here is counted and told, and the decision stands as it was.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from agent.clock import Clock
from agent.core.conduct import Conduct, Evidence
from agent.core.decide import Decision
from agent.core.door import KEPT_SHUT
from agent.core.evidence import sentence
from agent.core.fold import Fold
from agent.core.messages import EvidenceRequest
from agent.core.risk import Risk, RiskTrack, assess, evidence_about, whose
from agent.core.risk_at_door import MOST_DETAIL, MOST_TOLD, Verdict, facts_of, must_reach_a_human, policy_data, risk_data, verdict
from agent.core.risk_episodes import MOST_NAME, Episodes, Standing, Turn
from agent.core.risk_policy import BANDS, Response, RiskPolicy
from agent.doorway import Doorway
from agent.eyes import Eyes
from agent.local_socket import Sender, encode

log = logging.getLogger(__name__)

EVERY_S = 0.2
"""So often at most risks of people in view are looked at."""

PEOPLE_EVERY_S = 1.0

MOST_PERSONS_A_MINUTE = 10
"""So many people's episodes are told one by one; a tracker that loses people and finds them again must not fill a journal."""

MOST_ALERTS = (5, 600.0)
"""Of people before the door, one band and one heaviest kind of evidence: so many alerts in so many seconds, the others are events."""

MOST_SENTENCE = 200
"""Characters: what vision says beside a number is for people, and short."""

FORBIDDEN = "vision sends what this deployment's profile forbids to know: it was dropped; compare both programs' configuration"

T = TypeVar("T")


class Judged(NamedTuple):
    """A decision beside its risk."""

    verdict: Verdict
    told: dict[str, Any]
    """For the event."""
    lock_down: str = ""
    """Why the site's policy locks the door down now; empty: it does not."""


class Watchfulness:
    """Call `judge` with each decision before it is carried out, and `keep` in each turn."""

    def __init__(
        self, policy: RiskPolicy, eyes: Eyes, doorway: Doorway, clock: Clock, to_vision: Sender, publish: Callable[[str, Any], None],
        own_facts: Callable[[float], tuple[Evidence, ...]], lock_down: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`own_facts`: what the door itself knows of the place at a time; `lock_down`: locks the door down, and says why."""
        self.policy, self._eyes, self._doorway, self._clock = policy, eyes, doorway, clock
        self._to_vision, self._publish, self._own_facts, self.lock_down = to_vision, publish, own_facts, lock_down
        self._policy_data = policy_data(policy)
        self._episodes, self._start = Episodes(policy), secrets.token_hex(4)
        self._folded, self._faults_told = Fold(MOST_PERSONS_A_MINUTE), Fold(1)
        self._alerted = Fold(*MOST_ALERTS)
        self._untold: set[int] = set()
        """Episodes that were only counted."""
        self._due_s = self._people_due_s = 0.0
        self._taken_s = float("-inf")
        self._told_forbidden = False
        self._decided, self._decided_as = RiskTrack(policy.lower_after_s), Standing()
        self._said: Standing | None = None
        self.faults = 0

    def take_policy(self, policy: RiskPolicy) -> None:
        """At a moment when nobody is there: episodes that stand begin anew."""
        if policy != self.policy:
            self.policy, self._policy_data = policy, policy_data(policy)
            self._episodes, self._start = Episodes(policy), secrets.token_hex(4)
            self._decided, self._decided_as = RiskTrack(policy.lower_after_s), Standing()

    # -- beside a decision -----------------------------------------------------------------------------------------------------

    def judge(self, decision: Decision, now_s: float) -> Judged:
        """What the policy makes of a decision, and what its event tells of the risk. Never raises."""
        judged = self._guarded(lambda: self._judge(decision, now_s), now_s)
        return judged or Judged("as_decided", {"fault": "the risk could not be looked at; the decision stands without it"})

    def _judge(self, decision: Decision, now_s: float) -> Judged:
        conduct = self._eyes.conduct_now(now_s)
        person = whose(conduct, decision.match.track if decision.match else None) if conduct else None
        scene = (*self._own_facts(now_s), *(conduct.scene if conduct else ()))
        risk = assess((*facts_of(decision), *evidence_about(person, scene)), self.policy)
        response = self._response(risk)
        free = self._doorway.state.renew_s is not None  # everybody may come and go: to hold one back means nothing
        ruled = "as_decided" if free else verdict(decision, risk, response, self.policy)
        told_anyway = ruled != "as_decided" or must_reach_a_human(decision)
        alert = told_anyway or ("alert" in response.does and self._is_news(risk, scene))
        zone = person.zone[:MOST_NAME] if person else ""
        self._remember(risk, zone, now_s)
        told = risk_data(risk, response, alert) | self._policy_data | _seen(conduct, self._eyes.conduct, now_s)
        told |= {"zone": zone, "abstained": _short(person.abstained) if person else []}
        return Judged(ruled, told, self._why_lock_down(risk, response))

    def _is_news(self, risk: Risk, scene: tuple[Evidence, ...]) -> bool:
        """Not what the place alone explains: that was told when it began, and not of each person who passes since."""
        place = evidence_about(None, scene)
        return not place or BANDS.index(assess(place, self.policy).band) < BANDS.index(risk.band)

    def _remember(self, risk: Risk, zone: str, now_s: float) -> None:
        if self._decided.take(now_s, risk.band) == risk.band:
            self._decided_as = Standing(band=risk.band, sentence=risk.headline, zone=zone)

    def _response(self, risk: Risk) -> Response:
        return self.policy.response(risk.band, self._doorway.state.mode, self._clock.wall().astimezone())

    def _why_lock_down(self, risk: Risk, response: Response) -> str:
        asked = "lock_down" in response.does and self.policy.automatic_lock_down and risk.may_keep_out(self.policy)
        shut = self._doorway.state.mode in KEPT_SHUT
        return "; ".join(risk.sentences[:2])[:MOST_SENTENCE] if asked and not shut else ""

    # -- over time -------------------------------------------------------------------------------------------------------------

    def keep(self, now_s: float) -> None:
        """Looks at who is in view, at most every EVERY_S. Never raises."""
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._guarded(lambda: self._watch(now_s), now_s)

    def _watch(self, now_s: float) -> None:
        if self._eyes.forbidden and not self._told_forbidden:
            self._told_forbidden = True
            self._doorway.announce("risk.forbidden", {"error": FORBIDDEN})
        conduct = self._eyes.conduct_now(now_s)
        if conduct is not None and conduct.at_s <= self._taken_s:
            conduct = None
        if conduct is not None:
            self._taken_s = conduct.at_s
        for turn in self._episodes.take(now_s, conduct, self._own_facts(now_s)):
            self._tell(turn, now_s)
        for _, untold in self._folded.ended(now_s):
            self._doorway.announce("risk.folded", {"episodes": untold})
        self._publish_standing(now_s)
        self._publish_people(now_s)

    def _tell(self, turn: Turn, now_s: float) -> None:
        if self._is_folded(turn, now_s):
            return
        response = self.policy.response(turn.band, self._doorway.state.mode, self._clock.wall().astimezone())
        raised = turn.what == "raised"
        asked = raised and "alert" in response.does
        alert = asked and self._is_no_repetition(turn, now_s)
        data = self._data(turn, response, alert, now_s) | ({"alert_held_back": True} if asked and not alert else {})
        event = self._doorway.announce("risk.raised" if raised else "risk.cleared", data)
        if alert:
            self._ask_for_picture(turn, event.id)
        if raised and (why := self._why_lock_down(turn.risk, response)):
            self.lock_down(why)

    def _is_no_repetition(self, turn: Turn, now_s: float) -> bool:
        """Somebody whose track breaks every few seconds is a new person each time: guards whose telephone never rests look at it no more.
        The place is always told."""
        self._alerted.ended(now_s)
        heaviest = turn.risk.items[0].evidence.kind if turn.risk.items else ""
        return bool(turn.subject.scene) or self._alerted.tells(f"{turn.band} {heaviest}", now_s)

    def _is_folded(self, turn: Turn, now_s: float) -> bool:
        """The place is always told: it has few kinds. Each band has a count of its own, so that a crowd which is only odd hides nobody who is
        worse."""
        if turn.subject.scene:
            return False
        if turn.what == "raised" and (not turn.again or turn.number in self._untold):
            tells = self._folded.tells(turn.band, now_s)
            (self._untold.discard if tells else self._untold.add)(turn.number)
        untold = turn.number in self._untold
        if turn.what == "cleared":
            self._untold.discard(turn.number)
        return untold

    def _data(self, turn: Turn, response: Response, alert: bool, now_s: float) -> dict[str, Any]:
        subject, risk = turn.subject, turn.risk
        told = risk_data(risk, response, alert) | {"band": turn.band} | self._policy_data
        return {
            "episode": f"{self._start}-{turn.number}", "again": turn.again, "about": subject.scene or "person",
            "sentences": _told(risk), "zone": subject.zone, "at_m": subject.at_m, "body": subject.body,
            "face": subject.face, "lasted_s": round(turn.lasted_s, 1),
            "risk": told | _seen(self._eyes.conduct_now(now_s), self._eyes.conduct, now_s),
        }  # fmt: skip

    def _ask_for_picture(self, turn: Turn, event_id: str) -> None:
        conduct = self._eyes.conduct
        if conduct is None:
            return
        self._to_vision.send(encode(EvidenceRequest(
            event_id=event_id, taken_s=conduct.at_s, granted=False, headline=f"RISK {turn.band}",
            detail=tuple(sentence(item.evidence)[:MOST_SENTENCE] for item in turn.risk.items[:MOST_TOLD]), track=turn.subject.face,
        )))  # fmt: skip

    def _publish_standing(self, now_s: float) -> None:
        """Said when band or zone change, and not with each second of somebody who lingers."""
        decided = self._decided_as if self._decided.band(now_s) != "ordinary" else Standing()
        standing = max(self._episodes.standing(now_s), decided, key=lambda each: BANDS.index(each.band))
        if self._said is None or (standing.band, standing.zone) != (self._said.band, self._said.zone):
            self._said = standing
            self._publish("risk", {"band": standing.band, "sentence": standing.sentence[:MOST_SENTENCE], "zone": standing.zone})

    def _publish_people(self, now_s: float) -> None:
        """How many there are, by zone and line; null while vision does not say. Said when it changes, at most once a second."""
        if now_s < self._people_due_s:
            return
        self._people_due_s = now_s + PEOPLE_EVERY_S
        conduct = self._eyes.conduct_now(now_s)
        self._publish("people", None if conduct is None else {
            "zones": conduct.in_zones,
            "crossed": {line: {"in": inwards, "out": outwards} for line, (inwards, outwards) in conduct.crossed.items()},
        })  # fmt: skip

    # -- what goes wrong -------------------------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], T], now_s: float) -> T | None:
        try:
            return work()
        except Exception as error:
            self.faults += 1
            self._faults_told.ended(now_s)
            if self._faults_told.tells("risk", now_s):
                log.exception("door risk fault")
                self._doorway.announce("risk.fault", {"error": f"{type(error).__name__}: {error}"[:300]})
            return None


def _told(risk: Risk) -> list[str]:
    return [each[:MOST_SENTENCE] for each in risk.sentences[:MOST_TOLD]]


def _short(words: tuple[str, ...]) -> list[str]:
    return [word[:MOST_DETAIL] for word in words[:MOST_TOLD]]


def _seen(conduct: Conduct | None, last: Conduct | None, now_s: float) -> dict[str, Any]:
    """What vision said of conduct by then, as a view is told: `fresh`, `stale` or `missing`."""
    if conduct is not None:
        return {
            "conduct": "fresh",
            "conduct_age_s": round(now_s - conduct.at_s, 3),
            "norms": conduct.norms[:MOST_DETAIL],
            "floor": conduct.floor,
        }
    return {
        "conduct": "missing" if last is None else "stale",
        "conduct_age_s": None,
        "norms": last.norms[:MOST_DETAIL] if last else "",
        "floor": "none",
    }
