"""Tells vision what happened at the door, behind everything else: nothing of it lies on the way to the relay."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable

from agent.core.conduct import DoorNews
from agent.core.door_news import news_of
from agent.core.messages import Event, credential_key
from agent.core.norm_keys import norm_key_of
from agent.core.people import Cardholder
from agent.local_socket import Sender, encode

log = logging.getLogger(__name__)

MOST_WAITING = 64


class Newsroom:
    """`hear` each event of the door, `send` at the end of a turn. Of the loop's thread."""

    def __init__(
        self, to_vision: Sender, holder_of: Callable[[str], Cardholder | None], stands_free: Callable[[], bool], door_key: bytes
    ) -> None:
        """`holder_of`: whose credential a name is; `stands_free`: nobody needs to be let in; `door_key`: empty where no cardholder's own
        norms are kept."""
        self._to_vision, self._holder_of, self._stands_free, self._door_key = to_vision, holder_of, stands_free, door_key
        self._secret = secrets.token_bytes(16)
        self._heard: deque[Event] = deque(maxlen=MOST_WAITING)

    def hear(self, event: Event) -> None:
        self._heard.append(event)

    def send(self) -> None:
        """Never raises: that vision hears of the door is good for what it measures, and for nothing else."""
        events = list(self._heard)
        self._heard.clear()
        # Whoever waited for a guard was let in by name: that opening is not for nobody in particular
        by_guard = any(event.kind == "access.granted" and "guard_let_in" in event.data.get("reasons", ()) for event in events)
        for event in events:
            if by_guard and event.kind == "command.done":
                continue
            try:
                self._tell(event)
            except Exception:
                log.exception("door news kind=%s", event.kind)

    def _tell(self, event: Event) -> None:
        norm_key = self._norm_key(event) if event.kind == "access.granted" and self._door_key else ""
        if (news := news_of(event.kind, event.data, event.mono_s, self._secret, norm_key)) is not None:
            self._to_vision.send(encode(news))
            if news.what == "opened" and self._stands_free():
                self._to_vision.send(encode(DoorNews(at_s=news.at_s, what="released")))

    def _norm_key(self, event: Event) -> str:
        read = event.data["read"]
        holder = self._holder_of(credential_key(read["format"], read["facility"], read["card"]))
        return norm_key_of(holder, self._door_key) if holder else ""
