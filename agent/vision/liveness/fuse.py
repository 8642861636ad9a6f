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

CONTRADICTS, HARDLY = 2.4, -0.5
"""A depth as sure as this (log odds) contradicts a border: a door frame and a collar make one too. Then nothing is said, neither way."""


class Limits(Struct, frozen=True, kw_only=True):
    """(speaks for a picture, speaks for a head) or (nothing, all) for each measurement."""

    least_s: float = 1.0
    """Nothing is said before."""
    least_eyes_px: float = 22.0
    """Distance of the outer eye corners: a face 36 px wide. Below, points of skin cannot be followed."""
    least_brightness: float = 22.0
    """Mean grey level of the face."""
    least_comparisons: int = 5
    turned: tuple[float, float] = (0.02, 0.045)
    """How far the mesh says that the head turned (root mean square sine): from where depth counts, and counts fully."""
    turned_flat: tuple[float, float] = (0.045, 0.075)
    """The same for a lack of depth: who hardly moves shows none either."""
    flat: tuple[float, float] = (0.003, 0.007)
    """Depth beyond a flat sheet, as the sine of a turn: flat prints stay below, whatever lives moves more."""
    turned_far: tuple[float, float] = (0.08, 0.15)
    gain_far: tuple[float, float] = (0.03, 0.10)
    """The same for each turn of the mesh, where it turned far."""
    gain: tuple[float, float] = (0.06, 0.16)
    """Depth beyond a flat sheet for each turn of the mesh that speaks for more than a flat sheet,"""
    sigma: tuple[float, float] = (1.5, 3.0)
    """where it stands out of its noise."""
    more_than_bent: tuple[float, float] = (0.30, 0.40)
    """So much of it no bent sheet had,"""
    relief: tuple[float, float] = (0.05, 0.14)
    """or so much depth for each turn is left when a bent sheet's has been taken out"""
    relief_sigma: tuple[float, float] = (1.3, 2.5)
    """and stands out of its noise."""
    mouth: tuple[float, float] = (2.6, 3.8)
    """Change of the lips over that of still skin."""
    hangs: tuple[float, float] = (0.03, 0.10)
    """Face widths that the surroundings moved as one piece."""
    border: tuple[float, float] = (0.62, 0.74)
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
    odds = sum(part.odds for part in parts)
    if 3.0 * _like_a_head(cues, limits) >= CONTRADICTS:
        odds = max(odds, HARDLY)
    score = 1 / (1 + exp(-odds))
    verdict: Literal["live", "attack", "unsure"] = (
        "attack" if score <= limits.attack else "live" if score >= limits.live else "unsure"
    )
    return Liveness(verdict=verdict, score=score, reason=_reason(verdict, parts, cues, limits), watched_s=watched_s)


def evidence(cues: Cues, limits: Limits) -> tuple[Part, ...]:
    """Each cue's part."""
    return (*_movement(cues, limits), Part(-5.0 * ramp(cues.border, *limits.border), "border_around_face"),
            Part(1.2 * ramp(cues.mouth, *limits.mouth), "lips_moved"), Part(1.0 if cues.blinked else 0.0, "blinked"),
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
    """How it moves: as a sheet, where it turned enough to tell; as a head, where more depth is seen than any sheet has."""
    if cues.gain is None or cues.flat_gain is None:
        return ()
    near = (1 - ramp(cues.flat, *limits.flat)) * ramp(cues.turned, *limits.turned_flat)
    far = (1 - ramp(cues.flat_gain, *limits.gain_far)) * ramp(cues.turned, *limits.turned_far)
    return (Part(-3.0 * max(near, far), "moves_as_a_plane"), Part(3.0 * _like_a_head(cues, limits), "moves_as_a_head"))


def _like_a_head(cues: Cues, limits: Limits) -> float:
    """0..1: not flat, and not merely bent."""
    gain, flat_gain = cues.gain or 0.0, cues.flat_gain or 0.0
    not_flat = ramp(flat_gain, *limits.gain) * ramp(cues.flat_sigma, *limits.sigma)
    not_bent = max(
        ramp(flat_gain, *limits.more_than_bent), ramp(gain, *limits.relief) * ramp(cues.relief_sigma, *limits.relief_sigma)
    )
    return not_flat * not_bent * ramp(cues.turned, *limits.turned)


def _reason(verdict: str, parts: tuple[Part, ...], cues: Cues, limits: Limits) -> str:
    if verdict == "unsure":
        if cues.border > limits.border[0] or cues.hangs > limits.hangs[0]:
            return "contradictory"
        enough = limits.turned[1] if cues.flat > limits.flat[1] else limits.turned_flat[1]
        return "not_enough_motion" if cues.turned < enough else "bent_or_alive"
    wanted = 1.0 if verdict == "live" else -1.0
    return max(parts, key=lambda part: wanted * part.odds).word
