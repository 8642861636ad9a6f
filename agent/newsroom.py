"""Tells vision what happened at the door, behind everything else: nothing of it lies on the way to the relay."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable

from agent.core.door_news import news_of
from agent.core.messages import Event
from agent.local_socket import Sender, encode

log = logging.getLogger(__name__)

MOST_WAITING = 64


class Newsroom:
    """`hear` each event of the door, `send` at the end of a turn. Of the loop's thread."""

    def __init__(self, to_vision: Sender, norm_key_of: Callable[[str], str]) -> None:
        """`norm_key_of`: a cardholder -> the name of their own norms, where they have consented; else empty."""
        self._to_vision, self._norm_key_of = to_vision, norm_key_of
        self._secret = secrets.token_bytes(16)
        self._heard: deque[Event] = deque(maxlen=MOST_WAITING)

    def hear(self, event: Event) -> None:
        self._heard.append(event)

    def send(self) -> None:
        """Never raises: that vision hears of the door is good for what it measures, and for nothing else."""
        while self._heard:
            event = self._heard.popleft()
            try:
                self._tell(event)
            except Exception:
                log.exception("door news kind=%s", event.kind)

    def _tell(self, event: Event) -> None:
        granted = event.kind == "access.granted" and event.data["cardholder"]
        norm_key = self._norm_key_of(event.data["cardholder"]) if granted else ""
        if (news := news_of(event.kind, event.data, event.mono_s, self._secret, norm_key)) is not None:
            self._to_vision.send(encode(news))
