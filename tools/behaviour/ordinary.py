"""Ordinary passes, drawn by chance: thousands of people who want nothing but in, out or past. Seeded: the same seed, the same people.

How often each kind comes is an assumption about an office door, stated in KINDS; speeds are those of tools.behaviour.ways. What
an alarm costs is asked of each kind by itself as well, so that a door with more couriers can be reckoned from the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import numpy as np

from demo.catalogue import OWNER_APPROACH
from demo.walks import Glance, Walk
from demo.ways import THROUGH, Go, Part, Point, Wait, pace_of, times, way
from tools.behaviour.episode import Episode, News

MONDAY = datetime(2025, 3, 3, tzinfo=timezone(timedelta(hours=1)))
OFFICE_HOURS = (0, 0, 0, 0, 0, 1, 6, 14, 18, 10, 6, 6, 10, 9, 6, 6, 7, 9, 6, 3, 1, 1, 0.5, 0.2)
"""How many come in each hour of a working day, beside each other."""
WEEKEND = 0.08
"""Of a working day's passes."""
A_WEEK = 300
"""Passes of a small office's door."""
ADULT_M, ADULT_DEVIATION_M = 1.71, 0.09
CHILD_M = (0.95, 1.2)

Chance = np.random.Generator


def passes(count: int, seed: int) -> Iterator[Episode]:
    """`count` ordinary passes in the proportions of KINDS, in the order in which they come, `A_WEEK` a week."""
    chance = np.random.default_rng((seed, 1))
    names = list(KINDS)
    shares = np.array([KINDS[name][0] for name in names])
    drawn = chance.choice(len(names), size=count, p=shares / shares.sum())
    weeks = math.ceil(count / A_WEEK)
    for number, wall in enumerate(sorted(_when(chance, weeks) for _ in range(count))):
        yield one(names[int(drawn[number])], seed, number, wall)


def one(name: str, seed: int, number: int, wall: datetime = MONDAY) -> Episode:
    """One pass of a kind."""
    walks, news = KINDS[name][1](np.random.default_rng((seed, number, 7)))
    return Episode(name=name, seed=1000 * seed + number, wall=wall, walks=walks, ends_s=max(walk.ends_s for walk in walks) + 3.0,
                   news=tuple(sorted(news, key=lambda each: each.at_s)))  # fmt: skip


def _when(chance: Chance, weeks: int) -> datetime:
    """A day and an hour as people come to an office."""
    days = np.array([1.0] * 5 + [WEEKEND] * 2)
    hours = np.array(OFFICE_HOURS) + 0.02
    day, hour = int(chance.choice(7, p=days / days.sum())), int(chance.choice(24, p=hours / hours.sum()))
    return MONDAY + timedelta(days=day + 7 * int(chance.integers(0, weeks)), hours=hour, minutes=float(chance.uniform(0, 60)))


Cast = tuple[tuple[Walk, ...], list[News]]


def _tall(chance: Chance) -> float:
    return float(np.clip(chance.normal(ADULT_M, ADULT_DEVIATION_M), 1.5, 1.98))


def _from(chance: Chance) -> Point:
    """Where somebody comes into view."""
    return float(chance.uniform(-0.9, 0.9)), float(chance.uniform(4.5, 6.5))


def _at_door(chance: Chance) -> Point:
    return float(chance.uniform(-0.2, 0.25)), float(chance.uniform(0.8, 1.15))


def _looks(chance: Chance, from_s: float, until_s: float, every_s: float, most_deg: float = 45.0) -> tuple[Glance, ...]:
    """People look about: a noise, a colleague, the clock."""
    found, at_s = [], from_s + float(chance.exponential(every_s))
    while at_s < until_s - 0.5:
        for_s = float(np.clip(chance.gamma(3.0, 0.3), 0.3, 3.0))
        found.append(Glance(at_s, for_s + 0.5, float(chance.choice((-1, 1)) * chance.uniform(15, most_deg))))
        at_s += for_s + 0.8 + float(chance.exponential(every_s))
    return tuple(found)


def _walk(chance: Chance, start: Point, parts: list[Part], *, starts_s: float = 0.0, looks_every_s: float = 15.0,
          height_m: float | None = None, glances: tuple[Glance, ...] = ()) -> Walk:  # fmt: skip
    ends_s = times(parts, start, starts_s)[-1]
    looks = glances or _looks(chance, starts_s, ends_s, looks_every_s)
    return way(OWNER_APPROACH, start, parts, starts_s=starts_s, glances=looks, height_m=height_m or _tall(chance),
               sway_deg=float(chance.uniform(2.0, 7.0)))  # fmt: skip


def _in(chance: Chance, speed: float, *, before: Part | None = None) -> tuple[Point, list[Part], int]:
    """The parts of coming in: walk up, hold out the fob, open, go through; and the number of the part after which the fob is read."""
    hand_s = float(np.clip(chance.lognormal(0.0, 0.5), 0.4, 6.0))
    opens_s = float(np.clip(chance.lognormal(-0.1, 0.4), 0.4, 4.0))
    parts: list[Part] = [before] if before is not None else []
    parts += [Go(_at_door(chance), speed), Wait(hand_s), Wait(opens_s), Go(THROUGH, min(speed, 1.3))]
    return _from(chance), parts, len(parts) - 3


