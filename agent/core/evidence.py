"""Kinds of evidence: unit, which end is odd, how much it weighs, and the sentence a guard reads.

`supposed` is what Doorward takes for usual at a door that it does not know yet (median, and what one ordinary visit in twenty exceeds);
the door's own norms replace it (agent.behaviour.norms).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agent.core.conduct import Evidence, Usual

Tail = Literal["high", "low", "fact"]
"""Whether much or little of it is odd; a `fact` needs no norm: it is never usual."""


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of evidence."""

    unit: str
    tail: Tail
    weight: float
    """What it adds to the risk when it is as odd as can be and was measured perfectly; 1 is all that a person can have."""
    sentence: str
    """With {value}, {over} and {detail}; what is usual is added behind it."""
    supposed: tuple[float, float] | None = None
    hard: bool = False
    """Enough to deny on; what is not hard may only add to what is (docs/PRIVACY.md)."""
    emotional: bool = False
    """Exists only where the deployment's profile allows it."""


KINDS: dict[str, Kind] = {
    "glances": Kind(unit="times", tail="high", weight=0.35, supposed=(0.0, 2.0),
        sentence="looked away {value} times in {over} s{detail}"),
    "away_share": Kind(unit="share", tail="high", weight=0.15, supposed=(0.05, 0.4),
        sentence="looked away for {value} of the time in {over} s"),
    "dwell": Kind(unit="s", tail="high", weight=0.3, supposed=(4.0, 20.0),
        sentence="has been {value} s before the door{detail}"),
    "no_linger": Kind(unit="s", tail="fact", weight=0.6, hard=True,
        sentence="stayed {value} s where nobody may linger{detail}"),
    "running": Kind(unit="s", tail="high", weight=0.35, supposed=(0.0, 0.8),
        sentence="ran for {value} s{detail}"),
    "speed": Kind(unit="m/s", tail="high", weight=0.15, supposed=(1.2, 1.9),
        sentence="walked at {value} m/s"),
    "abruptness": Kind(unit="m/s3", tail="high", weight=0.25, supposed=(3.0, 9.0),
        sentence="moved abruptly: jerk {value} m/s3 over {over} s"),
    "inconsistency": Kind(unit="deg/m", tail="high", weight=0.2, supposed=(20.0, 90.0),
        sentence="changed direction by {value} deg on each metre"),
    "turned_back": Kind(unit="times", tail="high", weight=0.2, supposed=(0.0, 1.0),
        sentence="turned back {value} times{detail}"),
    "pacing": Kind(unit="times", tail="high", weight=0.35, supposed=(0.0, 1.0),
        sentence="paced up and down {value} times in {over} s"),
    "came_again": Kind(unit="times", tail="high", weight=0.2, supposed=(0.0, 1.0),
        sentence="went out of view and came again {value} times in {over} s"),
    "following": Kind(unit="m", tail="low", weight=0.2, supposed=(2.0, 0.8),
        sentence="followed {value} m behind somebody{detail}"),
    "denied_reads": Kind(unit="times", tail="high", weight=0.3, supposed=(0.0, 1.0),
        sentence="was refused {value} times in {over} s"),
    "tailgating": Kind(unit="persons", tail="fact", weight=0.85, hard=True,
        sentence="{value} more went through than were let in{detail}"),
    "with_child": Kind(unit="persons", tail="fact", weight=0.0,
        sentence="a child went in beside somebody who was let in{detail}"),
    "crowding": Kind(unit="persons", tail="high", weight=0.2, supposed=(1.0, 4.0),
        sentence="{value} people stand at the door"),
    "blocked": Kind(unit="s", tail="fact", weight=0.6,
        sentence="somebody has been held or blocked at the door for {value} s{detail}"),
    "object_left": Kind(unit="s", tail="fact", weight=0.4,
        sentence="something was left at the door {value} s ago{detail}"),
    "object_taken": Kind(unit="s", tail="fact", weight=0.3,
        sentence="something that stood at the door was carried off {value} s ago{detail}"),
    "camera_tamper": Kind(unit="s", tail="fact", weight=0.6, hard=True,
        sentence="the camera was tampered with{detail}"),
    "reader_tamper": Kind(unit="s", tail="fact", weight=0.6, hard=True,
        sentence="the reader was tampered with{detail}"),
    "face_mismatch": Kind(unit="cosine", tail="fact", weight=0.6, hard=True,
        sentence="the face is not the cardholder's{detail}"),
    "presentation_attack": Kind(unit="score", tail="fact", weight=0.8, hard=True,
        sentence="a picture of the cardholder was shown{detail}"),
    "stress_signs": Kind(unit="index", tail="high", weight=0.1, supposed=(0.2, 0.6), emotional=True,
        sentence="stress signs {value} over {over} s{detail}"),
    "aggression_signs": Kind(unit="index", tail="high", weight=0.2, supposed=(0.0, 0.4), emotional=True,
        sentence="signs of aggression {value} over {over} s"),
    "panic_signs": Kind(unit="index", tail="high", weight=0.2, supposed=(0.0, 0.4), emotional=True,
        sentence="signs of panic {value} over {over} s"),
    "micro_expressions": Kind(unit="times", tail="high", weight=0.0, supposed=(0.0, 2.0), emotional=True,
        sentence="{value} brief changes of the face in {over} s (experimental: not part of the risk)"),
}  # fmt: skip


MEANT = {"dazzled": 0.5, "defocused": 0.7}
"""How far a sign of the camera speaks for somebody who meant it: the sun dazzles too, and lenses fog."""


def sentence(evidence: Evidence) -> str:
    """What a guard reads, e.g. 'looked away 5 times in 8 s, usual here 0 to 1'."""
    kind = KINDS[evidence.kind]
    said = kind.sentence.format(value=_number(evidence.value, kind.unit), over=f"{evidence.over_s:.0f}",
                                detail=f" ({evidence.detail})" if evidence.detail else "")  # fmt: skip
    return said if evidence.usual is None else f"{said}, {_usual(evidence.usual, kind.unit)}"


_WHOSE = {
    "hour": "usual here at this hour", "door": "usual here", "cardholder": "usual for this cardholder",
    "similar_doors": "usual at such doors", "nothing_yet": "supposed usual",
}  # fmt: skip


def _usual(usual: Usual, unit: str) -> str:
    low, high = _number(usual.low, unit), _number(usual.high, unit)
    return f"{_WHOSE[usual.of]} {low}" if low == high else f"{_WHOSE[usual.of]} {low} to {high}"


def _number(value: float, unit: str) -> str:
    if unit in ("times", "persons", "deg/m"):
        return f"{value:.0f}"
    if unit == "share":
        return f"{100 * value:.0f} %"
    return f"{value:.2f}" if unit in ("cosine", "score", "index") else f"{value:.1f}" if value < 10 else f"{value:.0f}"
