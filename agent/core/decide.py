"""Everything known, now -> a decision with reasons, or how long to wait for a better look.

Pure. A case opens when a credential was read; it is asked again with each observation and at its deadline, and always ends within
the waits of the policy, whatever vision does.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.core.access import Access
from agent.core.identity import FaceRules, Match, compare, faces_at_door
from agent.core.messages import CLOCK_SLACK_S, TABLE, CredentialRead, DoorMode, Observation
from agent.core.people import Cardholder
from agent.core.presentation import LivenessPolicy, alert_about, choose, objection_to
from agent.core.reasons import Reason


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
    """A credential waiting for its answer."""

    read: CredentialRead
    access: Access
    started_s: float
    rejected: Match | None = None
    """The last face that was compared and did not open; remembered for when vision falls silent or the face goes away afterwards."""


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


class Wait(Struct, frozen=True, kw_only=True):
    """Ask again at `until_s`, or when something new is seen; then with `rejected` in the case."""

    until_s: float
    rejected: Match | None = None


def decide(case: Case, view: View, mode: DoorMode, policy: DecisionPolicy, now_s: float) -> Decision | Wait:
    """Grant, deny or wait. Denials that no face can change are given at once; a match is granted at once."""
    refused = _refused_by_mode(mode) or case.access.refused
    holder = case.access.cardholder
    if refused is not None or holder is None:
        return _decision(case, view, policy, now_s, None, refused or Reason.UNKNOWN_CREDENTIAL)
    if not holder.templates:
        return _without_template(case, view, policy, now_s)
    if holder.embedder_id != policy.face.embedder_id:
        return _decision(case, view, policy, now_s, None, Reason.TEMPLATE_OF_OTHER_MODEL)
    if view.status != "fresh" or view.observation is None:
        return _without_vision(case, view, policy, now_s)
    return _by_face(case, view, view.observation, holder, policy, now_s)


def _refused_by_mode(mode: DoorMode) -> Reason | None:
    if mode is DoorMode.LOCKED_DOWN:
        return Reason.LOCKED_DOWN
    if mode is DoorMode.BLOCKED:
        return Reason.DOOR_BLOCKED
    return None


def _without_template(case: Case, view: View, policy: DecisionPolicy, now_s: float) -> Decision:
    alone = policy.without_template == "fob_alone"
    reason = Reason.FOB_ALONE_NO_TEMPLATE if alone else Reason.NO_TEMPLATE
    return _decision(case, view, policy, now_s, None, reason, granted=alone)


def _without_vision(case: Case, view: View, policy: DecisionPolicy, now_s: float) -> Decision | Wait:
    until_s = case.started_s + policy.vision_wait_s
    if now_s < until_s:
        return Wait(until_s=until_s, rejected=case.rejected)
    why = Reason.VISION_MISSING if view.status == "missing" else Reason.VISION_STALE
    if case.rejected is not None and (objection := objection_to(case.rejected, policy.liveness)) is not None:
        # Whoever can make vision stall must not get past a face that was already found to be another's, or a picture
        return _decision(case, view, policy, now_s, case.rejected, objection, why)
    if policy.without_vision == "fob_alone":
        return _decision(case, view, policy, now_s, None, Reason.FOB_ALONE_NO_VISION, why, granted=True)
    return _decision(case, view, policy, now_s, None, why)


def _by_face(
    case: Case, view: View, observation: Observation, holder: Cardholder, policy: DecisionPolicy, now_s: float
) -> Decision | Wait:
    if observation.embedder_id != policy.face.embedder_id:
        return _decision(case, view, policy, now_s, None, Reason.VISION_OF_OTHER_MODEL)
    at_door = faces_at_door(observation, policy.face, now_s)
    match = choose(compare(holder.templates, at_door, policy.face), policy.liveness)
    objection = None if match is None else objection_to(match, policy.liveness)
    if match is not None and objection is None:
        alert = alert_about(match, policy.liveness)
        return _decision(case, view, policy, now_s, match, Reason.FACE_MATCH, *alert, granted=True)
    until_s = _look_until_s(case, match, objection, policy)
    if now_s < until_s:
        return Wait(until_s=until_s, rejected=match or case.rejected)
    if objection is not None:
        return _decision(case, view, policy, now_s, match, objection)
    return _faceless(case, view, observation, policy, now_s)


def _faceless(case: Case, view: View, observation: Observation, policy: DecisionPolicy, now_s: float) -> Decision:
    """Nobody is left to compare. A picture that was shown and taken away again was shown all the same."""
    reason = Reason.FACE_NOT_CLEAR if observation.faces else Reason.NO_FACE_IN_VIEW
    if case.rejected is not None and objection_to(case.rejected, policy.liveness) is Reason.PRESENTATION_ATTACK:
        return _decision(case, view, policy, now_s, case.rejected, reason, Reason.PRESENTATION_ATTACK)
    return _decision(case, view, policy, now_s, None, reason)


def _look_until_s(case: Case, match: Match | None, objection: Reason | None, policy: DecisionPolicy) -> float:
    """A face that does not match gets `mismatch_wait_s` for a better look, counted from when it came into view if that was later.

    One that does, and has yet to be found alive, gets all the time there is: it takes motion, and motion takes time.
    """
    last_s = case.started_s + policy.face_wait_s
    if match is None or objection is Reason.LIVENESS_UNSURE:
        return last_s
    return min(last_s, max(case.started_s, match.first_seen_s) + policy.mismatch_wait_s)


def _decision(
    case: Case, view: View, policy: DecisionPolicy, now_s: float, match: Match | None, *reasons: Reason, granted: bool = False
) -> Decision:
    holder = case.access.cardholder
    extended = holder is not None and holder.extended_opening
    pulse_s = policy.extended_pulse_s if extended else policy.pulse_s
    return Decision(
        granted=granted, reasons=reasons, read=case.read, cardholder=holder.id if holder else None,
        profile=case.access.profile, schedule=case.access.schedule, match=match, seen=_seen(view, policy, now_s),
        waited_s=now_s - case.started_s, pulse_s=pulse_s if granted else 0.0,
    )  # fmt: skip


def _seen(view: View, policy: DecisionPolicy, now_s: float) -> Seen:
    seen = view.observation
    if seen is None:
        return Seen(status=view.status, age_s=None, frame=None, taken_s=None, faces=0, at_door=0)
    return Seen(status=view.status, age_s=view.age_s, frame=seen.frame, taken_s=seen.taken_s, faces=len(seen.faces),
                at_door=len(faces_at_door(seen, policy.face, now_s)))  # fmt: skip
