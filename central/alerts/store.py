"""Alerts, devices, deliveries and duty in the database. Every function works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Row, Text, cast, delete, func, insert, select, update

from central.alerts.alert import LIVE, Alert
from central.alerts.limits import Told
from central.alerts.routing import Duty, Recipient
from central.alerts.rules import ENDS, RULES, Happening
from central.database.tables_accounts import ACCOUNTS
from central.database.tables_alerts import ALERT_CURSORS, ALERTS, DELIVERIES, DUTY, SUBSCRIPTIONS
from central.database.tables_events import EVENTS, GAPS

_COLUMNS = ("site", "door", "subject", "state", "severity", "at", "event_n", "next_at", "quiet_until", "newest_at")
KINDS = sorted({rule.kind for rule in RULES} | {end.kind for end in ENDS}
               | {"access.granted", "access.denied", "access.held", "access.first_of_two", "risk.raised", "risk.cleared"})  # fmt: skip
"""Events that are looked at; all others make no alert and end none."""


# -- events --------------------------------------------------------------------------------------------------------------------


def newest_event(db: Connection) -> int:
    return db.scalar(select(func.max(EVENTS.c.n))) or 0


def cursor(db: Connection) -> int | None:
    return db.scalar(select(ALERT_CURSORS.c.n).where(ALERT_CURSORS.c.name == "events"))


def move_cursor(db: Connection, n: int) -> None:
    moved = db.execute(update(ALERT_CURSORS).where(ALERT_CURSORS.c.name == "events").values(n=n))
    if moved.rowcount == 0:
        db.execute(insert(ALERT_CURSORS).values(name="events", n=n))


def happenings(db: Connection, after: int, upto: int, limit: int) -> list[Happening]:
    columns = (EVENTS.c[name] for name in ("n", "site", "door", "kind", "at", "received", "data", "person", "clock"))
    ask = (
        select(*columns).where(EVENTS.c.n > after, EVENTS.c.n <= upto, EVENTS.c.kind.in_(KINDS)).order_by(EVENTS.c.n).limit(limit)
    )
    return [Happening(n=r.n, site=r.site, door=r.door, kind=r.kind, at=r.at, received=r.received, person=r.person, clock=r.clock,
                      data=r.data if isinstance(r.data, dict) else {}) for r in db.execute(ask)]  # fmt: skip


def missing(db: Connection, noticed_before: datetime) -> dict[tuple[str, str], int]:
    """How many events each door has counted that have not come."""
    many = func.sum(GAPS.c.last - GAPS.c.first + 1)
    ask = select(GAPS.c.site, GAPS.c.door, many).where(GAPS.c.closed.is_(None), GAPS.c.noticed < noticed_before)
    return {(site, door): int(count) for site, door, count in db.execute(ask.group_by(GAPS.c.site, GAPS.c.door))}


# -- alerts --------------------------------------------------------------------------------------------------------------------


def alert(db: Connection, number: int, *, to_change: bool = False) -> Alert | None:
    ask = select(ALERTS).where(ALERTS.c.id == number)
    row = db.execute(ask.with_for_update() if to_change else ask).one_or_none()
    return _alert(row) if row else None


def newest_about(db: Connection, site: str, door: str, subject: str) -> Alert | None:
    ask = select(ALERTS).where(ALERTS.c.site == site, ALERTS.c.door == door, ALERTS.c.subject == subject)
    row = db.execute(ask.order_by(ALERTS.c.id.desc()).limit(1).with_for_update()).one_or_none()
    return _alert(row) if row else None


def not_closed(db: Connection, site: str, door: str, subjects: Iterable[str]) -> list[Alert]:
    ask = select(ALERTS).where(ALERTS.c.site == site, ALERTS.c.door == door, ALERTS.c.subject.in_(list(subjects)),
                               ALERTS.c.state != "closed")  # fmt: skip
    return [_alert(row) for row in db.execute(ask.order_by(ALERTS.c.id).with_for_update())]


def live_keys(db: Connection) -> set[tuple[str, str, str]]:
    """Site, door and subject of everything that is not closed."""
    ask = select(ALERTS.c.site, ALERTS.c.door, ALERTS.c.subject).where(ALERTS.c.state.in_(LIVE))
    return {(site, door, subject) for site, door, subject in db.execute(ask)}


def open_about(db: Connection, subject: str) -> list[Alert]:
    ask = select(ALERTS).where(ALERTS.c.subject == subject, ALERTS.c.state != "closed")
    return [_alert(row) for row in db.execute(ask)]


def due(db: Connection, now: datetime) -> list[Alert]:
    ask = select(ALERTS).where(ALERTS.c.next_at <= now, ALERTS.c.state.in_(("pending", "open"))).order_by(ALERTS.c.next_at)
    return [_alert(row) for row in db.execute(ask.limit(200).with_for_update())]


def next_due(db: Connection) -> datetime | None:
    found: datetime | None = db.execute(
        select(ALERTS.c.next_at).where(ALERTS.c.next_at.is_not(None)).order_by(ALERTS.c.next_at).limit(1)
    ).scalar()
    return found


def faded(db: Connection, before: datetime) -> list[Alert]:
    """Mild ones that nobody acknowledged and that nothing new was heard of."""
    ask = select(ALERTS).where(
        ALERTS.c.state == "open", ALERTS.c.severity.in_(("notice", "warning")), ALERTS.c.newest_at < before
    )
    return [_alert(row) for row in db.execute(ask.limit(200).with_for_update())]


def listed(db: Connection, *, live: bool, before: int, limit: int, sites: tuple[str, ...] = ()) -> list[Alert]:
    """Newest first. `live`: those that are not closed."""
    ask = select(ALERTS).where(ALERTS.c.state.in_(("open", "acknowledged")) if live else ALERTS.c.state != "pending")
    ask = ask.where(ALERTS.c.id < before) if before else ask
    ask = ask.where(ALERTS.c.site.in_(sites)) if sites else ask
    return [_alert(row) for row in db.execute(ask.order_by(ALERTS.c.id.desc()).limit(limit))]


def drop(db: Connection, number: int) -> None:
    """One that ended before it was one."""
    db.execute(delete(ALERTS).where(ALERTS.c.id == number))


def forget_closed(db: Connection, before: datetime) -> None:
    db.execute(delete(ALERTS).where(ALERTS.c.state == "closed", ALERTS.c.newest_at < before))


def forget_person(db: Connection, person: str) -> dict[str, int]:
    """What alerts say of a cardholder who is erased; that there was an alert, and what people wrote about it, stays."""
    ask = select(ALERTS).where(cast(ALERTS.c.rest, Text).contains(person, autoescape=True)).with_for_update()
    found = [each for each in map(_alert, db.execute(ask)) if person in (each.person, *each.parts) or person in each.sentence]
    for each in found:
        save(db, replace(each, person="", sentence=each.title, parts=tuple(part for part in each.parts if part != person)))
    gone = delete(DELIVERIES).where(DELIVERIES.c.alert.in_([each.id for each in found]), DELIVERIES.c.state != "waiting")
    db.execute(gone)
    return {"alerts": len(found)}


def save(db: Connection, made: Alert) -> Alert:
    """With its number, where it had none."""
    values = {name: getattr(made, name) for name in _COLUMNS}
    values["rest"] = {name: told for name, told in msgspec.to_builtins(made).items() if name not in (*_COLUMNS, "id")}
    if made.id:
        db.execute(update(ALERTS).where(ALERTS.c.id == made.id).values(**values))
        return made
    key = db.execute(insert(ALERTS).values(**values)).inserted_primary_key
    return replace(made, id=int(key[0]) if key else 0)


def _alert(row: Row[Any]) -> Alert:
    told = {name: getattr(row, name) for name in (*_COLUMNS, "id")}
    return msgspec.convert(row.rest | told, Alert)


# -- devices -------------------------------------------------------------------------------------------------------------------


class Device(Struct, frozen=True, kw_only=True):
    """A browser that may be pushed to."""

    id: int
    account: str
    endpoint: str
    p256dh: str
    auth: str
    device: str = ""


def devices(db: Connection, accounts: Iterable[str] | None = None) -> list[Device]:
    ask = select(*(SUBSCRIPTIONS.c[name] for name in Device.__struct_fields__)).order_by(SUBSCRIPTIONS.c.id)
    ask = ask if accounts is None else ask.where(SUBSCRIPTIONS.c.account.in_(list(accounts)))
    return [Device(**row._asdict()) for row in db.execute(ask)]


def add_device(db: Connection, device: Device, now: datetime) -> None:
    """The same browser under another account is that account's from now on."""
    db.execute(delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.endpoint == device.endpoint))
    values = {name: getattr(device, name) for name in Device.__struct_fields__ if name != "id"}
    db.execute(insert(SUBSCRIPTIONS).values(**values, made=now, answer=""))


