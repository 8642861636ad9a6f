"""Give a door a command and wait for its answer."""

from __future__ import annotations

import re
import threading
import uuid
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.clock import Clock
from agent.core.commands import NAMES
from agent.errors import ConfigError
from agent.link.session import Address, Say, Session

NO_ANSWER = "no_answer"
MAX_VALID_S = 60.0
"""What link.max_command_s of a door may be at most; its own is usually less, and then it is the door that refuses."""

_LEVEL = re.compile(r"[a-z0-9_-]{1,40}")


class Order(Struct, frozen=True, kw_only=True):
    """A command on its way: topic and payload."""

    id: str
    topic: str
    answer_topic: str
    payload: bytes


class Answer(Struct, frozen=True, kw_only=True):
    """What the door said. `reason` is `no_answer` when it said nothing in time."""

    id: str
    ok: bool
    reason: Annotated[str, Meta(max_length=500)]
    user: str | None = None
    at: datetime | None = None


def build(site: str, door: str, user: str, name: str, why: str, now: datetime, valid_s: float) -> Order:
    """A command that is valid from now. Raises ConfigError for one that no door would know, read or answer."""
    if name not in NAMES:
        raise ConfigError(f"command {name!r}: doors know {', '.join(NAMES)}")
    for what, level in (("site", site), ("door", door), ("user", user)):
        if not _LEVEL.fullmatch(level):
            raise ConfigError(f"{what} {level!r}: 1 to 40 of a-z, 0-9, _ and - are allowed, for it becomes a topic level")
    if not 0 < valid_s <= MAX_VALID_S:
        raise ConfigError(f"valid for {valid_s:g} s: more than 0 and at most {MAX_VALID_S:g} s are allowed")
    identity = str(uuid.uuid4())
    order = {"id": identity, "issued": now, "expires": now + timedelta(seconds=valid_s), "why": why}
    base = f"doorward/{site}/{door}"
    return Order(
        id=identity,
        topic=f"{base}/cmd/{user}/{name}",
        answer_topic=f"{base}/result/{identity}",
        payload=msgspec.json.encode(order),
    )


class Commander:
    """A connection that gives commands. `give` from any thread."""

    def __init__(self, address: Address, clock: Clock, client_id: str) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._orders: list[Order] = []
        self._awaited: dict[str, str] = {}
        """Id -> the topic on which its door answers."""
        self._answers: dict[str, Answer] = {}
        self._subscribed: set[str] = set()
        self._session = Session(address, client_id, self, clean=True)
        self._session.start()

    def give(self, site: str, door: str, user: str, name: str, why: str = "", valid_s: float = 10.0) -> Answer:
        """Send a command and wait until the door answers or the command has expired."""
        order = build(site, door, user, name, why, self._clock.wall(), valid_s)
        with self._lock:
            self._awaited[order.id] = order.answer_topic
            self._orders.append(order)
        self._session.wake()
        with self._arrived:
            self._arrived.wait_for(lambda: order.id in self._answers, valid_s)
            del self._awaited[order.id]
            return self._answers.pop(order.id, Answer(id=order.id, ok=False, reason=NO_ANSWER, user=user))

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    @property
    def last_error(self) -> str:
        return self._session.last_error

    def close(self) -> None:
        self._session.stop()

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/result/+")

    def turn(self, say: Say, now_s: float) -> float:
        with self._lock:
            orders, self._orders = self._orders, []
        for order in orders:
            say.publish(order.topic, order.payload)
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        answer = msgspec.json.decode(payload, type=Answer)
        with self._arrived:
            if not retained and self._awaited.get(answer.id) == topic:  # another door may not answer for this one
                self._answers[answer.id] = answer
                self._arrived.notify_all()

    def leaving(self, say: Say) -> None:
        """Nothing is left to say."""
