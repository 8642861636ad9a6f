"""Everything known, now -> a decision with reasons, or how long to wait for a better look.

Pure. A case opens when a credential was read; it is asked again with each observation and at its deadline, and always ends within
the waits of the policy, whatever vision does. Asked are, in this order: the mode of the door, the credential and its owner, the rules of
the door, the PIN, the person. The first reason to refuse is the answer, and what no face can change is refused at once. Whoever leaves
is let out, and what would have kept them out is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from agent.core.access import Access
from agent.core.identity import FaceRules, Match, compare, faces_at_door
from agent.core.messages import CLOCK_SLACK_S, TABLE, CredentialRead, DoorMode, Observation
from agent.core.pairs import Pair
from agent.core.passback import Passback
from agent.core.people import Cardholder
from agent.core.presentation import (
    LIFE_WAIT_S,
    LivenessPolicy,
    alert_about,
    attack_among,
    choose,
    is_judged_too_soon,
    objection_to,
    verdict,
)
from agent.core.reasons import Reason

Pin = Literal["not_asked", "awaited", "right", "duress", "wrong", "not_set", "no_keypad", "locked_out"]


class DecisionPolicy(Struct, frozen=True, kw_only=True):
    """A door's policy: waits in seconds after the read, and what happens without vision or without a template."""

    face: FaceRules
    face_wait_s: float
    mismatch_wait_s: float
    vision_wait_s: float
    without_vision: Literal["deny", "fob_alone"]
    without_template: Literal["deny", "fob_alone"]
    pulse_s: float
    extended_pulse_s: float
    liveness: LivenessPolicy = "off"
    pin_wait_s: float = 15.0
    """For the PIN, where one is asked for; the waits for a face begin when it was entered."""


class View(Struct, frozen=True, kw_only=True):
    """What vision last said, and whether it may still be believed. Absence is a value, never a silence."""

    status: Literal["fresh", "stale", "missing"]
    age_s: float | None = None
    observation: Observation | None = None


def view_at(observation: Observation | None, now_s: float) -> View:
    """The view that an observation gives at `now_s`."""
    if observation is None:
        return View(status="missing")
    age_s = now_s - observation.taken_s
    fresh = -CLOCK_SLACK_S <= age_s <= TABLE[Observation].max_age_s
    return View(status="fresh" if fresh else "stale", age_s=age_s, observation=observation)


class Case(Struct, frozen=True, kw_only=True):
    """A credential waiting for its answer, and how the rules of the door stand to it (agent.core.desk keeps that up to date)."""

    read: CredentialRead
    access: Access
    started_s: float
    leaving: bool = False
    """Read by a reader that leads out."""
    passback: Passback = "clear"
    other_door_open: bool = False
    """The other door of an interlock."""
    pin: Pin = "not_asked"
    pin_s: float | None = None
    """When it was entered."""
    pair: Pair = "not_asked"
    partner: str = ""
    """The first of two, when this is the second."""
    partner_extended: bool = False
    """The first of two needs the door open for longer."""
    rejected: Match | None = None
    """The last face that was compared and did not open; remembered for when vision falls silent afterwards."""
    attack: Match | None = None
    """A face that was found to be a picture of the cardholder. It stays so for this case, unless a living one is found."""

    @property
    def duress(self) -> bool:
        return self.access.duress or self.pin == "duress"


class Seen(Struct, frozen=True, kw_only=True):
    """The part of the view that is kept as evidence: numbers, no picture and no embedding."""

    status: str
    age_s: float | None
    frame: int | None
    taken_s: float | None
    faces: int
    at_door: int


class Decision(Struct, frozen=True, kw_only=True):
    """What was decided and on what: enough to explain and to replay it."""

    granted: bool
    reasons: tuple[Reason, ...]
    read: CredentialRead
    cardholder: str | None
    profile: str
    schedule: str
    match: Match | None
    seen: Seen
    waited_s: float
    pulse_s: float
    extended: bool = False
    leaving: bool = False
    partner: str = ""
    """The other one of two who came together."""
    duress: bool = False
    """Somebody was forced: guards are told, the door shows nothing of it."""

    @property
    def outcome(self) -> Literal["granted", "denied", "first_of_two"]:
        if self.granted:
            return "granted"
        return "first_of_two" if Reason.SECOND_PERSON_NEEDED in self.reasons else "denied"


class Wait(Struct, frozen=True, kw_only=True):
    """Ask again at `until_s`, or when something new is seen; then with `carried(case, wait)`."""

    until_s: float
    rejected: Match | None = None
    attack: Match | None = None


def carried(case: Case, wait: Wait) -> Case:
    """The case with what was seen so far."""
    return replace(case, rejected=wait.rejected, attack=wait.attack)


class _Asked(NamedTuple):
    """One question."""

    case: Case
    view: View
    mode: DoorMode
    policy: DecisionPolicy
    now_s: float


