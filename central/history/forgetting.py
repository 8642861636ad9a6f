"""What becomes of a person's events when the person is erased.

Their rows stay, so that nothing seems missing and it stays known that a door opened; who it was goes, with everything that could tell it
again: the card that was read, the face's score, how they walked. Where others' events name the person, only the name goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, Text, or_, select, type_coerce, update

from central.database.tables_events import CONFLICTS, EVENTS

STAYS = ("granted", "reasons", "sentences", "mode", "rules_version", "alert_held_back")
OF_RISK = ("band", "alert")


def forget_person(db: Connection, person: str) -> Mapping[str, int]:
    """Inside the caller's transaction; returns how many rows of which table were changed. Doing it twice changes nothing."""
    if not person:
        return {}
    return {table.name: _forget(db, table, person) for table in (EVENTS, CONFLICTS)}


def _forget(db: Connection, table: Table, person: str) -> int:
    named = type_coerce(table.c.data, Text).contains(msgspec.json.encode(person).decode(), autoescape=True)
    rows = db.execute(select(table.c.n, table.c.person, table.c.data).where(or_(table.c.person == person, named))).all()
    for n, whose, data in rows:
        left = without(data, person) if whose == person else _unnamed(data, person)
        db.execute(update(table).where(table.c.n == n).values(person="" if whose == person else whose, data=left))
    return len(rows)


def without(data: Mapping[str, Any], person: str) -> dict[str, Any]:
    """What stays of the data of a person's own event."""
    kept = {name: value for name, value in data.items() if name in STAYS}
    risk = data.get("risk")
    if isinstance(risk, Mapping):
        kept["risk"] = {name: value for name, value in risk.items() if name in OF_RISK}
    return dict(_unnamed(kept, person)) | {"forgotten": True}


def _unnamed(value: Any, person: str) -> Any:
    if isinstance(value, dict):
        return {("" if name == person else name): _unnamed(each, person) for name, each in value.items()}
    if isinstance(value, list):
        return [_unnamed(each, person) for each in value]
    return "" if value == person else value
