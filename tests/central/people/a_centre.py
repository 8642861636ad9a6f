"""A centre's people in a real database, with the real audit log, and a clock that the test moves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from agent.core.access import AccessProfile
from agent.core.schedules import Interval, Schedule
from central.database import tables_accounts, tables_people
from central.database.engine import open_database, sqlite_url
from central.database.metadata import METADATA
from central.gateway.audit import AuditLog
from central.people.people import People
from central.people.records import Held, Person, Pins
from central.people.vault import Vault

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
KEY = bytes(range(32))
FOB = "H10301:1:5283"
ALWAYS = Schedule(
    id="always", zone="Europe/Berlin", intervals=(Interval(days=(0, 1, 2, 3, 4, 5, 6), from_min=0, until_min=1440),)
)


class StoodClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def mono_s(self) -> float:
        return (self.now - NOW).total_seconds()

    def wall(self) -> datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


class Centre:
    """People of two doors: staff may pass both, the vault's keepers the vault only."""

    def __init__(self, folder: Path, engine: Engine | None = None) -> None:
        """`engine`: a database that is up to date, instead of one of its own."""
        self.engine: Engine = engine or open_database(sqlite_url(folder / "central.db"))
        METADATA.create_all(self.engine, [*tables_accounts_of(), *tables_of()])
        self.clock = StoodClock()
        self.audit = AuditLog(self.engine, self.clock)
        self.people = People(self.engine, self.clock, self.audit, Vault(KEY))
        self.people.put_schedule("ada", ALWAYS)
        self.people.put_profile("ada", AccessProfile(id="staff", doors=("hq/front", "hq/vault"), schedule="always"))
        self.people.put_profile("ada", AccessProfile(id="keepers", doors=("hq/vault",), schedule="always"))
        for door in ("front", "vault"):
            self.people.put_door("ada", "hq", door, door.title(), bytes(32))

    def holder(self, id: str = "holder-1", *keys: str, profiles: tuple[str, ...] = ("staff",), **fields: object) -> str:
        """Somebody with these fobs."""
        pins = Pins(**{name: fields.pop(name) for name in ("pin", "duress_pin") if name in fields})
        self.people.add("ada", Person(**{"id": id, "name": "Ada Lovelace", "profiles": profiles, **fields}), pins)
        for key in keys or (FOB,):
            self.people.issue("ada", id, Held(key=key))
        return id

    def on_record(self) -> list[tuple[str, str]]:
        """What was done to whom, oldest first, without how this centre was set up."""
        told = [(row.what, row.about) for row in reversed(self.audit.rows(limit=100_000))]
        return [each for each in told if each[0].split(".")[0] not in ("schedule", "profile", "door")]


def tables_of() -> list:
    return [table for table in METADATA.sorted_tables if table in vars(tables_people).values()]


def tables_accounts_of() -> list:
    return [table for table in METADATA.sorted_tables if table in vars(tables_accounts).values()]


def template(seed: int) -> bytes:
    """An embedding of nobody: a random direction."""
    vector = np.random.default_rng(seed).normal(size=192)
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()
