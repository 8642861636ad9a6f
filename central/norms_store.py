"""What the centre keeps of doors' norms: one row a door and day, for two years. All SQL about norms is in this file.

Counts of nobody in particular, some 6 kB a row: 100 doors take 440 MB in two years at most.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from agent.core.norms_word import DoorNorms
from central.database.engine import StoreError

KEPT_DAYS = 730
_VERSION = 1
_SCHEMA = """
CREATE TABLE norms (site TEXT NOT NULL, door TEXT NOT NULL, day TEXT NOT NULL, norms BLOB NOT NULL,
    PRIMARY KEY (site, door, day)) WITHOUT ROWID;
"""

T = TypeVar("T")


class DoorKey(Struct, frozen=True, order=True):
    """Which door."""

    site: str
    door: str


class NormsStore:
    """One connection; used by one thread. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = self._guard(self._open)

    def close(self) -> None:
        self._guard(self._db.close)

    def take(self, door: DoorKey, told: DoorNorms, now: datetime) -> None:
        """Keep what a door has told, by the centre's clock (a door's may be wrong); of one day only the newest."""
        day, oldest = _day(now), _day(now - timedelta(days=KEPT_DAYS))
        kept = msgspec.json.encode(msgspec.structs.replace(told, made=now))

        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO norms VALUES (?, ?, ?, ?)", (door.site, door.door, day, kept))
            self._db.execute("DELETE FROM norms WHERE site = ? AND door = ? AND day < ?", (door.site, door.door, oldest))

    def doors(self) -> list[DoorKey]:
        """All that have told something."""
        rows = self._guard(lambda: self._db.execute("SELECT DISTINCT site, door FROM norms ORDER BY site, door").fetchall())
        return [DoorKey(*row) for row in rows]

    def history(self, door: DoorKey, since: datetime) -> list[DoorNorms]:
        """What a door has told, oldest first."""
        ask = "SELECT norms FROM norms WHERE site = ? AND door = ? AND day >= ? ORDER BY day"
        rows = self._guard(lambda: self._db.execute(ask, (door.site, door.door, _day(since))).fetchall())
        return [msgspec.json.decode(row[0], type=DoorNorms) for row in rows]

    def forget(self, door: DoorKey) -> None:
        """Everything of a door."""
        with self._transaction():
            self._db.execute("DELETE FROM norms WHERE site = ? AND door = ?", (door.site, door.door))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StoreError(f"{self._path}: {error}") from error

    def _guard(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("BEGIN IMMEDIATE")  # whoever else opens it at this moment waits
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.execute(_SCHEMA)
            db.execute(f"PRAGMA user_version={_VERSION}")
        db.execute("COMMIT")
        if version not in (0, _VERSION):
            raise StoreError(f"{self._path}: database version {version} is not {_VERSION}")
        return db


def _day(at: datetime) -> str:
    return at.astimezone(timezone.utc).date().isoformat()
