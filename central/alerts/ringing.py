"""Whom an alert rings now: writes what is to be sent, inside the transaction that changes the alert. No kill comes between the two."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from central.alerts import store
from central.alerts.alert import LAST_STEP, Alert
from central.alerts.escalation import rung
from central.alerts.limits import Told, rings
from central.alerts.options import Options, name_of
from central.alerts.routing import Recipient, Route, is_quiet, messengers_at, route_of, told_at
from central.alerts.rules import DURESS, HELD
from central.alerts.severity import Severity, worse
from central.alerts.store import Delivery, Device
from central.alerts.wording import Push, more, push_of, taken


class Names(msgspec.Struct, frozen=True):
    """How people call doors and each other."""

    place: Callable[[str, str], str]
    person: Callable[[str], str]
    area: Callable[[str, str], str]
    watching: Callable[[], frozenset[str]] = frozenset
    """Accounts before whom the list of alerts is open now."""


class Ringing:
    """Of one transaction at one moment."""

    def __init__(self, db: Connection, now: datetime, options: Options, names: Names) -> None:
        self._db, self._now, self._options, self._names = db, now, options, names
        self._people: list[Recipient] | None = None
        self._duties: store.Duties = {}
        self._devices: dict[str, list[Device]] = {}

    def route(self, alert: Alert) -> Route:
        return route_of(self._options.routes, alert, self._now)

    def routed(self, alert: Alert) -> Alert | None:
        """As bad as the site finds it; None where it wants no such alert."""
        route = self.route(alert)
        if alert.subject in (HELD, DURESS):
            return alert
        return None if route.off else replace(alert, severity=route.severity or alert.severity)

    def ring(self, alert: Alert, late: bool = False) -> Alert:
        """Tells the people of its step, and of the next where there is nobody, until somebody is told or everybody was looked for."""
        last = max(LAST_STEP[alert.severity], alert.step if alert.step else -1)
        if last < 0:
            return rung(alert, self._now, self._options.patience)
        while not self._tell(alert, late) and alert.step < last:
            alert = replace(alert, step=alert.step + 1)
        return rung(alert, self._now, self._options.patience)

    def tell_taken(self, alert: Alert, by: str) -> None:
        """Quietly, to whoever was rung for it: nobody has to run."""
        accounts = [each for each in store.rung_accounts(self._db, alert.id) if each != by]
        store.call_off(self._db, alert.id, self._now)
        self._look()
        push = taken(alert, self._place(alert), self._now)
        store.add_deliveries(self._db, [made for each in accounts for made in self._to(each, alert, push, "notice")])

    def sum_up(self) -> int:
        """One line for what was held back long enough. Returns to how many people."""
        waited = store.held_back(self._db, self._now - self._options.limits.window / 2)
        self._look()
        for account, rows in waited.items():
            severity: Severity = "notice"
            for _, _, each in rows:
                severity = worse(severity, msgspec.convert(each, Severity))
            places = sorted({place for _, place, _ in rows})
            push = more(len(rows), [self._names.place(*place.split("/", 1)) for place in places[:6]], severity, self._now)
            store.add_deliveries(self._db, self._to(account, None, push, severity))
            store.summed_up(self._db, (number for number, _, _ in rows), self._now)
        return len(waited)

    # -- one step --------------------------------------------------------------------------------------------------------------

    def _tell(self, alert: Alert, late: bool) -> bool:
        people = self._look()
        route = self.route(alert)
        awake = [
            each for each in told_at(alert.step, alert, route, people, self._duties, self._now) if not self._sleeps(each, alert)
        ]
        people_told = [each for each in awake if self._devices.get(each)]
        is_seen = not self._names.watching().isdisjoint(awake)
        accounts = list(dict.fromkeys([*people_told, *self._messengers(alert, route)]))
        told = store.told_since(self._db, accounts, self._now - self._options.limits.window) if accounts else {}
        person = self._names.person(alert.person) if self._options.show_names and alert.person else ""
        push = push_of(alert, self._place(alert), person, late)
        for account in accounts:
            self._one(account, alert, push, told.get(account, []))
        return bool(people_told) or is_seen  # a messenger is told beside people, and holds up nobody's turn

    def _messengers(self, alert: Alert, route: Route) -> list[str]:
        urls = messengers_at(alert, self._options.messengers, self._options.quiet_lets_through, self._now)
        if alert.step >= self._options.apprise_step:
            urls += route.apprise or self._options.apprise
        return [name_of(url) for url in urls]

    def _one(self, account: str, alert: Alert, push: Push, told: list[Told]) -> None:
        if rings(alert.severity, f"{alert.site}/{alert.door}", told, self._options.limits):
            store.supersede(self._db, alert.id, account, self._now)
            store.add_deliveries(self._db, self._to(account, alert, push, alert.severity))
        else:
            held = self._delivery(account, alert, push, alert.severity)
            store.add_deliveries(self._db, [replace(held, state="held_back")])

    def _to(self, account: str, alert: Alert | None, push: Push, severity: Severity) -> list[Delivery]:
        made = self._delivery(account, alert, push, severity)
        if account in self._options.addresses:
            return [replace(made, target=account)]
        return [replace(made, subscription=device.id) for device in self._devices.get(account, [])]

    def _delivery(self, account: str, alert: Alert | None, push: Push, severity: Severity) -> Delivery:
        payload: dict[str, Any] = msgspec.to_builtins(push, builtin_types=(datetime,))
        return Delivery(alert=alert.id if alert else 0, account=account, site=alert.site if alert else "", door=alert.door if alert else "",
                        severity=severity, quiet=push.quiet, payload=payload, made=self._now, due=self._now)  # fmt: skip

    def _sleeps(self, account: str, alert: Alert) -> bool:
        return is_quiet(self._duties.get(account), alert.severity, self._options.quiet_lets_through, self._now)

    def _look(self) -> list[Recipient]:
        """Who there is, once in a transaction."""
        if self._people is None:
            self._people, self._duties = store.recipients(self._db), store.duties(self._db)
            for device in store.devices(self._db):
                self._devices.setdefault(device.account, []).append(device)
        return self._people

    def _place(self, alert: Alert) -> str:
        return self._names.place(alert.site, alert.door)
