"""Where other threads leave what the door's loop shall handle: a queue with a descriptor to wait on."""

from __future__ import annotations

import os
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """Append from any thread, drain from one. deque's appends are atomic: no lock lies on the way from a reader's edge to the relay."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._bell

    def put(self, item: T) -> None:
        self._items.append(item)
        os.eventfd_write(self._bell, 1)

    def drain(self) -> list[T]:
        """Everything that waits at this moment, oldest first. What comes in meanwhile rings again: a flood may not hold the loop."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            return []
        return [self._items.popleft() for _ in range(len(self._items))]

    def give_back(self, items: list[T]) -> None:
        """Put what was drained and not handled before everything else again."""
        if items:
            self._items.extendleft(reversed(items))
            os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        os.close(self._bell)
