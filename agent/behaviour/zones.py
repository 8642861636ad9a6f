"""In which zone somebody is, for how long, and which lines they crossed. Pure; one ZoneTrack for each person.

Places jitter by a few centimetres from frame to frame. Where somebody is follows from the last two thirds of a second at an even pace, which
lags behind nobody who walks straight on; how far the places lie from that pace says how much they jitter just now. A zone is left
and a line crossed when that cannot be jitter, or when it lasts; the time that is told is that at which the edge itself was passed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Literal, NamedTuple

from msgspec import Struct

from agent.behaviour.floor import FloorPlan, Line, Zone
from agent.behaviour.ground import FloorPoint, Pair
from agent.behaviour.shapes import along

MOST_CROSSINGS = 32


class ZoneSettings(Struct, frozen=True, kw_only=True):
    """When somebody counts as being elsewhere."""

    gap_s: float = 1.0
    """Out of sight for longer, and a stay is over."""
    over_s: float = 0.7
    """A place follows from what was seen for so long."""
    sure: float = 5.0
    """A border is passed by so many standard errors of where somebody is,"""
    least_m: float = 0.03
    most_m: float = 0.5
    lasts_s: float = 3.0
    """or when they are on its other side for so long."""
    jitter: float = 0.2
    """Share of a place's standard deviation that is supposed to differ from frame to frame, for as much as"""
    supposed: float = 3.0
    """so many places would say of it."""


class Crossing(NamedTuple):
    """Somebody crossed a line, at the time at which they stood on it."""

    line: str
    at_s: float
    direction: Literal["in", "out"]


class ZoneState(NamedTuple):
    """Where somebody is and was. Times in s."""

    zone: str
    """Its name; empty while it is not known."""
    since_s: float
    dwell_s: dict[str, float]
    """Time in each zone, together the time in sight."""
    entries: dict[str, int]
    crossings: tuple[Crossing, ...]


class _Seen(NamedTuple):
    at_s: float
    place: Pair
    sigma_m: float


class ZoneTrack:
    """One person's way through the zones. Call `take` with each frame's place, or None; `state` tells."""

    def __init__(self, plan: FloorPlan, settings: ZoneSettings | None = None) -> None:
        self._plan, self._settings = plan, settings or ZoneSettings()
        self._lately: deque[_Seen] = deque()
        self._zone: Zone | None = None
        self._since_s = 0.0
        self._out_since_s: float | None = None
        """Since when the place has been in another zone than the one that counts."""
        self._dwell_s: dict[str, float] = {}
        self._entries: Counter[str] = Counter()
        self._sides = [_Side(line) for line in plan.lines]
        self._crossings: deque[Crossing] = deque(maxlen=MOST_CROSSINGS)

    def take(self, at_s: float, point: FloorPoint | None) -> None:
        """A frame's place; None where it was not seen or not known well enough. Times rise."""
        if point is None or (self._lately and at_s <= self._lately[-1].at_s):
            return
        seen = _Seen(at_s, (point.x_m, point.y_m), point.sigma_m)
        self._pass_time(at_s)
        self._lately.append(seen)
        while at_s - self._lately[0].at_s > self._settings.over_s:
            self._lately.popleft()
        steady, margin_m = self._steady()
        self._settle(steady, seen, margin_m)
        self._crossings.extend(
            crossing for side in self._sides if (crossing := side.take(at_s, steady, seen.place, margin_m)) is not None
        )

    def state(self, now_s: float) -> ZoneState:
        """What is known; nobody is in a zone who was out of sight for longer than a moment."""
        here = self._zone.name if self._zone is not None and self._is_in_sight(now_s) else ""
        return ZoneState(here, self._since_s if here else now_s, dict(self._dwell_s), dict(self._entries), tuple(self._crossings))

    def _is_in_sight(self, now_s: float) -> bool:
        return bool(self._lately) and now_s - self._lately[-1].at_s <= self._settings.gap_s

    def _pass_time(self, at_s: float) -> None:
        """Up to the next sight: a moment's gap belongs to the stay, a longer one ends it."""
        if self._zone is None:
            return
        if self._is_in_sight(at_s):
            self._dwell_s[self._zone.name] = self._dwell_s.get(self._zone.name, 0.0) + at_s - self._lately[-1].at_s
            return
        self._zone, self._out_since_s = None, None
        self._lately.clear()
        for side in self._sides:
            side.forget()

    def _steady(self) -> tuple[Pair, float]:
        """Where somebody is who went on as in the last moments (the end of a straight line through what was seen), and how far from a border
        that has to be."""
        settings, seen = self._settings, self._lately
        last, count = seen[-1], len(seen)
        supposed = settings.supposed * (settings.jitter * last.sigma_m) ** 2
        times = [each.at_s - last.at_s for each in seen]
        lines = [_line_through(times, [each.place[axis] for each in seen]) for axis in (0, 1)] if count >= 3 else []
        if not lines:
            place, error = last.place, sqrt(supposed / settings.supposed)
        else:
            place = (lines[0].end, lines[1].end)
            jitter = sqrt((supposed + sum(line.squares for line in lines) / 2) / (settings.supposed + count - 2))
            error = jitter * lines[0].end_error
        return place, min(max(settings.sure * error, settings.least_m), settings.most_m)

    def _settle(self, steady: Pair, seen: _Seen, margin_m: float) -> None:
        here = self._plan.zone_at(steady)
        if self._zone is None:
            self._enter(here, seen.at_s)
        elif here is self._zone:
            self._out_since_s = None
        else:
            self._out_since_s = seen.at_s if self._out_since_s is None else self._out_since_s
            agreed = self._plan.zone_at(seen.place) is not self._zone
            lasted = seen.at_s - self._out_since_s >= self._settings.lasts_s
            if agreed and (lasted or _behind_m(self._zone, here, steady) >= margin_m):
                self._change(here, self._out_since_s, seen.at_s)

    def _change(self, zone: Zone, since_s: float, now_s: float) -> None:
        """Into another zone, in which the time since the edge was passed belongs."""
        if self._zone is not None:
            self._dwell_s[self._zone.name] = max(0.0, self._dwell_s.get(self._zone.name, 0.0) - (now_s - since_s))
        self._enter(zone, since_s)
        self._dwell_s[zone.name] += now_s - since_s

    def _enter(self, zone: Zone, at_s: float) -> None:
        self._zone, self._since_s, self._out_since_s = zone, at_s, None
        self._dwell_s.setdefault(zone.name, 0.0)
        self._entries[zone.name] += 1


