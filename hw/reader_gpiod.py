"""The two data lines of a Wiegand reader on a kernel GPIO chip, by libgpiod's second interface: the way for boards, Raspberry Pi and
Jetson alike.

One request for both lines, so that the kernel keeps their edges in one queue, in order, with the time of each interrupt on
CLOCK_MONOTONIC. The queue holds EVENT_BUFFER edges (the kernel's own choice would be 16 a line) and drops the oldest when it is full; the
numbers it gives to edges then have a gap, which is told as `on_lost` in its place. Both lines rest high; level shifters bring the
reader's 5 V down to 3.3 V (docs/HARDWARE.md).

Sources: the kernel's drivers/gpio/gpiolib-cdev.c (queue, numbers) and gpiod 2.5 (its Python side).
"""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from agent.errors import HardwareError

if TYPE_CHECKING:
    import gpiod

log = logging.getLogger(__name__)

EVENT_BUFFER = 1024
"""Edges; the most that the kernel grants a request. A second of the fastest chatter a reader may send is 5,000, of a usual card 26."""
NUMBERS = 1 << 32
"""Edges are counted by 32 bits, which wrap."""
HUNG_S = 2.0
"""Edges that wait for so long are taken by nobody."""
CONSUMER = "doorward-reader"
"""What gpioinfo shows as the user of the lines."""

OnEdge = Callable[[int, float], None]
OnLost = Callable[[float], None]


class GpiodLine(NamedTuple):
    """A line of a GPIO chip."""

    chip: str
    """Its device, e.g. /dev/gpiochip0."""
    offset: int


