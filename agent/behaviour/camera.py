"""What somebody may have done to the camera, as evidence: since when, and whether anybody stood near it when it began."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from agent.behaviour.walkers import Subject
from agent.core.conduct import Evidence
from agent.core.evidence import MEANT

NEAR_M = 2.0
"""An arm with a spray can, or with a coat."""
LATELY_S = 10.0
"""Signs are told up to so long after they began (agent.vision.scene_watch), and by then nobody is seen any more."""


class CameraSigns:
    """Call `take` with each frame; not thread-safe."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._near = ("", float("-inf"))
        """Who was last near the camera, in words, and when."""

    def take(self, signs: Sequence[str], subjects: Sequence[Subject], now_s: float) -> tuple[Evidence, ...]:
        """`signs`: those that stand now, a word each."""
        if not signs:
            self._since_s = None
            self._note(subjects, now_s)
            return ()
        self._since_s = now_s if self._since_s is None or now_s < self._since_s else self._since_s
        words, near_s = self._near
        near = f"; {words} before that" if 0.0 <= self._since_s - near_s <= LATELY_S else ""
        return (Evidence(kind="camera_tamper", value=round(now_s - self._since_s, 1), detail=", ".join(signs) + near, at_s=now_s,
                         confidence=max(MEANT.get(sign, 1.0) for sign in signs)),)  # fmt: skip

    def _note(self, subjects: Sequence[Subject], now_s: float) -> None:
        away = [hypot(subject.point.x_m, subject.point.y_m) for subject in subjects if subject.point is not None]
        if away and min(away) <= NEAR_M:
            self._near = (f"somebody stood {min(away):.1f} m away", now_s)
