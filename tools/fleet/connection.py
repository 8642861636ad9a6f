"""A door's connection that keeps coming back, on asyncio: as agent/link/session.py, which has a thread for each, does it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Protocol, cast

from agent.link.session import BACKOFF_MAX_S, BACKOFF_MIN_S, CONNACK_WAIT_S, CONNECT_WAIT_S
from tools.fleet import wire

KEEPALIVE_S = 15
"""As a door has it by default."""


class Handler(Protocol):
    """What a connection is for. Called in the loop's thread."""

    def arrived(self) -> None:
        """The connection stands and what was subscribed to will come."""

    def heard(self, message: wire.Published) -> None:
        """Raises WireFault for what ends the connection."""


class Connection(asyncio.Protocol):
    """`run` until cancelled; `publish`, `cut`, `ping` in the loop's thread."""

    def __init__(
        self, client_id: str, port: int, will_topic: str, topics: Sequence[str], handler: Handler, rng: random.Random
    ) -> None:
        self._hello = wire.connect(client_id, KEEPALIVE_S, will_topic, b"false")
        self._port, self._topics, self._handler, self._rng = port, topics, handler, rng
        self._transport: asyncio.Transport | None = None
        self._gone, self._cutter = asyncio.Event(), wire.Cutter()
        self._stands = False
        self._number = 0
        self.is_there = False
        """Connected and subscribed."""
        self.bytes = 0
        """To the broker and from it, MQTT's own included, on all connections so far."""
        self.ended = 0
        """Connections that were made and are gone."""

    async def run(self) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            failures = 0 if await self._visit(loop) else failures + 1
            longest_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2 ** min(failures, 10))
            await asyncio.sleep(longest_s * self._rng.uniform(0.5, 1.0))

    async def _visit(self, loop: asyncio.AbstractEventLoop) -> bool:
        """One connection to its end. Returns whether it stood."""
        self._gone, self._stands, self._cutter = asyncio.Event(), False, wire.Cutter()
        try:
            await asyncio.wait_for(loop.create_connection(lambda: self, "127.0.0.1", self._port), CONNECT_WAIT_S)
        except (OSError, asyncio.TimeoutError):
            self.cut()
            return False
        patience = loop.call_later(CONNACK_WAIT_S, lambda: None if self._stands else self.cut())
        try:
            await self._gone.wait()
        finally:
            patience.cancel()
            self.cut()
        return self._stands

    # -- what is said

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """With QoS 1; lost where there is no connection."""
        self._write(wire.publish(topic, payload, self._next(), retain=retain))

    def ping(self) -> None:
        self._write(wire.PING)

    def cut(self) -> None:
        """The wire is gone, without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> int:
        self._number = self._number % 0xFFFF + 1
        return self._number

    def _write(self, raw: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self.bytes += len(raw)
            self._transport.write(raw)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # asyncio turns Nagle's algorithm off by itself
        self._write(self._hello)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self.is_there = None, False
        self.ended += 1
        self._gone.set()

    def data_received(self, data: bytes) -> None:
        self.bytes += len(data)
        try:
            for packet in self._cutter.packets(data):
                self._take(packet)
        except wire.WireFault:
            self.cut()

    def _take(self, packet: wire.Packet) -> None:
        if packet.kind == wire.PUBLISH:
            message = wire.published(packet)
            if message.number:
                self._write(wire.puback(message.number))
            self._handler.heard(message)
        elif packet.kind == wire.CONNACK:
            if packet.body[1:] != b"\0":
                raise wire.WireFault("the broker refuses this door")
            self._stands = True
            self._write(wire.subscribe(self._next(), self._topics))
        elif packet.kind == wire.SUBACK:
            self.is_there = True
            self._handler.arrived()
