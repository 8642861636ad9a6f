"""What norms are worth, on simulated doors: `python -m tools.behaviour.norms` prints the figures of docs/NORMS.md (half a minute).

Every draw is from a seed; only the times at the end depend on the machine.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from agent.behaviour.norms import Moment, Norms

MONDAY = datetime(2026, 3, 2, 7, 0, tzinfo=ZoneInfo("Europe/Berlin"))
SHARES = (0.05, 0.01, 0.001)
ODD = {"dwell": 90.0, "glances": 9.0}
Values = dict[str, float]
Shows = Callable[[random.Random, datetime], Values]


def moments(seed: int, a_day: float = 200.0) -> Iterator[datetime]:
    """When somebody comes: mostly on working days from 7 to 19 o'clock."""
    chance, at = random.Random(seed), MONDAY  # noqa: S311 - simulated people need no secrets
    while True:
        at += timedelta(seconds=chance.expovariate(a_day / 43200))
        if chance.random() < (1.0 if 7 <= at.hour < 19 else 0.02) * (1.0 if at.weekday() < 5 else 0.1):
            yield at


def door(dwell_s: float, spread: float, glances: float, by_hour: bool = False) -> Shows:
    """People at a door that is so; with `by_hour` everything takes three times as long at 7 and 18 o'clock."""

    def shows(chance: random.Random, at: datetime) -> Values:
        more = 3.0 if by_hour and at.hour in (7, 18) else 1.0
        looked = math.floor(math.log(1.0 - chance.random()) / math.log(glances * more / (1 + glances * more)))
        return {
            "dwell": chance.lognormvariate(math.log(dwell_s * more), spread), "glances": float(looked),
            "following": chance.lognormvariate(math.log(2.2), 0.5), "away_share": chance.betavariate(1, 8),
            "turned_back": float(chance.random() < 0.02),
        }  # fmt: skip

    return shows


DOORS: dict[str, Shows] = {
    "as supposed": door(4.0, 0.95, 0.45), "quick": door(2.5, 0.5, 0.15), "people wait": door(8.0, 0.7, 1.5),
    "slow at 7 and 18": door(4.0, 0.6, 0.5, by_hour=True),
}  # fmt: skip


def taught(shows: Shows, count: int, seed: int) -> tuple[Norms, random.Random, Iterator[datetime], datetime]:
    norms, chance, times, at = Norms(), random.Random(seed), moments(seed), MONDAY  # noqa: S311
    for at in islice(times, count):
        norms.learn(shows(chance, at), Moment(at))
    return norms, chance, times, at


def calibration(shows: Shows, learned: int, doors: int, visits: int) -> dict[float, tuple[float, float]]:
    """Per level, the share of ordinary values with so small a p: of all kinds together, and of the worst kind."""
    found: dict[str, list[float]] = {}
    for seed in range(doors):
        norms, chance, times, _ = taught(shows, learned, seed)
        for at in islice(times, visits):
            for kind, value in shows(chance, at).items():
                found.setdefault(kind, []).append(norms.judge(kind, value, Moment(at))[1] or 0.0)
    shares = {level: [sum(p <= level for p in each) / len(each) for each in found.values()] for level in SHARES}
    return {level: (sum(each) / len(each), max(each)) for level, each in shares.items()}


def tell_calibration() -> None:
    print("| door | visits learned | p <= .05 | p <= .01 | p <= .001 |\n|---|---|---|---|---|")
    for name, shows in DOORS.items():
        for learned, doors, visits in ((0, 2, 1000), (20, 30, 100), (200, 15, 200), (2000, 3, 1000)):
            told = calibration(shows, learned, doors, visits)
            cells = " | ".join(f"{100 * mean:.2f} % ({100 * worst:.2f} %)" for mean, worst in told.values())
            print(f"| {name} | {learned} | {cells} |")


