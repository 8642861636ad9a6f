"""Whom an alert is for: role, site, zone, the site's own routes, and who is on duty at this hour. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.core.schedules import Interval, Schedule, is_open
from central.alerts.alert import Alert
from central.alerts.severity import Severity, rank

Switch = Literal["roster", "on", "off"]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z|^24:00\Z", description="HH:MM")]
Weekday = Annotated[int, Meta(ge=0, le=6, description="0 is Monday")]
Name = Annotated[str, Meta(min_length=1, max_length=40)]

ALL_DAYS = (0, 1, 2, 3, 4, 5, 6)


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of the week on a wall clock. An `until` that is not behind `from` is on the next day: a night."""

    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = ALL_DAYS
    begin: Clock
    end: Clock


class Shift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once, from a moment until another."""

    begin: Annotated[datetime, Meta(tz=True)]
    end: Annotated[datetime, Meta(tz=True)]


class Duty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When somebody is on duty and where, and when they want to sleep."""

    account: Name
    switch: Switch = "roster"
    """`on` and `off` count whatever the roster says, until somebody sets it back."""
    hours: Annotated[tuple[Hours, ...], Meta(max_length=50)] = ()
    shifts: Annotated[tuple[Shift, ...], Meta(max_length=400)] = ()
    sites: Annotated[tuple[Name, ...], Meta(max_length=200)] = ()
    """Empty: all of the account's."""
    zones: Annotated[tuple[Name, ...], Meta(max_length=200)] = ()
    """Empty: all. An alert that names no zone is everybody's."""
    quiet: Annotated[tuple[Hours, ...], Meta(max_length=50)] = ()
    """Nothing rings then but what is as bad as the site lets through."""
    timezone: Annotated[str, Meta(min_length=1, max_length=60)] = "UTC"


class Recipient(Struct, frozen=True, kw_only=True):
    """An account that alerts may reach."""

    account: str
    role: str
    sites: tuple[str, ...] = ()
    """Empty: all."""

    def is_at(self, site: str) -> bool:
        return not self.sites or site in self.sites


class Route(Struct, frozen=True, kw_only=True):
    """What a site wants otherwise than the table says. Of several that fit the first one counts."""

    kinds: tuple[str, ...] = ()
    """A subject, or the beginning of several, as `camera.*`; empty: all."""
    sites: tuple[str, ...] = ()
    doors: tuple[str, ...] = ()
    """As SITE/DOOR."""
    zones: tuple[str, ...] = ()
    schedule: Schedule | None = None
    to: tuple[str, ...] = ()
    """`guards`, `managers`, or accounts; empty: as the door or the table says."""
    severity: Severity | None = None
    off: bool = False
    apprise: tuple[str, ...] = ()
    """Told at the last step instead of the site's."""


class Messenger(Struct, frozen=True, kw_only=True):
    """Addresses of apprise with rules of their own."""

    urls: tuple[str, ...]
    where: Route
    """Which kinds, sites, doors and zones."""
    severity: Severity
    steps: tuple[int, ...]
    quiet: tuple[Hours, ...] = ()
    timezone: str = "UTC"


AS_THE_TABLE_SAYS = Route()
_ROLE_OF: Mapping[str, str] = {"guards": "guard", "managers": "manager"}


def route_of(routes: Iterable[Route], alert: Alert, now: datetime) -> Route:
    return next((route for route in routes if _fits(route, alert, now)), AS_THE_TABLE_SAYS)


def _fits(route: Route, alert: Alert, now: datetime) -> bool:
    named = not route.kinds or any(_is_kind(kind, alert.subject) for kind in route.kinds)
    where = (not route.sites or alert.site in route.sites) and (not route.doors or f"{alert.site}/{alert.door}" in route.doors)
    when = route.schedule is None or is_open(route.schedule, now)
    return named and where and (not route.zones or alert.lies_in(route.zones)) and when


def _is_kind(wanted: str, subject: str) -> bool:
    return subject.startswith(wanted[:-1]) if wanted.endswith("*") else subject == wanted


def told_at(
    step: int, alert: Alert, route: Route, people: Iterable[Recipient], duties: Mapping[str, Duty], now: datetime
) -> list[str]:
    """The accounts of a step and of those before it, in a fixed order."""
    wanted = route.to or alert.tells
    here = [each for each in people if each.is_at(alert.site)]
    concerned = [each for each in here if each.account in wanted or each.role in {_ROLE_OF.get(group) for group in wanted}]
    if step <= 0:
        return sorted(each.account for each in concerned if is_on_duty(duties.get(each.account), alert, now))
    if step == 1:
        return sorted(each.account for each in concerned)
    return sorted({each.account for each in [*concerned, *(each for each in here if each.role == "manager")]})


def messengers_at(alert: Alert, messengers: Iterable[Messenger], lets_through: Severity, now: datetime) -> list[str]:
    """The addresses that an alert goes to at its step."""
    loud = rank(alert.severity) >= rank(lets_through)
    return [url for each in messengers for url in each.urls if alert.step in each.steps and rank(alert.severity) >= rank(each.severity)
            and _fits(each.where, alert, now) and (loud or not _holds(each.quiet, each.timezone, now))]  # fmt: skip


def is_on_duty(duty: Duty | None, alert: Alert | None, now: datetime) -> bool:
    """Whether somebody is on duty now, and for this alert where there is one."""
    if duty is None or duty.switch == "off" or (alert is not None and not _covers(duty, alert)):
        return False
    return duty.switch == "on" or any(s.begin <= now < s.end for s in duty.shifts) or _holds(duty.hours, duty.timezone, now)


def _covers(duty: Duty, alert: Alert) -> bool:
    return (not duty.sites or alert.site in duty.sites) and (
        not duty.zones or not (alert.zone or alert.area) or alert.lies_in(duty.zones)
    )


def is_quiet(duty: Duty | None, severity: Severity, lets_through: Severity, now: datetime) -> bool:
    """Whether somebody is not to be rung for this now."""
    return duty is not None and rank(severity) < rank(lets_through) and _holds(duty.quiet, duty.timezone, now)


def _holds(hours: tuple[Hours, ...], timezone: str, now: datetime) -> bool:
    return bool(hours) and is_open(schedule_of(hours, timezone), now)


def schedule_of(hours: Iterable[Hours], timezone: str) -> Schedule:
    """Hours as the schedules of doors know them: a night is two intervals."""
    return Schedule(id="", zone=timezone, intervals=tuple(interval for each in hours for interval in _intervals(each)))


def _intervals(hours: Hours) -> tuple[Interval, ...]:
    begin, end = _minutes(hours.begin), _minutes(hours.end)
    if begin < end:
        return (Interval(days=hours.days, from_min=begin, until_min=end),)
    next_days = tuple((day + 1) % 7 for day in hours.days)
    evening = (Interval(days=hours.days, from_min=begin, until_min=1440),) if begin < 1440 else ()
    return (*evening, Interval(days=next_days, from_min=0, until_min=end)) if end else evening


def _minutes(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])
