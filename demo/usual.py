"""The few weeks of ordinary visits that the demo's door has behind it: simulated ones (tools/behaviour), measured by the real watcher.

A door that has just been hung knows nothing of what is usual and finds nothing very odd; the stories are played at one that knows.
"""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.behaviour.norms import Moment, Norms

FILE = Path(__file__).with_name("usual.jsonl.gz")
WEEK = timedelta(weeks=1)


class Visit(Struct, frozen=True, array_like=True):
    """When somebody came, and what was measured of them, by kind of evidence."""

    wall: datetime
    values: dict[str, float]


def recorded(file: Path = FILE) -> list[Visit]:
    """The visits, oldest first."""
    return [msgspec.json.decode(line, type=Visit) for line in gzip.decompress(file.read_bytes()).splitlines()]


def usual_norms(place: str, now: datetime, visits: list[Visit] | None = None) -> Norms:
    """Norms of a door that has had these visits in the weeks before `now` (local time, with its zone)."""
    visits = recorded() if visits is None else visits
    norms = Norms(place)
    weeks = (now - visits[-1].wall) // WEEK if visits else 0
    for number, visit in enumerate(visits):
        norms.learn(visit.values, Moment(visit.wall + weeks * WEEK), f"visit {number}")
    return norms