def drop_device(db: Connection, endpoint: str, account: str) -> bool:
    gone = delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.endpoint == endpoint, SUBSCRIPTIONS.c.account == account)
    return db.execute(gone).rowcount > 0


def drop_devices(db: Connection, numbers: Iterable[int]) -> None:
    db.execute(delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id.in_(list(numbers))))


def device_answered(db: Connection, number: int, answer: str, now: datetime) -> None:
    db.execute(update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == number).values(answered=now, answer=answer[:200]))


# -- deliveries ----------------------------------------------------------------------------------------------------------------


class Delivery(Struct, frozen=True, kw_only=True):
    """One thing to be sent to one device or address."""

    id: int = 0
    alert: int
    account: str
    subscription: int | None = None
    target: str = ""
    site: str = ""
    door: str = ""
    severity: str
    quiet: bool = False
    payload: dict[str, Any]
    state: str = "waiting"
    made: datetime
    due: datetime
    attempts: int = 0
    answer: str = ""


def add_deliveries(db: Connection, made: list[Delivery]) -> None:
    if made:
        db.execute(insert(DELIVERIES), [{k: getattr(d, k) for k in Delivery.__struct_fields__ if k != "id"} for d in made])


def waiting(db: Connection, now: datetime, limit: int, without: set[int]) -> list[Delivery]:
    """What is due, the oldest first; not what is under way."""
    ask = select(*(DELIVERIES.c[name] for name in Delivery.__struct_fields__)).where(
        DELIVERIES.c.state == "waiting", DELIVERIES.c.due <= now
    )
    rows = db.execute(ask.order_by(DELIVERIES.c.due, DELIVERIES.c.id).limit(limit + len(without)))
    return [Delivery(**row._asdict()) for row in rows if row.id not in without][:limit]


