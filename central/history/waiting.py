"""Messages on their way to the committer. What has no room is turned away, for doors repeat what is not acknowledged.

Bounded in number and in bytes: a broker passes on a megabyte at once. And bounded for each door: whoever has one door's key may send as much
as the wire takes, and neither the centre's memory nor the other doors' turn may depend on it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

MAX_WAITING = 20_000
MAX_OF_A_DOOR = 2_000
"""A door has at most link.window (1000) under way, and repeats them when they take long."""
MAX_BYTES = 64 * 1024 * 1024
MAX_BYTES_OF_A_DOOR = 16 * 1024 * 1024

Message = tuple[str, bytes]
"""Topic and payload."""


class _OfADoor:
    """Oldest first."""

    def __init__(self) -> None:
        self.payloads: deque[bytes] = deque()
        self.bytes = 0


class Waiting:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doors: OrderedDict[str, _OfADoor] = OrderedDict()
        """By topic; whose turn it is comes first."""
        self._number = self._bytes = 0

    def __len__(self) -> int:
        return self._number

    def put(self, topic: str, payload: bytes) -> bool:
        """False: there is no room."""
        with self._lock:
            if self._number >= MAX_WAITING or self._bytes + len(payload) > MAX_BYTES:
                return False
            door = self._doors.get(topic) or _OfADoor()
            if len(door.payloads) >= MAX_OF_A_DOOR or door.bytes + len(payload) > MAX_BYTES_OF_A_DOOR:
                return False
            self._doors[topic] = door
            door.payloads.append(payload)
            door.bytes += len(payload)
            self._number += 1
            self._bytes += len(payload)
            return True

    def take(self, most: int) -> list[Message]:
        """The oldest of each door, and as many of one as of another: what has just happened at a door does not wait until the thousands of
        a door that was away for a week are in the database."""
        taken: list[Message] = []
        with self._lock:
            while self._doors and len(taken) < most:
                share = max(1, (most - len(taken)) // len(self._doors))
                for topic in list(self._doors)[: most - len(taken)]:
                    taken += self._taken(topic, min(share, most - len(taken)))
        return taken

    def _taken(self, topic: str, most: int) -> list[Message]:
        door = self._doors.pop(topic)
        payloads = [door.payloads.popleft() for _ in range(min(most, len(door.payloads)))]
        length = sum(map(len, payloads))
        door.bytes -= length
        self._bytes -= length
        self._number -= len(payloads)
        if door.payloads:
            self._doors[topic] = door  # behind all others
        return [(topic, payload) for payload in payloads]
