"""What people did, in a hash chain: nothing in it can be changed, left out or put in between without being seen.

Each row's digest is SHA-256 over its own canonical bytes and the digest before it. `audit_head` says where the chain ends. Whoever can write
the whole database could count everything anew or cut rows off at the end, so the head is also kept outside it: in a small file (the anchor),
and now and then in the program's log, which systemd's journal keeps. `doorward central verify-audit` holds the chain against all of that.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Engine, Row, insert, select, update

from agent.clock import Clock
from agent.errors import ConfigError
from agent.files import write_whole
from agent.ownership import give_to_owner_of
from central.database.engine import reading, writing
from central.database.tables_accounts import AUDIT, AUDIT_HEAD
from central.database.types import to_us

log = logging.getLogger(__name__)

BEGINNING = "0" * 64
"""What stands before the first row."""
MOST_DETAILS_BYTES = 16 * 1024
MOST = {"who": 120, "what": 120, "about": 300}
LOG_EVERY = 500
"""So many rows lie between two heads in the program's log."""

_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=str).encode


class Head(Struct, frozen=True):
    """Where the chain ends."""

    n: int = 0
    digest: str = BEGINNING


class Record(Struct, frozen=True, kw_only=True):
    """One thing that somebody did."""

    n: int
    at: datetime
    who: str
    what: str
    about: str
    details: dict[str, Any]
    digest: str


class Finding(Struct, frozen=True):
    """Where the chain breaks first."""

    n: int
    sentence: str


class Verdict(Struct, frozen=True):
    """What `verify` found: None is a whole chain."""

    rows: int
    head: Head
    broken: Finding | None = None


def digest_of(n: int, at: datetime, who: str, what: str, about: str, details: str, previous: str) -> str:
    """SHA-256, in hexadecimal digits, of the row as a JSON array: number, microseconds since 1970, texts as they are stored."""
    return hashlib.sha256(_canonical([n, to_us(at), who, what, about, details, previous])).hexdigest()


class AuditLog:
    """`write` from any thread and any number of programs at once: rows are numbered inside one writing transaction."""

    def __init__(self, engine: Engine, clock: Clock, anchor: Path | None = None) -> None:
        """`anchor`: the file that the head is also kept in; in another folder than the database."""
        self._engine, self._clock, self._anchor = engine, clock, anchor
        self._lock = threading.Lock()
        self._anchored: Head | None = None

    def write(self, who: str, what: str, about: str, details: dict[str, Any], *, connection: Connection | None = None) -> None:
        """One row; with `connection`, inside the caller's writing transaction, and undone with it. Raises StoreError."""
        with contextlib.nullcontext(connection) if connection is not None else writing(self._engine) as open_one:
            self._append(open_one, who, what, about, _text_of(details))

    def rows(self, before: int = 0, limit: int = 100) -> list[Record]:
        """Newest first; `before` 0 begins at the newest. Raises StoreError."""
        ask = select(AUDIT).order_by(AUDIT.c.n.desc()).limit(limit)
        with reading(self._engine) as connection:
            found = connection.execute(ask.where(AUDIT.c.n < before) if before else ask).all()
        return [_record(row) for row in found]

    def head(self) -> Head:
        with reading(self._engine) as connection:
            return _head(connection)

    def anchor(self) -> None:
        """Keep the head outside the database, too, if it has moved. Cheap; to be called every second or so. Raises StoreError."""
        with self._lock:
            head = self.head()
            if head == self._anchored:
                return
            if self._anchored is None or head.n // LOG_EVERY != self._anchored.n // LOG_EVERY:
                log.info("audit head n=%d digest=%s", head.n, head.digest)
            self._keep(head)
            self._anchored = head

    def _keep(self, head: Head) -> None:
        """A file that says more than the database stays as it is: it is the proof that rows were cut off."""
        if self._anchor is None:
            return
        try:
            known = read_anchor(self._anchor)
            if known is None or known.n <= head.n:
                write_whole(self._anchor, msgspec.json.encode(head) + b"\n")
                give_to_owner_of(self._anchor.parent, self._anchor)
            else:
                log.error(
                    "audit anchor=%s knows %d rows and the database only %d: see verify-audit", self._anchor, known.n, head.n
                )
        except (OSError, ConfigError) as error:
            log.error("audit anchor=%s error=%s", self._anchor, error)

    def _append(self, connection: Connection, who: str, what: str, about: str, details: str) -> None:
        head = _head(connection, for_update=True)
        n, at = head.n + 1, self._clock.wall()
        told = {"who": who, "what": what, "about": about}
        texts = {name: told[name].replace("\0", "?")[:most] for name, most in MOST.items()}  # PostgreSQL keeps no NUL
        digest = digest_of(n, at, **texts, details=details, previous=head.digest)
        connection.execute(insert(AUDIT).values(n=n, at=at, **texts, details=details, previous=head.digest, digest=digest))
        moved = update(AUDIT_HEAD).where(AUDIT_HEAD.c.one == 1).values(n=n, digest=digest)
        if connection.execute(moved).rowcount == 0:
            connection.execute(insert(AUDIT_HEAD).values(one=1, n=n, digest=digest))


