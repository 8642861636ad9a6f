"""Presentation attacks at a decision: what a verdict of vision on a face's life (messages.Liveness) means for who may pass.

Only a face that is the cardholder's is asked: a picture of somebody else opens nothing anyway. Whoever leaves is never asked: requests
to exit and the fire release come nowhere near this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from agent.core.identity import Match
from agent.core.reasons import Reason

LivenessPolicy = Literal["off", "alert", "deny_attack", "require_live"]

_BELIEVED = {"live": 2, "unsure": 1, "attack": 0}


def objection_to(match: Match, policy: LivenessPolicy) -> Reason | None:
    """Why this face does not open; None when it does."""
    if not match.matches:
        return Reason.FACE_MISMATCH
    if policy in ("deny_attack", "require_live") and verdict(match) == "attack":
        return Reason.PRESENTATION_ATTACK
    if policy == "require_live" and verdict(match) != "live":
        return Reason.LIVENESS_UNSURE
    return None


def alert_about(match: Match, policy: LivenessPolicy) -> tuple[Reason, ...]:
    """What a guard must be told of a face that opens."""
    return (Reason.PRESENTATION_ATTACK,) if policy != "off" and verdict(match) == "attack" else ()


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
