"""Which credentials each change of people concerned: what a bundle that was made earlier lacks, without going through everybody.

A row of `people_changes` for each of them, in the same transaction as the change; a change of more than MOST_LISTED is one row that says
'everybody'. Rows that no bundle needs any more are forgotten, and how far is remembered: before that, too, everybody counts as changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, func, insert, select, update

from central.database.tables_people import CREDENTIALS, PEOPLE_CHANGES, PEOPLE_STATE
from central.people.rows import chunks

EVERYBODY = ""
MOST_LISTED = 5000
"""Credentials; to patch as many takes about as long as to make the bundle anew."""
FORGOTTEN = "changes_forgotten"


def keys_of(connection: Connection, ids: Iterable[str]) -> set[str]:
    """The credentials of these cardholders."""
    return {
        key for chunk in chunks(ids)
        for key in connection.execute(select(CREDENTIALS.c.key).where(CREDENTIALS.c.cardholder.in_(chunk))).scalars()
    }  # fmt: skip


def note(connection: Connection, revision: int, keys: Iterable[str]) -> None:
    if told := [{"revision": revision, "key": key} for key in keys]:
        connection.execute(insert(PEOPLE_CHANGES), told)


def since(connection: Connection, revision: int) -> dict[str, int] | None:
    """Credential -> the last revision that concerned it, of those after this one; None when that may be everybody."""
    if revision < forgotten(connection):
        return None
    everybody = select(PEOPLE_CHANGES.c.revision).where(PEOPLE_CHANGES.c.key == EVERYBODY, PEOPLE_CHANGES.c.revision > revision)
    if connection.execute(everybody.limit(1)).first() is not None:
        return None
    found = listed(connection, revision, MOST_LISTED + 1)
    return found if len(found) <= MOST_LISTED else None


def listed(connection: Connection, revision: int, most: int = MOST_LISTED) -> dict[str, int]:
    """The newest of them, as far as anybody remembers."""
    table, last = PEOPLE_CHANGES, func.max(PEOPLE_CHANGES.c.revision).label("last")
    asked = select(table.c.key, last).where(table.c.revision > revision, table.c.key != EVERYBODY).group_by(table.c.key)
    return {row.key: row.last for row in connection.execute(asked.order_by(last.desc()).limit(most))}


def forget(connection: Connection, revision: int) -> None:
    """Nobody asks any more what changed up to there."""
    if revision <= forgotten(connection):
        return
    table, row = PEOPLE_STATE, PEOPLE_STATE.c.name == FORGOTTEN
    connection.execute(delete(PEOPLE_CHANGES).where(PEOPLE_CHANGES.c.revision <= revision))
    if connection.execute(update(table).where(row).values(number=revision)).rowcount == 0:
        connection.execute(insert(table).values(name=FORGOTTEN, number=revision))


def forgotten(connection: Connection) -> int:
    """Up to which revision nobody remembers any more what changed."""
    return connection.execute(select(PEOPLE_STATE.c.number).where(PEOPLE_STATE.c.name == FORGOTTEN)).scalar() or 0
