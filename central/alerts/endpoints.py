"""What the dashboard asks of alerts, and a browser of its pushes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from agent.core.schedules import faults_of_schedule
from central.alerts import store
from central.alerts.alert import MOST_NOTE, Alert, Note
from central.alerts.desk import AlertDesk
from central.alerts.devices import Tried, try_devices
from central.alerts.push import MOST_ENDPOINT, fault_of_endpoint, fault_of_keys
from central.alerts.routing import Duty, Recipient, is_on_duty, schedule_of
from central.alerts.severity import Severity
from central.alerts.store import Device
from central.database.engine import reading, writing
from central.gateway.asking import Ask, Endpoint, Role, Unfit

WATCH: frozenset[Role] = frozenset(("guard", "manager"))
MOST_DEVICES = 20
"""Of one account; the oldest makes room."""


class Row(Struct, frozen=True, kw_only=True):
    """An alert, as the dashboard is told of it."""

    id: int
    at: datetime
    site: str
    door: str
    kind: str
    title: str
    sentence: str
    reasons: tuple[str, ...]
    band: str
    person: str
    person_name: str
    """As people know them."""
    event_n: int
    state: str
    by: str
    escalation: int
    next_at: datetime | None
    notes: tuple[Note, ...]
    folded: int
    zone: str
    severity: Severity
    newest_at: datetime
    over_at: datetime | None
    decide_by: datetime | None


def row_of(alert: Alert, name_of: Callable[[str], str] = str) -> Row:
    """`name_of`: of a cardholder's id."""
    zone = alert.zone or alert.area
    same = {name: getattr(alert, name) for name in Row.__struct_fields__ if name not in ("person_name", "escalation", "zone")}
    row = Row(**same, person_name=name_of(alert.person) if alert.person else "", escalation=alert.step, zone=zone)
    return replace(row, sentence=_named(row.sentence, row), reasons=tuple(_named(each, row) for each in row.reasons))


def _named(sentence: str, row: Row) -> str:
    """People read names: events hold ids."""
    return re.sub(rf"(?<![\w-]){re.escape(row.person)}(?![\w-])", lambda _: row.person_name, sentence) if row.person else sentence


def desk_row(desk: AlertDesk, alert: Alert) -> Row:
    return row_of(alert, desk.names.person)


_Text = Annotated[str, Meta(max_length=MOST_NOTE)]


class Remark(Struct, frozen=True, forbid_unknown_fields=True):
    note: _Text = ""


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=MOST_NOTE)]


class Keys(Struct, frozen=True):
    p256dh: Annotated[str, Meta(max_length=120)]
    auth: Annotated[str, Meta(max_length=40)]


class Subscription(Struct, frozen=True):
    """What PushSubscription.toJSON() gives; `device` is how the person calls it."""

    endpoint: Annotated[str, Meta(max_length=MOST_ENDPOINT)]
    keys: Keys
    device: Annotated[str, Meta(max_length=120)] = ""


class Gone(Struct, frozen=True):
    endpoint: Annotated[str, Meta(max_length=MOST_ENDPOINT)]


def endpoints(desk: AlertDesk) -> list[Endpoint]:
    """All of this room. Acts on alerts are put on record by the desk, with what they changed."""
    acts: list[tuple[str, Callable[[Ask], Any]]] = [
        ("acknowledge", lambda ask: _act(desk, ask, desk.acknowledge)), ("escalate", lambda ask: _act(desk, ask, desk.escalate)),
        ("close", lambda ask: _act(desk, ask, desk.close)), ("note", lambda ask: _note(desk, ask)),
    ]  # fmt: skip
    return [
        Endpoint(method="GET", path="/alerts", allowed=WATCH, work=lambda ask: _alerts(desk, ask)),
        *(Endpoint(method="POST", path=f"/alerts/{{id}}/{name}", allowed=WATCH, work=work, max_bytes=4096, recorded=False)
          for name, work in acts),
        Endpoint(method="GET", path="/push/key", allowed=WATCH, work=lambda ask: {"key": desk.vapid.public}),
        Endpoint(method="POST", path="/push/subscriptions", allowed=WATCH, work=lambda ask: _subscribe(desk, ask), max_bytes=8192),
        Endpoint(method="DELETE", path="/push/subscriptions", allowed=WATCH, work=lambda ask: _unsubscribe(desk, ask), max_bytes=8192),
        Endpoint(method="POST", path="/push/test", allowed=WATCH, work=lambda ask: _test(desk, ask), max_bytes=1024),
        Endpoint(method="GET", path="/duty", allowed=WATCH, work=lambda ask: _duty(desk, ask)),
        Endpoint(method="PUT", path="/duty", allowed=WATCH, work=lambda ask: _set_duty(desk, ask)),
    ]  # fmt: skip


# -- alerts --------------------------------------------------------------------------------------------------------------------


def _alerts(desk: AlertDesk, ask: Ask) -> list[Row]:
    state = ask.query.get("state", "open")
    if state not in ("open", "all"):
        raise Unfit(400, "malformed", f"state={state[:40]!r}: open or all is allowed")
    before, limit = ask.whole("before", 0, 0, 2**62), ask.whole("limit", 200, 1, 500)
    with reading(desk.engine) as db:
        found = store.listed(db, live=state == "open", before=before, limit=limit, sites=ask.caller.sites)
    return [desk_row(desk, alert) for alert in found]


