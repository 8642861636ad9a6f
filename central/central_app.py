"""The centre as a program: all of it by its central.toml, or the historian alone, to try things out."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sqlalchemy.engine import make_url

from agent import first_use
from agent.clock import Clock, SystemClock
from agent.link.session import Address
from agent.notify import notify
from central.database.leading import Leadership
from central.database.opening import name_of, open_to_write
from central.history.historian import Historian
from central.settings import CentralConfig, load_settings

log = logging.getLogger(__name__)

STATE = Path("/var/lib/doorward-central")
SWITCH_INTERVAL_S = 0.0005
"""How long one thread keeps Python's lock while others want it. SQLite gives it back with every row, and whoever wants it again waits as long
as this for one that computes: with the default of 5 ms two hundred doors that came back at once took a quarter longer."""


def run_centre(config_file: Path, clock: Clock | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises StoreError and ConfigError before anything runs."""
    from central.centre import Centre

    config = load_settings(config_file)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop, clock = _until_told(), clock or SystemClock()
    lead = Leadership(config.database.url, clock, stop)
    if not lead.wait(_stand_by):
        return 0
    centre = Centre(config, state_folder(config), clock, lead.guard)
    centre.start()
    log.info("central started config=%s dashboard=%s", config_file, centre.url)
    notify("READY=1\nSTATUS=active")
    stop.wait()
    notify("STOPPING=1")
    centre.stop()
    log.info("central stopped")
    return _code(lead)


def run_historian(address: Address, database: str, clock: Clock | None = None) -> int:
    """As `run_centre`, for the historian alone. `database`: a file, or an address of PostgreSQL; it is made or brought up to date."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop, clock = _until_told(), clock or SystemClock()
    lead = Leadership(database, clock, stop)
    if not lead.wait(_stand_by):
        return 0
    first_use.ready()
    engine = open_to_write(database)
    lead.guard(engine)
    historian = Historian(address, engine, clock)
    historian.start()
    log.info("central started database=%s broker=%s:%d", name_of(engine), address.host, address.port)
    notify("READY=1\nSTATUS=active")
    stop.wait()
    notify("STOPPING=1")
    historian.stop()
    engine.dispose()
    log.info("central stopped totals=%s", historian.totals)
    return _code(lead)


def _stand_by() -> None:
    log.info("central stands by: another one is active")
    notify("READY=1\nSTATUS=standing by: another centre is active")


def _code(lead: Leadership) -> int:
    """A centre that was displaced ends with 1: the supervisor starts it again, and it stands by."""
    return 0 if lead.end() else 1


def state_folder(config: CentralConfig) -> Path:
    """Where the centre keeps what it can make anew: systemd's folder for it, or that of a SQLite file."""
    if told := os.environ.get("STATE_DIRECTORY"):
        return Path(told.partition(":")[0])
    database = make_url(config.database.url)
    return Path(database.database).parent if database.get_backend_name() == "sqlite" and database.database else STATE


def _until_told() -> threading.Event:
    """Set by SIGTERM or SIGINT."""
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    return stop
