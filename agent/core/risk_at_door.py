"""A risk beside a decision: the decision's own facts, what the policy makes of both, and how it is told. Pure.

Whoever leaves, and whoever is forced, is never touched by a risk: the one may not be kept in, and of the other the door shows nothing.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from agent.core.conduct import Evidence
from agent.core.decide import Decision
from agent.core.evidence import KINDS, sentence
from agent.core.identity import Match
from agent.core.reasons import Reason
from agent.core.risk import Risk, Weighed
from agent.core.risk_policy import Response, RiskPolicy, Role

Verdict = Literal["as_decided", "hold", "deny"]

MOST_TOLD = 8
"""Items of an event, the heaviest: a guard reads no more, and an event is written before the lock moves."""
MOST_DETAIL = 80
"""Characters; what vision says beside a number is for people, and short."""


ALWAYS: tuple[Role, ...] = ("guards",)
"""Who is told of what must reach a human, where the policy names nobody."""

_BY_MACHINE = frozenset((Reason.FACE_MISMATCH, Reason.PRESENTATION_ATTACK))


def must_reach_a_human(decision: Decision) -> bool:
    """An automatic refusal that rests on what a person looks like: somebody has to be able to override it."""
    return decision.outcome == "denied" and not _BY_MACHINE.isdisjoint(decision.reasons)


def facts_of(decision: Decision) -> tuple[Evidence, ...]:
    """What the comparison of faces found out, as evidence."""
    match = decision.match
    if match is None:
        return ()
    facts = []
    if Reason.FACE_MISMATCH in decision.reasons and not match.matches:
        facts.append(_mismatch(match))
    if Reason.PRESENTATION_ATTACK in decision.reasons:
        facts.append(_attack(match))
    return tuple(facts)


def _mismatch(match: Match) -> Evidence:
    """Half sure at the threshold, sure from half of it downwards: strangers' faces lie around a cosine of zero."""
    below = 1.0 - match.score / match.threshold if match.threshold > 0 else 1.0
    return Evidence(kind="face_mismatch", value=match.score, confidence=0.5 + 0.5 * min(1.0, max(0.0, 2.0 * below)), face=match.track,
                    detail=f"{match.score:.2f}, the threshold is {match.threshold:.2f}")  # fmt: skip


def _attack(match: Match) -> Evidence:
    """A face that was compared may be another than the picture (a badge on a chest): then nothing is known of the picture's score."""
    seen = match.liveness
    shown = seen is not None and seen.verdict == "attack"
    score = seen.score if seen is not None and shown else 0.5
    return Evidence(kind="presentation_attack", value=score, confidence=1.0 - min(1.0, max(0.0, score)), face=match.track,
                    detail=seen.reason.replace("_", " ") if seen is not None and shown else "")  # fmt: skip


def verdict(decision: Decision, risk: Risk, response: Response, policy: RiskPolicy) -> Verdict:
    """What the policy makes of a decision. A risk opens nothing: a refusal stays one."""
    if decision.outcome == "denied" or decision.leaving or decision.duress or not risk.may_keep_out(policy):
        return "as_decided"
    if {"deny", "lock_down"} & set(response.does):
        return "deny"
    return "hold" if "hold_for_guard" in response.does else "as_decided"


def refused(decision: Decision, *why: Reason, waited_s: float | None = None) -> Decision:
    """The decision turned into a refusal; what it had been stands behind the reason."""
    rest = tuple(reason for reason in decision.reasons if reason is not Reason.SECOND_PERSON_NEEDED)
    return replace(decision, granted=False, reasons=(*why, *rest), pulse_s=0.0,
                   waited_s=decision.waited_s if waited_s is None else waited_s)  # fmt: skip


# -- in words and numbers ------------------------------------------------------------------------------------------------------


def risk_data(risk: Risk, response: Response, alert: bool) -> dict[str, Any]:
    """The part of an event that tells of a risk, and of what follows from it.

    Of what is as usual only the kinds go on record: how somebody walked on an ordinary day is nobody's business.
    """
    odd = [item for item in risk.items if _is_odd(item)]
    plain = [item.evidence for item in risk.items if not _is_odd(item)]
    return {
        "score": round(risk.score, 3), "band": risk.band, "alert": alert, "tells": list(response.tells or ALWAYS) if alert else [],
        "items": [_item(item) for item in odd[:MOST_TOLD]], "left_out": max(0, len(odd) - MOST_TOLD),
        "as_usual": [each.kind for each in plain if each.p is not None], "no_norm": [each.kind for each in plain if each.p is None],
    }  # fmt: skip


def policy_data(policy: RiskPolicy) -> dict[str, Any]:
    """What an explanation needs of the policy; the same in each event, so made once."""
    return {"policy": policy.edition, "raised_from": policy.raised_from, "high_from": policy.high_from,
            "critical_from": policy.critical_from, "behaviour_at_most": round(policy.behaviour_at_most, 3)}  # fmt: skip


def _is_odd(item: Weighed) -> bool:
    return item.deviation > 0 and item.evidence.confidence > 0


def _item(item: Weighed) -> dict[str, Any]:
    evidence = item.evidence
    kind = KINDS[evidence.kind]
    evidence = replace(evidence, detail=evidence.detail[:MOST_DETAIL])
    return {
        "kind": evidence.kind, "sentence": sentence(evidence), "value": round(evidence.value, 4), "unit": kind.unit,
        "over_s": round(evidence.over_s, 2), "usual": msgspec.to_builtins(evidence.usual), "p": evidence.p,
        "deviation": round(item.deviation, 3), "confidence": round(evidence.confidence, 3), "weight": kind.weight,
        "points": round(item.points, 4), "capped": item.capped, "hard": kind.hard,
    }  # fmt: skip
