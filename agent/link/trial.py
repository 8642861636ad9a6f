"""A connection to the broker for nothing but to see whether both sides believe each other's certificates."""

from __future__ import annotations

import contextlib
import socket
import ssl
from datetime import datetime, timezone
from typing import Any, Protocol

from agent.link.certificate import why_refused

CONNECT_S = 5.0
REFUSAL_S = 0.5


class Ends(Protocol):
    """Where, with what: fields as in [link]."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ca_file(self) -> str: ...
    @property
    def cert_file(self) -> str: ...
    @property
    def key_file(self) -> str: ...


def shake_hands(link: Ends) -> tuple[str, str, float | None]:
    """Where TLS failed and how, and for how many days the broker's certificate is good."""
    try:
        context = ssl.create_default_context(cafile=link.ca_file)
        if link.cert_file:
            context.load_cert_chain(link.cert_file, link.key_file or None)
        with (
            socket.create_connection((link.host, link.port), CONNECT_S) as wire,
            context.wrap_socket(wire, server_hostname=link.host) as secure,
        ):
            _hear_refusal(secure)
            return "", "", _days_left(secure.getpeercert())
    except (OSError, ValueError) as error:
        why = why_refused(error, link.cert_file, datetime.now(timezone.utc)) if isinstance(error, ssl.SSLError) else ""
        return "tls", f"no encrypted connection: {why or error}", None


def _hear_refusal(secure: ssl.SSLSocket) -> None:
    """Under TLS 1.3 a broker looks at our certificate when our side of the handshake is over. Raises OSError when it refuses it."""
    secure.settimeout(REFUSAL_S)
    with contextlib.suppress(TimeoutError):
        if not secure.recv(1):  # a broker says nothing before CONNECT
            raise ssl.SSLEOFError("the broker ended the connection")


def _days_left(certificate: Any) -> float | None:
    ends = (certificate or {}).get("notAfter")
    if ends is None:
        return None
    return (ssl.cert_time_to_seconds(ends) - datetime.now(timezone.utc).timestamp()) / 86400
