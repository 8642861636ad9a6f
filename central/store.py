"""What the centre keeps of events. All SQL about events is in this file; whoever calls it knows only the types below.

An event's key is (site, door, journal, sequence): a door that had to begin a new journal counts from one again under another journal id, so
its new events are never taken for repetitions of old ones. The same key with another event id is no repetition either: something is wrong,
and both are kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from agent.core.messages import Event
from agent.errors import DoorwardError
from agent.link.acks import as_ranges
from agent.link.cloudevents import Told

_VERSION = 1
MAX_UNREADABLE = 10_000
"""So many unreadable messages are kept; of more, only the newest."""

_SCHEMA = """
CREATE TABLE events (n INTEGER PRIMARY KEY, site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, sequence INTEGER NOT NULL,
    id TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL, received TEXT NOT NULL, mono_s REAL NOT NULL, data TEXT NOT NULL,
    UNIQUE (site, door, journal, sequence));
CREATE INDEX events_by_time ON events (at);
CREATE TABLE conflicts (n INTEGER PRIMARY KEY, site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, sequence INTEGER NOT NULL,
    id TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL, received TEXT NOT NULL, mono_s REAL NOT NULL, data TEXT NOT NULL,
    UNIQUE (site, door, journal, sequence, id));
CREATE TABLE journals (site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, highest INTEGER NOT NULL, first_heard TEXT NOT NULL,
    last_heard TEXT NOT NULL, PRIMARY KEY (site, door, journal)) WITHOUT ROWID;
