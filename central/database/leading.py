"""One active of two: `doorward central run` on two machines with one PostgreSQL, of which one works and the other waits.

Whoever holds PostgreSQL's lock, on a connection of its own, is active. A process that ends gives it back at once; one that stands still, or
a machine that is gone, has it taken away by the server after SILENT_S. A centre that was only asleep does not know that and goes on where it
was: so each takeover has a number, and every transaction of a centre whose number is an old one fails. What it has not committed it does not
acknowledge, and nothing that it reads afterwards makes it ring anybody.

With SQLite, one file of one machine, there is nobody to wait for.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, insert, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from agent.clock import Clock
from central.database.engine import StoreError, writing
from central.database.opening import database_url
from central.database.tables_leading import LEADING

log = logging.getLogger(__name__)

_LOCK = 0x446F6F7264
"""PostgreSQL's name for 'this centre is active'."""
LOOK_EVERY_S = 0.5
SAY_EVERY_S = 1.0
SILENT_S = 10
"""The server ends the connection of an active centre that says nothing for so long (PostgreSQL 14 or later)."""


class Leader(Struct, frozen=True):
    """Who is active, or was last."""

    term: int
    who: str
    since: datetime


class Displaced(StoreError):
    """Another centre has taken over: this one may neither read nor write any more."""


class Leadership:
    """`wait`, then `guard` each engine, at last `end`."""

    def __init__(self, told: str | os.PathLike[str], clock: Clock, stop: threading.Event) -> None:
        """`stop` ends the waiting; it is set when somebody else takes over."""
        url = make_url(database_url(told))
        self._engine: Engine | None = None
        if url.get_backend_name() == "postgresql":
            words = {"options": f"-c idle_session_timeout={SILENT_S}s", "connect_timeout": 5, "tcp_user_timeout": SILENT_S * 1000}
            self._engine = create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool, isolation_level="AUTOCOMMIT",
                                         connect_args=words)  # fmt: skip
        self._clock, self._stop, self._over = clock, stop, threading.Event()
        self._connection: Connection | None = None
        self._lost = False
        self._watch = threading.Thread(target=self._hold, name="leading", daemon=True)

    def wait(self, standing_by: Callable[[], None] = lambda: None) -> bool:
        """Until this centre is the active one; False when it was told to stop before. `standing_by` is told once if somebody else is."""
        if self._engine is None:
            return not self._stop.is_set()
        told = False
        while not self._stop.is_set():
            if self._try():
                self._watch.start()
                return True
            if not told:
                standing_by()
                told = True
            self._stop.wait(LOOK_EVERY_S)
        return False

    def guard(self, engine: Engine) -> None:
        """Take over: from here on, transactions of whoever was active before fail, as those of `engine` will one day. Raises StoreError."""
        if self._engine is None:
            return
        leader = _take_over(engine, self._clock.wall())
        log.info("central active term=%d who=%s", leader.term, leader.who)

        ask = select(LEADING.c.term)
        ask_and_hold = ask.with_for_update(read=True)

        def check(connection: Connection) -> None:
            if connection.scalar(ask_and_hold if connection.get_execution_options().get("writes") else ask) != leader.term:
                raise Displaced(f"another centre has taken over after term {leader.term}")

        event.listen(engine, "begin", check)

    def end(self) -> bool:
        """Give the lock back. Returns whether it was kept until now."""
        self._over.set()
        if self._watch.is_alive():
            self._watch.join(5.0)
        self._close()
        return not self._lost

    def _try(self) -> bool:
        try:
            if self._connection is None and self._engine is not None:
                self._connection = self._engine.connect()
            return self._connection is not None and bool(
                self._connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK})
            )
        except SQLAlchemyError as error:
            log.warning("central cannot ask who is active: %s", error)
            self._close()
            return False

    def _hold(self) -> None:
        """The server hears that we are there; we hear when it has taken the lock away."""
        try:
            while self._connection is not None and not self._over.wait(SAY_EVERY_S):
                self._connection.scalar(text("SELECT 1"))
        except SQLAlchemyError as error:
            log.error("central not active any more: %s", error)
            self._lost = True
            self._stop.set()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def db_leader(db: Connection) -> Leader | None:
    """None: no centre has ever run with this database, or it is SQLite."""
    row = db.execute(select(LEADING.c.term, LEADING.c.who, LEADING.c.since)).first()
    return None if row is None else Leader(*row)


def _take_over(engine: Engine, now: datetime) -> Leader:
    """Waits for transactions of the one before that are under way."""
    with writing(engine) as db:
        before = db.scalar(select(LEADING.c.term).with_for_update())
        leader = Leader((before or 0) + 1, f"{socket.gethostname()} {os.getpid()}", now)
        row = {"term": leader.term, "who": leader.who, "since": leader.since}
        db.execute(update(LEADING).values(row) if before else insert(LEADING).values(one=1, **row))
    return leader
