"""Cues to a verdict: evidence for and against is added in units of log odds; each cue's part is a ramp between two measured ends.

Every part is monotone: more relief, more life in eyes and mouth never count against a face; more of a border, more surroundings that hang on
it never count for it. The ends are quantiles of the tuning people's sequences (docs/LIVENESS.md has the distributions), not fitted
weights, so that each can be read and argued with.
"""

from __future__ import annotations

from math import exp
from typing import Literal, NamedTuple

from msgspec import Struct

from agent.core.messages import Liveness
from agent.vision.liveness.cues import Cues
from agent.vision.quality import ramp


class Limits(Struct, frozen=True, kw_only=True):
    """(speaks for a picture, speaks for a head) or (nothing, all) for each measurement."""

    least_s: float = 1.0
    """Nothing is said before."""
    least_eyes_px: float = 22.0
    """Distance of the outer eye corners: a face 36 px wide. Below, points of skin cannot be followed."""
    least_brightness: float = 22.0
    """Mean grey level of the face."""
    least_comparisons: int = 5
    turned: tuple[float, float] = (0.02, 0.07)
    """How far the mesh says that the head turned (root mean square sine): from where its word counts, and counts fully."""
    gain: tuple[float, float] = (0.04, 0.14)
    """Relief for each turn."""
    sigma: tuple[float, float] = (2.0, 4.0)
    """Relief over noise: what does not stand out of the noise proves no head."""
    hangs: tuple[float, float] = (0.03, 0.10)
    """Face widths that the surroundings moved as one piece."""
    border: tuple[float, float] = (0.55, 0.75)
    attack: float = 0.35
    """A score up to this is an attack,"""
    live: float = 0.65
    """from this on a live head; between is unsure."""


class Part(NamedTuple):
    """One cue's evidence: log odds, above 0 for a head; and its word for the record."""

    odds: float
    word: str


def judge(cues: Cues, limits: Limits, watched_s: float) -> Liveness:
    """The verdict; `unsure` with the reason where the cues do not carry one."""
    lacking = _lacking(cues, limits)
    if lacking:
        return Liveness(verdict="unsure", score=0.5, reason=lacking, watched_s=watched_s)
    parts = evidence(cues, limits)
    score = 1 / (1 + exp(-sum(part.odds for part in parts)))
    verdict: Literal["live", "attack", "unsure"] = (
        "attack" if score <= limits.attack else "live" if score >= limits.live else "unsure"
    )
    return Liveness(verdict=verdict, score=score, reason=_reason(verdict, parts, cues, limits), watched_s=watched_s)


def evidence(cues: Cues, limits: Limits) -> tuple[Part, ...]:
    """Each cue's part."""
    return (*_movement(cues, limits), Part(-3.0 * ramp(cues.border, *limits.border), "border_around_face"),
            Part(-2.0 * ramp(cues.hangs, *limits.hangs), "surroundings_move_along"))  # fmt: skip


def _lacking(cues: Cues, limits: Limits) -> str:
    if cues.eyes_px < limits.least_eyes_px:
        return "too_small"
    if cues.brightness < limits.least_brightness:
        return "too_dark"
    if cues.watched_s < limits.least_s or cues.comparisons < limits.least_comparisons:
        return "too_short"
    return ""


def _movement(cues: Cues, limits: Limits) -> tuple[Part, ...]:
    """How it moves: as a head (relief that stands out of the noise) or, where it turned enough to tell, as a sheet."""
    if cues.gain is None:
        return ()
    enough = ramp(cues.turned, *limits.turned)
    like_head = ramp(cues.gain, *limits.gain)
    if like_head >= 0.5:
        return (Part(4.0 * (2 * like_head - 1) * enough * ramp(cues.relief_sigma, *limits.sigma), "moves_as_a_head"),)
    return (Part(4.0 * (2 * like_head - 1) * enough, "moves_as_a_plane"),)


def _reason(verdict: str, parts: tuple[Part, ...], cues: Cues, limits: Limits) -> str:
    if verdict == "unsure":
        return "not_enough_motion" if ramp(cues.turned, *limits.turned) < 0.5 else "contradictory"
    wanted = 1.0 if verdict == "live" else -1.0
    return max(parts, key=lambda part: wanted * part.odds).word
