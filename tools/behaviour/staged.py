"""Incidents that must be noticed, played many times with other people, speeds and moments; each with what must come of it.

Played like the ordinary passes, as observations; some of them with real pictures too (tools.behaviour.filmed). What is staged is found
more easily than what somebody plans who knows this file.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from agent.core.messages import Liveness
from agent.vision.scene_watch import HOLD_S
from demo.catalogue import OWNER_APPROACH, STRANGER_APPROACH
from demo.walks import Glance, Walk
from demo.ways import THROUGH, Go, Part, Point, Wait, pace_of, times, way
from tools.behaviour.episode import Episode, Must, News
from tools.behaviour.ordinary import MONDAY, _from, _tall, _walk

Chance = np.random.Generator


class Cast(NamedTuple):
    """Who does what, and what must come of it."""

    walks: tuple[Walk, ...]
    news: list[News]
    must: Must
    hour: float = 12.0
    tamper: tuple[tuple[float, float, str], ...] = ()
    liveness: Liveness | None = None


LATE_NIGHT_H = 2.5
MAY_STAY_S, ZONE_M = 20.0, 3.2
"""As in tools.behaviour.judged.NIGHT_FLOOR."""
SURE_S = 0.8
"""policy.mismatch_wait_s as it comes: so long a door looks again before it refuses a face."""
SUDDEN_M_S2 = 8.0
RUN_M_S = 3.2


def incident(name: str, number: int, seed: int = 5, week: datetime = MONDAY) -> Episode:
    """One staged incident of a kind, on a day of the week that begins on `week`."""
    chance = np.random.default_rng((seed, list(INCIDENTS).index(name), number))
    cast = INCIDENTS[name](chance)
    wall = week + timedelta(days=int(chance.integers(0, 5)), hours=cast.hour, minutes=float(chance.uniform(0, 50)))
    ends_s = max(*(walk.ends_s for walk in cast.walks), cast.must.true_s + 8.0) + 4.0
    return Episode(name=name, seed=90_000 + 1000 * seed + number, wall=wall, walks=cast.walks, ends_s=ends_s, must=cast.must,
                   news=tuple(sorted(cast.news, key=lambda each: each.at_s)), tamper=cast.tamper, liveness=cast.liveness)  # fmt: skip


def _over_the_shoulder(from_s: float, until_s: float, chance: Chance) -> tuple[Glance, ...]:
    """A look back every second and a half, to either side."""
    found, at_s, side = [], from_s, 1.0
    while at_s + 1.0 < until_s:
        for_s = float(chance.uniform(0.9, 1.2))
        found.append(Glance(at_s, for_s, -side * float(chance.uniform(42, 48)) if side > 0 else float(chance.uniform(34, 40))))
        at_s += for_s + float(chance.uniform(0.5, 0.9))
        side = -side
    return tuple(found)


def _nervous(chance: Chance, until_s: float, near: tuple[float, float] = (0.0, 1.15)) -> list[Part]:
    """Abrupt steps to and fro before the door, for about so long."""
    parts: list[Part] = []
    spent_s = 0.0
    while spent_s < until_s:
        step = (near[0] + float(chance.choice((-1, 1)) * chance.uniform(0.25, 0.4)), near[1] + float(chance.uniform(0.1, 0.7)))
        wait_s = float(chance.uniform(0.3, 0.8))
        parts += [Go(step, 2.2, SUDDEN_M_S2), Wait(wait_s), Go(near, 2.2, SUDDEN_M_S2), Wait(wait_s)]
        spent_s = times(parts, near)[-1]
    return parts


def _stolen_fob(chance: Chance) -> Cast:
    start = _from(chance)
    near = (0.0, 1.15)
    parts: list[Part] = [Go(near, pace_of(chance)), *_nervous(chance, float(chance.uniform(9, 14)), near), Wait(1.0), Wait(3.0)]
    ends = times(parts, start)
    reads_s = ends[-2]
    glances = _over_the_shoulder(ends[0] + 1.2, reads_s, chance)
    walk = _walk(chance, start, parts, glances=glances)
    news = [News(at_s=reads_s + SURE_S, what="denied", who=0, refused_for="face_mismatch")]
    return Cast((walk,), news, Must(kinds=("face_mismatch",), true_s=reads_s, because="the fob is read"))


def _nervous_no_fob(chance: Chance) -> Cast:
    """The same without a fob: behaviour alone must reach a guard's eyes."""
    start, near = _from(chance), (0.0, 1.15)
    parts: list[Part] = [Go(near, pace_of(chance)), *_nervous(chance, 25.0, near)]
    ends = times(parts, start)
    walk = _walk(chance, start, parts, glances=_over_the_shoulder(ends[0] + 1.2, ends[-1], chance))
    return Cast(
        (walk,),
        [],
        Must(kinds=("glances", "abruptness", "dwell"), true_s=ends[0] + 10.0, because="ten seconds of it are over"),
    )