CREATE TABLE gaps (n INTEGER PRIMARY KEY, site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, noticed TEXT NOT NULL, closed TEXT);
CREATE INDEX gaps_open ON gaps (site, door, journal) WHERE closed IS NULL;
CREATE TABLE unreadable (n INTEGER PRIMARY KEY, received TEXT NOT NULL, topic TEXT NOT NULL, error TEXT NOT NULL, payload BLOB NOT NULL);
"""

T = TypeVar("T")


class StoreError(DoorwardError, OSError):
    """The database cannot be opened, read or written."""


class JournalKey(Struct, frozen=True, order=True):
    """Who counts."""

    site: str
    door: str
    journal: str


class Outcome(Struct, frozen=True):
    """What a committed batch was made of."""

    new: int
    repeated: int
    conflicts: tuple[Told, ...]
    gaps: tuple[Gap, ...]
    """Gaps that this batch made visible."""


class Gap(Struct, frozen=True):
    """Sequences that never came, both ends included; `closed` when they did after all."""

    site: str
    door: str
    journal: str
    first: int
    last: int
    noticed: datetime
    closed: datetime | None = None


class Kept(Struct, frozen=True):
    """An event as it is in the store, with its number there."""

    n: int
    told: Told
    received: datetime


class Unreadable(Struct, frozen=True):
    """A message on an event topic that was no event."""

    topic: str
    error: str
    payload: bytes


class Store:
    """One connection; used by one thread. Raises StoreError. With `reader`, an existing database is only read."""

    def __init__(self, path: Path, *, reader: bool = False) -> None:
        self._path = path
        self._db = self._guard(lambda: self._open(reader))

    def close(self) -> None:
        self._guard(self._db.close)

    def commit(self, events: Sequence[Told], unreadable: Sequence[Unreadable], received: datetime) -> Outcome:
        """Store a batch in one transaction that is on the disk when this returns."""
        return self._guard(lambda: self._transaction(lambda: self._commit(events, unreadable, _text(received))))

    def events(self, *, site: str = "", door: str = "", kind: str = "", after: int = 0, limit: int = 1_000_000) -> Iterator[Kept]:
        """Events in the order in which they were committed; an empty word stands for all. `kind` may end in '*'."""
        ask = (
            "SELECT n, site, door, journal, sequence, id, kind, at, received, mono_s, data FROM events"
            " WHERE n > ? AND (? = '' OR site = ?) AND (? = '' OR door = ?) AND (? = '' OR kind GLOB ?) ORDER BY n LIMIT ?"
        )
        rows = self._guard(lambda: self._db.execute(ask, (after, site, site, door, door, kind, kind, limit)))
        return (_kept(row) for row in rows)

    def by_id(self, begins: str, limit: int = 20) -> list[Kept]:
        """Events whose id begins so, oldest first."""
        ask = (
            "SELECT n, site, door, journal, sequence, id, kind, at, received, mono_s, data FROM events"
            " WHERE substr(id, 1, ?) = ? ORDER BY n LIMIT ?"
        )
        return self._guard(lambda: [_kept(row) for row in self._db.execute(ask, (len(begins), begins, limit))])

    def newest(self, kind: str, or_kind: str) -> Kept | None:
        """The event that was committed last of two kinds, each as in `events`."""
        ask = (
            "SELECT n, site, door, journal, sequence, id, kind, at, received, mono_s, data FROM events"
            " WHERE kind GLOB ? OR kind GLOB ? ORDER BY n DESC LIMIT 1"
        )
        row = self._guard(lambda: self._db.execute(ask, (kind, or_kind)).fetchone())
        return None if row is None else _kept(row)

    def gaps(self, *, closed: bool = False) -> list[Gap]:
        """Gaps that are open; with `closed`, also those that were filled."""
        ask = "SELECT site, door, journal, first, last, noticed, closed FROM gaps WHERE closed IS NULL OR ? ORDER BY n"
        return self._guard(lambda: [_gap(row) for row in self._db.execute(ask, (closed,))])

    def conflicts(self) -> list[Kept]:
        """Events whose key was taken by another event."""
        ask = "SELECT n, site, door, journal, sequence, id, kind, at, received, mono_s, data FROM conflicts ORDER BY n"
        return self._guard(lambda: [_kept(row) for row in self._db.execute(ask)])

    def counts(self) -> dict[str, int]:
        """Rows of each table."""
        tables = ("events", "conflicts", "gaps", "unreadable")
        ask = "SELECT count(*) FROM "
        return self._guard(lambda: {table: int(self._db.execute(ask + table).fetchone()[0]) for table in tables})

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _guard(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}") from error

    def _open(self, reader: bool) -> sqlite3.Connection:
        if reader:
            if not self._path.is_file():
                raise StoreError(f"{self._path}: no such database; --database names the file that `doorward central run` writes")
            return sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
        db = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise StoreError(f"{self._path}: database version {version} is not {_VERSION}")
        return db

    def _transaction(self, work: Callable[[], T]) -> T:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = work()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return result

    def _commit(self, events: Sequence[Told], unreadable: Sequence[Unreadable], received: str) -> Outcome:
        new: dict[JournalKey, list[int]] = {}
        conflicts = []
        for told in events:
            verdict = self._add(told, received)
            if verdict == "new":
                new.setdefault(key_of(told), []).append(told.event.sequence)
            elif verdict == "conflict":
                conflicts.append(told)
        gaps = [gap for key, sequences in new.items() for gap in self._count(key, sequences, received)]
        self._keep_unreadable(unreadable, received)
        added = sum(len(sequences) for sequences in new.values())
        return Outcome(added, len(events) - added - len(conflicts), tuple(conflicts), tuple(gaps))

    def _add(self, told: Told, received: str) -> str:
        row = _row(told, received)
        if self._db.execute(f"INSERT OR IGNORE INTO events {_COLUMNS}", row).rowcount:
            return "new"
        ask = "SELECT id FROM events WHERE site = ? AND door = ? AND journal = ? AND sequence = ?"
        if self._db.execute(ask, row[:4]).fetchone()[0] == told.event.id:
            return "repeated"
        added = self._db.execute(f"INSERT OR IGNORE INTO conflicts {_COLUMNS}", row).rowcount
        return "conflict" if added else "repeated"

    def _count(self, key: JournalKey, sequences: list[int], received: str) -> list[Gap]:
        """Move the journal's count on; returns the gaps that opened."""
        where = (key.site, key.door, key.journal)
        found = self._db.execute("SELECT highest FROM journals WHERE site = ? AND door = ? AND journal = ?", where).fetchone()
        highest = found[0] if found else 0
        late = sorted(sequence for sequence in sequences if sequence <= highest)
        opened: list[tuple[int, int]] = []
        for sequence in sorted(sequence for sequence in sequences if sequence > highest):
            if sequence > highest + 1:
                opened.append((highest + 1, sequence - 1))
            highest = sequence
        for first, last in opened:
            self._open_gap(where, first, last, received)
        self._fill(where, late, received)
        self._db.execute(
            "INSERT INTO journals VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET highest = excluded.highest, last_heard = excluded.last_heard",
            (*where, highest, received, received),
        )
        noticed = datetime.fromisoformat(received)
        return [Gap(*where, first, last, noticed) for first, last in opened]

    def _fill(self, where: tuple[str, str, str], late: list[int], received: str) -> None:
        """Events came that were missing: what they fill of a gap is closed, what they leave stays open."""
        ask = ("SELECT n, first, last, noticed FROM gaps WHERE site = ? AND door = ? AND journal = ? AND closed IS NULL"
               " AND first <= ? AND last >= ?")  # fmt: skip
        for low, high in as_ranges(late):
            for n, first, last, noticed in self._db.execute(ask, (*where, high, low)).fetchall():
                filled = (max(first, low), min(last, high))
                self._db.execute("UPDATE gaps SET first = ?, last = ?, closed = ? WHERE n = ?", (*filled, received, n))
                self._open_gap(where, first, filled[0] - 1, noticed)
                self._open_gap(where, filled[1] + 1, last, noticed)

    def _open_gap(self, where: tuple[str, str, str], first: int, last: int, noticed: str) -> None:
        if first <= last:
            self._db.execute("INSERT INTO gaps (site, door, journal, first, last, noticed) VALUES (?, ?, ?, ?, ?, ?)",
                             (*where, first, last, noticed))  # fmt: skip

    def _keep_unreadable(self, unreadable: Sequence[Unreadable], received: str) -> None:
        for bad in unreadable:
            self._db.execute("INSERT INTO unreadable (received, topic, error, payload) VALUES (?, ?, ?, ?)",
                             (received, bad.topic, bad.error, bad.payload))  # fmt: skip
        if unreadable:
            self._db.execute("DELETE FROM unreadable WHERE n <= (SELECT max(n) FROM unreadable) - ?", (MAX_UNREADABLE,))


