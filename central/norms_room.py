"""What is usual at doors, as a room of the centre: kept in a file of its own, told to doors that are alike, shown on the dashboard."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from nacl.signing import SigningKey

from agent.clock import Clock
from agent.core.norms_word import DoorNorms
from agent.errors import ConfigError
from agent.link.session import Address, Session
from central.norms import NormsDesk
from central.norms_store import DoorKey, NormsStore

CLIENT_ID = "doorward-norms"
SHOWN = timedelta(days=40)
"""A door tells its norms once a day; what is older than this is no longer shown."""


def kinds_of(alike: Mapping[str, Sequence[str]]) -> dict[DoorKey, str]:
    """Each door's kind, from `norms.alike`. Raises ConfigError for a door of two kinds."""
    kinds: dict[DoorKey, str] = {}
    for kind, doors in alike.items():
        for topic in doors:
            site, _, door = topic.partition("/")
            if DoorKey(site, door) in kinds:
                raise ConfigError(
                    f"norms.alike: {topic} is of the kind {kinds[DoorKey(site, door)]!r} and of {kind!r}; one is allowed"
                )
            kinds[DoorKey(site, door)] = kind
    return kinds


class NormsRoom:
    """`start`, `stop`; `of` from any thread."""

    def __init__(self, database: Path, key: SigningKey, address: Address, clock: Clock, kinds: Mapping[DoorKey, str],
                 withdrawn: Callable[[], Sequence[str]]) -> None:  # fmt: skip
        """Raises StoreError."""
        self._clock, self._lock = clock, threading.Lock()
        self._reader = NormsStore(database)
        self._session = Session(address, CLIENT_ID, NormsDesk(NormsStore(database), key, clock, kinds, withdrawn))

    def start(self) -> None:
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._session.stop(timeout_s)

    def of(self, site: str, door: str) -> DoorNorms | None:
        """What a door told last."""
        since: datetime = self._clock.wall() - SHOWN
        with self._lock:
            told = self._reader.history(DoorKey(site, door), since)
        return told[-1] if told else None