def _text_of(details: dict[str, Any]) -> str:
    text = _canonical(details)
    if len(text) > MOST_DETAILS_BYTES:
        text = _canonical({"left_out_bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()})
    return text.decode()


def _head(connection: Connection, *, for_update: bool = False) -> Head:
    ask = select(AUDIT_HEAD.c.n, AUDIT_HEAD.c.digest).where(AUDIT_HEAD.c.one == 1)
    row = connection.execute(ask.with_for_update() if for_update else ask).one_or_none()
    return Head(row.n, row.digest) if row else Head()


def _record(row: Row[Any]) -> Record:
    return Record(n=row.n, at=row.at, who=row.who, what=row.what, about=row.about, details=msgspec.json.decode(row.details),
                  digest=row.digest)  # fmt: skip


# -- holding it against itself, and against what was kept elsewhere ----------------------------------------------------------------


def read_anchor(path: Path) -> Head | None:
    """None where there is no such file. Raises ConfigError for one that cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Head)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: is no anchor of an audit log: {error}") from error


def verify(engine: Engine, kept_elsewhere: list[Head]) -> Verdict:
    """Count the whole chain again. `kept_elsewhere`: heads of the past, from the anchor, a log or a piece of paper. Raises StoreError."""
    wanted = {head.n: head.digest for head in kept_elsewhere if head.n}
    end = Head()
    with reading(engine) as connection:
        for row in _all(connection):
            sentence = _fault(row, end, wanted)
            if sentence:
                return Verdict(end.n, end, Finding(end.n + 1, sentence))
            end = Head(row.n, row.digest)
        pinned = _head(connection)
    return Verdict(end.n, end, _cut_off(end, pinned, max(wanted, default=0)))


def _all(connection: Connection) -> Iterator[Row[Any]]:
    result = connection.execution_options(stream_results=True).execute(select(AUDIT).order_by(AUDIT.c.n))
    for rows in result.partitions(1000):
        yield from rows


def _fault(row: Row[Any], before: Head, wanted: dict[int, str]) -> str:
    if row.n != before.n + 1:
        return f"row {before.n + 1} is missing: {row.n} follows {before.n}"
    if row.previous != before.digest:
        return f"row {row.n} does not follow the row before it: one of them was changed"
    if digest_of(row.n, row.at, row.who, row.what, row.about, row.details, row.previous) != row.digest:
        return f"row {row.n} is not what was written: its digest is of something else"
    if wanted.get(row.n, row.digest) != row.digest:
        return f"row {row.n} has another digest than the one that was kept outside the database: the chain was counted anew"
    return ""


def _cut_off(end: Head, pinned: Head, outside: int) -> Finding | None:
    if outside > end.n:
        return Finding(
            end.n + 1, f"the chain ends at row {end.n}, and outside the database row {outside} is known: rows were cut off"
        )
    if pinned != end:
        return Finding(
            end.n + 1, f"the chain ends at row {end.n}, and its head is row {pinned.n}: rows were cut off or the head was changed"
        )
    return None