_COLUMNS = "(site, door, journal, sequence, id, kind, at, received, mono_s, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def key_of(told: Told) -> JournalKey:
    return JournalKey(told.site, told.door, told.event.journal)


def _text(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat(timespec="microseconds")


def _row(told: Told, received: str) -> tuple[str, str, str, int, str, str, str, str, float, str]:
    event = told.event
    data = msgspec.json.encode(event.data).decode()
    return (
        told.site,
        told.door,
        event.journal,
        event.sequence,
        event.id,
        event.kind,
        _text(event.at),
        received,
        event.mono_s,
        data,
    )


def _kept(row: tuple[int, str, str, str, int, str, str, str, str, float, str]) -> Kept:
    n, site, door, journal, sequence, identity, kind, at, received, mono_s, data = row
    event = Event(sequence=sequence, journal=journal, id=identity, kind=kind, at=datetime.fromisoformat(at), mono_s=mono_s,
                  data=msgspec.json.decode(data))  # fmt: skip
    return Kept(n, Told(site, door, event), datetime.fromisoformat(received))


def _gap(row: tuple[str, str, str, int, int, str, str | None]) -> Gap:
    site, door, journal, first, last, noticed, closed = row
    return Gap(
        site, door, journal, first, last, datetime.fromisoformat(noticed), datetime.fromisoformat(closed) if closed else None
    )
