"""`doorward central norms`: keeps what doors tell of their norms and tells each what doors like it show."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from agent.clock import SystemClock
from agent.core.norms_word import MOST_WITHDRAWN
from agent.errors import ConfigError
from agent.link.session import Address, Session
from agent.notify import notify
from agent.records.keys import centre_private
from central.norms import NormsDesk
from central.norms_store import DoorKey, NormsStore

log = logging.getLogger(__name__)


def doors_alike(told: Sequence[str]) -> dict[DoorKey, str]:
    """From `office=hq/front,hq/side`: each door's kind. Raises ConfigError."""
    kinds: dict[DoorKey, str] = {}
    for each in told:
        kind, _, doors = each.partition("=")
        for door in doors.split(","):
            site, _, name = door.partition("/")
            if not (kind and site and name) or DoorKey(site, name) in kinds:
                raise ConfigError(f"--alike {each!r}: {door!r} is no door, or of two kinds; allowed: KIND=SITE/DOOR,SITE/DOOR")
            kinds[DoorKey(site, name)] = kind
    return kinds


class Withdrawn:
    """The ids in a file, one a line; those that were read last while it cannot be read."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        if self._path is None:
            return ()
        try:
            ids = tuple(line.strip() for line in self._path.read_text("utf-8").splitlines() if line.strip())
        except (OSError, UnicodeDecodeError) as error:
            log.error("norms withdrawn path=%s error=%s", self._path, error)
            return self._last
        if len(ids) > MOST_WITHDRAWN:
            log.error("norms withdrawn path=%s: %d ids, only the last %d are told", self._path, len(ids), MOST_WITHDRAWN)
        self._last = ids[-MOST_WITHDRAWN:]
        return self._last


def run_norms(address: Address, database: Path, key: Path, kinds: Mapping[DoorKey, str], withdrawn: Path | None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Raises StoreError and ConfigError before anything runs."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--database: {database.parent} cannot be made: {error}") from error
    desk = NormsDesk(NormsStore(database), centre_private(key), SystemClock(), kinds, Withdrawn(withdrawn))
    session, stop = Session(address, "doorward-norms", desk), threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    session.start()
    log.info("norms started database=%s broker=%s:%d doors=%d", database, address.host, address.port, len(kinds))
    notify("READY=1")
    stop.wait()
    notify("STOPPING=1")
    session.stop()
    return 0
