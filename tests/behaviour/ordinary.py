"""Ordinary visits to a door in numbers: when people come, and what they show. Every draw is from a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, 7, 0, tzinfo=ZONE)
KINDS = ("dwell", "glances")


def moments(seed: int, *, a_day: float = 200.0, start: datetime = MONDAY) -> Iterator[datetime]:
    """When somebody comes: mostly on working days from 7 to 19 o'clock, now and then at night."""
    chance, at = random.Random(seed), start
    while True:
        at += timedelta(seconds=chance.expovariate(a_day / 43200))
        share = (1.0 if 7 <= at.hour < 19 else 0.02) * (1.0 if at.weekday() < 5 else 0.1)
        if chance.random() < share:
            yield at


def shown(chance: random.Random, *, dwell_s: float = 4.0, spread: float = 0.6, glances: float = 0.5) -> dict[str, float]:
    """What one visit shows: a continuous measurement, and a count that is geometric around `glances`."""
    looked = math.floor(math.log(1.0 - chance.random()) / math.log(glances / (1 + glances)))
    return {"dwell": chance.lognormvariate(math.log(dwell_s), spread), "glances": float(looked)}
