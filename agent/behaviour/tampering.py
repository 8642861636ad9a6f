"""What somebody may have done to the camera, as evidence, and who was near it then."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from agent.behaviour.walkers import Subject
from agent.core.conduct import Evidence

BEGAN_S: dict[str, float] = {"frozen": 10.0, "black": 3.0, "dazzled": 3.0, "covered": 6.0, "moved": 5.0, "defocused": 8.0}
"""A sign is told when it has lasted for about so long (agent.vision.scene_watch): what it tells of began before."""
NEAR_M = 2.0
LOOK_BACK_S = 8.0
"""A hand comes from somebody who was in view so long before, or has been since."""
REMEMBER_S = 90.0


class _Near(NamedTuple):
    at_s: float
    away_m: float
    body: int | None
    face: int | None


class Tampering:
    """Call `take` with each observation. One per camera; bounded; time is an argument."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._near: deque[_Near] = deque(maxlen=200)

    def take(self, now_s: float, signs: Sequence[str], subjects: Sequence[Subject]) -> tuple[Evidence, ...]:
        """`signs`: words that stand (VisionHealth.tamper). Each is told as long as it stands, with whoever was nearest when it began."""
        self._remember(now_s, subjects)
        self._since_s = {sign: min(now_s, self._since_s.get(sign, now_s - BEGAN_S.get(sign, 5.0))) for sign in signs}
        return tuple(self._told(now_s, sign, since_s) for sign, since_s in self._since_s.items())

    def _remember(self, now_s: float, subjects: Sequence[Subject]) -> None:
        """Whoever is nearest, twice a second."""
        if self._near and 0 <= now_s - self._near[-1].at_s < 0.5:
            return
        found = [
            (subject.point.y_m, subject) for subject in subjects if subject.point is not None and now_s - subject.seen_s < 0.5
        ]
        if found:
            away_m, subject = min(found, key=lambda pair: pair[0])
            self._near.append(_Near(now_s, away_m, subject.body, subject.face))
        while self._near and not 0 <= now_s - self._near[0].at_s <= REMEMBER_S:
            self._near.popleft()

    def _told(self, now_s: float, sign: str, since_s: float) -> Evidence:
        then = [near for near in self._near if near.at_s - 1.0 <= since_s <= near.at_s + LOOK_BACK_S and near.away_m <= NEAR_M]
        near = min(then, key=lambda near: near.away_m, default=None)
        who = f"somebody was {near.away_m:.1f} m from the door then" if near is not None else "nobody was seen near it"
        return Evidence(kind="camera_tamper", value=round(now_s - since_s, 1), over_s=round(now_s - since_s, 1), detail=f"{sign}, {who}",
                        confidence=0.9 if near is not None else 0.6, track=near.body if near else None,
                        face=near.face if near else None, at_s=now_s)  # fmt: skip
