"""People near each other at the door: a crowd, somebody close behind somebody, somebody who cannot get away.

Distances on the floor and times; what they mean is for whoever reads them. Friends who talk stand near each other and do not try to get
away; who came together follows nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from math import hypot

from msgspec import Struct

from agent.behaviour.walkers import Walker
from agent.core.conduct import Evidence


class CompanySettings(Struct, frozen=True, kw_only=True):
    """Distances in metres, on the floor."""

    crowd_m: float = 3.0
    """Who stands so near to the door counts,"""
    crowd_s: float = 2.0
    """and has for so long."""
    crowd_least: int = 3
    stands_m_s: float = 0.35

    at_door_m: float = 1.6
    """Somebody is followed up to the door only."""
    follows_m: float = 2.0
    apart_s: float = 1.5
    """Who came into view so long after, or"""
    apart_m: float = 2.0
    """so far away from the other, came separately."""
    beside_m: float = 0.5
    """A follower is farther from the door by so much: two side by side follow each other not."""

    near_m: float = 0.6
    blocked_s: float = 4.0
    """So near for so long,"""
    tries: int = 2
    """and so often somebody set out to get away,"""
    away_m: float = 0.25
    """by so much,"""
    within_s: float = 1.0
    """in this time, and was still as near to the other."""
    most_sigma_m: float = 0.4
    """Positions worse than this say nothing of half a metre."""
    most_pairs: int = 60


@dataclass
class _Pair:
    """What was measured of two people; the first follows, or is held."""

    near_since_s: float | None = None
    tries: int = 0
    trying: bool = False
    closest_m: float = float("inf")
    behind_s: float = 0.0
    seen_s: float = 0.0
    separate: bool | None = None
    track: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=20))
    """When, and where the first one was."""


class Company:
    """Remembers pairs of walkers for as long as both are in view."""

    def __init__(self, settings: CompanySettings | None = None) -> None:
        self._settings = settings or CompanySettings()
        self._pairs: dict[tuple[int, int], _Pair] = {}
        self._crowd: deque[tuple[float, int]] = deque(maxlen=64)

    def take(self, now_s: float, present: Sequence[Walker]) -> tuple[Evidence, ...]:
        """What stands now of those in view."""
        bodies = [walker for walker in present if not walker.twin and now_s - walker.seen_s < 0.5]
        told: list[Evidence] = []
        known: dict[tuple[int, int], _Pair] = {}
        for one, other in permutations(bodies[: self._settings.most_pairs // 8], 2):
            pair = known[id(one), id(other)] = self._pairs.get((id(one), id(other))) or _Pair()
            self._follow(pair, one, other)
            self._near(pair, one, other, now_s)
            told += self._told(pair, one, other, now_s)
        gone = {key: pair for key, pair in self._pairs.items() if key not in known and now_s - pair.seen_s < 1.5}
        self._pairs = dict(list({**gone, **known}.items())[-self._settings.most_pairs :])
        return (*self._crowding(now_s, bodies), *told)

    # -- a crowd -----------------------------------------------------------------------------------------------------------------

    def _crowding(self, now_s: float, bodies: Sequence[Walker]) -> tuple[Evidence, ...]:
        standing = [walker for walker in bodies if self._stands(walker, now_s)]
        while self._crowd and (now_s - self._crowd[0][0] > self._settings.crowd_s or self._crowd[0][0] > now_s):
            self._crowd.popleft()
        self._crowd.append((now_s, len(standing)))
        count = sorted(number for _, number in self._crowd)[len(self._crowd) // 2]
        if count < self._settings.crowd_least or not standing:
            return ()
        over_s = now_s - min(walker.came.at_s for walker in standing)
        return (Evidence(kind="crowding", value=float(count), over_s=round(over_s, 1), confidence=0.8, at_s=now_s),)

    def _stands(self, walker: Walker, now_s: float) -> bool:
        settings, motion = self._settings, walker.motion()
        here = walker.zone in ("threshold", "approach") or walker.last.y_m <= settings.crowd_m
        return here and now_s - walker.came.at_s >= settings.crowd_s and hypot(*motion) < settings.stands_m_s

    # -- somebody behind somebody ------------------------------------------------------------------------------------------------

    def _follow(self, pair: _Pair, behind: Walker, ahead: Walker) -> None:
        """Measured while the one ahead walks up to the door and the other comes after."""
        settings = self._settings
        if pair.separate is None:
            gap_m = hypot(behind.last.x_m - ahead.last.x_m, behind.last.y_m - ahead.last.y_m)
            pair.separate = behind.came.at_s - ahead.came.at_s >= settings.apart_s or gap_m >= settings.apart_m
        back_m = behind.last.y_m - ahead.last.y_m
        comes = behind.motion().y_m_s < -0.3 and behind.farthest_m - behind.y_m >= 0.5
        if ahead.last.y_m > settings.at_door_m or back_m < settings.beside_m or not comes:
            return
        gap_m = hypot(behind.last.x_m - ahead.last.x_m, back_m)
        if gap_m < pair.closest_m:
            pair.closest_m, pair.behind_s = gap_m, back_m / max(-behind.motion().y_m_s, 0.3)

    # -- somebody who is held ----------------------------------------------------------------------------------------------------

    def _near(self, pair: _Pair, held: Walker, other: Walker, now_s: float) -> None:
        """Counts how often `held` set out away from the door, or from the other, and still had them as near."""
        settings = self._settings
        pair.seen_s = now_s
        gap_m = hypot(held.last.x_m - other.last.x_m, held.last.y_m - other.last.y_m)
        blurred = max(held.last.sigma_m, other.last.sigma_m) > settings.most_sigma_m
        if gap_m > settings.near_m + 0.15 or blurred or min(held.y_m, other.y_m) > settings.at_door_m:
            pair.near_since_s, pair.tries, pair.trying = None, 0, False
            pair.track.clear()
            return
        if pair.near_since_s is None:
            pair.near_since_s = now_s
        if not pair.track or held.seen_s > pair.track[-1][0]:
            pair.track.append((held.seen_s, held.last.x_m, held.y_m))
        if self._sets_out(pair, held, other):
            pair.trying = True
        elif pair.trying and (hypot(*held.motion(0.6)) < 0.2 or held.motion(0.6).y_m_s < -0.2):
            pair.tries, pair.trying = pair.tries + 1, False  # who really goes does not stop here

    def _sets_out(self, pair: _Pair, held: Walker, other: Walker) -> bool:
        """Whether somebody has moved away by more than positions are wrong, at a walk, and the other went after them."""
        settings = self._settings
        least_m = max(settings.away_m, held.last.sigma_m)
        lately = [spot for spot in pair.track if held.seen_s - spot[0] <= settings.within_s]
        moved_m = max((hypot(held.last.x_m - x_m, held.y_m - y_m) for _, x_m, y_m in lately), default=0.0)
        motion, with_it = held.motion(0.6), other.motion(0.6)
        after = with_it.x_m_s * motion.x_m_s + with_it.y_m_s * motion.y_m_s
        speed = hypot(*motion)
        return moved_m >= least_m and speed > 0.3 and motion.y_m_s > -0.2 and after > 0.3 * speed * speed

    # -- what is told ------------------------------------------------------------------------------------------------------------

    def _told(self, pair: _Pair, one: Walker, other: Walker, now_s: float) -> list[Evidence]:
        settings, told = self._settings, []
        if pair.separate and pair.closest_m <= settings.follows_m:
            told.append(Evidence(kind="following", value=round(pair.closest_m, 2), confidence=_sure(one, other),
                                 detail=f"{pair.behind_s:.1f} s behind at the door", track=one.body, face=one.face, at_s=now_s))  # fmt: skip
        since_s = pair.near_since_s
        if since_s is not None and now_s - since_s >= settings.blocked_s and pair.tries >= settings.tries:
            gap_m = hypot(one.last.x_m - other.last.x_m, one.last.y_m - other.last.y_m)
            told.append(Evidence(
                kind="blocked", value=round(now_s - since_s, 1), over_s=round(now_s - since_s, 1),
                confidence=round(min(0.6, 0.2 + 0.1 * pair.tries) * _sure(one, other), 2), track=one.body, face=one.face, at_s=now_s,
                detail=f"set out to get away {pair.tries} times, somebody {gap_m:.1f} m from them all the time",
            ))  # fmt: skip
        return told


def _sure(one: Walker, other: Walker) -> float:
    """Half a metre is well measured with positions of 10 cm, and hardly with 40."""
    worst_m = max(one.last.sigma_m, other.last.sigma_m)
    return round(max(0.2, min(1.0, 1.2 - 2 * worst_m)), 2)
