"""The list of people, page by page, in the order of their names."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, Table, func, or_, select, tuple_

from central.database.tables_people import CARDHOLDERS, CREDENTIALS, TEMPLATES
from central.people import rows
from central.people.people import People
from central.people.records import ID, Row
from central.people.sight import in_sight


def page_of(people: People, text: str, after: str, limit: int, sites: Collection[str] = ()) -> list[Row]:
    """Those whose name or id holds `text`, or who have the credential of that name; behind the cardholder `after` (an id).
    `sites`: only people who may pass there; empty: all."""
    table, text, after = CARDHOLDERS, "".join(filter(str.isprintable, text)), after if ID.fullmatch(after) else ""
    asked = select(table).order_by(table.c.sorted_as, table.c.id).limit(limit)
    if text:
        holder = select(CREDENTIALS.c.cardholder).where(CREDENTIALS.c.key == text)
        asked = asked.where(or_(table.c.sorted_as.contains(text.casefold(), autoescape=True), table.c.id.contains(text, autoescape=True),
                                table.c.id.in_(holder)))  # fmt: skip
    with people.view() as connection:
        last = connection.execute(select(table.c.sorted_as, table.c.id).where(table.c.id == after)).first() if after else None
        if last is not None:
            asked = asked.where(tuple_(table.c.sorted_as, table.c.id) > tuple_(last.sorted_as, last.id))
        found = connection.execute(asked.where(in_sight(connection, sites))).all()
        ids = [row.id for row in found]
        profiles, fobs, faces = (
            rows.profiles_of(connection, ids),
            _counts(connection, CREDENTIALS, ids),
            _counts(connection, TEMPLATES, ids),
        )
    return [Row(id=row.id, name=row.name, visitor=row.visitor, suspended=row.suspended, profiles=tuple(profiles.get(row.id, ())),
                credentials=fobs.get(row.id, 0), enrolled=row.id in faces, valid_until=row.valid_until) for row in found]  # fmt: skip


def _counts(connection: Connection, table: Table, ids: list[str]) -> dict[str, int]:
    asked = select(table.c.cardholder, func.count()).where(table.c.cardholder.in_(ids)).group_by(table.c.cardholder)
    return {row[0]: row[1] for row in connection.execute(asked)}
