"""Presentation attacks at a decision: what a verdict of vision on a face's life (messages.Liveness) means for who may pass.

Only a face that is the cardholder's is asked: a picture of somebody else opens nothing anyway. Whoever leaves is never asked: requests
to exit and the fire release come nowhere near this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from agent.core.identity import Match
from agent.core.reasons import Reason

LivenessPolicy = Literal["off", "alert", "deny_attack", "require_live"]

LEAST_WATCHED_S = 1.0
"""Vision says nothing of a face that it has watched for less."""

LIFE_WAIT_S = 1.4
"""So long a face that has just come into view is given to be judged: a second of watching, and what passes before it begins."""

_BELIEVED = {"live": 2, "unsure": 1, "attack": 0}


def objection_to(match: Match, policy: LivenessPolicy, attack: Match | None = None) -> Reason | None:
    """Why this face does not open; None when it does.

    `attack` is a face of the same case that was found to be a picture of the cardholder: whoever has shown one must be found alive.
    """
    if not match.matches:
        return Reason.FACE_MISMATCH
    if policy in ("deny_attack", "require_live") and (verdict(match) == "attack" or (attack and verdict(match) != "live")):
        return Reason.PRESENTATION_ATTACK
    if policy == "require_live" and verdict(match) != "live":
        return Reason.LIVENESS_UNSURE
    return None


def attack_among(matches: Iterable[Match], policy: LivenessPolicy) -> Match | None:
    """A picture of the cardholder among the faces, where the policy cares."""
    if policy == "off":
        return None
    return next((match for match in matches if match.matches and verdict(match) == "attack"), None)


def is_judged_too_soon(match: Match, policy: LivenessPolicy) -> bool:
    """Whether `deny_attack` would let a face pass only because there was no time yet to find it a picture."""
    if policy != "deny_attack" or verdict(match) != "unsure":
        return False
    seen = match.liveness
    return seen is None or seen.reason == "too_short" or not seen.watched_s >= LEAST_WATCHED_S  # so put, it waits for NaN too


def alert_about(match: Match, policy: LivenessPolicy, attack: Match | None = None) -> tuple[Reason, ...]:
    """What a guard must be told of a face that opens."""
    shown = verdict(match) == "attack" or (attack is not None and verdict(match) != "live")
    return (Reason.PRESENTATION_ATTACK,) if policy != "off" and shown else ()


def choose(matches: Sequence[Match], policy: LivenessPolicy) -> Match | None:
    """The face to decide on: of those that match the one most likely in the flesh, then the most alike.

    A cardholder with a badge on the chest shows two matching faces, one of them a picture.
    """
    same = [match for match in matches if match.matches]
    if policy == "off" or not same:
        return max(matches, key=lambda match: match.score, default=None)
    return max(same, key=lambda match: (_BELIEVED[verdict(match)], match.score))


def verdict(match: Match) -> Literal["live", "attack", "unsure"]:
    """What vision said of the face; unsure when it has said nothing."""
    return "unsure" if match.liveness is None else match.liveness.verdict
