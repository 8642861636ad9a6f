"""One door of the fleet: a journal in memory, a door's own rules for what is under way, and its answers to commands.

A real door's journal lies on its disk and its link has a thread; a thousand of those do not fit on this machine, and neither is what is
measured here. Everything on the wire is the same: client id, last will, kept session, topics, CloudEvents, window, repetition.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Any, NamedTuple, Protocol

import msgspec

from agent.clock import Clock
from agent.core.commands import Command, CommandLimits, SeenCommands, admit
from agent.core.messages import Event
from agent.errors import WireError
from agent.link.acks import parse_ack
from agent.link.cloudevents import to_cloudevent
from agent.link.flight import Flight
from agent.records.ids import event_id
from tools.fleet import wire
from tools.fleet.connection import KEEPALIVE_S, Connection

WINDOW, ACK_TIMEOUT_S, COMMAND_S = 100, 5.0, 30.0
"""link.window and link.ack_timeout_s as a door has them by default."""
_encode = msgspec.json.encode


class Watcher(Protocol):
    """Who counts."""

    def acknowledged(self, waited_s: float, made_s: float) -> None: ...


class Name(NamedTuple):
    """By which an event is known in the database."""

    door: str
    journal: str
    sequence: int
    id: str


class FleetDoor:
    """`say`, `show`, `look_after` in the loop's thread; `connection.run` keeps it there."""

    def __init__(self, site: str, name: str, port: int, clock: Clock, rng: random.Random, watcher: Watcher) -> None:
        self._site, self.name, self._clock, self._watcher = site, name, clock, watcher
        self._base = f"doorward/{site}/{name}"
        self.journal = f"{rng.getrandbits(32):08x}"
        self.connection = Connection(f"doorward-{site}-{name}", port, f"{self._base}/online",
                                     [f"{self._base}/ack", f"{self._base}/cmd/+/+"], self, rng)  # fmt: skip
        self.ids: list[str] = []
        """Of all events, by sequence from 1 on: what the database must hold."""
        self.said = 0
        """Messages with an event in it, repetitions included."""
        self.event_bytes = 0
        """Of all events, each once, without topic and packet."""
        self.states: dict[str, Any] = {}
        """Retained, as this door said them last."""
        self._raw_states: dict[str, bytes] = {}
        self._made_s: dict[int, float] = {}
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._flight = Flight(ACK_TIMEOUT_S)
        self._seen, self._limits = SeenCommands(), CommandLimits(max_valid_s=COMMAND_S, started=clock.wall())
        self._pinged_s = 0.0
        self._will_speak = False

    @property
    def unacknowledged(self) -> int:
        return len(self._made_s)

    @property
    def oldest_s(self) -> float | None:
        """When the oldest event was made that nobody has acknowledged."""
        return next(iter(self._made_s.values()), None)

    def names(self) -> list[Name]:
        """Of all events."""
        return [Name(self.name, self.journal, number, each) for number, each in enumerate(self.ids, 1)]

    # -- what happens at the door

    def say(self, kind: str, data: dict[str, Any]) -> None:
        """An event: kept until it is acknowledged."""
        at = self._clock.wall()
        event = Event(
            sequence=len(self.ids) + 1,
            journal=self.journal,
            id=event_id(at),
            kind=kind,
            at=at,
            mono_s=self._clock.mono_s(),
            data=data,
        )
        payload = to_cloudevent(event, self._site, self.name)
        self.ids.append(event.id)
        self.event_bytes += len(payload)
        self._made_s[event.sequence] = event.mono_s
        self._waiting.append((event.sequence, payload))
        self._wake()

    def show(self, name: str, value: Any) -> None:
        """A retained state."""
        self.states[name] = value
        self._raw_states[name] = _encode({"value": value, "at": self._clock.wall()})
        if self.connection.is_there:
            self._show(name)

    def look_after(self, now_s: float) -> None:
        """To be called now and then: what was not acknowledged in time is said again, and the broker hears that this door is there."""
        if self.connection.is_there and now_s - self._pinged_s > KEEPALIVE_S / 2:
            self._pinged_s = now_s
            self.connection.ping()
        self._speak()

    # -- what it says

    def _wake(self) -> None:
        """What happens in one moment is looked through once."""
        if not self._will_speak:
            self._will_speak = True
            asyncio.get_running_loop().call_soon(self._speak)

    def _speak(self) -> None:
        self._will_speak = False
        if not self.connection.is_there:
            return
        while self._waiting and self._flight.room(WINDOW) > 0:
            sequence, payload = self._waiting.popleft()
            self._flight.put(sequence, self.journal, sequence, payload)
        for sent in self._flight.due(self._clock.mono_s()):
            self.said += 1
            self.connection.publish(f"{self._base}/evt", sent.payload)

    def _show(self, name: str) -> None:
        self.connection.publish(f"{self._base}/state/{name}", self._raw_states[name], retain=True)

    # -- what it hears

    def arrived(self) -> None:
        self._pinged_s = self._clock.mono_s()
        self.connection.publish(f"{self._base}/online", b"true", retain=True)
        for name in self.states:
            self._show(name)
        self._flight.again()
        self._wake()

    def heard(self, message: wire.Published) -> None:
        if message.topic == f"{self._base}/ack":
            try:
                self._take_ack(message.payload)
            except WireError as error:
                raise wire.WireFault(str(error)) from error
        else:
            self._take_order(message)

    def _take_ack(self, payload: bytes) -> None:
        ack, now_s = parse_ack(payload), self._clock.mono_s()
        if ack.resend:
            self._flight.again()
        for gone in self._flight.take(ack):
            made_s = self._made_s.pop(gone.sequence)
            self._watcher.acknowledged(now_s - made_s, made_s)
        self._wake()

    def _take_order(self, message: wire.Published) -> None:
        """What is no order that can be answered is left."""
        now = self._clock.wall()
        order = admit(tuple(message.topic.split("/")), message.payload, message.retained, now, self._seen, self._limits)
        if order.id is None:
            return
        ok, reason = (True, "done") if isinstance(order, Command) else (False, order.reason)
        name = order.name if isinstance(order, Command) else order.command
        self.say(
            f"command.{'done' if ok else 'refused'}", {"id": order.id, "user": order.user, "command": name, "reason": reason}
        )
        answer = {"id": order.id, "ok": ok, "reason": reason, "user": order.user, "at": now}
        self.connection.publish(f"{self._base}/result/{order.id}", _encode(answer))
