"""One door of the fleet: a journal in memory, and the link's rules for what is under way (agent/link/mqtt.py), on asyncio.

A real door's journal lies on its disk and its link has a thread; a thousand of those do not fit on this machine, and neither is what is
measured here. Everything on the wire is the same: client id, last will, kept session, topics, CloudEvents, window, repetition, acknowledgement.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from agent.clock import Clock
from agent.core.messages import Event
from agent.errors import WireError
from agent.link.acks import Ack, parse_ack
from agent.link.cloudevents import to_cloudevent
from agent.link.session import BACKOFF_MAX_S, BACKOFF_MIN_S, CONNACK_WAIT_S, CONNECT_WAIT_S
from agent.records.ids import event_id
from tools.fleet import wire

WINDOW, ACK_TIMEOUT_S, MAX_PATIENCE, KEEPALIVE_S = 100, 5.0, 8, 15
"""As a door has them by default."""
_encode = msgspec.json.encode


class Watcher(Protocol):
    """Who counts."""

    def acknowledged(self, waited_s: float, made_s: float) -> None: ...


class _Kept(Struct):
    """An event that nobody has acknowledged."""

    payload: bytes
    made_s: float
    sent_s: float | None = None


class FleetDoor(asyncio.Protocol):
    """`run` until cancelled; `say`, `show`, `cut`, `look_after` in the loop's thread."""

    def __init__(self, site: str, name: str, port: int, clock: Clock, rng: random.Random, watcher: Watcher) -> None:
        self._site, self.name, self._port, self._clock, self._rng, self._watcher = site, name, port, clock, rng, watcher
        self._base = f"doorward/{site}/{name}"
        self.journal = f"{rng.getrandbits(32):08x}"
        self.ids: list[str] = []
        """Of all events, by sequence from 1 on: what the database must hold."""
        self.sent = 0
        """Messages with an event in it, repetitions included."""
        self.bytes = 0
        """Of all events, each once."""
        self._waiting: OrderedDict[int, _Kept] = OrderedDict()
        self._flight: OrderedDict[int, _Kept] = OrderedDict()
        self._states: dict[str, bytes] = {}
        self._patience = 1
        self._transport: asyncio.Transport | None = None
        self._gone: asyncio.Event = asyncio.Event()
        self._ready = False
        self._number = 0
        self._pinged_s = 0.0

    @property
    def is_there(self) -> bool:
        """Connected and subscribed."""
        return self._ready

    @property
    def oldest_s(self) -> float | None:
        """When the oldest event was made that nobody has acknowledged."""
        held = (each[next(iter(each))].made_s for each in (self._flight, self._waiting) if each)
        return min(held, default=None)

    # -- what happens at the door

    def say(self, kind: str, data: dict[str, Any]) -> None:
        """An event: kept until it is acknowledged."""
        now_s = self._clock.mono_s()
        at = self._clock.wall()
        event = Event(
            sequence=len(self.ids) + 1, journal=self.journal, id=event_id(at), kind=kind, at=at, mono_s=now_s, data=data
        )
        self.ids.append(event.id)
        payload = to_cloudevent(event, self._site, self.name)
        self.bytes += len(payload)
        self._waiting[event.sequence] = _Kept(payload, now_s)
        self._fill(now_s)

    def show(self, name: str, value: Any) -> None:
        """A retained state."""
        self._states[name] = _encode({"value": value, "at": self._clock.wall()})
        if self._ready:
            self._publish(f"state/{name}", self._states[name], retain=True)

    def cut(self) -> None:
        """The wire is gone, without a word."""
        if self._transport is not None:
            self._transport.abort()

    def look_after(self, now_s: float) -> None:
        """To be called now and then: what was not acknowledged in time is said again, and the broker hears that this door is there."""
        if not self._ready or self._transport is None:
            return
        if now_s - self._pinged_s > KEEPALIVE_S / 2:
            self._pinged_s = now_s
            self._transport.write(wire.PING)
        timeout_s = ACK_TIMEOUT_S * self._patience
        overdue = [sequence for sequence, kept in self._flight.items() if kept.sent_s is None or now_s - kept.sent_s >= timeout_s]
        if any(self._flight[sequence].sent_s is not None for sequence in overdue):
            self._patience = min(MAX_PATIENCE, self._patience * 2)
        for sequence in overdue:
            self._send(self._flight[sequence], now_s)

    # -- its connection

    async def run(self) -> None:
        """Keeps coming back, as agent/link/session.py does."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            stood = await self._visit(loop)
            failures = 0 if stood else failures + 1
            longest_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2 ** min(failures, 10))
            await asyncio.sleep(longest_s * self._rng.uniform(0.5, 1.0))

    async def _visit(self, loop: asyncio.AbstractEventLoop) -> bool:
        """One connection to its end. Returns whether it stood."""
        self._gone, self._stood, self._cutter = asyncio.Event(), False, wire.Cutter()
        try:
            await asyncio.wait_for(loop.create_connection(lambda: self, "127.0.0.1", self._port), CONNECT_WAIT_S)
        except (OSError, asyncio.TimeoutError):
            return False
        patience = loop.call_later(CONNACK_WAIT_S, lambda: None if self._stood else self.cut())
        try:
            await self._gone.wait()
        finally:
            patience.cancel()
            self.cut()
        return self._stood

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport  # asyncio turns Nagle's algorithm off by itself
        transport.write(wire.connect(f"doorward-{self._site}-{self.name}", KEEPALIVE_S, f"{self._base}/online", b"false"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self._ready = None, False
        self._gone.set()

    def data_received(self, data: bytes) -> None:
        try:
            for packet in self._cutter.packets(data):
                self._take(packet)
        except wire.WireFault:
            self.cut()

    def _take(self, packet: wire.Packet) -> None:
        if packet.kind == wire.PUBLISH:
            self._hear(wire.published(packet))
        elif packet.kind == wire.CONNACK:
            if packet.body[1:] != b"\0":
                raise wire.WireFault("the broker refuses this door")
            self._stood = True
            self._write(wire.subscribe(self._next(), [f"{self._base}/ack", f"{self._base}/cmd/+/+"]))
        elif packet.kind == wire.SUBACK:
            self._arrived()

    def _arrived(self) -> None:
        self._ready, self._pinged_s = True, self._clock.mono_s()
        self._publish("online", b"true", retain=True)
        for name, raw in self._states.items():
            self._publish(f"state/{name}", raw, retain=True)
        self._say_all_again()

    def _hear(self, message: wire.Published) -> None:
        if message.number:
            self._write(wire.puback(message.number))
        if message.topic == f"{self._base}/ack":
            try:
                self._take_ack(parse_ack(message.payload))
            except WireError as error:
                raise wire.WireFault(str(error)) from error

    def _take_ack(self, ack: Ack) -> None:
        """Only what was sent can have been committed."""
        now_s = self._clock.mono_s()
        if ack.resend:
            self._say_all_again()
        if ack.journal != self.journal:
            return
        for sequence in [sequence for sequence in self._flight if ack.covers(sequence)]:
            made_s = self._flight.pop(sequence).made_s
            self._watcher.acknowledged(now_s - made_s, made_s)
            self._patience = 1
        self._fill(now_s)

    def _say_all_again(self) -> None:
        for kept in self._flight.values():
            kept.sent_s = None
        self._patience, now_s = 1, self._clock.mono_s()
        self.look_after(now_s)
        self._fill(now_s)

    def _fill(self, now_s: float) -> None:
        while self._ready and self._waiting and len(self._flight) < WINDOW:
            sequence, kept = self._waiting.popitem(last=False)
            self._flight[sequence] = kept
            self._send(kept, now_s)

    def _send(self, kept: _Kept, now_s: float) -> None:
        kept.sent_s = now_s
        self.sent += 1
        self._publish("evt", kept.payload)

    def _publish(self, name: str, payload: bytes, *, retain: bool = False) -> None:
        self._write(wire.publish(f"{self._base}/{name}", payload, self._next(), retain=retain))

    def _next(self) -> int:
        self._number = self._number % 0xFFFF + 1
        return self._number

    def _write(self, raw: bytes) -> None:
        if self._transport is not None:
            self._transport.write(raw)