def decide(case: Case, view: View, mode: DoorMode, policy: DecisionPolicy, now_s: float) -> Decision | Wait:
    """Grant, deny or wait. Denials that no face can change are given at once; a match is granted at once."""
    asked = _Asked(case, view, mode, policy, now_s)
    refused, holder = _refusal(case, mode), case.access.cardholder
    if case.leaving:
        return _decision(asked, None, Reason.LEAVING, *([refused] if refused else []), granted=True)
    if refused is not None or holder is None:
        return _decision(asked, None, refused or Reason.UNKNOWN_CREDENTIAL)
    if case.pin == "awaited":
        return _without_pin(asked, holder)
    return _by_person(asked, holder)


def refused_now(case: Case, mode: DoorMode) -> Reason | None:
    """Why somebody who waits for a guard is refused without one: the door was locked down meanwhile, or the fob reported stolen."""
    return _refusal(case, mode)


# -- what no face can change ---------------------------------------------------------------------------------------------------

_PIN_REFUSALS: dict[Pin, Reason] = {
    "no_keypad": Reason.NO_KEYPAD, "not_set": Reason.PIN_NOT_SET, "locked_out": Reason.PIN_LOCKED_OUT, "wrong": Reason.PIN_WRONG,
}  # fmt: skip


def _refusal(case: Case, mode: DoorMode) -> Reason | None:
    """The first reason to refuse, in this order."""
    return (
        _refused_by_mode(mode, case.access.cardholder)
        or case.access.refused
        or (Reason.UNKNOWN_CREDENTIAL if case.access.cardholder is None else None)
        or (Reason.ALREADY_INSIDE if case.passback == "refused" else None)
        or (Reason.OTHER_DOOR_OPEN if case.other_door_open else None)
        or _PIN_REFUSALS.get(case.pin)
    )


def _refused_by_mode(mode: DoorMode, holder: Cardholder | None) -> Reason | None:
    if mode is DoorMode.LOCKED_DOWN and not (holder is not None and holder.passes_lockdown):
        return Reason.LOCKED_DOWN
    return Reason.DOOR_BLOCKED if mode is DoorMode.BLOCKED else None


# -- the PIN -------------------------------------------------------------------------------------------------------------------


def _without_pin(asked: _Asked, holder: Cardholder) -> Decision | Wait:
    """Whoever enters a PIN is looked at meanwhile: a picture that is shown now counts."""
    case, until_s = asked.case, asked.case.started_s + asked.policy.pin_wait_s
    attack = attack_among(_comparisons(asked, holder), asked.policy.liveness) or case.attack
    if asked.now_s < until_s:
        return Wait(until_s=until_s, rejected=case.rejected, attack=attack)
    return _decision(asked, attack, Reason.PIN_NOT_ENTERED, *([Reason.PRESENTATION_ATTACK] if attack else []))


# -- the person ----------------------------------------------------------------------------------------------------------------


def _by_person(asked: _Asked, holder: Cardholder) -> Decision | Wait:
    view, policy = asked.view, asked.policy
    if not holder.templates:
        alone = policy.without_template == "fob_alone"
        return _grant(asked, None, Reason.FOB_ALONE_NO_TEMPLATE) if alone else _decision(asked, None, Reason.NO_TEMPLATE)
    if holder.embedder_id != policy.face.embedder_id:
        return _decision(asked, None, Reason.TEMPLATE_OF_OTHER_MODEL)
    if view.status != "fresh" or view.observation is None:
        return _without_vision(asked)
    if view.observation.embedder_id != policy.face.embedder_id:
        return _decision(asked, None, Reason.VISION_OF_OTHER_MODEL)
    return _by_face(asked, view.observation, holder)


def _without_vision(asked: _Asked) -> Decision | Wait:
    case, policy = asked.case, asked.policy
    until_s = _looked_at_since_s(case) + policy.vision_wait_s
    if asked.now_s < until_s:
        return Wait(until_s=until_s, rejected=case.rejected, attack=case.attack)
    why = Reason.VISION_MISSING if asked.view.status == "missing" else Reason.VISION_STALE
    shown = case.attack or case.rejected
    if shown is not None and (objection := objection_to(shown, policy.liveness, case.attack)) is not None:
        # Whoever can make vision stall must not get past a face that was already found to be another's, or a picture
        return _decision(asked, shown, objection, why)
    if policy.without_vision == "fob_alone":
        return _grant(asked, None, Reason.FOB_ALONE_NO_VISION, why)
    return _decision(asked, None, why)


def _by_face(asked: _Asked, observation: Observation, holder: Cardholder) -> Decision | Wait:
    case, policy = asked.case, asked.policy
    matches = _comparisons(asked, holder)
    attack = attack_among(matches, policy.liveness) or case.attack
    match = choose(matches, policy.liveness)
    objection = None if match is None else objection_to(match, policy.liveness, attack)
    until_s = _look_until_s(asked, match, objection)
    if asked.now_s < until_s:
        return Wait(until_s=until_s, rejected=match or case.rejected, attack=attack)
    if match is not None and objection is None and _came_too_late(asked, match):
        objection = Reason.LIVENESS_UNSURE
    if match is not None and objection is None:
        return _grant(asked, match, Reason.FACE_MATCH, *alert_about(match, policy.liveness, attack))
    if objection is None:
        objection = Reason.FACE_NOT_CLEAR if observation.faces else Reason.NO_FACE_IN_VIEW
    return _refused_by_face(asked, match, objection, attack)