def _behind_m(left: Zone, entered: Zone, at_m: Pair) -> float:
    """How far behind somebody the border between two zones is."""
    return entered.border_m(at_m) if left.contains(at_m) else left.border_m(at_m)


class _Straight(NamedTuple):
    """A straight line through values over time, at time 0."""

    end: float
    squares: float
    """Sum of what the values lie from it, squared."""
    end_error: float
    """Standard error of the end, of a jitter of 1."""


def _line_through(times: Sequence[float], values: Sequence[float]) -> _Straight:
    """By least squares."""
    count = len(times)
    mean_t, mean = sum(times) / count, sum(values) / count
    spread = sum((t - mean_t) ** 2 for t in times)
    slope = sum((t - mean_t) * (value - mean) for t, value in zip(times, values, strict=True)) / spread
    squares = sum((value - mean - slope * (t - mean_t)) ** 2 for t, value in zip(times, values, strict=True))
    return _Straight(mean - slope * mean_t, squares, sqrt(1 / count + mean_t**2 / spread))


class _Side:
    """On which side of a line somebody is."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.forget()

    def forget(self) -> None:
        self._inside: bool | None = None
        self._last: tuple[float, Pair] | None = None
        self._passed: tuple[float, Pair] | None = None
        """When and where the line itself was passed, while it is not sure yet that it was."""

    def take(self, at_s: float, steady: Pair, raw: Pair, margin_m: float) -> Crossing | None:
        """The crossing, once it is sure."""
        line, last = self._line, self._last
        now_m = line.inside_m(steady)
        self._last = (at_s, steady)
        if self._inside is None or last is None:
            self._inside = now_m > 0
            return None
        if (now_m > 0) == self._inside:
            self._passed = None
            return None
        if self._passed is None:
            self._passed = _between(last, (at_s, steady), line)
        if abs(now_m) < margin_m or (line.inside_m(raw) > 0) == self._inside:
            return None
        (passed_s, place), self._passed = self._passed, None
        self._inside = not self._inside
        within = margin_m / max(_length_m(line), 1e-9)
        if not -within <= along(line.from_m, line.to_m, place) <= 1 + within:
            return None
        return Crossing(line.name, passed_s, "in" if self._inside else "out")


def _between(before: tuple[float, Pair], after: tuple[float, Pair], line: Line) -> tuple[float, Pair]:
    """When and where the way between two sights meets a line that lies between them."""
    (t0, a), (t1, b) = before, after
    from_m, to_m = line.inside_m(a), line.inside_m(b)
    share = from_m / (from_m - to_m) if from_m != to_m else 0.0
    share = min(max(share, 0.0), 1.0)
    return t0 + share * (t1 - t0), (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))


def _length_m(line: Line) -> float:
    return float(((line.to_m[0] - line.from_m[0]) ** 2 + (line.to_m[1] - line.from_m[1]) ** 2) ** 0.5)


def occupancy(states: Iterable[ZoneState]) -> dict[str, int]:
    """How many people are in each zone; who is in none that is known is not counted."""
    return dict(Counter(state.zone for state in states if state.zone))