def _news_in(ends: list[float], read: int, who: int, credential: str) -> list[News]:
    """Read and granted, opened while the hand is on the door, shut some seconds after."""
    opened_s = ends[read] + 0.7 * (ends[read + 1] - ends[read])
    return [News(at_s=ends[read], what="granted", credential=credential, who=who), News(at_s=opened_s, what="opened"),
            News(at_s=ends[-1] + 2.5, what="closed")]  # fmt: skip


def _owner(chance: Chance, *, hurry: bool = False, slow: bool = False) -> Cast:
    start, parts, read = _in(chance, pace_of(chance, hurry=hurry, slow=slow))
    return (_walk(chance, start, parts),), _news_in(times(parts, start), read, 0, "a")


def _hurry(chance: Chance) -> Cast:
    return _owner(chance, hurry=True)


def _slow(chance: Chance) -> Cast:
    return _owner(chance, slow=True)


def _reading(chance: Chance) -> Cast:
    """Stops on the way, reads the notice beside the door or a telephone, then goes in."""
    speed, start = pace_of(chance), _from(chance)
    stop = (float(chance.uniform(-0.6, 0.6)), float(chance.uniform(1.3, 2.6)))
    reads_s = float(np.clip(chance.lognormal(1.6, 0.6), 1.5, 20.0))
    hand_s = float(chance.uniform(0.6, 2.0))
    parts: list[Part] = [
        Go(stop, speed),
        Wait(reads_s),
        Go(_at_door(chance), 0.8 * speed),
        Wait(hand_s),
        Wait(1.0),
        Go(THROUGH, 1.1),
    ]
    ends = times(parts, start)
    aside = (Glance(ends[0] + 0.2, reads_s - 0.2, float(chance.choice((-1, 1)) * chance.uniform(10, 35))),)
    return (_walk(chance, start, parts, glances=aside),), _news_in(ends, 3, 0, "a")


def _fumbling(chance: Chance) -> Cast:
    """Looks for the fob in every pocket, is refused once for holding it badly, goes in."""
    speed, start = pace_of(chance), _from(chance)
    seeks_s = float(np.clip(chance.lognormal(2.0, 0.4), 3.0, 18.0))
    parts: list[Part] = [Go(_at_door(chance), speed), Wait(seeks_s, 0.05), Wait(1.5), Wait(1.0), Go(THROUGH, 1.1)]
    ends = times(parts, start)
    news = _news_in(ends, 2, 0, "a")
    if chance.random() < 0.5:
        news.append(News(at_s=ends[1], what="denied", who=0))
    return (_walk(chance, start, parts, looks_every_s=8.0),), news


