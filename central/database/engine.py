"""Open the database, bring it up to date, and read or write it.

SQLite by default: one writer at a time, who takes the lock when the transaction begins (a lock taken later could be refused in its middle),
and readers who never wait. PostgreSQL where several centres or a fleet share one. Nothing outside this folder knows which it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from agent.errors import ConfigError, DoorwardError
from central.database.turns import Turns

BUSY_S = 30.0
"""A writer waits so long for the one before it: batches take tens of milliseconds, an import some seconds."""


class StoreError(DoorwardError, OSError):
    """The database cannot be opened, read or written."""


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path.absolute()}"


def open_database(url: str, *, read_only: bool = False) -> Engine:
    """An engine for `sqlite:////path` or `postgresql+psycopg://…`; nothing is connected yet. Raises ConfigError for another address.

    With `read_only` nothing can be changed through it, and no file is made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"database {url!r}: no address of a database; allowed: sqlite:////PATH, postgresql+psycopg://…"
        ) from error
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise ConfigError(f"database: {kind!r} is not supported; allowed: sqlite, postgresql+psycopg")
    if kind == "postgresql":
        options = {"options": "-c default_transaction_read_only=on"} if read_only else {}
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=10, connect_args=options)
    if read_only:
        parsed = parsed.set(database=Path(parsed.database or "").absolute().as_uri(), query={"mode": "ro", "uri": "true"})
    engine = create_engine(parsed, connect_args={"timeout": BUSY_S, "check_same_thread": False, "isolation_level": None})
    if not read_only:
        event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """FULL: what a commit has returned from survives a power cut, which is what the historian promises to doors.

    A thousand events of as many doors touch some 1,500 pages of indexes, mostly those of the thousand before: 32 MB of cache, and a log that
    goes into the file every 64 MB instead of every 4, halve what a batch costs among a million rows (tools/bench/history.py).
    """
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-32768", "wal_autocheckpoint=16384",
                   "journal_size_limit=67108864"):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One consistent view. Raises StoreError."""
    with _guarded(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction, on the disk when the block ends; undone by any exception. Raises StoreError."""
    with _turn(engine), _guarded(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


_turns: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()
_turns_lock = threading.Lock()


def _turn(engine: Engine) -> AbstractContextManager[None]:
    """PostgreSQL has many writers, and its own line for those who want the same row."""
    return turns_of(engine).turn(BUSY_S) if engine.dialect.name == "sqlite" else nullcontext()


def turns_of(engine: Engine) -> Turns:
    """The line in which this program's writers of a SQLite database wait."""
    with _turns_lock:
        return _turns.setdefault(engine, Turns())


@contextmanager
def _guarded(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"{engine.url.render_as_string(hide_password=True)}: {error}") from error
