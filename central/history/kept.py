"""What the history knows of events, as its callers see it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from agent.link.cloudevents import Told

LONGEST_PERSON = 100


class JournalKey(Struct, frozen=True, order=True):
    """Who counts."""

    site: str
    door: str
    journal: str


class Gap(Struct, frozen=True):
    """Sequences that never came, both ends included; `closed` when they did after all."""

    site: str
    door: str
    journal: str
    first: int
    last: int
    noticed: datetime
    closed: datetime | None = None


class Outcome(Struct, frozen=True):
    """What a committed batch was made of."""

    new: int
    repeated: int
    conflicts: tuple[Told, ...]
    gaps: tuple[Gap, ...]
    """Gaps that this batch made visible."""


class Kept(Struct, frozen=True):
    """An event as it is in the store, with its number there."""

    n: int
    told: Told
    received: datetime
    person: str = ""
    """The cardholder's id, where the event names one."""
    alert: bool = False
    """Somebody was to be told at once."""
    told_at: datetime | None = None
    """What the door's clock said, where that is not the event's time: see central/history/clocks.py."""


class Unreadable(Struct, frozen=True):
    """A message on an event topic that was no event."""

    topic: str
    error: str
    payload: bytes


def key_of(told: Told) -> JournalKey:
    return JournalKey(told.site, told.door, told.event.journal)


def person_of(data: Mapping[str, Any]) -> str:
    """The cardholder that an event names. Data is what a door sent, of whatever shape."""
    person = data.get("cardholder")
    return person if isinstance(person, str) and len(person) <= LONGEST_PERSON and "\0" not in person else ""


def alert_of(data: Mapping[str, Any]) -> bool:
    """Whether somebody must be told now: docs/PROTOCOL.md, 'Risks'."""
    risk = data.get("risk")
    return isinstance(risk, Mapping) and risk.get("alert") is True and data.get("alert_held_back") is not True
