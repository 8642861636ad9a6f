"""A whole gateway over a real database, with cheap passwords and a clock that can be set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from sqlalchemy import Engine

from agent.core.messages import Event
from agent.link.cloudevents import Told
from agent.link.session import Address
from central.commands import Commander
from central.database.engine import open_database, sqlite_url
from central.database.migrate import upgrade
from central.gateway.accounts import Accounts, Limits
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook
from central.gateway.gateway import Gateway, limits_of
from central.gateway.passwords import Passwords, Seal
from central.history.events import EventStore
from central.settings import Gateway as Settings
from tests.system.brokers import free_port

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
PASSWORD = "four cats on a warm roof"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


class HandClock:
    """Stands still until somebody turns it."""

    def __init__(self) -> None:
        self.now, self.s = NOW, 1000.0

    def wall(self) -> datetime:
        return self.now

    def mono_s(self) -> float:
        return self.s

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.s += seconds


def database(folder: Path, url: str = "") -> Engine:
    engine = open_database(url or sqlite_url(folder / "central.db"))
    upgrade(engine)
    return engine


def accounts_of(engine: Engine, clock: HandClock, audit: AuditLog, limits: Limits | None = None) -> Accounts:
    return Accounts(engine, clock, audit, Seal(bytes(32)), limits=limits, passwords=Passwords(CHEAP))


def told(sequence: int, kind: str = "access.granted", door: str = "front", site: str = "hq", at: datetime | None = None,
         **data: Any) -> Told:  # fmt: skip
    event = Event(sequence=sequence, journal="aa", id=f"id-{site}-{door}-{sequence}", kind=kind, at=at or NOW + timedelta(seconds=sequence),
                  mono_s=float(sequence), data=data)  # fmt: skip
    return Told(site, door, event)


class House:
    """A centre of which only the gateway is there."""

    def __init__(self, folder: Path, address: Address | None = None, url: str = "", **settings: Any) -> None:
        self.clock, self.engine = HandClock(), database(folder, url)
        self.audit = AuditLog(self.engine, self.clock, folder / "audit.head")
        self.settings = Settings(port=0, **settings)
        self.accounts = accounts_of(self.engine, self.clock, self.audit, limits_of(self.settings))
        self.store = EventStore(self.engine)
        address = address or Address(port=free_port())
        self.book = DoorBook(address, self.clock)
        self.commander = Commander(address, self.clock, "test-commands")
        self.gateway = Gateway(self.settings, self.engine, self.clock, audit=self.audit, accounts=self.accounts, book=self.book,
                               commander=self.commander, dist=folder / "dist", answer_wait_s=2.0)  # fmt: skip

    def hear(self, topic: str, payload: bytes, *, retained: bool = True) -> None:
        """As if the broker had said it."""
        self.book.message(topic, payload, retained)

    def happen(self, *events: Told) -> None:
        self.store.commit(events, [], self.clock.wall())
        self.gateway.wake()

    @contextmanager
    def open(self) -> Iterator[House]:
        try:
            self.gateway.start()
            yield self
        finally:
            self.gateway.stop()
            self.commander.close()
            self.engine.dispose()

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.gateway.url, timeout=20.0)

    @contextmanager
    def signed_in(self, account: str = "ada", role: str = "manager", sites: tuple[str, ...] = ()) -> Iterator[httpx.Client]:
        """Somebody at their browser."""
        if account not in {each.account for each in self.accounts.all()}:
            self.accounts.add("test", account, role, PASSWORD, shown=account.title(), sites=sites)
        with self.browser() as browser:
            answer = browser.post("/api/session", json={"account": account, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            browser.headers["x-doorward-csrf"] = answer.json()["csrf"]
            yield browser
