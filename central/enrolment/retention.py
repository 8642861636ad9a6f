"""Templates that have outlived their use: their owner was not read at any door for years.

Illinois' BIPA (740 ILCS 14/15) asks for destruction within three years of the last interaction. The history forgets sooner than that, so a
template counts from the last read that is still known or from the day it was made, whichever is later: never too late. Where
events are kept for a shorter time than templates, whoever came within that time is known to have come; of others nothing is known, and their
templates go by the day they were made.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import Connection, func, select

from central.database.engine import reading
from central.database.tables_events import EVENTS
from central.database.tables_people import CARDHOLDERS, TEMPLATES
from central.people.people import People

YEAR = timedelta(days=365.25)


class Outlived(Struct, frozen=True):
    """Somebody whose templates are to go."""

    id: str
    name: str
    made: datetime
    """The newest of them."""
    last_read: datetime | None


def outlived(people: People, years: float) -> list[Outlived]:
    """Oldest first."""
    limit = people.clock.wall() - years * YEAR
    with reading(people.engine) as connection:
        found = [each for each in _candidates(connection, limit) if each.last_read is None or each.last_read <= limit]
    return sorted(found, key=lambda each: each.made)


def _candidates(connection: Connection, limit: datetime) -> Iterator[Outlived]:
    newest = select(TEMPLATES.c.cardholder, func.max(TEMPLATES.c.made).label("made")).group_by(TEMPLATES.c.cardholder).subquery()
    asked = select(newest.c.cardholder, newest.c.made, CARDHOLDERS.c.name).join(
        CARDHOLDERS, CARDHOLDERS.c.id == newest.c.cardholder
    )
    for row in connection.execute(asked.where(newest.c.made <= limit)).all():
        read = select(EVENTS.c.at).where(EVENTS.c.person == row.cardholder).order_by(EVENTS.c.n.desc()).limit(1)
        yield Outlived(row.cardholder, row.name, row.made, connection.execute(read).scalar())
