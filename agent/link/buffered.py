"""A socket for paho that asks the kernel once for many packets: paho itself takes three reads and a write for each.

Measured with a thousand doors: six of ten processor seconds of the centre's session went into those calls.
"""

from __future__ import annotations

import socket
import ssl
from datetime import datetime, timezone
from typing import Any

import paho.mqtt.client as paho

READ_BYTES = 64 * 1024
MOST_UNSENT_BYTES = 256 * 1024
"""Behind so much nothing more is taken: paho then keeps it and says that it wants to write."""
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BufferedSocket:
    """As much of a socket as paho and our session need. What was sent goes out with `flush`; whoever waits for the wire flushes before."""

    def __init__(self, sock: Any) -> None:
        """`sock`: a socket.socket or ssl.SSLSocket."""
        self._sock = sock
        self._in, self._at = b"", 0
        self._out = bytearray()
        self._fault: OSError | None = None

    def recv(self, size: int) -> bytes:
        """Raises OSError, also for what `flush` has met."""
        if self._at == len(self._in):
            self._in, self._at = b"", 0
            self._in = self._read()
        found = self._in[self._at : self._at + size]
        self._at += len(found)
        return found

    def _read(self) -> bytes:
        """Of a wire that takes nothing any more, too: last words say why."""
        try:
            read: bytes = self._sock.recv(READ_BYTES)
        except _LATER:
            if self._fault is None:
                raise
            read = b""
        except OSError as error:
            self._fault, read = error, b""
        if self._fault is not None and not read:
            raise self._fault
        return read

    def send(self, raw: bytes) -> int:
        """Raises BlockingIOError when too much waits already."""
        if len(self._out) >= MOST_UNSENT_BYTES:
            self.flush()
            if len(self._out) >= MOST_UNSENT_BYTES:
                raise BlockingIOError
        self._out += raw
        return len(raw)

    def flush(self) -> None:
        """Hands to the kernel what it takes. A wire that is gone is found by reading it."""
        try:
            while self._out and self._fault is None:
                sent = self._sock.send(self._out)
                del self._out[:sent]
        except _LATER:
            pass
        except OSError as error:
            self._fault = error

    @property
    def unsent(self) -> int:
        """Bytes that the kernel has not taken."""
        return 0 if self._fault is not None else len(self._out)

    @property
    def fault(self) -> OSError | None:
        """What ended the wire, if more than its end."""
        return self._fault

    def peer_until(self) -> datetime | None:
        """Until when the other side's certificate is good; None where it has shown none."""
        shown = self._sock.getpeercert() if isinstance(self._sock, ssl.SSLSocket) else None
        ends = str((shown or {}).get("notAfter", ""))
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), timezone.utc) if ends else None

    def pending(self) -> int:
        """Bytes that are here and that no poll can see."""
        waiting = len(self._in) - self._at
        return waiting + (self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0) + (self._fault is not None)

    def close(self) -> None:
        """With the last words, as far as the kernel takes them."""
        self.flush()
        self._sock.close()

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def send_at_once(self) -> None:
        """Nagle's algorithm would hold a small packet back until the other side's delayed acknowledgement, some 40 ms."""
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class BufferedClient(paho.Client):
    """paho's client over such a socket."""

    def _create_socket(self) -> Any:  # paho has no public way to bring a socket
        return BufferedSocket(super()._create_socket())
