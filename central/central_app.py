"""The centre as a program: all of it by its central.toml, or the historian alone, to try things out."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path
from types import FrameType

from sqlalchemy.engine import make_url

from agent.clock import Clock, SystemClock
from agent.link.session import Address
from agent.notify import notify
from central.database.opening import name_of, open_to_write
from central.history.historian import Historian
from central.settings import CentralConfig, load_settings

log = logging.getLogger(__name__)

STATE = Path("/var/lib/doorward-central")


def run_centre(config_file: Path, clock: Clock | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises StoreError and ConfigError before anything runs."""
    from central.centre import Centre

    config = load_settings(config_file)
    stop = _until_told()
    centre = Centre(config, state_folder(config), clock or SystemClock())
    centre.start()
    log.info("central started config=%s dashboard=%s", config_file, centre.url)
    notify("READY=1")
    stop.wait()
    notify("STOPPING=1")
    centre.stop()
    log.info("central stopped")
    return 0


def run_historian(address: Address, database: str, clock: Clock | None = None) -> int:
    """As `run_centre`, for the historian alone. `database`: a file, or an address of PostgreSQL; it is made or brought up to date."""
    engine = open_to_write(database)
    historian = Historian(address, engine, clock or SystemClock())
    stop = _until_told()
    historian.start()
    log.info("central started database=%s broker=%s:%d", name_of(engine), address.host, address.port)
    notify("READY=1")
    stop.wait()
    notify("STOPPING=1")
    historian.stop()
    engine.dispose()
    log.info("central stopped totals=%s", historian.totals)
    return 0


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