def _act(desk: AlertDesk, ask: Ask, work: Callable[[int, str, str], Alert]) -> Row:
    remark = ask.json(Remark).note.strip() if ask.body.strip() else ""
    return desk_row(desk, work(_seen(desk, ask), ask.caller.account, remark))


def _note(desk: AlertDesk, ask: Ask) -> Row:
    return desk_row(desk, desk.note(_seen(desk, ask), ask.caller.account, ask.json(Said).text))


def _seen(desk: AlertDesk, ask: Ask) -> int:
    """The number of an alert at a site that the caller sees."""
    told = ask.path.get("id", "")
    if not (told.isascii() and told.isdigit() and len(told) <= 18):
        raise Unfit(404, "no_such_alert", "an alert is a whole number")
    with reading(desk.engine) as db:
        alert = store.alert(db, int(told))
    if alert is None or not ask.caller.sees(alert.site):
        raise Unfit(404, "no_such_alert", f"there is no alert {told}")
    return alert.id


# -- devices -------------------------------------------------------------------------------------------------------------------


def _subscribe(desk: AlertDesk, ask: Ask) -> dict[str, int]:
    told = ask.json(Subscription)
    fault = fault_of_endpoint(told.endpoint, desk.options.hosts, desk.options.loopback) or fault_of_keys(
        told.keys.p256dh, told.keys.auth
    )
    if fault:
        raise Unfit(422, "no_push_service", fault)
    account = ask.caller.account
    device = Device(
        id=0, account=account, endpoint=told.endpoint, p256dh=told.keys.p256dh, auth=told.keys.auth, device=told.device
    )
    with writing(desk.engine) as db:
        store.add_device(db, device, ask.now)
        mine = store.devices(db, [account])
        store.drop_devices(db, [each.id for each in mine[:-MOST_DEVICES]])
    return {"devices": min(len(mine), MOST_DEVICES)}


def _unsubscribe(desk: AlertDesk, ask: Ask) -> dict[str, bool]:
    with writing(desk.engine) as db:
        return {"dropped": store.drop_device(db, ask.json(Gone).endpoint, ask.caller.account)}


def _test(desk: AlertDesk, ask: Ask) -> list[Tried]:
    tried = try_devices(desk.engine, desk.sender, ask.caller.account, ask.now)
    if not tried:
        raise Unfit(409, "no_device", "no device of yours is signed up: allow notifications on this one first")
    return tried


# -- duty ----------------------------------------------------------------------------------------------------------------------


class OnDuty(Struct, frozen=True, kw_only=True):
    """Somebody's roster, and whether they are on duty now and can be reached."""

    duty: Duty
    role: str
    on_now: bool
    devices: int


def _duty(desk: AlertDesk, ask: Ask) -> dict[str, Any]:
    with reading(desk.engine) as db:
        people, duties, devices = store.recipients(db), store.duties(db), store.devices(db)
    shown = [each for each in people if each.account == ask.caller.account or _share_a_site(each, ask)]
    rows = [OnDuty(duty=duties.get(each.account, Duty(account=each.account)), role=each.role,
                   on_now=is_on_duty(duties.get(each.account), None, ask.now),
                   devices=sum(device.account == each.account for device in devices)) for each in shown]  # fmt: skip
    return {
        "now": [row.duty.account for row in rows if row.on_now],
        "people": msgspec.to_builtins(rows, builtin_types=(datetime,)),
    }


def _share_a_site(person: Recipient, ask: Ask) -> bool:
    return not person.sites or not ask.caller.sites or bool(set(person.sites) & set(ask.caller.sites))


def _person(desk: AlertDesk, account: str) -> Recipient | None:
    with reading(desk.engine) as db:
        return next((each for each in store.recipients(db) if each.account == account), None)


def _is_under(person: Recipient | None, ask: Ask) -> bool:
    """A manager of some sites takes nobody off duty who watches over others, too."""
    return not ask.caller.sites or (person is not None and bool(person.sites) and set(person.sites) <= set(ask.caller.sites))


def _set_duty(desk: AlertDesk, ask: Ask) -> Duty:
    """Guards their own, managers everybody's."""
    duty = ask.json(Duty)
    if duty.account != ask.caller.account and ask.caller.role != "manager":
        raise Unfit(403, "not_allowed", "you may change your own duty; a manager changes that of others")
    if duty.account != ask.caller.account and not _is_under(_person(desk, duty.account), ask):
        raise Unfit(404, "no_such_account", f"{duty.account!r} is nobody of the sites that this account sees alone")
    faults = [*faults_of_schedule(schedule_of((*duty.hours, *duty.quiet), duty.timezone))]
    faults += [
        f"shift from {each.begin} until {each.end}: it has to end behind its beginning"
        for each in duty.shifts
        if each.end <= each.begin
    ]
    if faults:
        raise Unfit(422, "malformed", faults[0].removeprefix("schedule '': "))
    with writing(desk.engine) as db:
        if all(each.account != duty.account for each in store.recipients(db)):
            raise Unfit(404, "no_such_account", f"{duty.account!r} is no guard or manager who may sign in")
        store.save_duty(db, duty, ask.caller.account, ask.now)
    return duty
