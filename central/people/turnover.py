"""Once a night doors are told of whoever's time is over since, so that no template and no PIN of somebody who left stays at a door.

At the very moment doors refuse them by their own clocks already, and whoever's time begins is at the doors before it does: neither needs
this. What was told is kept in the database, so a night on which the centre did not run is made up for when it runs again.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, time, timedelta, tzinfo

from sqlalchemy import Connection, exists, insert, or_, select, update

from agent.errors import DoorwardError
from central.database.tables_people import CARDHOLDERS, PEOPLE_STATE, TEMPLATES
from central.database.types import from_us, to_us
from central.people.people import People

log = logging.getLogger(__name__)

ENDED = "ended"
LOOK_EVERY_S = 60.0


class Turnover:
    """`start`, `stop`; `turn` does what is due."""

    def __init__(self, people: People, at: str, zone: tzinfo) -> None:
        """`at`: HH:MM of the sites' own clocks, which are in `zone`."""
        self._people, self._at, self._zone = people, time.fromisoformat("00:00" if at == "24:00" else at), zone
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="turnover", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S):
            try:
                self.turn()
            except (DoorwardError, OSError) as error:
                log.error("people: whose time is over was not told to doors: %s", error)

    def turn(self) -> int:
        """Of how many people doors were told; 0 where the night is still to come. Raises StoreError."""
        now = self._people.clock.wall()
        with self._people.view() as connection:
            told = _told_until(connection)
        if told >= self._due(now):
            return 0
        with self._people.changing("centre") as change:
            ids = _left(change.connection, told, now)
            _tell_until(change.connection, now)
            if ids:
                change.for_people(ids)
                change.on_record("people.time_over", "", {"people": len(ids)})
        return len(ids)

    def _due(self, now: datetime) -> datetime:
        """The last time of night that is over."""
        here = now.astimezone(self._zone)
        tonight = datetime.combine(here.date(), self._at, self._zone)
        return tonight if tonight <= here else datetime.combine(here.date() - timedelta(days=1), self._at, self._zone)


def _left(connection: Connection, after: datetime, until: datetime) -> list[str]:
    """Whose time ended meanwhile, and of whom doors may hold what is secret."""
    table = CARDHOLDERS
    with_template = exists().where(TEMPLATES.c.cardholder == table.c.id)
    asked = (
        select(table.c.id)
        .where(table.c.valid_until > after, table.c.valid_until <= until)
        .where(or_(table.c.pin.is_not(None), table.c.duress_pin.is_not(None), with_template))
    )
    return list(connection.execute(asked.order_by(table.c.id)).scalars())


def _told_until(connection: Connection) -> datetime:
    return from_us(connection.execute(select(PEOPLE_STATE.c.number).where(PEOPLE_STATE.c.name == ENDED)).scalar() or 0)


def _tell_until(connection: Connection, now: datetime) -> None:
    table, number = PEOPLE_STATE, to_us(now)
    if connection.execute(update(table).where(table.c.name == ENDED).values(number=number)).rowcount == 0:
        connection.execute(insert(table).values(name=ENDED, number=number))
