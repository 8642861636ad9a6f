"""The kernel's queue of edges for one request, as drivers/gpio/gpiolib-cdev.c keeps it, for the machines that have no GPIO chip.

Rules taken from there: edges are numbered from 1, over the request and over each line, by 32 bits; the queue holds
`event_buffer_size` edges (16 a line when none is asked for, never more than 1,024, rounded up to a power of two); when it is full the
oldest edge is dropped and its number is never seen; the descriptor is readable while an edge waits. What comes out are gpiod's own
EdgeEvents.

What this does not model: interrupts, their threads and their latency. tests/contracts runs the same promises on a real chip where there
is one.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from typing import Any

import gpiod
from gpiod.line import Edge as Edges

MOST = 1024
NUMBERS = 1 << 32


class KernelQueue:
    """Stands where gpiod.request_lines gives a LineRequest."""

    def __init__(
        self,
        path: str,
        config: dict[Any, gpiod.LineSettings],
        *,
        consumer: str,
        event_buffer_size: int | None = None,
        first: int = 1,
    ) -> None:
        """`first`: the number of the first edge, to come close to the wrap."""
        ((lines, self.settings),) = config.items()
        self.offsets, self.consumer, self.chip_name = list(lines), consumer, os.path.basename(path)
        wanted = min(MOST, event_buffer_size or 16 * len(self.offsets))
        self.size = 1 << (wanted - 1).bit_length()
        self.asked_for = event_buffer_size
        self.dropped = 0
        self.released = False
        self.broken = False
        self._events: deque[gpiod.EdgeEvent] = deque()
        self._numbered = first - 1
        self._on_line: Counter[int] = Counter()
        self._lock = threading.Lock()
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fall(self, offset: int, at_s: float) -> None:
        """A line falls: the interrupt numbers it and queues it."""
        with self._lock:
            self.put(self.number(offset, at_s))

    def number(self, offset: int, at_s: float) -> gpiod.EdgeEvent:
        assert self.settings.edge_detection is Edges.FALLING
        self._numbered = (self._numbered + 1) % NUMBERS
        self._on_line[offset] += 1
        return gpiod.EdgeEvent(
            gpiod.EdgeEvent.Type.FALLING_EDGE.value, round(at_s * 1e9), offset, self._numbered, self._on_line[offset] % NUMBERS
        )

    def put(self, event: gpiod.EdgeEvent) -> None:
        if len(self._events) == self.size:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)
        os.eventfd_write(self.fd, 1)

    def read_edge_events(self, max_events: int | None = None) -> list[gpiod.EdgeEvent]:
        if self.broken:
            raise OSError(19, "No such device")
        with self._lock:
            assert self._events, "a real read would wait here for ever"
            count = min(len(self._events), 64 if max_events is None else max_events)
            events = [self._events.popleft() for _ in range(count)]
            if not self._events:
                os.eventfd_read(self.fd)
            return events

    @property
    def empty(self) -> bool:
        return not self._events

    def pull_out(self) -> None:
        """The chip is gone: reads fail from now on."""
        self.broken = True
        os.eventfd_write(self.fd, 1)

    def release(self) -> None:
        assert not self.released
        self.released = True
        os.close(self.fd)


class Kernel:
    """Takes the place of gpiod.request_lines and keeps what was asked of it."""

    def __init__(self, first: int = 1) -> None:
        self.queues: list[KernelQueue] = []
        self._first = first

    def request_lines(
        self, path: str, config: dict[Any, Any], consumer: str, event_buffer_size: int | None = None
    ) -> KernelQueue:
        self.queues.append(KernelQueue(path, config, consumer=consumer, event_buffer_size=event_buffer_size, first=self._first))
        return self.queues[-1]
