"""The experiments: ordinary passes at several doors, staged incidents at a door that knows what is usual, some of them with real pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta

from msgspec import Struct

from agent.behaviour.norms import Norms
from agent.behaviour.watch import Watcher
from demo.usual import Visit, recorded, usual_norms
from demo.view import View
from demo.walks import Walk
from tools.behaviour.episode import Episode
from tools.behaviour.judged import Outcome, follow, judge, plan_of
from tools.behaviour.ordinary import MONDAY, passes
from tools.behaviour.seen import Camera, Noise, measured_noise
from tools.behaviour.staged import INCIDENTS, MAY_STAY_S, ZONE_M, incident
from tools.behaviour.usual import Heard

Step = Callable[[], None]
TICK_S, ASIDE_M = 0.25, 2.0


class Pass(Struct, frozen=True, kw_only=True):
    """What came of one ordinary pass."""

    kind: str
    number: int
    """Of the door's passes, from 0."""
    highest: float
    raised: bool
    alerted: bool
    by_rule: bool = False
    """Somebody did stay where the site lets nobody linger at that hour: the alert is what the site asked for."""
    why: str = ""
    """Of the highest alarm."""


class Found(Struct, frozen=True, kw_only=True):
    """What came of one staged incident. Delays count from when it could be seen; None: never."""

    kind: str
    noticed_s: float | None
    alerted_s: float | None
    because: str
    why: str = ""


class Job(Struct, frozen=True, kw_only=True):
    """One door's weeks."""

    count: int
    seed: int
    times: float


def ordinary(doors: int, each: int, seed: int, times: float, step: Step) -> list[Pass]:
    """`each` ordinary passes at each of `doors` doors that know nothing at first; `times`: how large the chain's errors are."""
    jobs = [Job(count=each, seed=seed + number, times=times) for number in range(doors)]
    found: list[Pass] = []
    with ProcessPoolExecutor(max_workers=min(2, doors)) as pool:
        for door in pool.map(weeks, jobs):
            found += door
            for _ in door:
                step()
    return found


def weeks(job: Job) -> list[Pass]:
    """One door, from the day on which it was hung."""
    return list(_weeks(job, Heard()))


def remembered(job: Job) -> list[Visit]:
    """What such weeks leave behind."""
    norms = Heard()
    for _ in _weeks(job, norms):
        pass
    return norms.heard


def _weeks(job: Job, norms: Norms) -> Iterator[Pass]:
    camera = Camera(noise=_noise(job.times))
    for number, episode in enumerate(passes(job.count, job.seed)):
        outcome = judge(episode, camera, norms)
        yield Pass(kind=episode.name, number=number, highest=round(outcome.highest, 4), raised=bool(outcome.alarms),
                   alerted=outcome.alerted is not None, by_rule=_by_rule(episode, outcome), why=_why(outcome))  # fmt: skip


def _by_rule(episode: Episode, outcome: Outcome) -> bool:
    """Whether every alert was for lingering, and somebody truly was there for longer than the rule allows."""
    alerts = [alarm for alarm in outcome.alarms if alarm.alerts]
    return bool(alerts) and all("no_linger" in alarm.kinds for alarm in alerts) and any(map(_lingered, episode.walks))


def _lingered(walk: Walk) -> bool:
    """By the truth of the walk; the rule's hours are those of the alert."""
    places = [walk.at(walk.starts_s + TICK_S * n) for n in range(int((walk.ends_s - walk.starts_s) / TICK_S))]
    return TICK_S * sum(place is not None and place.z_m < ZONE_M and abs(place.x_m) < ASIDE_M for place in places) >= MAY_STAY_S


def staged(each: int, times: float, step: Step) -> list[Found]:
    """`each` incidents of every kind, each at a door that has the recorded weeks behind it."""
    week, known = experience()
    camera, found = Camera(noise=_noise(times)), []
    for name in INCIDENTS:
        for number in range(each):
            episode = incident(name, number, week=week)
            found.append(_found(episode, judge(episode, camera, Norms.decode(known))))
            step()
    return found


def filmed(each: int, step: Step) -> list[Found]:
    """The same with pictures, through the whole chain."""
    from tools.behaviour.filmed import Film, cast_of, chain_maker  # networks: only where they are wanted

    week, known = experience()
    maker, found = chain_maker(), []
    for name in FILMED:
        for number in range(each):
            episode = cast_of(incident(name, number, week=week))
            film = Film(episode, maker())
            outcome = follow(
                episode, film.all(), Watcher(plan_of(View()), Norms.decode(known)), film.face_of, measured_noise().late_s
            )
            found.append(_found(episode, outcome))
            step()
    return found


FILMED = tuple(name for name in INCIDENTS if name not in ("camera covered", "photograph held up"))
"""A covered lens shows nothing, and what liveness says of pictures is measured by itself (docs/LIVENESS.md) and played by the demo."""


def experience() -> tuple[datetime, bytes]:
    """The Monday after the recorded weeks, and the norms that they left."""
    visits = recorded()
    week = MONDAY + timedelta(weeks=(visits[-1].wall - MONDAY) // timedelta(weeks=1) + 1)
    return week, usual_norms("simulated", week, visits).encode()


def _noise(times: float) -> Noise:
    return measured_noise() if times == 1.0 else measured_noise().harder(times)


def _found(episode: Episode, outcome: Outcome) -> Found:
    must = episode.must
    if must is None:
        raise ValueError(f"{episode.name}: nothing must come of it")
    noticed, alerted = outcome.noticed(must.kinds), outcome.alerted
    return Found(
        kind=episode.name, because=must.because, noticed_s=None if noticed is None else round(noticed.at_s - must.true_s, 3),
        alerted_s=None if alerted is None else round(alerted.at_s - must.true_s, 3), why=_why(outcome),
    )  # fmt: skip


def _why(outcome: Outcome) -> str:
    worst = max(outcome.alarms, key=lambda alarm: alarm.score, default=None)
    return "; ".join(worst.sentences[:3]) if worst is not None else ""
