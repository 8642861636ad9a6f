"""The centre as a program: for now the historian."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from types import FrameType

from agent.clock import Clock, SystemClock
from agent.errors import ConfigError
from agent.link.session import Address
from agent.notify import notify
from central.historian import Historian

log = logging.getLogger(__name__)


def run_central(address: Address, database: Path, clock: Clock | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises StoreError and ConfigError before anything runs."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--database: {database.parent} cannot be made: {error}; name a file in a folder that you may write"
        ) from error
    historian = Historian(address, database, clock or SystemClock())
    stop = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    historian.start()
    log.info("central started database=%s broker=%s:%d", database, address.host, address.port)
    notify("READY=1")
    stop.wait()
    notify("STOPPING=1")
    historian.stop()
    log.info("central stopped totals=%s", historian.totals)
    return 0
