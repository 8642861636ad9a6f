"""'Turn your head to the left': a question that a print cannot answer and a recorded film answers only by chance.

A pure state machine: times and randomness are passed in. The door's light points to the side; the answer counts when the head turned to it by
enough within the time, and what turned was a head. Left and right are the person's own: the camera sees a head that turns to its own left
with its nose going to the right of the picture.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.core.messages import HeadPose, Liveness

Side = Literal["left", "right"]
State = Literal["asked", "met", "failed"]


class ChallengeSettings(Struct, frozen=True, kw_only=True):
    """When an answer is one."""

    within_s: float = 4.0
    turn_deg: float = 15.0
    """From where the head was when it was asked."""
    wrong_deg: float = 15.0
    """So far to the other side fails: a film that turns its head anyhow would meet it sooner or later."""
    hold_s: float = 0.2
    """One frame may be wrong."""
    least_confidence: float = 0.4
    react_s: float = 0.15
    """Nobody answers sooner: what turned before had not seen the light."""


def choose_side(chance: float) -> Side:
    """`chance`: a random number, 0 <= chance < 1, that nobody outside can foresee (secrets.SystemRandom().random())."""
    if not 0 <= chance < 1:
        raise ValueError(f"chance is {chance}; allowed is 0 <= chance < 1")
    return "left" if chance < 0.5 else "right"


class Challenge(Struct, frozen=True, kw_only=True):
    """One question and how it stands. `step` gives the next."""

    side: Side
    asked_s: float
    settings: ChallengeSettings = ChallengeSettings()
    state: State = "asked"
    reason: str = ""
    start_deg: float | None = None
    """Yaw when it was asked, from the first confident pose."""
    there_since_s: float | None = None

    def step(self, pose: HeadPose | None, liveness: Liveness | None, now_s: float) -> Challenge:
        """One frame: where the head points, and what its movement says so far. A settled challenge stays as it is."""
        if self.state != "asked":
            return self
        if now_s - self.asked_s > self.settings.within_s:
            return replace(self, state="failed", reason="too_late")
        if pose is None or pose.confidence < self.settings.least_confidence:
            return replace(self, there_since_s=None)
        if self.start_deg is None:
            return replace(self, start_deg=pose.yaw_deg)
        return self._turned(pose.yaw_deg - self.start_deg, liveness, now_s)

    def _turned(self, yaw_deg: float, liveness: Liveness | None, now_s: float) -> Challenge:
        towards_deg = yaw_deg if self.side == "left" else -yaw_deg
        if towards_deg <= -self.settings.wrong_deg:
            return replace(self, state="failed", reason="wrong_side")
        if towards_deg < self.settings.turn_deg:
            return replace(self, there_since_s=None)
        if now_s - self.asked_s < self.settings.react_s:
            return replace(self, state="failed", reason="too_soon")
        since_s = now_s if self.there_since_s is None else self.there_since_s
        if now_s - since_s < self.settings.hold_s:
            return replace(self, there_since_s=since_s)
        return self._answered(liveness, since_s)

    def _answered(self, liveness: Liveness | None, since_s: float) -> Challenge:
        """The turn was made: by a head? While that is not known yet, the time runs on."""
        if liveness is None or liveness.verdict == "unsure":
            return replace(self, there_since_s=since_s)
        if liveness.verdict == "attack":
            return replace(self, state="failed", reason=liveness.reason)
        return replace(self, state="met", there_since_s=since_s)
