"""The kernel's queue of edges (tests/kernel_queue.py) in memory shared with a process of its own: edges come when they come, whoever is
busy.

`python -m tests.kernel_ring` is the side of the interrupts: it plays the readers of a plan (JSON on standard input), each edge at its
time, and tells at the end how late it was with each frame itself. It asks for a real-time priority, as interrupts have; without one it is
at times late, and says so. `RingRequest` is the side of the program: it stands where gpiod.request_lines gives a LineRequest.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import sys
import time

import gpiod
import msgspec
from msgspec import Struct

SLOTS = 1024
_SLOT = struct.Struct("<QQQQ")
_HEAD = struct.Struct("<Q")
SIZE = 64 + SLOTS * _SLOT.size


class Planned(Struct):
    """A frame on the wires of a reader: its edges as (line, seconds after the start)."""

    reader: int
    edges: list[tuple[int, float]]


class Plan(Struct):
    start_s: float
    rings: list[tuple[int, int]]
    """Descriptors of each reader's memory and bell."""
    frames: list[Planned]


class RingRequest:
    """Reads a ring: drops what was overwritten, as the kernel drops the oldest."""

    chip_name = "gpiochip0"

    def __init__(self) -> None:
        self.memory_fd = os.memfd_create("edges")
        os.ftruncate(self.memory_fd, SIZE)
        self._memory = mmap.mmap(self.memory_fd, SIZE)
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)
        self._tail = 0
        self.dropped = 0

    def read_edge_events(self, max_events: int | None = None) -> list[gpiod.EdgeEvent]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.fd)
        head = self._head()
        first = max(self._tail, head - SLOTS)
        slots = [(n, _SLOT.unpack_from(self._memory, 64 + n % SLOTS * _SLOT.size)) for n in range(first, head)]
        kept = max(first, self._head() - SLOTS + 1)  # one slot may be half written
        self.dropped += kept - self._tail
        self._tail = head
        falling = gpiod.EdgeEvent.Type.FALLING_EDGE.value
        return [
            gpiod.EdgeEvent(falling, at_ns, line, number, on_line) for n, (at_ns, line, number, on_line) in slots if n >= kept
        ]

    def _head(self) -> int:
        (head,) = _HEAD.unpack_from(self._memory, 0)
        return int(head)

    def release(self) -> None:
        os.close(self.fd)
        os.close(self.memory_fd)


class _Ring:
    """Writes a ring."""

    def __init__(self, memory_fd: int, bell: int) -> None:
        self._memory, self._bell = mmap.mmap(memory_fd, SIZE), bell
        self._head = 0
        self._on_line: dict[int, int] = {}

    def put(self, line: int, at_s: float) -> None:
        number = self._on_line[line] = self._on_line.get(line, 0) + 1
        slot = 64 + self._head % SLOTS * _SLOT.size
        self._head += 1
        _SLOT.pack_into(self._memory, slot, round(at_s * 1e9), line, self._head, number)
        _HEAD.pack_into(self._memory, 0, self._head)
        os.eventfd_write(self._bell, 1)


def play(plan: Plan) -> list[float]:
    """How late each frame was, at worst, in seconds."""
    rings = [_Ring(*descriptors) for descriptors in plan.rings]
    edges = sorted((at_s, line, number) for number, frame in enumerate(plan.frames) for line, at_s in frame.edges)
    late_s = [0.0] * len(plan.frames)
    for after_s, line, number in edges:
        at_s = plan.start_s + after_s
        while (wait_s := at_s - time.monotonic()) > 0:
            time.sleep(wait_s)
        rings[plan.frames[number].reader].put(line, at_s)
        late_s[number] = max(late_s[number], time.monotonic() - at_s)
    return late_s


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    sys.stdout.buffer.write(msgspec.json.encode(play(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan))))
