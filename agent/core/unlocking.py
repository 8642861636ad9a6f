"""Unlock schedules and first-card unlock: should the door stand unlocked now, and when to ask again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from agent.core.access import DoorAccess
from agent.core.schedules import LOOK_AHEAD, Calendars, Schedule, span_at

ASK_AT_LEAST_EVERY = timedelta(minutes=1)
"""The wall clock may be set at any moment; a schedule that was asked a minute ago is right again within a minute."""


class Unlocking(Struct, frozen=True, kw_only=True):
    """Whether the door should stand unlocked by its schedule."""

    unlocked: bool
    ask_again: datetime
    """Wall clock, UTC; at most a minute ahead."""
    schedule: str = ""
    awaits_first_card: bool = False
    """It would be unlocked, had somebody begun it."""


def unlocking(
    entry: DoorAccess, schedules: Mapping[str, Schedule], calendars: Calendars, begun_until: datetime | None, now: datetime,
    ended_until: datetime | None = None,
) -> Unlocking:  # fmt: skip
    """`begun_until`: the end of the opening hours that somebody's first card has begun, see `begun`; `ended_until`: of those that a person
    has ended, see `ended`."""
    schedule = schedules.get(entry.unlock_schedule)
    if schedule is None:
        return Unlocking(unlocked=False, ask_again=now + ASK_AT_LEAST_EVERY)
    span = span_at(schedule, now, calendars, ASK_AT_LEAST_EVERY)
    waits = entry.first_card and not _lasts(begun_until, now)
    return Unlocking(unlocked=span.open and not waits and not _lasts(ended_until, now), ask_again=span.until, schedule=schedule.id,
                     awaits_first_card=span.open and waits)  # fmt: skip


def _lasts(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until <= now + LOOK_AHEAD


def begun(entry: DoorAccess, schedules: Mapping[str, Schedule], calendars: Calendars, now: datetime) -> datetime | None:
    """Until when a first card that is shown now unlocks the door: to the end of these opening hours, and none when they have not begun."""
    schedule = schedules.get(entry.unlock_schedule)
    if schedule is None or not entry.first_card:
        return None
    span = span_at(schedule, now, calendars)
    return span.until if span.open else None


def ended(entry: DoorAccess, schedules: Mapping[str, Schedule], calendars: Calendars, now: datetime) -> datetime | None:
    """Until when the door stays locked that a person locks now: to the end of these opening hours, at most `LOOK_AHEAD`.

    None outside them, and where a first card is asked for: the next one begins them anew.
    """
    schedule = schedules.get(entry.unlock_schedule)
    if schedule is None or entry.first_card:
        return None
    span = span_at(schedule, now, calendars)
    return span.until if span.open else None