def _tailgater(chance: Chance) -> Cast:
    """The owner opens and goes in; somebody slips through behind on the same opening."""
    start, speed = _from(chance), pace_of(chance)
    parts: list[Part] = [Go((0.1, 0.95), speed), Wait(0.8), Wait(0.8), Go(THROUGH, 1.2)]
    ends = times(parts, start)
    behind = (start[0] + 0.5, start[1] + 0.9)
    gap_s = float(chance.uniform(0.8, 1.8))
    near: list[Part] = [Go((0.55, 1.9), speed)]
    arrives_s = times(near, behind)[-1]
    sneak: list[Part] = [*near, Wait(max(0.1, ends[3] + gap_s - arrives_s - 0.9)), Go((THROUGH[0] + 0.05, 0.35), 1.6, 3.0)]
    sneaked = times(sneak, behind)
    crosses_s = sneaked[-1]
    walks = _walk(chance, start, parts, looks_every_s=60.0), _walk(chance, behind, sneak, looks_every_s=60.0)
    news = [News(at_s=ends[1], what="granted", credential="a", who=0), News(at_s=ends[1] + 0.5, what="opened"),
            News(at_s=crosses_s + 1.5, what="closed")]  # fmt: skip
    return Cast(walks, news, Must(kinds=("tailgating",), true_s=crosses_s, because="the second one is through the door"))


def _squeeze(chance: Chance) -> Cast:
    """Three go through on one fob."""
    start, speed = _from(chance), pace_of(chance)
    walks, ends_all = [], []
    opened_s = 0.0
    for who in range(3):
        side = 0.45 * (-1) ** who
        begin = (start[0] + side, start[1] + 0.6 * who)
        queue: list[Part] = [Go((0.1 + 0.3 * side, 0.95 + 0.6 * who), speed)]
        arrives_s = times(queue, begin)[-1]
        if who == 0:
            opened_s = arrives_s + 1.6
        waits_s = max(0.3, opened_s + 1.1 * who - arrives_s)
        parts: list[Part] = [*queue, Wait(waits_s), Go(THROUGH, 1.2)]
        ends_all.append(times(parts, begin)[-1])
        walks.append(_walk(chance, begin, parts, looks_every_s=60.0))
    news = [News(at_s=opened_s - 0.8, what="granted", credential="a", who=0), News(at_s=opened_s, what="opened"),
            News(at_s=max(ends_all) + 2.0, what="closed")]  # fmt: skip
    return Cast(
        tuple(walks),
        news,
        Must(kinds=("tailgating",), true_s=ends_all[1], because="the second of three is through the door"),
    )


