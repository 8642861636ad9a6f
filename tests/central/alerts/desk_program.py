"""The alert desk as a process of its own, to be killed. Its argument: the folder of database and key."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from agent.clock import SystemClock
from central.alerts.desk import AlertDesk
from central.alerts.vapid import ensure_vapid, load_vapid
from central.database.engine import open_database, sqlite_url
from central.gateway.audit import AuditLog
from central.settings import Alerts
from tests.central.alerts.house import Doors


def main(folder: Path) -> None:
    engine, clock = open_database(sqlite_url(folder / "central.db")), SystemClock()
    vapid = load_vapid(ensure_vapid(folder), "mailto:doors@example.org")
    desk = AlertDesk(engine, Alerts(push_loopback=True), clock, AuditLog(engine, clock), Doors(), vapid)
    desk.start()
    (folder / "started").touch()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
