"""People on a doorstep as vision tells of them: found five times a second, told a moment longer, lost near the door, broken and found again.

A person is a path over the floor and a view of them: from where the camera loses them, how often a search misses them, what hides them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from agent.behaviour.ground import FloorPoint
from agent.behaviour.passages import Passages, PassageSettings, Subject
from agent.core.conduct import DoorNews, Evidence

FRAME_S = 1 / 15
SEARCH_S = 0.2
SHOWN_S = 0.45
WALKS_M_S = 1.3

Place = tuple[float, float]
Waypoint = tuple[float, float, float]
"""When, x, y."""


@dataclass
class Person:
    """Somebody with a way over the floor; before its first and after its last waypoint they are not there."""

    path: Sequence[Waypoint]
    lost_m: float = 0.7
    """The camera above the door does not see whoever is nearer."""
    misses: float = 0.08
    breaks_s: tuple[tuple[float, float], ...] = ()
    """Spans in which the search finds nothing of them; after each their track has another id."""
    height_m: float | None = None
    face: int | None = None
    bias_m: float = 0.0

    def at(self, t_s: float) -> Place | None:
        for (a_s, ax, ay), (b_s, bx, by) in zip(self.path, self.path[1:], strict=False):
            if a_s <= t_s < b_s:
                share = (t_s - a_s) / (b_s - a_s)
                return ax + share * (bx - ax), ay + share * (by - ay)
        return None

    def crosses_s(self) -> float:
        """When they walk over the line half a metre before the door for the last time; never, if they do not go in."""
        if self.path[-1][2] > 0:
            return float("inf")
        times = [self.path[0][0] + i / 100 for i in range(int(100 * (self.path[-1][0] - self.path[0][0])))]
        before = [t_s for t_s in times if (place := self.at(t_s)) is not None and place[1] >= 0.5]
        return max(before, default=times[0])


@dataclass
class _Track:
    id: int
    finds: int = 0
    seen_s: float = -1e9
    spot: Place = (0.0, 0.0)
    speed: Place = (0.0, 0.0)


@dataclass
class Doorstep:
    """A door, the people before it and what the door told. `run` gives what Passages said, frame by frame."""

    people: Sequence[Person]
    news: Sequence[DoorNews] = ()
    seed: int = 0
    hidden: bool = True
    """Whoever is right behind somebody is not found."""
    late_s: Callable[[DoorNews], float] = lambda said: 0.03
    settings: PassageSettings = field(default_factory=PassageSettings)
    sigma_m: float = 0.12
    jitter_m: float = 0.03

    def run(self, until_s: float, from_s: float = 0.0) -> list[tuple[float, tuple[Evidence, ...]]]:
        passages, chance, tracks = Passages(self.settings), Random(self.seed), [_Track(0) for _ in self.people]
        waiting, told, ids, next_search_s = sorted(self.news, key=lambda said: said.at_s + self.late_s(said)), [], 0, from_s
        now_s = from_s
        while now_s < until_s:
            if now_s >= next_search_s:
                next_search_s += SEARCH_S
                ids = self._search(now_s, tracks, chance, ids)
            due = [said for said in waiting if said.at_s + self.late_s(said) <= now_s]
            waiting = [said for said in waiting if said not in due]
            told.append((now_s, passages.take(now_s, self._subjects(now_s, tracks), due)))
            now_s += FRAME_S
        return told

    def _search(self, now_s: float, tracks: Sequence[_Track], chance: Random, ids: int) -> int:
        for person, track in zip(self.people, tracks, strict=True):
            place = person.at(now_s)
            if place is None or not self._is_found(person, place, now_s, chance):
                continue
            broken = any(end_s > track.seen_s and now_s >= end_s and end_s > person.path[0][0] for _, end_s in person.breaks_s)
            if now_s - track.seen_s > 1.4 or broken:
                ids += 1
                track.id, track.finds, track.speed = ids, 0, (0.0, 0.0)
            x_m, y_m = (value + chance.gauss(0, self.jitter_m) for value in place)
            elapsed_s = now_s - track.seen_s
            if track.finds:
                track.speed = ((x_m - track.spot[0]) / elapsed_s, (y_m - track.spot[1]) / elapsed_s)
            track.finds, track.seen_s, track.spot = track.finds + 1, now_s, (x_m, y_m)
        return ids

    def _is_found(self, person: Person, place: Place, now_s: float, chance: Random) -> bool:
        x_m, y_m = place
        if y_m < person.lost_m or abs(x_m) > 0.65 * y_m + 0.15 or y_m > 6 or chance.random() < person.misses:
            return False
        if any(begin_s <= now_s < end_s for begin_s, end_s in person.breaks_s):
            return False
        others = [other.at(now_s) for other in self.people if other is not person]
        behind = any(o and 0 < y_m - o[1] < 0.5 and abs(x_m - o[0]) < 0.15 and o[1] > 0.5 for o in others)
        return not (self.hidden and behind) or chance.random() < 0.2

    def _subjects(self, now_s: float, tracks: Sequence[_Track]) -> list[Subject]:
        return [self._subject(person, track, now_s) for person, track in zip(self.people, tracks, strict=True)
                if track.finds >= 2 and now_s - track.seen_s <= SHOWN_S]  # fmt: skip

    def _subject(self, person: Person, track: _Track, now_s: float) -> Subject:
        ahead_s = now_s - track.seen_s
        x_m, y_m = track.spot[0] + track.speed[0] * ahead_s, track.spot[1] + track.speed[1] * ahead_s + person.bias_m
        zone = "threshold" if y_m <= 1.2 and abs(x_m) <= 0.9 else "approach" if y_m <= 3 else "public"
        return Subject(track.id, track.id, person.face, FloorPoint(x_m, y_m, self.sigma_m), zone, track.seen_s, track.seen_s,
                       person.height_m)  # fmt: skip


# -- people ----------------------------------------------------------------------------------------------------------------------


def walks_in(at_s: float, x_m: float = 0.0, from_m: float = 4.5, speed_m_s: float = WALKS_M_S, **more: object) -> Person:
    """Somebody who walks straight in, and is over the line at `at_s`."""
    return Person(((at_s - (from_m - 0.5) / speed_m_s, x_m * 2, from_m), (at_s, x_m, 0.5), (at_s + 0.5, 0.0, -0.1)), **more)  # type: ignore[arg-type]


def reads_and_goes_in(arrives_s: float, waits_s: float = 1.5, at_m: float = 0.9, x_m: float = 0.0, **more: object) -> Person:
    """Somebody who walks up, reads and goes in when the door is open."""
    begins_s = arrives_s - (4.5 - at_m) / WALKS_M_S
    goes_s = arrives_s + waits_s
    return Person(
        ((begins_s, x_m, 4.5), (arrives_s, x_m, at_m), (goes_s, x_m, at_m), (goes_s + (at_m + 0.1) / WALKS_M_S, 0.0, -0.1)),
        **more,
    )  # type: ignore[arg-type]


def comes_out(at_s: float, x_m: float = 0.2, **more: object) -> Person:
    return Person(((at_s, x_m, 0.1), (at_s + 3.4, x_m * 2, 4.5)), **more)  # type: ignore[arg-type]


# -- the door --------------------------------------------------------------------------------------------------------------------


def said(at_s: float, what: str, credential: str = "", **more: object) -> DoorNews:
    return DoorNews(at_s=at_s, what=what, credential=credential, **more)  # type: ignore[arg-type]


def opening(read_s: float, opens_s: float, closes_s: float, *credentials: str, cause: str = "granted") -> list[DoorNews]:
    """A door that is opened and falls shut, after one read or more."""
    return [
        *(said(read_s + 0.1 * i, cause, name) for i, name in enumerate(credentials or ("a",))),
        said(opens_s, "opened"),
        said(closes_s, "closed"),
    ]


def first_told(told: Iterable[tuple[float, tuple[Evidence, ...]]], kind: str) -> tuple[float, Evidence] | None:
    return next(((at_s, each) for at_s, now in told for each in now if each.kind == kind), None)


def kinds(told: Iterable[tuple[float, tuple[Evidence, ...]]]) -> set[str]:
    return {each.kind for _, now in told for each in now}
