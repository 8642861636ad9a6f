"""A centre with a database, accounts and doors, and what happens at them."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine, insert

from central.alerts import store
from central.alerts.desk import AlertDesk
from central.alerts.rules import Happening
from central.alerts.store import Device
from central.alerts.vapid import ensure_vapid, load_vapid
from central.certificates import Ending
from central.database.engine import open_database, reading, sqlite_url, writing
from central.database.migrate import upgrade
from central.database.tables_accounts import ACCOUNTS
from central.database.tables_alerts import DELIVERIES
from central.database.tables_events import EVENTS
from central.gateway.asking import Ask, Caller
from central.gateway.audit import AuditLog
from central.settings import Alerts
from tools.push_service import PushService

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
"""A Monday."""


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def mono_s(self) -> float:
        return (self.now - NOW).total_seconds()

    def wall(self) -> datetime:
        return self.now

    def after(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class DoorNow(msgspec.Struct):
    site: str
    door: str
    online: bool = True
    since: datetime | None = None
    states: dict[str, Any] = {}


class Doors:
    def __init__(self, *doors: DoorNow) -> None:
        self.doors, self.is_connected = list(doors), True

    def snapshot(self) -> list[DoorNow]:
        return self.doors


def event(kind: str, n: int = 1, *, at: datetime = NOW, site: str = "hq", door: str = "front", received: datetime | None = None,
          **data: Any) -> Happening:  # fmt: skip
    return Happening(
        n=n, site=site, door=door, kind=kind, at=at, received=received or at, data=data, person=str(data.get("cardholder") or "")
    )


def risk(band: str = "high", **more: Any) -> dict[str, Any]:
    items = [{"kind": "glances", "sentence": "looked away 5 times in 8 s, usual here at this hour 0 to 1"}]
    return {"band": band, "score": 0.7, "alert": True, "tells": ["guards"], "items": items, **more}


@lru_cache(maxsize=1)
def _empty() -> bytes:
    """A database with all tables: made once, for migrations take half a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        engine = open_database(sqlite_url(path))
        upgrade(engine)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        return path.read_bytes()


def database(folder: Path) -> Engine:
    path = folder / "central.db"
    path.write_bytes(_empty())
    return open_database(sqlite_url(path))


def add_account(engine: Engine, name: str, role: str, sites: tuple[str, ...] = ()) -> None:
    with writing(engine) as db:
        db.execute(insert(ACCOUNTS).values(name=name, shown=name, role=role, sites=list(sites), password="", totp="", totp_step=0,
                                           disabled=False, made=NOW, changed=NOW))  # fmt: skip


_NUMBERS = itertools.count(1)


def commit(engine: Engine, told: Happening) -> None:
    """As the historian would."""
    number = next(_NUMBERS)
    with writing(engine) as db:
        db.execute(insert(EVENTS).values(
            site=told.site, door=told.door, journal="aa", sequence=number, id=f"id-{number}", kind=told.kind, at=told.at,
            received=told.received, mono_s=0.0, data=dict(told.data), person=told.person, alert=False,
        ))  # fmt: skip


class Centre:
    """A desk that is turned by hand; nothing is sent by itself."""

    def __init__(
        self, folder: Path, settings: Alerts | None = None, people: dict[str, str] | None = None, engine: Engine | None = None,
        watching: Callable[[], frozenset[str]] = frozenset, own_certificates: Callable[[], Iterable[Ending]] = tuple,
        person: Callable[[str], str] = str,
    ) -> None:  # fmt: skip
        self.engine, self.clock, self.doors = engine or database(folder), Hands(), Doors()
        self.audit = AuditLog(self.engine, self.clock)
        for name, role in ({"guard-1": "guard", "guard-2": "guard", "boss": "manager"} if people is None else people).items():
            add_account(self.engine, name, role)
        vapid = load_vapid(ensure_vapid(folder), "mailto:doors@example.org")
        self.areas: dict[str, str] = {}
        self.desk = AlertDesk(
            self.engine,
            settings or Alerts(push_loopback=True),
            self.clock,
            self.audit,
            self.doors,
            vapid,
            area=lambda site, door: self.areas.get(door, ""),
            watching=watching,
            own_certificates=own_certificates,
            person=person,
        )

    def device(self, account: str, name: str, service: PushService | None = None) -> None:
        told = (service or _NOWHERE).subscription(name)
        device = Device(id=0, account=account, endpoint=told["endpoint"], device=name, **told["keys"])
        with writing(self.engine) as db:
            store.add_device(db, device, self.clock.now)

    def happens(self, *told: Happening) -> None:
        for each in told:
            commit(self.engine, each)
        self.desk.turn()

    def later(self, seconds: float) -> None:
        self.clock.after(seconds)
        self.desk.turn()

    @property
    def alerts(self) -> list[Any]:
        with reading(self.engine) as db:
            return store.listed(db, live=False, before=0, limit=500)

    def rang(self, *states: str) -> list[str]:
        """Whom, in order; of each alert and step once for each device."""
        return [
            row.account for row in self.outbox() if not row.quiet and row.state in (states or ("waiting", "superseded", "sent"))
        ]

    def outbox(self) -> list[Any]:
        with reading(self.engine) as db:
            return list(db.execute(DELIVERIES.select().order_by(DELIVERIES.c.id)))

    def ask(self, account: str = "guard-1", role: Any = "guard", sites: tuple[str, ...] = (), **told: Any) -> Ask:
        return Ask(caller=Caller(account=account, role=role, sites=sites), now=self.clock.now, **told)


_NOWHERE = PushService()
