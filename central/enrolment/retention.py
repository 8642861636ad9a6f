"""Templates that have outlived their use: their owner was not read at any door for years.

Illinois' BIPA (740 ILCS 14/15) asks for destruction within three years of the last interaction. Events are forgotten sooner than that, so the
centre keeps of each cardholder when a door told of them last (`remember_reads`). A template that was never used counts from the day it
was made.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import Connection, Engine, bindparam, func, insert, or_, select, update

from central.database.engine import reading, writing
from central.database.tables_events import EVENTS
from central.database.tables_people import CARDHOLDERS, PEOPLE_STATE, TEMPLATES
from central.people.people import People

YEAR = timedelta(days=365.25)
READS = "reads"
PAGE = 5000


class Outlived(Struct, frozen=True):
    """Somebody whose templates are to go."""

    id: str
    name: str
    made: datetime
    """The newest of them."""
    last_read: datetime | None


def outlived(people: People, years: float) -> list[Outlived]:
    """Oldest first."""
    remember_reads(people.engine)
    limit = people.clock.wall() - years * YEAR
    holder = CARDHOLDERS.c
    newest = select(TEMPLATES.c.cardholder, func.max(TEMPLATES.c.made).label("made")).group_by(TEMPLATES.c.cardholder).subquery()
    asked = select(holder.id, holder.name, newest.c.made, holder.last_read).join(newest, newest.c.cardholder == holder.id)
    not_read = or_(holder.last_read.is_(None), holder.last_read <= limit)
    with reading(people.engine) as connection:
        rows = connection.execute(asked.where(newest.c.made <= limit, not_read).order_by(newest.c.made)).all()
    return [Outlived(row.id, row.name, row.made, row.last_read) for row in rows]


def remember_reads(engine: Engine) -> int:
    """Keep when each cardholder was told of last, from the events that are new; how many events were looked at."""
    looked_at = 0
    while page := _remember_page(engine):
        looked_at += page
    return looked_at


def _remember_page(engine: Engine) -> int:
    with reading(engine) as connection:
        begin = _kept_up_to(connection)
        asked = select(EVENTS.c.n, EVENTS.c.person, EVENTS.c.at).where(EVENTS.c.n > begin).order_by(EVENTS.c.n).limit(PAGE)
        events = connection.execute(asked).all()
    if not events:
        return 0
    last = {row.person: row.at for row in events if row.person}
    with writing(engine) as connection:
        if _kept_up_to(connection) == begin:  # otherwise another program was quicker
            _keep(connection, last, events[-1].n)
    return len(events)


def _kept_up_to(connection: Connection) -> int:
    return connection.execute(select(PEOPLE_STATE.c.number).where(PEOPLE_STATE.c.name == READS)).scalar() or 0


def _keep(connection: Connection, last: dict[str, datetime], up_to: int) -> None:
    if last:
        table = CARDHOLDERS
        asked = update(table).where(table.c.id == bindparam("whose")).values(last_read=bindparam("read_at"))
        connection.execute(asked, [{"whose": id, "read_at": at} for id, at in last.items()])
    row = PEOPLE_STATE.c.name == READS
    if not connection.execute(update(PEOPLE_STATE).where(row).values(number=up_to)).rowcount:
        connection.execute(insert(PEOPLE_STATE).values(name=READS, number=up_to))
