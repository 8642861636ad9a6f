"""A working day at a door, compressed: when fobs are read, and what a door says of each read. Pure: the day is the same for the same seed.

The hours are an assumption about an office (arrivals around eight and nine, lunch, leaving from four on), not a measurement; docs/SCALE.md
says which figures hang on them.
"""

from __future__ import annotations

import random
from typing import Any

from msgspec import Struct

HOURS = (1, 1, 1, 1, 1, 3, 12, 40, 60, 35, 22, 25, 45, 40, 25, 22, 35, 50, 30, 12, 6, 4, 3, 2)
"""How reads spread over the hours, from midnight on."""
BUSIEST = max(HOURS) / sum(HOURS)
"""Share of the busiest hour."""

DENIED, RISK, FORCED = 0.03, 0.004, 0.0005
"""Shares of reads that are refused, that come with an alert, and that are followed by a door that is forced."""
EVENTS_A_READ = 3 - 2 * DENIED + RISK + FORCED
"""On average; a read that is let in is granted, opened, closed."""

_RISK = {
    "band": "high", "score": 0.71, "alert": True, "tells": ["guards"], "sentence": "Somebody follows closely behind",
    "items": [{"kind": "tailgating", "sentence": "Somebody follows closely behind", "value": 0.6, "unit": "s", "points": 3.1}],
}  # fmt: skip


class Word(Struct, frozen=True):
    """Something that a door says: an event, or with `state` a retained state."""

    name: str
    data: Any
    state: bool = False


class Times:
    """When the reads of one door are, in seconds from the start."""

    def __init__(self, reads: int, day_s: float, rng: random.Random) -> None:
        """`reads` on that day, which lasts `day_s` seconds here."""
        hours = rng.choices(range(len(HOURS)), HOURS, k=reads)
        hour_s = day_s / len(HOURS)
        self._times = sorted(((hour + rng.random()) * hour_s for hour in hours), reverse=True)

    def due(self, now_s: float) -> int:
        """How many reads have come to pass since this was last asked."""
        found = 0
        while self._times and self._times[-1] <= now_s:
            self._times.pop()
            found += 1
        return found


def read(rng: random.Random) -> list[Word]:
    """What a door says of one fob: what was decided, the door that opens and shuts, its states."""
    holder = f"holder-{rng.randrange(20_000)}"
    told: dict[str, Any] = {
        "cardholder": holder, "read": {"key": f"H10301:1:{rng.randrange(65536)}", "reader": "front"}, "decided_ms": 1.4, "rules_version": 41,
        "match": {"score": round(rng.uniform(0.5, 0.9), 3), "threshold": 0.4},
    }  # fmt: skip
    if rng.random() < RISK:
        return [
            Word("risk.raised", {"about": "person", "episode": 1, "sentences": [_RISK["sentence"]], "risk": _RISK}),
            *_granted(told),
        ]
    if rng.random() < FORCED:
        return [Word("door.forced", {"mode": "Locked"}), *_granted(told)]
    if rng.random() < DENIED:
        return [Word("access.denied", told | {"reasons": ["face_mismatch"], "sentences": ["The face is not the owner's"]})]
    return _granted(told)


def _granted(told: dict[str, Any]) -> list[Word]:
    return [
        Word("access.granted", told | {"reasons": ["face_match"], "sentences": ["The face is the owner's"]}),
        Word("lock", "released", state=True),
        Word("door.opened", {"at_start": False}),
        Word("contact", "open", state=True),
        Word("door.closed", {"open_s": 4.2, "was_forced": False, "was_held": False}),
        Word("contact", "closed", state=True),
        Word("lock", "secured", state=True),
    ]
