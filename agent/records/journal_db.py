"""The journal's file: all SQL of the door is here.

`events` holds what the historian has not acknowledged. A row's position is its journal's generation in the high bits and its sequence in the
low ones, so one integer orders everything: what was saved from a damaged journal comes before what the new one counts. `journals` keeps
the highest sequence ever given, because rows disappear and a count must not start again.
"""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from agent.errors import JournalError

SEQUENCE_BITS = 40
MAX_SEQUENCE = (1 << SEQUENCE_BITS) - 1
_VERSION = 1
_QUICK_CHECK_BYTES = 16 << 20
"""A larger file would hold up the start; its rows still carry a CRC each."""

_BATCH = 500

_SCHEMA = """
CREATE TABLE journals (generation INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, high_water INTEGER NOT NULL);
CREATE TABLE events (position INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE damaged (position INTEGER PRIMARY KEY, crc INTEGER NOT NULL, body BLOB NOT NULL);
"""

T = TypeVar("T")
_HEADER_BYTES = 100


class DiskTroubleError(JournalError):
    """The disk is full, read-only, locked or failing: what was asked may succeed later."""


class CorruptError(JournalError):
    """The file is no journal any more."""


class Waiting(Struct, frozen=True):
    """An event on its way into the file."""

    journal: str
    sequence: int
    body: bytes
    slots: tuple[int, ...] = ()
    """Where the black box holds it."""


class Row(Struct, frozen=True):
    """An event in the file. `sound` is False when its bytes are not those that were written."""

    position: int
    body: bytes
    sound: bool


