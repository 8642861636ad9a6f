"""What doors say they have: the only confirmation there is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.errors import WireError
from central.access.shelf import Place

MOST_BYTES = 16 << 10
_Count = Annotated[int, Meta(ge=0)]


class _Value(Struct, frozen=True):
    version: _Count
    as_of: _Count = 0
    revision: _Count = 0
    credentials: _Count = 0
    withdrawn: _Count = 0
    refused: Annotated[str, Meta(max_length=2000)] = ""


class _State(Struct, frozen=True):
    value: _Value


_STATE = msgspec.json.Decoder(_State)


class Heard(Struct, frozen=True, kw_only=True):
    """What a door said last of its rules, and when it was heard here."""

    version: int
    as_of: int
    """The revision of people that its rules follow: whoever was erased by then is gone from this door."""
    revision: int
    """Withdrawals up to this revision count there."""
    credentials: int
    withdrawn: int
    refused: str
    """Why it did not take what it was offered."""
    heard: datetime


def parse_state(payload: bytes, now: datetime) -> Heard:
    """`state/access` of a door. Raises WireError."""
    try:
        if len(payload) > MOST_BYTES:
            raise WireError(f"state/access of {len(payload)} bytes; at most {MOST_BYTES}")
        value = _STATE.decode(payload).value
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"state/access: {error}") from error
    return Heard(version=value.version, as_of=max(value.version, value.as_of), revision=value.revision, credentials=value.credentials,
                 withdrawn=value.withdrawn, refused=value.refused, heard=now)  # fmt: skip


class Confirmed:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[Place, Heard] = {}
        self._listeners: list[Callable[[Place, Heard], None]] = []

    def on_news(self, listener: Callable[[Place, Heard], None]) -> None:
        """Called in the session's thread with each word of a door; it may not take long."""
        self._listeners.append(listener)

    def of(self, place: Place) -> Heard | None:
        with self._lock:
            return self._heard.get(place)

    @property
    def highest(self) -> int:
        """The newest revision of people that any door says it knows of; 0 while none has said anything."""
        with self._lock:
            return max((max(each.version, each.as_of, each.revision) for each in self._heard.values()), default=0)

    def hear(self, place: Place, payload: bytes, now: datetime) -> None:
        """Raises WireError for what no door says."""
        heard = parse_state(payload, now)
        with self._lock:
            self._heard[place] = heard
        for listener in self._listeners:
            listener(place, heard)