def next_delivery(db: Connection) -> datetime | None:
    found: datetime | None = db.execute(
        select(DELIVERIES.c.due).where(DELIVERIES.c.state == "waiting").order_by(DELIVERIES.c.due).limit(1)
    ).scalar()
    return found


def finish(
    db: Connection, number: int, state: str, answer: str, attempts: int, now: datetime, due_at: datetime | None = None
) -> None:
    """`state`: sent, failed, or waiting again until `due_at`. What was called off meanwhile stays so."""
    values: dict[str, Any] = {"state": state, "answer": answer[:200], "attempts": attempts}
    values |= {"done": now} if due_at is None else {"due": due_at}
    ask = update(DELIVERIES).where(DELIVERIES.c.id == number)
    db.execute((ask if due_at is None else ask.where(DELIVERIES.c.state == "waiting")).values(**values))


def call_off(db: Connection, number: int, now: datetime) -> None:
    """Somebody deals with the alert: what has not been sent of it need not ring any more."""
    db.execute(update(DELIVERIES).where(DELIVERIES.c.alert == number, DELIVERIES.c.state.in_(("waiting", "held_back")))
               .values(state="called_off", done=now))  # fmt: skip


def supersede(db: Connection, number: int, account: str, now: datetime) -> None:
    """What waits to tell somebody of this alert is told by something newer: a service that was away for an hour rings once."""
    db.execute(update(DELIVERIES).where(DELIVERIES.c.alert == number, DELIVERIES.c.account == account, DELIVERIES.c.state == "waiting")
               .values(state="superseded", done=now))  # fmt: skip