def tell_poisoning() -> None:
    print("\n| what is done at a door that knows 8,000 visits | p of 90 s | p of 9 glances |\n|---|---|---|")
    for name, attack in ATTACKS.items():
        norms, chance, times, at = taught(DOORS["as supposed"], 8000, 1)
        morning = at.replace(hour=10) + timedelta(days=1)
        attack(norms, chance, times, morning)
        ps = [norms.judge(kind, value, Moment(morning))[1] for kind, value in ODD.items()]
        print(f"| {name} | {ps[0]:.4f} | {ps[1]:.4f} |")


Attack = Callable[[Norms, random.Random, Iterator[datetime], datetime], None]


def _nothing(norms: Norms, chance: random.Random, times: Iterator[datetime], at: datetime) -> None:
    """Before."""


def _one_person(norms: Norms, chance: random.Random, times: Iterator[datetime], at: datetime) -> None:
    for minute in range(500):
        norms.learn(ODD, Moment(at + timedelta(minutes=minute)), "the same")


def _one_hour(norms: Norms, chance: random.Random, times: Iterator[datetime], at: datetime) -> None:
    for visit in range(500):
        norms.learn(ODD, Moment(at + timedelta(seconds=6 * visit)))


def _patient(share: float) -> Attack:
    def attack(norms: Norms, chance: random.Random, times: Iterator[datetime], at: datetime) -> None:
        until = at + timedelta(weeks=6)
        while (now := next(times)) < until:
            norms.learn(ODD if chance.random() < share else DOORS["as supposed"](chance, now), Moment(now))

    return attack


ATTACKS: dict[str, Attack] = {
    "nothing": _nothing, "500 visits of one recognised person in a day": _one_person,
    "500 visits of nobody recognised in an hour": _one_hour,
    "odd visits of nobody recognised, 1 in 50 for six weeks": _patient(0.02),
    "odd visits of nobody recognised, 1 in 10 for six weeks": _patient(0.1),
}  # fmt: skip


def tell_cost() -> None:
    """A year at a door that 200 people a working day pass, half of whom have agreed to norms of their own."""
    norms, chance, visits, learning_s = Norms(cardholders=True), random.Random(3), 0, 0.0  # noqa: S311
    at = MONDAY
    for at in moments(3):
        if at > MONDAY + timedelta(days=365):
            break
        values = DOORS["as supposed"](chance, at) | {kind: chance.lognormvariate(0.5, 0.5) for kind in MORE}
        who, started_s = f"{chance.randrange(400):032x}" if chance.random() < 0.5 else "", time.perf_counter()
        norms.learn(values, Moment(at, who), who)
        learning_s += time.perf_counter() - started_s
        visits += 1
    raw = norms.encode()
    print(f"\na year: {visits} visits, {len(raw)} bytes with {len(norms.cardholders)} cardholders, "
          f"{len(Norms.decode(raw).encode())} without; to the centre {len(msgspec.json.encode(norms.export()))}")  # fmt: skip
    print(f"read in {1e3 * _best_s(lambda: Norms.decode(raw, cardholders=True), 5):.0f} ms, "
          f"written in {1e3 * _best_s(norms.encode, 5):.0f} ms, a visit learned in {1e6 * learning_s / visits:.0f} us")  # fmt: skip
    print(f"judged in {1e6 * _best_s(lambda: norms.judge('dwell', 9.0, Moment(at)), 1000):.1f} us, "
          f"the first time after a visit in {1e6 * _first_s(norms, Moment(at)):.0f} us")  # fmt: skip


MORE = ("speed", "abruptness", "inconsistency", "running", "crowding")


def _best_s(work: Callable[[], object], times: int) -> float:
    """The fastest of several: what else a machine does makes it slower only."""
    taken = []
    for _ in range(times):
        started_s = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started_s)
    return min(taken)


def _first_s(norms: Norms, moment: Moment) -> float:
    taken = []
    for _ in range(200):
        norms.learn({"dwell": 5.0}, moment)
        taken.append(_best_s(lambda: norms.judge("dwell", 9.0, moment), 1))
    return min(taken)


if __name__ == "__main__":
    tell_calibration()
    tell_poisoning()
    tell_cost()
