"""Connections of browsers, and for how long nothing may come on them.

uvicorn waits for the head of a request for ever, and takes so many connections and no more: whoever opens that many and says nothing would
shut everybody out. So a head has to come within HEAD_WAIT_S, and one address has a share of the connections.
"""

from __future__ import annotations

import asyncio
import ipaddress

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 1000
MOST_OF_AN_ADDRESS = 250
"""Not behind a proxy, where everybody comes from the same one."""
HEAD_WAIT_S = 20.0


class Impatient(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with an end to waiting."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self.config.proxy_headers and self._is_crowded():
            transport.abort()
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_for_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard()
        super().connection_lost(exc)

    def _is_crowded(self) -> bool:
        own = group_of(self.client)
        return sum(group_of(getattr(each, "client", None)) == own for each in self.connections) > MOST_OF_AN_ADDRESS

    def _wait_for_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._heard()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_WAIT_S, self._too_late)

    def _heard(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()


def group_of(client: tuple[str, int] | None) -> str:
    """Whom connections of this address count as: of IPv6 everybody's own network is theirs to take addresses from."""
    address = client[0] if client else ""
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False)) if ":" in address else address
    except ValueError:
        return address