def rung_accounts(db: Connection, number: int) -> list[str]:
    """Who was rung for an alert, and by push."""
    ask = select(DELIVERIES.c.account).where(DELIVERIES.c.alert == number, DELIVERIES.c.target == "", DELIVERIES.c.quiet.is_(False),
                                             DELIVERIES.c.state.in_(("waiting", "sent"))).distinct()  # fmt: skip
    return sorted(db.execute(ask).scalars())


def told_since(db: Connection, accounts: Iterable[str], since: datetime) -> dict[str, list[Told]]:
    """What rang at each of them; several devices of a person ring once."""
    columns = (
        DELIVERIES.c.account,
        DELIVERIES.c.alert,
        DELIVERIES.c.made,
        DELIVERIES.c.site,
        DELIVERIES.c.door,
        DELIVERIES.c.severity,
    )
    ask = select(*columns).distinct()
    ask = ask.where(DELIVERIES.c.account.in_(list(accounts)), DELIVERIES.c.made > since, DELIVERIES.c.quiet.is_(False),
                                            DELIVERIES.c.alert > 0, DELIVERIES.c.state.in_(("waiting", "sent", "failed")))  # fmt: skip
    found: dict[str, list[Told]] = {}
    for row in db.execute(ask):
        found.setdefault(row.account, []).append(Told(f"{row.site}/{row.door}", row.severity))
    return found


def held_back(db: Connection, before: datetime) -> dict[str, list[tuple[int, str, str]]]:
    """What was not rung, by account, where the oldest is from before that moment: delivery, place, severity."""
    d = DELIVERIES.c
    accounts = select(d.account).where(d.state == "held_back", d.made <= before).distinct()
    found: dict[str, list[tuple[int, str, str]]] = {}
    ask = (
        select(d.id, d.account, d.site, d.door, d.severity).where(d.state == "held_back", d.account.in_(accounts)).order_by(d.id)
    )
    for row in db.execute(ask):
        found.setdefault(row.account, []).append((row.id, f"{row.site}/{row.door}", row.severity))
    return found


def summed_up(db: Connection, numbers: Iterable[int], now: datetime) -> None:
    db.execute(update(DELIVERIES).where(DELIVERIES.c.id.in_(list(numbers))).values(state="summed_up", done=now))


def forget_deliveries(db: Connection, before: datetime) -> None:
    """The outbox is not kept for ever."""
    db.execute(delete(DELIVERIES).where(DELIVERIES.c.state.not_in(("waiting", "held_back")), DELIVERIES.c.done < before))


def set_right(db: Connection, now: datetime, latest: datetime) -> int:
    """What was written while the centre's clock was ahead is due now: it would wait, and be silent, until that time had come.

    Nothing is ever put off to later than `latest`. Returns how many rows it was.
    """
    alerts, outbox = ALERTS.c, DELIVERIES.c
    wrong = [
        update(ALERTS).where(alerts.next_at > latest).values(next_at=now),
        update(ALERTS).where(alerts.quiet_until > latest).values(quiet_until=now),
        update(DELIVERIES).where(outbox.due > latest).values(due=now),
        update(DELIVERIES).where(outbox.made > latest).values(made=now),
    ]
    return sum(db.execute(each).rowcount for each in wrong)


# -- people -------------------------------------------------------------------------------------------------------------------------


def recipients(db: Connection) -> list[Recipient]:
    """Guards and managers who may sign in."""
    ask = select(ACCOUNTS.c.name, ACCOUNTS.c.role, ACCOUNTS.c.sites)
    ask = ask.where(ACCOUNTS.c.disabled.is_(False), ACCOUNTS.c.role.in_(("guard", "manager")))
    return [Recipient(account=row.name, role=row.role, sites=tuple(row.sites)) for row in db.execute(ask)]


# -- duty ----------------------------------------------------------------------------------------------------------------------


def duties(db: Connection) -> dict[str, Duty]:
    return {row.account: msgspec.convert(row.roster, Duty) for row in db.execute(select(DUTY.c.account, DUTY.c.roster))}


def save_duty(db: Connection, duty: Duty, by: str, now: datetime) -> None:
    db.execute(delete(DUTY).where(DUTY.c.account == duty.account))
    db.execute(insert(DUTY).values(account=duty.account, roster=duty, changed=now, by=by))


Duties = Mapping[str, Duty]
