"""Messages on their way to the committer. What has no room is turned away, for doors repeat what is not acknowledged.

Bounded in number and in bytes: a broker passes on a megabyte at once. And bounded for each door: whoever has one door's key may send as much
as the wire takes, and neither the centre's memory nor the other doors' turn may depend on it.
"""

from __future__ import annotations

import threading
from collections import Counter, deque

MAX_WAITING = 20_000
MAX_OF_A_DOOR = 2_000
"""A door has at most link.window (1000) under way, and repeats them when they take long."""
MAX_BYTES = 64 * 1024 * 1024
MAX_BYTES_OF_A_DOOR = 16 * 1024 * 1024

Message = tuple[str, bytes]
"""Topic and payload."""


class Waiting:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: deque[Message] = deque()
        self._by_topic: Counter[str] = Counter()
        self._bytes_by_topic: Counter[str] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, topic: str, payload: bytes) -> bool:
        """False: there is no room."""
        with self._lock:
            if not self._has_room(topic, len(payload)):
                return False
            self._messages.append((topic, payload))
            self._by_topic[topic] += 1
            self._bytes_by_topic[topic] += len(payload)
            self._bytes += len(payload)
            return True

    def _has_room(self, topic: str, length: int) -> bool:
        of_all = len(self._messages) < MAX_WAITING and self._bytes + length <= MAX_BYTES
        return of_all and self._by_topic[topic] < MAX_OF_A_DOOR and self._bytes_by_topic[topic] + length <= MAX_BYTES_OF_A_DOOR

    def take(self, most: int) -> list[Message]:
        """The oldest."""
        with self._lock:
            taken = [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
            for topic, payload in taken:
                self._bytes -= len(payload)
                self._bytes_by_topic[topic] -= len(payload)
                self._by_topic[topic] -= 1
                if not self._by_topic[topic]:
                    del self._by_topic[topic], self._bytes_by_topic[topic]
            return taken