def _together(chance: Chance, count: int) -> Cast:
    """Friends: the first opens, each holds out a fob, one after the other through."""
    speed, (x_m, z_m) = pace_of(chance), _from(chance)
    talks = float(chance.uniform(2.5, 6.0))
    walks, news, ready_s = [], [], 0.0
    for who in range(count):
        side = 0.55 * (-1) ** who * (1 + who // 2 * 0.3)
        start = (x_m + side, z_m + 0.25 * who)
        queue = (0.45 * side + 0.15, 1.0 + 0.55 * who)
        here = [Go(queue, speed * float(chance.uniform(0.95, 1.05)))]
        arrives_s = times(here, start)[-1]
        waits_s = max(0.3, ready_s - arrives_s) + float(chance.uniform(0.3, 1.2))
        parts: list[Part] = [*here, Wait(waits_s), Go((0.1, 0.85), 0.9), Wait(0.4), Wait(0.5), Go(THROUGH, 1.1)]
        ends = times(parts, start)
        ready_s = ends[3] - 0.4
        walks.append(_walk(chance, start, parts, looks_every_s=talks))
        news.append(News(at_s=ends[3], what="granted", credential=f"c{who}", who=who))
        if who == 0:
            news.append(News(at_s=ends[3] + 0.4, what="opened"))
    news.append(News(at_s=max(walk.ends_s for walk in walks) + 2.0, what="closed"))
    return tuple(walks), news


def _friends(chance: Chance) -> Cast:
    return _together(chance, 2)


def _group(chance: Chance) -> Cast:
    return _together(chance, int(chance.integers(3, 5)))


def _child(chance: Chance) -> Cast:
    """A cardholder leads a child by the hand."""
    speed = float(np.clip(pace_of(chance, slow=True) * 0.95, 0.6, 1.2))
    start, parts, read = _in(chance, speed)
    ends = times(parts, start)
    side = float(chance.choice((-1, 1))) * 0.4
    beside = [part if isinstance(part, Wait) else Go((part.to[0] + side * (part.to is not THROUGH), part.to[1] + 0.15), part.speed_m_s)
              for part in parts]  # fmt: skip
    small = _walk(chance, (start[0] + side, start[1]), beside, looks_every_s=4.0, height_m=float(chance.uniform(*CHILD_M)))
    return (_walk(chance, start, parts), small), _news_in(ends, read, 0, "a")


def _courier(chance: Chance) -> Cast:
    """Rings, waits, looks about, is let in by somebody inside or goes away again."""
    speed, start = pace_of(chance), _from(chance)
    waits_s = float(np.clip(chance.lognormal(3.0, 0.6), 6.0, 90.0))
    stand = (float(chance.uniform(-0.4, 0.4)), float(chance.uniform(1.1, 1.7)))
    inside = chance.random() < 0.5
    parts: list[Part] = [Go(stand, speed), Wait(waits_s, 0.06)]
    parts += [Go((0.1, 0.9), 0.9), Wait(0.8), Go(THROUGH, 1.1)] if inside else [Go((start[0], 6.0), speed)]
    ends = times(parts, start)
    news = (
        [News(at_s=ends[1], what="released"), News(at_s=ends[3], what="opened"), News(at_s=ends[-1] + 2.5, what="closed")]
        if inside
        else []
    )
    return (_walk(chance, start, parts, looks_every_s=9.0),), news


def _talk(chance: Chance) -> Cast:
    """Two meet near the door and talk; one goes in with a fob, the other away."""
    waits_s = float(np.clip(chance.lognormal(3.0, 0.5), 8.0, 60.0))
    z_m = float(chance.uniform(1.4, 2.8))
    one, other = _from(chance), _from(chance)
    speeds = pace_of(chance), pace_of(chance)
    first: list[Part] = [
        Go((-0.45, z_m), speeds[0]),
        Wait(waits_s, 0.06),
        Go((0.0, 0.95), speeds[0]),
        Wait(0.8),
        Wait(0.8),
        Go(THROUGH, 1.1),
    ]
    second: list[Part] = [Go((0.45, z_m + 0.1), speeds[1]), Wait(waits_s + 0.5, 0.06), Go((0.8, 6.5), speeds[1])]
    ends, other_ends = times(first, one), times(second, other)
    facing = (Glance(ends[0] + 0.3, waits_s - 0.3, 40.0),), (Glance(other_ends[0] + 0.3, waits_s, -40.0),)
    walks = _walk(chance, one, first, glances=facing[0]), _walk(chance, other, second, glances=facing[1])
    return walks, _news_in(ends, 3, 0, "a")


def _passing(chance: Chance) -> Cast:
    """Goes past the door and wants nothing of it."""
    z_m, side = float(chance.uniform(2.0, 5.0)), float(chance.choice((-1, 1)))
    half_m = 0.45 * z_m + 0.6
    parts: list[Part] = [Go((side * half_m, z_m + float(chance.normal(0, 0.3))), pace_of(chance))]
    return (_walk(chance, (-side * half_m, z_m), parts),), []


def _leaving(chance: Chance) -> Cast:
    """Comes out: the back of a head, for the most part."""
    speed = pace_of(chance)
    parts: list[Part] = [Go((float(chance.uniform(-0.8, 0.8)), float(chance.uniform(5.0, 6.5))), speed)]
    walk = _walk(chance, (0.1, 0.4), parts, starts_s=2.0, glances=(Glance(0.0, 60.0, 170.0),))
    return (walk,), [News(at_s=1.0, what="leaving"), News(at_s=1.6, what="opened"), News(at_s=5.0, what="closed")]


def _forgot(chance: Chance) -> Cast:
    """Comes, turns round before the door, comes again after a while and goes in."""
    speed, start = pace_of(chance), _from(chance)
    away_s = float(chance.uniform(5.0, 20.0))
    far, aside = (start[0], 6.5), (start[0] + 4.5, 6.5)
    parts: list[Part] = [Go((0.1, float(chance.uniform(1.0, 2.0))), speed), Wait(1.0), Go(far, speed), Go(aside, speed), Wait(away_s),
                         Go(far, speed), Go((0.0, 0.95), speed), Wait(0.8), Wait(0.8), Go(THROUGH, 1.1)]  # fmt: skip
    return (_walk(chance, start, parts),), _news_in(times(parts, start), 7, 0, "a")


KINDS: dict[str, tuple[float, Callable[[Chance], Cast]]] = {
    "owner": (0.40, _owner), "owner in a hurry": (0.07, _hurry), "owner who walks slowly": (0.05, _slow),
    "owner who reads": (0.06, _reading), "owner who seeks the fob": (0.04, _fumbling), "two friends, a fob each": (0.09, _friends),
    "group, a fob each": (0.03, _group), "owner with a child": (0.04, _child), "courier who waits": (0.04, _courier),
    "two who meet and talk": (0.03, _talk), "passes by": (0.08, _passing), "leaves": (0.05, _leaving),
    "forgot something": (0.02, _forgot),
}  # fmt: skip
"""Each kind with its share of all passes."""
