"""Between the tables of this room and its types: every query that more than one file needs. Each works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from agent.core.access import AccessProfile, DoorAccess
from agent.core.schedules import Calendar, Schedule
from central.database.tables_people import (
    ACCESS_DOORS,
    ACCESS_PROFILES,
    CALENDARS,
    CARDHOLDER_PROFILES,
    CARDHOLDERS,
    CREDENTIALS,
    PEOPLE_STATE,
    SCHEDULES,
    TEMPLATES,
)  # fmt: skip
from central.people.records import ID, DoorEntry, Dossier, Held, Person
from central.people.rules import RuleBook

CHUNK = 2000
"""Ids in one question: both databases take several times as many."""
PERSON_COLUMNS = tuple(name for name in Person.__struct_fields__ if name != "profiles")
HELD_COLUMNS = Held.__struct_fields__
REVISION = "revision"

T = TypeVar("T")


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def revision_of(connection: Connection) -> int:
    """0 before the first change."""
    asked = select(PEOPLE_STATE.c.number).where(PEOPLE_STATE.c.name == REVISION)
    return connection.execute(asked).scalar() or 0


def advance(connection: Connection, by: int) -> int:
    """The new revision. Also by 0 it holds back whoever else would change people until this transaction ends."""
    row = PEOPLE_STATE.c.name == REVISION
    changed = connection.execute(update(PEOPLE_STATE).where(row).values(number=PEOPLE_STATE.c.number + by))
    if changed.rowcount == 0:
        connection.execute(insert(PEOPLE_STATE).values(name=REVISION, number=by))
    return revision_of(connection)


def person_row(person: Person) -> dict[str, Any]:
    """Columns of `cardholders` that a person says; the others keep what they have."""
    values = {name: getattr(person, name) for name in PERSON_COLUMNS}
    return {**values, "sorted_as": person.name.casefold()}


def new_row(person: Person, now: datetime) -> dict[str, Any]:
    return {**person_row(person), "norms_consent": False, "pin": None, "duress_pin": None, "added": now, "last_read": None}


def person_from(row: Row[Any], profiles: Iterable[str]) -> Person:
    return Person(profiles=tuple(profiles), **{name: getattr(row, name) for name in PERSON_COLUMNS})


def held_from(row: Row[Any]) -> Held:
    return Held(**{name: getattr(row, name) for name in HELD_COLUMNS})


def profiles_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """In the alphabet's order, whatever the database's own is."""
    table = CARDHOLDER_PROFILES
    found: dict[str, list[str]] = {}
    for row in connection.execute(select(table).where(table.c.cardholder.in_(ids))):
        found.setdefault(row.cardholder, []).append(row.profile)
    return {holder: sorted(profiles) for holder, profiles in found.items()}


def held_by(connection: Connection, ids: Sequence[str]) -> dict[str, list[Held]]:
    asked = select(CREDENTIALS).where(CREDENTIALS.c.cardholder.in_(ids)).order_by(CREDENTIALS.c.issued, CREDENTIALS.c.key)
    found: dict[str, list[Held]] = {}
    for row in connection.execute(asked):
        found.setdefault(row.cardholder, []).append(held_from(row))
    return found


def templates_by(connection: Connection, ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Rows of `templates`, oldest first."""
    found: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(select(TEMPLATES).where(TEMPLATES.c.cardholder.in_(ids)).order_by(TEMPLATES.c.n)):
        found.setdefault(row.cardholder, []).append(row)
    return found


def persons(connection: Connection, ids: Sequence[str]) -> dict[str, Person]:
    """Those of at most CHUNK ids who there are."""
    profiles = profiles_of(connection, ids)
    rows = connection.execute(select(CARDHOLDERS).where(CARDHOLDERS.c.id.in_(ids)))
    return {row.id: person_from(row, profiles.get(row.id, ())) for row in rows}


def dossier(connection: Connection, id: str) -> Dossier | None:
    row = connection.execute(select(CARDHOLDERS).where(CARDHOLDERS.c.id == id)).first() if ID.fullmatch(id) else None
    if row is None:
        return None
    templates = connection.execute(select(func.count()).select_from(TEMPLATES).where(TEMPLATES.c.cardholder == id)).scalar_one()
    return Dossier(
        person=person_from(row, profiles_of(connection, [id]).get(id, ())), credentials=tuple(held_by(connection, [id]).get(id, ())),
        templates=templates, has_pin=row.pin is not None, has_duress_pin=row.duress_pin is not None,
        norms_consent=row.norms_consent, added=row.added, last_read=row.last_read,
    )  # fmt: skip


def put_profiles(connection: Connection, profiles: Mapping[str, Sequence[str]]) -> None:
    """What these cardholders have from now on, instead of what they had. Raises IntegrityError for a profile that there is not."""
    table = CARDHOLDER_PROFILES
    for ids in chunks(profiles):
        connection.execute(delete(table).where(table.c.cardholder.in_(ids)))
    rows = [{"cardholder": id, "profile": profile} for id, names in profiles.items() for profile in names]
    if rows:
        connection.execute(insert(table), rows)


def has_profile(connection: Connection, id: str) -> str | None:
    """One of those who have a profile."""
    table = CARDHOLDER_PROFILES
    return connection.execute(select(table.c.cardholder).where(table.c.profile == id).limit(1)).scalar()


def book_from(connection: Connection) -> RuleBook:
    return RuleBook(
        profiles=_rules(connection, ACCESS_PROFILES, AccessProfile), schedules=_rules(connection, SCHEDULES, Schedule),
        calendars=_rules(connection, CALENDARS, Calendar), doors=doors_from(connection),
    )  # fmt: skip


def _rules(connection: Connection, table: Table, kind: type[T]) -> dict[str, T]:
    rows = connection.execute(select(table).order_by(table.c.id))
    return {row.id: msgspec.convert(row.rule, kind) for row in rows}


def doors_from(connection: Connection) -> list[DoorEntry]:
    table = ACCESS_DOORS
    return [DoorEntry(site=row.site, door=row.door, name=row.name, public_key=row.public_key,
                      entry=msgspec.convert(row.entry, DoorAccess))
            for row in connection.execute(select(table).order_by(table.c.site, table.c.door))]  # fmt: skip


def put_rule(connection: Connection, table: Table, id: str, rule: Any) -> None:
    """A new rule, or the new form of one: never away for a moment, because others refer to it."""
    if not connection.execute(update(table).where(table.c.id == id).values(rule=rule)).rowcount:
        connection.execute(insert(table).values(id=id, rule=rule))
