"""As much of MQTT 3.1.1 as a thousand doors in one thread need: bytes to packets and back. Pure.

paho has a client per connection with a thread or a poll of its own; here one event loop serves them all. OASIS MQTT 3.1.1, chapters 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

CONNACK, PUBLISH, SUBACK = 2, 3, 9
PING = b"\xc0\x00"
MOST_BYTES = 1 << 20
_LENGTH_BYTES = 4


class WireFault(ValueError):
    """The other side does not speak MQTT 3.1.1."""


class Packet(Struct, frozen=True):
    kind: int
    flags: int
    body: bytes


class Published(Struct, frozen=True):
    topic: str
    payload: bytes
    number: int = 0
    """To be acknowledged; 0 with QoS 0."""
    retained: bool = False


def _text(text: str) -> bytes:
    raw = text.encode("utf-8")
    return len(raw).to_bytes(2, "big") + raw


def _packet(first: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, low = left >> 7, left & 0x7F
        length.append(low | (0x80 if left else 0))
        if not left:
            return bytes((first,)) + bytes(length) + body


def connect(client_id: str, keepalive_s: int, will_topic: str, will: bytes) -> bytes:
    """A session that the broker keeps, and a retained last will with QoS 1."""
    flags = 0x04 | 0x08 | 0x20  # will, its QoS 1, retained; no clean session
    head = _text("MQTT") + bytes((4, flags)) + keepalive_s.to_bytes(2, "big")
    return _packet(0x10, head + _text(client_id) + _text(will_topic) + len(will).to_bytes(2, "big") + will)


def subscribe(number: int, topics: Sequence[str]) -> bytes:
    return _packet(0x82, number.to_bytes(2, "big") + b"".join(_text(topic) + b"\x01" for topic in topics))


def publish(topic: str, payload: bytes, number: int, *, retain: bool = False) -> bytes:
    """With QoS 1."""
    return _packet(0x32 | retain, _text(topic) + number.to_bytes(2, "big") + payload)


def puback(number: int) -> bytes:
    return b"\x40\x02" + number.to_bytes(2, "big")


def published(packet: Packet) -> Published:
    """Raises WireFault."""
    body, qos = packet.body, packet.flags >> 1 & 3
    at = 2 + int.from_bytes(body[:2], "big")
    behind = at + (2 if qos else 0)
    if len(body) < behind:
        raise WireFault("a message that ends within its topic")
    try:
        topic = body[2:at].decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireFault(f"a topic that is no text: {error}") from error
    return Published(topic, body[behind:], int.from_bytes(body[at:behind], "big"), bool(packet.flags & 1))


class Cutter:
    """Bytes as they come -> whole packets."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def packets(self, data: bytes) -> Iterator[Packet]:
        """Raises WireFault."""
        self._rest += data
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> Packet | None:
        rest, length = self._rest, 0
        for place in range(_LENGTH_BYTES):
            if len(rest) < place + 2:
                return None
            length |= (rest[place + 1] & 0x7F) << 7 * place
            if not rest[place + 1] & 0x80:
                break
        else:
            raise WireFault("a length of more than four bytes")
        if length > MOST_BYTES:
            raise WireFault(f"a packet of {length} bytes")
        start = place + 2
        if len(rest) < start + length:
            return None
        packet = Packet(rest[0] >> 4, rest[0] & 15, bytes(rest[start : start + length]))
        del rest[: start + length]
        return packet
