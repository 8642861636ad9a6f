"""Which credentials let nobody in any more, and since which revision: asked of the database in milliseconds, however many people there are.

`since` is never too low: a credential that is found withdrawn for the first time is withdrawn since the newest revision there is. So a
bundle that could have been made before it is never taken for one that knows of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Set
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, select

from agent.core.withdrawn import State
from agent.files import write_whole
from central.database.engine import reading
from central.database.tables_people import CARDHOLDERS, CREDENTIALS
from central.people import changes
from central.people.people import People
from central.people.records import STATES
from central.people.rows import chunks, profiles_of

log = logging.getLogger(__name__)

FILE = "withdrawn.json"


class Since(Struct, frozen=True, array_like=True):
    """How, and since which revision."""

    state: State
    revision: int


def withdrawn_now(people: People) -> dict[str, State]:
    """Every credential that is lost, stolen or revoked, or whose holder is suspended. Raises StoreError."""
    with reading(people.engine) as connection:
        held, holders = CREDENTIALS, CARDHOLDERS
        suspended = select(held.c.key).join(holders, holders.c.id == held.c.cardholder).where(holders.c.suspended)
        found: dict[str, State] = {row.key: "suspended" for row in connection.execute(suspended)}
        marked = select(held.c.key, held.c.state).where(held.c.state.in_([state for state in STATES if state != "active"]))
        found.update((row.key, row.state) for row in connection.execute(marked))
    return found


class Changed(Struct, frozen=True):
    """A credential that some revision concerned, as it is now."""

    state: State | None
    """None: it lets somebody in, where one of `profiles` does."""
    revision: int
    profiles: frozenset[str] = frozenset()

    def at(self, profiles: frozenset[str]) -> State | None:
        """What it is for a door with these profiles."""
        return self.state or (None if self.profiles & profiles else "unknown")


def changed_since(people: People, revision: int) -> dict[str, Changed]:
    """Credentials that changed one by one after that revision, as far back as it is remembered. Raises StoreError."""
    with people.view() as connection:
        found = changes.listed(connection, revision)
        return {key: each for chunk in chunks(found) for key, each in _changed(connection, chunk, found, people.clock.wall())}


def _changed(
    connection: Connection, keys: list[str], revisions: Mapping[str, int], now: datetime
) -> Iterator[tuple[str, Changed]]:
    held, holders = CREDENTIALS, CARDHOLDERS
    asked = (
        select(held, holders.c.valid_from.label("holder_from"), holders.c.valid_until.label("holder_until"))
        .join(holders, holders.c.id == held.c.cardholder)
        .where(held.c.key.in_(keys))
    )
    found = {row.key: row for row in connection.execute(asked)}
    profiles = profiles_of(connection, sorted({row.cardholder for row in found.values()}))
    for key in keys:
        row = found.get(key)
        if row is None:
            yield key, Changed("unknown", revisions[key])
        else:
            yield key, Changed(_by_time(row, now), revisions[key], frozenset(profiles.get(row.cardholder, ())))


def _by_time(row: Row[Any], now: datetime) -> State | None:
    if any(until is not None and until <= now for until in (row.valid_until, row.holder_until)):
        return "over"
    if any(begins is not None and begins > now for begins in (row.valid_from, row.holder_from)):
        return "not_begun"
    return None


class Ledger:
    """Since when; kept in a file (0600), so that a restart of the centre sends nothing anew. One that is lost costs bytes, not safety."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._since = self._read()

    def _read(self) -> dict[str, Since]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Since])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            log.error("access ledger path=%s error=%s mend='everything counts as withdrawn just now'", self._path, error)
            return {}

    def take(self, now: Mapping[str, State], revision: int) -> Mapping[str, Since]:
        """What is withdrawn now; `revision` was read after it. Raises OSError."""
        with self._lock:
            return self._take(now, revision)

    def seen_in_use(self, keys: Set[str], version: int) -> None:
        """A bundle of that version was made while these were in use: whoever of them is withdrawn now was withdrawn after it."""
        with self._lock:
            fresh = {key: Since(each.state, version + 1) for key, each in self._since.items() if key in keys}
            self._since = {**self._since, **fresh}

    def _take(self, now: Mapping[str, State], revision: int) -> Mapping[str, Since]:
        before = self._since
        after = {key: Since(state, before[key].revision if key in before and before[key].state == state else revision)
                 for key, state in now.items()}  # fmt: skip
        if after != before:
            write_whole(self._path, msgspec.json.encode(after))
            self._since = after
        return after
