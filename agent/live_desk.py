"""The door's line to the media program: tells it of alerts, and puts on record what it says of viewers.

Media speaks with browsers, so nothing that it does may reach the lock or keep the loop busy: its socket wakes nobody, little is taken at
a time, and of what it says only the words of `agent.core.live` count.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.fold import Fold
from agent.core.live import alert_of, lawful_news
from agent.core.messages import Event
from agent.errors import ConfigError, WireError
from agent.live_wire import MEDIA_SOCKET, NEWS_SOCKET, decode_news, encode, live_folder
from agent.local_socket import Receiver, Sender

log = logging.getLogger(__name__)

EVERY_S = 0.25
MOST_WAITING = 32
MOST_A_MINUTE = 60
"""Messages of media that are put on record within a minute; a program that says more has lost its mind, and that is told once."""


class LiveDesk:
    """`hear` each event of the door, `turn` in each turn of the loop. Of the loop's thread; never raises."""

    def __init__(self, run_folder: Path) -> None:
        """Raises ConfigError when the folder cannot be used."""
        try:
            folder = live_folder(run_folder)
        except OSError as error:
            raise ConfigError(f"run_folder {run_folder}: cannot be used: {error}") from error
        self._from_media, self._to_media = Receiver(folder / NEWS_SOCKET), Sender(folder / MEDIA_SOCKET)
        self._heard: deque[Event] = deque(maxlen=MOST_WAITING)
        self._due_s = float("-inf")
        self._fold = Fold(MOST_A_MINUTE)
        self.garbage = 0

    def hear(self, event: Event) -> None:
        self._heard.append(event)

    def turn(self, now_s: float, announce: Callable[[str, dict[str, Any]], object]) -> None:
        """Tell media of alerts; now and then put on record what it said."""
        while self._heard:
            event = self._heard.popleft()
            if (alerted := alert_of(event.id, event.kind, event.mono_s, event.data)) is not None:
                self._to_media.send(encode(alerted))
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._look(now_s, announce)

    def _look(self, now_s: float, announce: Callable[[str, dict[str, Any]], object]) -> None:
        for _, untold in self._fold.ended(now_s):
            announce(
                "live.fault", {"error": f"{untold} more messages of the media program within a minute were not put on record"}
            )
        for raw in self._from_media.drain():
            try:
                news = decode_news(raw)
            except WireError as error:
                self.garbage += 1
                if self.garbage & (self.garbage - 1) == 0:
                    log.warning("door live-socket unreadable total=%d error=%s", self.garbage, error)
                continue
            if self._fold.tells("media", now_s):
                announce(news.kind, lawful_news(news))

    def close(self) -> None:
        self._from_media.close()
        self._to_media.close()
