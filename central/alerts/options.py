"""The section [alerts] as the desk needs it."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from agent.core.schedules import faults_of_schedule
from agent.errors import ConfigError
from central import settings
from central.alerts.alert import Patience
from central.alerts.limits import Limits
from central.alerts.push import HOSTS
from central.alerts.routing import Hours, Messenger, Route, schedule_of
from central.alerts.rules import DURESS, HELD
from central.alerts.severity import Severity
from central.settings import AlertRoute, Alerts


class Options(Struct, frozen=True, kw_only=True):
    """What a site has chosen."""

    patience: Patience
    limits: Limits
    routes: tuple[Route, ...]
    hosts: tuple[str, ...]
    loopback: bool
    show_names: bool
    quiet_lets_through: Severity
    offline_s: float
    gap_s: float
    keep_days: int
    apprise: tuple[str, ...]
    apprise_step: int
    messengers: tuple[Messenger, ...]
    addresses: dict[str, str]
    """Apprise addresses by the name that the database knows them by: it holds none of them."""


def options_of(section: Alerts) -> Options:
    """Raises ConfigError for a time zone that is not known, or a route that fits nothing it may change."""
    routes = tuple(_route(number, each, section.timezone) for number, each in enumerate(section.routes, 1))
    messengers = tuple(_messenger(number, each, section.timezone) for number, each in enumerate(section.messengers, 1))
    urls = [*section.apprise, *(url for each in section.routes for url in each.apprise)]
    urls += [url for each in messengers for url in each.urls]
    addresses = {name_of(url): url for url in urls}
    return Options(
        patience=Patience(critical_s=section.critical_s, high_s=section.high_s, warning_s=section.warning_s, again_s=section.again_s),
        limits=Limits(window_s=section.window_s, a_person=section.a_person, a_door=section.a_door), routes=routes,
        hosts=(*HOSTS, *section.push_hosts), loopback=section.push_loopback, show_names=section.show_names,
        quiet_lets_through=section.quiet_lets_through, offline_s=section.offline_s, gap_s=section.gap_s, keep_days=section.keep_days,
        apprise=section.apprise, apprise_step=section.apprise_step, messengers=messengers, addresses=addresses,
    )  # fmt: skip


def name_of(url: str) -> str:
    return f"apprise-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def _messenger(number: int, told: settings.Messenger, timezone: str) -> Messenger:
    quiet = (
        () if told.quiet_begin == told.quiet_end else (Hours(days=told.quiet_days, begin=told.quiet_begin, end=told.quiet_end),)
    )
    if faults := faults_of_schedule(schedule_of(quiet, timezone)) if quiet else []:
        raise ConfigError(f"alerts.messengers, number {number}: {faults[0]}")
    where = Route(kinds=told.kinds, sites=told.sites, doors=told.doors, zones=told.zones)
    return Messenger(urls=told.apprise, where=where, severity=told.severity, steps=told.steps, quiet=quiet, timezone=timezone)


def _route(number: int, told: AlertRoute, timezone: str) -> Route:
    schedule = schedule_of((Hours(days=told.days, begin=told.begin, end=told.end),), timezone)
    if faults := faults_of_schedule(schedule):
        raise ConfigError(f"alerts.routes, number {number}: {faults[0]}")
    if told.off and {HELD, DURESS} & set(told.kinds):
        raise ConfigError(f"alerts.routes, number {number}: `off` is not for {HELD} and {DURESS}")
    always = told.days == (0, 1, 2, 3, 4, 5, 6) and (told.begin, told.end) == ("00:00", "24:00")
    return Route(kinds=told.kinds, sites=told.sites, doors=told.doors, zones=told.zones, schedule=None if always else schedule, to=told.to,
                 severity=told.severity or None, off=told.off, apprise=told.apprise)  # fmt: skip