def _comparisons(asked: _Asked, holder: Cardholder) -> list[Match]:
    """Every face that may be compared now, compared; none without a view that may be believed."""
    seen, face = asked.view.observation, asked.policy.face
    if asked.view.status != "fresh" or seen is None or not seen.embedder_id == holder.embedder_id == face.embedder_id:
        return []
    return compare(holder.templates, faces_at_door(seen, face, asked.now_s), face)


def _refused_by_face(asked: _Asked, match: Match | None, objection: Reason, attack: Match | None) -> Decision:
    """A picture that was shown and taken away again was shown all the same."""
    if attack is None or asked.policy.liveness == "alert":
        return _decision(asked, match, objection)
    also = () if objection is Reason.PRESENTATION_ATTACK else (Reason.PRESENTATION_ATTACK,)
    return _decision(asked, attack, objection, *also)


def _look_until_s(asked: _Asked, match: Match | None, objection: Reason | None) -> float:
    """Until when a better look is waited for; in the past for a face that opens.

    A face that does not match gets `mismatch_wait_s`, one that matches and came too short a time ago to be judged `LIFE_WAIT_S`,
    counted from when it came into view if that was later. One that has yet to be found alive gets all the time there is: it
    takes motion, and motion takes time.
    """
    since_s, policy = _looked_at_since_s(asked.case), asked.policy
    last_s = since_s + policy.face_wait_s
    if match is None:
        return last_s
    seen_s = max(since_s, match.first_seen_s)
    if objection is None:
        return min(last_s, seen_s + LIFE_WAIT_S) if is_judged_too_soon(match, policy.liveness) else float("-inf")
    if match.matches and verdict(match) == "unsure":
        return last_s
    return min(last_s, seen_s + policy.mismatch_wait_s)


def _came_too_late(asked: _Asked, match: Match) -> bool:
    """Came into view behind the fob, and there was no time to find out what it is: one may try again, and is known then.

    Else a picture would only have to be held up late, or jerked often enough. Whoever was in view at the read is not asked: where vision
    cannot judge, `deny_attack` refuses nobody who stands there.
    """
    return is_judged_too_soon(match, asked.policy.liveness) and match.first_seen_s > _looked_at_since_s(asked.case)


def _looked_at_since_s(case: Case) -> float:
    """When the time for the face began: with the read, or with the PIN."""
    return case.started_s if case.pin_s is None else case.pin_s


# -- answers -------------------------------------------------------------------------------------------------------------------


def _grant(asked: _Asked, match: Match | None, *reasons: Reason) -> Decision:
    """Every check of their own is passed; the first of two is not let in yet."""
    if asked.case.pair == "first":
        return _decision(asked, match, Reason.SECOND_PERSON_NEEDED, *reasons[1:])
    return _decision(asked, match, *reasons, *_told(asked), granted=True)


def _told(asked: _Asked) -> Iterator[Reason]:
    if asked.case.pair == "second":
        yield Reason.SECOND_OF_TWO
    if asked.mode is DoorMode.LOCKED_DOWN:
        yield Reason.PASSES_LOCKDOWN
    if asked.case.passback == "told":
        yield Reason.PASSBACK_TOLD


def _decision(asked: _Asked, match: Match | None, *reasons: Reason, granted: bool = False) -> Decision:
    case, policy = asked.case, asked.policy
    holder = case.access.cardholder
    extended = case.partner_extended or (holder is not None and holder.extended_opening)
    pulse_s = policy.extended_pulse_s if extended else policy.pulse_s
    return Decision(
        granted=granted, reasons=(*reasons, *([Reason.DURESS] if case.duress else [])), read=case.read,
        cardholder=holder.id if holder else None, profile=case.access.profile, schedule=case.access.schedule, match=match,
        seen=_seen(asked.view, policy, asked.now_s), waited_s=asked.now_s - case.started_s, pulse_s=pulse_s if granted else 0.0,
        extended=extended, leaving=case.leaving, partner=case.partner, duress=case.duress,
    )  # fmt: skip


def _seen(view: View, policy: DecisionPolicy, now_s: float) -> Seen:
    seen = view.observation
    if seen is None:
        return Seen(status=view.status, age_s=None, frame=None, taken_s=None, faces=0, at_door=0)
    return Seen(status=view.status, age_s=view.age_s, frame=seen.frame, taken_s=seen.taken_s, faces=len(seen.faces),
                at_door=len(faces_at_door(seen, policy.face, now_s)))  # fmt: skip