def _lingerer(chance: Chance) -> Cast:
    """Stands about before the door at night, in the picture: a camera of 40 degrees sees no further aside than .36 of the distance."""
    start, speed = _from(chance), pace_of(chance)

    def somewhere() -> Point:
        z_m = float(chance.uniform(1.5, 2.6))
        return float(chance.uniform(-0.24, 0.24)) * z_m, z_m

    parts: list[Part] = [Go(somewhere(), speed)]
    for _ in range(4):
        parts += [Wait(float(chance.uniform(6, 12)), 0.06), Go(somewhere(), 0.8)]
    walk = _walk(chance, start, parts, looks_every_s=8.0)
    enters_s = next(t for t in np.arange(0, walk.ends_s, 0.1) if (place := walk.at(float(t))) is not None and place.z_m < ZONE_M)
    must = Must(
        kinds=("no_linger",),
        true_s=float(enters_s) + MAY_STAY_S,
        because="the 20 s that anybody may stay there at night are over",
    )
    return Cast((walk,), [], must, hour=LATE_NIGHT_H)


def _pacing(chance: Chance) -> Cast:
    """Walks up and down before the door, in the daytime, for half a minute: ways of a metre and a half and more."""
    start, speed = _from(chance), pace_of(chance)
    z_m = float(chance.uniform(2.4, 3.2))
    half_m = 0.32 * z_m  # as wide as the camera sees there
    parts: list[Part] = [Go((-half_m, z_m), speed)]
    for number in range(16):
        parts += [Go((half_m * (-1) ** number, z_m + float(chance.uniform(-0.2, 0.2))), speed), Wait(0.3)]
    ends = times(parts, start)
    walk = _walk(chance, start, parts, looks_every_s=6.0)
    return Cast((walk,), [], Must(kinds=("pacing", "turned_back", "dwell"), true_s=ends[0] + 25.0, because="25 s of it are over"))


def _runner(chance: Chance) -> Cast:
    """Runs up to the door, at night, and rattles at it."""
    start = (float(chance.uniform(-0.4, 0.4)), 6.5)
    parts: list[Part] = [Go((0.1, 0.9), RUN_M_S, 4.0), Wait(2.0), *_nervous(chance, 6.0, (0.1, 0.95))]
    ends = times(parts, start)
    walk = _walk(chance, start, parts, looks_every_s=60.0)
    return Cast(
        (walk,),
        [],
        Must(kinds=("running", "speed", "abruptness"), true_s=ends[0], because="the door is reached"),
        hour=LATE_NIGHT_H,
    )


def _photo(chance: Chance) -> Cast:
    """The cardholder's photograph is held up and the fob held out."""
    start, speed = _from(chance), pace_of(chance)
    parts: list[Part] = [Go((0.0, 1.1), speed), Wait(2.5), Wait(3.0)]
    ends = times(parts, start)
    walk = way(STRANGER_APPROACH, start, parts, holds_up=OWNER_APPROACH, height_m=_tall(chance))
    news = [News(at_s=ends[1] + SURE_S, what="denied", who=0, refused_for="presentation_attack")]
    seen = Liveness(verdict="attack", score=0.1, reason="border_around_face", watched_s=1.0)
    return Cast((walk,), news, Must(kinds=("presentation_attack",), true_s=ends[1], because="the fob is read"), liveness=seen)


def _covered(chance: Chance) -> Cast:
    """Walks up and covers the camera."""
    start, speed = _from(chance), pace_of(chance)
    parts: list[Part] = [Go((0.05, 0.75), speed), Wait(22.0)]
    ends = times(parts, start)
    covered_s = ends[0] + float(chance.uniform(0.5, 2.0))
    walk = _walk(chance, start, parts, looks_every_s=60.0)
    must = Must(
        kinds=("camera_tamper",),
        true_s=covered_s + HOLD_S["covered"],
        because="it has been covered for the 6 s that vision waits",
    )
    return Cast((walk,), [], must, tamper=((covered_s, covered_s + 20.0, "covered"),))


INCIDENTS: dict[str, Callable[[Chance], Cast]] = {
    "stolen fob, glances, abrupt moves": _stolen_fob, "nervous, without a fob": _nervous_no_fob, "tailgater": _tailgater,
    "three on one fob": _squeeze, "lingers at night": _lingerer, "paces before the door": _pacing, "runs up at night": _runner,
    "photograph held up": _photo, "camera covered": _covered,
}  # fmt: skip
"""Each kind of incident."""
