"""Media's line to the door program: what is put on record there, and what the door tells of alerts. Nobody waits."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from pathlib import Path

from agent.core.live import Alerted, LiveKind, LiveNews
from agent.errors import WireError
from agent.live_wire import MEDIA_SOCKET, NEWS_SOCKET, decode_alerted, encode, live_folder
from agent.local_socket import Receiver, Sender

log = logging.getLogger(__name__)

MOST_WAITING = 512


class DoorLine:
    """Call it to put something on record; `turn` sends what the door could not take yet, and gives what it says."""

    def __init__(self, run_folder: Path) -> None:
        """Raises ConfigError when another media program listens here, OSError when the folder cannot be made."""
        folder = live_folder(run_folder)
        self._from_door = Receiver(folder / MEDIA_SOCKET)
        self._to_door = Sender(folder / NEWS_SOCKET)
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)

    def __call__(self, kind: LiveKind, **data: str | int | float | bool) -> None:
        """Have it written into the door's journal; a door program that is away gets it when it is back."""
        self._waiting.append(encode(LiveNews(kind=kind, data=data)))
        self._send()

    def turn(self) -> list[Alerted]:
        self._send()
        heard: list[Alerted] = []
        for raw in self._from_door.drain():
            with contextlib.suppress(WireError):
                heard.append(decode_alerted(raw))
        return heard

    def _send(self) -> None:
        while self._waiting and self._to_door.send(self._waiting[0]):
            self._waiting.popleft()

    def close(self) -> None:
        self._send()
        if self._waiting:
            log.error("live news lost count=%d: the door program does not listen", len(self._waiting))
        self._from_door.close()
        self._to_door.close()
