"""The centre as a program: for now the historian."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

from agent.clock import Clock, SystemClock
from agent.link.session import Address
from agent.notify import notify
from central.database.opening import name_of, open_to_write
from central.history.historian import Historian

log = logging.getLogger(__name__)


def run_central(address: Address, database: str, clock: Clock | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises StoreError and ConfigError before anything runs.

    `database`: a file, or an address of PostgreSQL; it is made or brought up to date.
    """
    engine = open_to_write(database)
    historian = Historian(address, engine, clock or SystemClock())
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    historian.start()
    log.info("central started database=%s broker=%s:%d", name_of(engine), address.host, address.port)
    notify("READY=1")
    stop.wait()
    notify("STOPPING=1")
    historian.stop()
    engine.dispose()
    log.info("central stopped totals=%s", historian.totals)
    return 0