class GpiodWiegandLines:
    """Implements hw.interfaces.WiegandLines."""

    def __init__(self, d0: tuple[str, int], d1: tuple[str, int], key: str, on_fault: Callable[[str], None] = log.error) -> None:
        """`d0` and `d1`: chip and line, as hw.pins_gpiod.line_of gives them. `key` is the reader's in the configuration, e.g. 'readers[0]',
        for messages; `on_fault` hears once, from the listening thread, that the chip has failed. Raises HardwareError naming key, chip,
        line and mend when the lines cannot be had."""
        first, second = GpiodLine(*d0), GpiodLine(*d1)
        self._bits = {first.offset: 0, second.offset: 1}
        self._key, self._on_fault = key, on_fault
        self._request = _request(first, second, key)
        self._order = EdgeOrder()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread: threading.Thread | None = None
        self._handing_on = False
        self._closed = self._deaf = False
        self._heard_s = 0.0

    def start(self, on_edge: OnEdge, on_lost: OnLost) -> None:
        """Begin to listen. What came before is nobody's: it may be the end of a frame."""
        while self._readable(self._request.fd):
            for event in self._order.sort(self._request.read_edge_events(EVENT_BUFFER)):
                self._order.gap_before(event)
        self._thread = threading.Thread(target=self._listen, args=(on_edge, on_lost), name="wiegand", daemon=True)
        self._thread.start()

    def heard_until_s(self, now_s: float) -> float:
        """The time up to which every edge has been handed on: `now_s` while none waits in the kernel or is in hand, else when that was
        last so.

        A process that was held up wakes with its clock far ahead of what it has read: silence by the clock is silence on the wire only
        when the kernel's queue is empty. Ask this first, then take what `on_edge` was given, then believe in the silence."""
        # In this order: an edge that has left the queue is in hand, or handed on
        if self._closed or self._deaf or not (self._readable(self._request.fd) or self._handing_on):
            self._heard_s = now_s
        return self._heard_s

    def hung(self) -> str:
        """Whether nobody takes edges from its lines any more. Ask it in the thread that asks `heard_until_s`, and as often."""
        if self._closed or self._thread is None:
            return ""
        if self._deaf or not self._thread.is_alive():
            return "nobody listens to its lines any more"
        waits_s = time.monotonic() - self._heard_s if self._readable(self._request.fd) or self._handing_on else 0.0
        return f"edges wait on its lines for {waits_s:.0f} s" if waits_s > HUNG_S and self._heard_s else ""

    def close(self) -> None:
        """Give the lines back; no edge is handed on afterwards."""
        if self._closed:
            return
        self._closed = True
        os.eventfd_write(self._bell, 1)
        if self._thread is not None:
            self._thread.join()
        self._request.release()
        os.close(self._bell)

    def _listen(self, on_edge: OnEdge, on_lost: OnLost) -> None:
        try:
            while self._wait():
                self._handing_on = True
                self._hand_on(self._request.read_edge_events(EVENT_BUFFER), on_edge, on_lost)
                self._handing_on = False
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody listens any more, and somebody must know
            self._deaf = True
            self._on_fault(f"{self._key}: {self._request.chip_name} gives no more edges: {error}; "
                           f"no card is read here until the program is started anew; is the chip still there?")  # fmt: skip

    def _wait(self) -> bool:
        """Wait for edges; False when it is time to stop."""
        poll = select.poll()
        poll.register(self._request.fd, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        ready = dict(poll.poll())
        if ready.get(self._request.fd, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise HardwareError(errno.ENODEV, os.strerror(errno.ENODEV))
        return self._bell not in ready

    def _hand_on(self, events: Sequence[gpiod.EdgeEvent], on_edge: OnEdge, on_lost: OnLost) -> None:
        for event in self._order.sort(events):
            at_s = event.timestamp_ns / 1e9
            if self._order.gap_before(event):
                on_lost(at_s)
            on_edge(self._bits[event.line_offset], at_s)

    @staticmethod
    def _readable(descriptor: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))


class EdgeOrder:
    """Puts the edges of one request in the order of their interrupts and notices those that are missing.

    The kernel numbers the edges of a request in the interrupt, but queues them from a thread of each line: two neighbours may have
    changed places. An edge that is dropped from the full queue, or overtaken on its own line before that thread ran, leaves a gap.
    """

    def __init__(self) -> None:
        self._last = 0
        self._last_on_line: dict[int, int] = {}

    def sort(self, events: Sequence[gpiod.EdgeEvent]) -> list[gpiod.EdgeEvent]:
        """A batch in the order of its numbers, also across their wrap."""
        return sorted(events, key=lambda event: (event.global_seqno - self._last - 1 + NUMBERS // 2) % NUMBERS)

    def gap_before(self, event: gpiod.EdgeEvent) -> bool:
        """Whether edges are missing before this one, or it comes after a later one. To be asked of each edge once, in order."""
        line = event.line_offset
        gap = event.global_seqno != (self._last + 1) % NUMBERS
        if gap:
            self._last_on_line.clear()  # how many of them were this line's and how many the other's is not worth a second report
        elif line in self._last_on_line:
            gap = event.line_seqno != (self._last_on_line[line] + 1) % NUMBERS
        self._last, self._last_on_line[line] = event.global_seqno, event.line_seqno
        return gap


def _request(d0: GpiodLine, d1: GpiodLine, key: str) -> gpiod.LineRequest:
    if d0.chip != d1.chip or d0.offset == d1.offset:
        raise HardwareError(f"{key}: d0_pin is line {d0.offset} of {d0.chip}, d1_pin line {d1.offset} of {d1.chip}: a reader's two "
                            f"lines must be two lines of one chip, which keeps their edges in order; move one of its wires")  # fmt: skip
    try:
        import gpiod
        from gpiod.line import Bias, Clock, Direction, Edge
    except ImportError as error:
        raise HardwareError(f"{key}: this board's lines need gpiod: {error}; pip install 'gpiod>=2.2'") from error
    settings = gpiod.LineSettings(
        direction=Direction.INPUT, edge_detection=Edge.FALLING, bias=Bias.PULL_UP, event_clock=Clock.MONOTONIC
    )
    try:
        return gpiod.request_lines(d0.chip, {(d0.offset, d1.offset): settings}, consumer=CONSUMER, event_buffer_size=EVENT_BUFFER)
    except (OSError, ValueError) as error:
        where = f"{key}: d0_pin and d1_pin are lines {d0.offset} and {d1.offset} of {d0.chip}, which cannot be watched"
        raise HardwareError(f"{where}: {error}; {_mend(error)}") from error


def _mend(error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    mends = {
        errno.ENOENT: "is that the right board in board.pins? `gpiodetect` lists the chips that there are",
        errno.EACCES: "run as a user of the group gpio",
        errno.EPERM: "run as a user of the group gpio",
        errno.EBUSY: "another program or driver holds a line: `gpioinfo` says who; end it, or take other pins",
        errno.EINVAL: "has the chip these lines? `gpioinfo` lists them",
        errno.ENODEV: "that is no GPIO chip: `gpiodetect` lists those that there are",
        errno.ENOTTY: "that is no GPIO chip, or its kernel is older than 5.10",
    }
    return mends.get(number or 0, "see `gpioinfo`, and the kernel's log")
