"""When: hours of the week and of special days, in the local time of a building, and when that changes next.

The model is ONVIF's Schedule service: standard hours by weekday, and groups of special days, each with hours of its own or closed. Local
time is what the wall clock shows. So the hour that comes twice when the clocks go back counts twice, the one that never comes
when they go forward not at all, and no other hour moves (IANA time zones, PEP 495).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from msgspec import Struct

LOOK_AHEAD = timedelta(days=8)
"""A week and a day: whoever looks so far ahead has seen every hour of the week come and go."""

_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)


class Interval(Struct, frozen=True, kw_only=True, gc=False):
    """Minutes of local time on some weekdays. `until_min` is exclusive; 1440 is the end of the day."""

    days: tuple[int, ...]
    """0 is Monday, as in datetime.weekday()."""
    from_min: int
    until_min: int


class Hours(Struct, frozen=True, kw_only=True, gc=False):
    """Minutes of local time on a special day; `until_min` is exclusive."""

    from_min: int
    until_min: int


class Calendar(Struct, frozen=True, kw_only=True):
    """Days that are not like other days: public holidays, half days, a works holiday."""

    id: str
    days: frozenset[date]


class SpecialDays(Struct, frozen=True, kw_only=True):
    """What a schedule does on the days of a calendar, instead of what their weekday says."""

    calendar: str
    hours: tuple[Hours, ...] = ()
    """None: closed all day."""


class Schedule(Struct, frozen=True, kw_only=True):
    """When something holds, in the local time of the building (so daylight saving moves with the people)."""

    id: str
    zone: str
    """IANA time zone, e.g. Europe/Berlin."""
    intervals: tuple[Interval, ...]
    holidays: tuple[date, ...] = ()
    """Closed all day, whatever the rest says."""
    special_days: tuple[SpecialDays, ...] = ()
    """Where a day is in several calendars the first one named here counts."""
    first_day: date | None = None
    last_day: date | None = None
    """Before the first and after the last day it is closed; both are local days and belong to it."""


class Span(Struct, frozen=True):
    """How a schedule stands, and until when at least."""

    open: bool
    until: datetime
    """UTC: the first moment at which it stands otherwise, or the end of what was looked at."""


Calendars = Mapping[str, Calendar]
NO_CALENDARS: Calendars = MappingProxyType({})


def is_open(schedule: Schedule, now: datetime, calendars: Calendars = NO_CALENDARS) -> bool:
    """Whether local wall-clock time falls into the hours of that day; `now` is timezone-aware."""
    local = now.astimezone(_zone(schedule.zone))
    minute = local.hour * 60 + local.minute
    return any(from_min <= minute < until_min for from_min, until_min in _hours_on(schedule, local.date(), calendars))


def is_always(schedule: Schedule) -> bool:
    """Whether it is open at every hour of every day, whatever day it is."""
    bounded = schedule.holidays or schedule.special_days or schedule.first_day or schedule.last_day
    whole = {
        day for interval in schedule.intervals if (interval.from_min, interval.until_min) == (0, 1440) for day in interval.days
    }
    return not bounded and whole == set(range(7))


def span_at(schedule: Schedule, now: datetime, calendars: Calendars = NO_CALENDARS, look_ahead: timedelta = LOOK_AHEAD) -> Span:
    """How it stands now, and the next moment at which it stands otherwise; `now + look_ahead` when there is none before."""
    begin = now.astimezone(timezone.utc)
    end = begin + look_ahead
    stands = is_open(schedule, begin, calendars)
    moments = {m for m in _moments(schedule, begin, end, calendars) if begin < m < end}
    return Span(stands, next((m for m in sorted(moments) if is_open(schedule, m, calendars) is not stands), end))


def faults_of_schedule(schedule: Schedule, calendars: Calendars = NO_CALENDARS) -> list[str]:
    """What in it would never work as meant, in words."""
    allowed = "days are 0 (Monday) to 6, minutes run from 0 until 1440 with from before until; a night is two intervals"
    found = [f"interval of days {i.days}, {i.from_min} until {i.until_min}: {allowed}"
             for i in schedule.intervals if not _is_sound(i)]  # fmt: skip
    found += [f"hours {h.from_min} until {h.until_min} on days of calendar {s.calendar!r}: {allowed}"
              for s in schedule.special_days for h in s.hours if not _are_minutes(h.from_min, h.until_min)]  # fmt: skip
    found += [f"calendar {s.calendar!r} is not in the bundle" for s in schedule.special_days if s.calendar not in calendars]
    if schedule.first_day and schedule.last_day and schedule.last_day < schedule.first_day:
        found.append(f"its last day {schedule.last_day} is before its first, {schedule.first_day}")
    if not _is_zone(schedule.zone):
        found.append(f"{schedule.zone!r} is no IANA time zone known here")
    return [f"schedule {schedule.id!r}: {fault}" for fault in found]


def _hours_on(schedule: Schedule, day: date, calendars: Calendars) -> tuple[tuple[int, int], ...]:
    """From and until minutes of a local day."""
    if (schedule.first_day and day < schedule.first_day) or (schedule.last_day and day > schedule.last_day):
        return ()
    if day in schedule.holidays:
        return ()
    for special in schedule.special_days:
        if special.calendar in calendars and day in calendars[special.calendar].days:
            return tuple((hours.from_min, hours.until_min) for hours in special.hours)
    weekday = day.weekday()
    return tuple((interval.from_min, interval.until_min) for interval in schedule.intervals if weekday in interval.days)


def _moments(schedule: Schedule, begin: datetime, end: datetime, calendars: Calendars) -> Iterator[datetime]:
    """Every moment at which the schedule may change: edges of its hours, midnights, and where the clocks are changed."""
    zone = _zone(schedule.zone)
    day, last = begin.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        edges = {0, *(minute for hours in _hours_on(schedule, day, calendars) for minute in hours if minute < 1440)}
        for minute in edges:
            yield from _times_of(day, minute, zone)
        day += timedelta(days=1)
    yield from _clock_changes(zone, begin, end)


def _times_of(day: date, minute: int, zone: ZoneInfo) -> Iterator[datetime]:
    """The one or two moments at which a wall clock shows this; for a time that never comes, moments beside the gap."""
    shown = datetime.combine(day, time(minute // 60, minute % 60), zone)
    for fold in (0, 1):
        yield shown.replace(fold=fold).astimezone(timezone.utc)


def _clock_changes(zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Moments at which the zone's distance from UTC changes. No zone changes it twice within an hour."""
    left = begin
    while left < end:
        right = left + _HOUR
        if left.astimezone(zone).utcoffset() != right.astimezone(zone).utcoffset():
            yield _change_between(zone, left.replace(microsecond=0), right)
        left = right


def _change_between(zone: ZoneInfo, left: datetime, right: datetime) -> datetime:
    """The second from which on the new distance counts."""
    before = left.astimezone(zone).utcoffset()
    while right - left > _SECOND:
        middle = left + timedelta(seconds=int((right - left).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            left = middle
        else:
            right = middle
    return right.replace(microsecond=0)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _is_zone(name: str) -> bool:
    try:
        _zone(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _is_sound(interval: Interval) -> bool:
    return bool(interval.days) and set(interval.days) <= set(range(7)) and _are_minutes(interval.from_min, interval.until_min)


def _are_minutes(from_min: int, until_min: int) -> bool:
    return 0 <= from_min < until_min <= 1440