class JournalDb:
    """One connection. Raises DiskTroubleError and CorruptError, nothing else.

    Of one program, the writer is opened first and alone: it looks at the file's bytes before SQLite does, and whoever closes a file gives
    up every lock that the process has on it (sqlite.org/howtocorrupt.html, 2.2). The next program that looks into the journal would
    then take the write-ahead log for left over, and delete it.
    """

    def __init__(self, path: Path, *, reader: bool = False) -> None:
        self.path = path
        self.generations: dict[str, int] = {}
        self.high_water: dict[str, int] = {}
        self._inherited: set[str] = set()
        self._db = _guarded(path, lambda: self._open(reader))
        if not reader:
            self._guard(self._load)

    @property
    def current(self) -> str | None:
        """The id of the journal that counts now; None in a new file."""
        return max(self.generations, key=lambda journal: self.generations[journal], default=None)

    def begin_journal(self, journal: str, generation: int | None = None) -> None:
        """Start a count; without a generation, behind all others."""
        if journal not in self.generations:
            self._guard(lambda: self._transaction(lambda: self._register(journal, generation)))

    def adopt(self, journal: str, generation: int | None = None) -> None:
        """Take events of a journal that was counted in another file: what is new is then told row by row, not by the count."""
        self.begin_journal(journal, generation)
        self._inherited.add(journal)

    def write(self, waiting: Sequence[Waiting], acknowledged: Sequence[tuple[str, int, int]]) -> None:
        """Store and delete in one transaction that is on the disk when this returns."""
        try:
            self._guard(lambda: self._transaction(lambda: self._write(waiting, acknowledged)))
        except JournalError:
            self._guard(self._load)
            raise

    def inherit(self, rows: Iterator[Waiting]) -> int:
        """Store what was saved from another journal; returns how many."""
        count = 0
        batch: list[Waiting] = []
        for row in rows:
            self.adopt(row.journal)
            count += 1
            batch.append(row)
            if len(batch) == _BATCH:
                self.write(batch, ())
                batch = []
        self.write(batch, ())
        return count

    def read(self, after: int, limit: int) -> list[Row]:
        """Rows behind a position, in order."""
        ask = "SELECT position, crc, body FROM events WHERE position > ? ORDER BY position LIMIT ?"
        return self._guard(lambda: [_row(*found) for found in self._db.execute(ask, (after, limit))])

    def count(self) -> int:
        """How many events wait."""
        return self._guard(lambda: int(self._db.execute("SELECT count(*) FROM events").fetchone()[0]))

    def damaged(self) -> int:
        """How many rows were put aside as damaged."""
        return self._guard(lambda: int(self._db.execute("SELECT count(*) FROM damaged").fetchone()[0]))

    def counted(self) -> dict[str, int]:
        """How far each journal has counted, delivered events included."""
        return self._guard(lambda: dict(self._db.execute("SELECT id, high_water FROM journals").fetchall()))

    def put_aside(self, position: int) -> None:
        """Take a damaged row out of the way, and keep it."""
        self._guard(lambda: self._transaction(lambda: self._put_aside(position)))

    def close(self) -> None:
        self._guard(self._db.close)

    # -- inside --------------------------------------------------------------------------------------------------------------

    def _guard(self, work: Callable[[], T]) -> T:
        return _guarded(self.path, work)

    def _open(self, reader: bool) -> sqlite3.Connection:
        if not reader and self.path.exists():
            _require_sound_header(self.path)
        db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            if reader:
                db.execute("PRAGMA query_only=1")
            else:
                self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA journal_size_limit={4 << 20}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise CorruptError(f"{self.path}: journal version {version} is not {_VERSION}")
        _demand_schema(self.path, db)
        if os.path.getsize(self.path) <= _QUICK_CHECK_BYTES:
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise CorruptError(f"{self.path}: {verdict}")

    def _load(self) -> None:
        found = list(self._db.execute("SELECT generation, id, high_water FROM journals"))
        if not all(isinstance(g, int) and isinstance(i, str) and isinstance(h, int) for g, i, h in found):
            raise CorruptError(f"{self.path}: the table of journals holds something else")
        self.generations = {journal: generation for generation, journal, _ in found}
        self.high_water = {journal: high for _, journal, high in found}

    def _transaction(self, work: Callable[[], None]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            work()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _register(self, journal: str, generation: int | None = None) -> None:
        if journal in self.generations:
            return
        if generation is None or generation in self.generations.values():
            generation = max(self.generations.values(), default=-1) + 1
        self._db.execute("INSERT INTO journals VALUES (?, ?, 0)", (generation, journal))
        self.generations[journal], self.high_water[journal] = generation, 0

    def _write(self, waiting: Sequence[Waiting], acknowledged: Sequence[tuple[str, int, int]]) -> None:
        rows = [self._placed(event) for event in waiting if self._is_new(event)]
        self._db.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", rows)
        highest: dict[str, int] = {}
        for event in waiting:
            highest[event.journal] = max(highest.get(event.journal, 0), event.sequence, self.high_water[event.journal])
        for journal, high in highest.items():
            self._db.execute("UPDATE journals SET high_water = ? WHERE id = ?", (high, journal))
            self.high_water[journal] = high
        for journal, first, last in acknowledged:
            self._delete(journal, first, last)

    def _is_new(self, event: Waiting) -> bool:
        # From a healthy journal, what the black box still holds may be long delivered and deleted; the count tells.
        self._register(event.journal)
        return event.journal in self._inherited or event.sequence > self.high_water[event.journal]

    def _placed(self, event: Waiting) -> tuple[int, int, bytes]:
        return self.generations[event.journal] << SEQUENCE_BITS | event.sequence, zlib.crc32(event.body), event.body

    def _delete(self, journal: str, first: int, last: int) -> None:
        generation = self.generations.get(journal)
        if generation is None:
            return
        base = generation << SEQUENCE_BITS
        bounds = (base | max(0, first), base | min(MAX_SEQUENCE, last))
        self._db.execute("DELETE FROM events WHERE position BETWEEN ? AND ?", bounds)

    def _put_aside(self, position: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO damaged SELECT position, crc, body FROM events WHERE position = ?", (position,))
        self._db.execute("DELETE FROM events WHERE position = ?", (position,))


def _demand_schema(path: Path, db: sqlite3.Connection) -> None:
    """A damaged letter in the name of a column lets events be written that nobody can read again; no check of SQLite's finds that."""
    found = {str(made) for (made,) in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if found != {statement.strip() for statement in _SCHEMA.split(";") if statement.strip()}:
        raise CorruptError(f"{path}: the tables are not those of a journal")


def _row(position: int, crc: object, body: object) -> Row:
    data = body if isinstance(body, bytes) else str(body).encode("utf-8", "replace")
    return Row(position, data, zlib.crc32(data) == crc)


def _guarded(path: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except JournalError:
        raise
    except sqlite3.OperationalError as error:
        if _is_damage(str(error)):
            raise CorruptError(f"{path}: {error}") from error
        raise DiskTroubleError(f"{path}: {error}") from error
    except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError, OverflowError) as error:
        raise CorruptError(f"{path}: {error}") from error
    except OSError as error:
        raise DiskTroubleError(f"{path}: {error}") from error


_TROUBLES = (
    "disk is full", "is locked", "disk I/O error", "unable to open database file", "readonly database", "out of memory", "access permission",
    "interrupted", "large file support",
)  # fmt: skip
"""What SQLite says of a disk that may get well again. A file whose bytes are wrong has many more words, so those are not listed."""


def _is_damage(text: str) -> bool:
    """SQLite files damage ('no such table', 'unsupported file format') under 'operational' too, where a full disk is."""
    return not any(words in text for words in _TROUBLES)


def _require_sound_header(path: Path) -> None:
    """A damaged format version makes SQLite say 'readonly', as a write-protected card does: it is looked at before SQLite is asked.

    Bytes 18 and 19 are the versions for writing and reading, 1 or 2 (sqlite.org/fileformat2.html, 1.3.3).
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) == _HEADER_BYTES and not {header[18], header[19]} <= {1, 2}:
        raise CorruptError(f"{path}: format versions {header[18]} and {header[19]} are none of SQLite's")


def set_aside(path: Path, wall: datetime) -> Path:
    """Rename a journal with all that belongs to it; returns where it is now. Raises DiskTroubleError."""
    stamp = wall.strftime("%Y%m%dT%H%M%SZ")
    number, target = 0, path.with_name(f"{path.name}.corrupt-{stamp}")
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            _guarded(path, lambda part=part, suffix=suffix: part.rename(target.with_name(target.name + suffix)))  # type: ignore[misc]
    return target


def saved_from(path: Path) -> Iterator[Waiting]:
    """Every event of a damaged journal that can still be read and has its CRC. Never raises for damage."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)
    except sqlite3.Error:
        return
    try:
        names = dict(db.execute("SELECT generation, id FROM journals"))
        for found in db.execute("SELECT position, crc, body FROM events ORDER BY position"):
            yield from _saved(names, _row(*found))
    except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError, OverflowError, TypeError, ValueError):
        return
    finally:
        db.close()


def _saved(names: dict[object, object], row: Row) -> Iterator[Waiting]:
    name = names.get(row.position >> SEQUENCE_BITS)
    if row.sound and isinstance(name, str):
        yield Waiting(name, row.position & MAX_SEQUENCE, row.body)
