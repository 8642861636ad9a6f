"""A reader's lines on the kernel's GPIO interface: no edge is lost that the kernel kept, and none is missed unnoticed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import gpiod
import pytest
from gpiod.line import Bias, Clock, Direction, Edge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.formats import H10301
from agent.core.messages import CredentialRead, KeyPressed, ReadFault
from agent.core.wiegand import WiegandFramer
from agent.errors import HardwareError
from hw.reader_gpiod import EVENT_BUFFER, EdgeOrder, GpiodLine, GpiodWiegandLines
from tests.contracts.conftest import eventually
from tests.core.vectors import WIEGAND_26
from tests.kernel_queue import NUMBERS, Kernel, KernelQueue

CHIP, D0, D1 = "/dev/gpiochip0", 17, 27
CARDS = [row["raw_bits"] for row in WIEGAND_26]


class Ear:
    """Hears what a driver hands on; can be held up in the middle of it, as a thread is on a busy machine."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, float] | float] = []
        """Edges, and the times of losses, in their order."""
        self.gate = threading.Event()
        self.gate.set()
        self.stuck = threading.Event()

    def edge(self, bit: int, at_s: float) -> None:
        self.heard.append((bit, at_s))
        if not self.gate.is_set():
            self.stuck.set()
            self.gate.wait()

    def lost(self, at_s: float) -> None:
        self.heard.append(at_s)

    @property
    def edges(self) -> list[tuple[int, float]]:
        return [thing for thing in self.heard if isinstance(thing, tuple)]

    @property
    def losses(self) -> list[float]:
        return [thing for thing in self.heard if isinstance(thing, float)]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(gpiod, "request_lines", kernel.request_lines)
    return kernel


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def open_lines(kernel: Kernel, faults: list[str]) -> Iterator[Callable[[], tuple[GpiodWiegandLines, KernelQueue]]]:
    opened: list[GpiodWiegandLines] = []

    def build() -> tuple[GpiodWiegandLines, KernelQueue]:
        opened.append(GpiodWiegandLines(GpiodLine(CHIP, D0), GpiodLine(CHIP, D1), "readers[0]", faults.append))
        return opened[-1], kernel.queues[-1]

    yield build
    for lines in opened:
        lines.close()


def send(queue: KernelQueue, bits: str, start_s: float, interval_s: float = 0.001) -> list[tuple[int, float]]:
    edges = [(int(bit), start_s + n * interval_s) for n, bit in enumerate(bits)]
    for bit, at_s in edges:
        queue.fall(D1 if bit else D0, at_s)
    return edges


def read_all(heard: list[tuple[int, float] | float]) -> list[CredentialRead | KeyPressed | ReadFault]:
    """What a framer makes of everything that was heard, in its order."""
    framer, out = WiegandFramer("front", (H10301,)), []
    for thing in heard:
        if isinstance(thing, tuple):
            out += [framer.before(thing[1]), framer.edge(*thing)]
        else:
            out.append(framer.lost(thing))
    out.append(framer.flush(1e9))
    return [thing for thing in out if thing is not None]


def cards_in(things: list[CredentialRead | KeyPressed | ReadFault]) -> list[str]:
    return [thing.bits for thing in things if isinstance(thing, CredentialRead)]


def test_the_kernel_is_asked_once_for_both_lines_as_the_field_taught_us(open_lines, kernel):
    _, queue = open_lines()
    (only,) = kernel.queues
    assert only is queue
    assert queue.offsets == [D0, D1]
    wanted = queue.settings
    assert (wanted.direction, wanted.edge_detection, wanted.bias, wanted.event_clock) == (
        Direction.INPUT, Edge.FALLING, Bias.PULL_UP, Clock.MONOTONIC)  # fmt: skip
    assert (queue.asked_for, queue.size, EVENT_BUFFER) == (1024, 1024, 1024)


def test_every_edge_is_handed_on_in_order_with_the_kernels_time(open_lines):
    lines, queue = open_lines()
    ear = Ear()
    lines.start(ear.edge, ear.lost)
    sent = send(queue, CARDS[0], 1000.123456789)
    assert eventually(lambda: len(ear.heard) == 26)
    assert [bit for bit, _ in ear.edges] == [bit for bit, _ in sent]
    assert [at_s for _, at_s in ear.edges] == pytest.approx([at_s for _, at_s in sent], abs=1e-9)


def fill(queue: KernelQueue, count: int, start_s: float = 1000.0) -> list[tuple[int, float]]:
    """So many edges, of cards that are held out twice a second."""
    edges: list[tuple[int, float]] = []
    for n in range(count // 26 + 1):
        bits = CARDS[n % len(CARDS)][: count - len(edges)]
        edges += send(queue, bits, start_s + 0.5 * n)
    return edges


@pytest.fixture
def held_up(open_lines) -> Iterator[tuple[GpiodWiegandLines, KernelQueue, Ear]]:
    """Lines whose thread is stuck in the middle of its work, as on a machine that gives it no turn."""
    lines, queue = open_lines()
    ear = Ear()
    ear.gate.clear()
    lines.start(ear.edge, ear.lost)
    queue.fall(D0, 999.0)
    assert ear.stuck.wait(5.0)
    ear.heard.clear()
    yield lines, queue, ear
    ear.gate.set()


@pytest.mark.parametrize("count", [17, 33, 100, 1000, 1024])
def test_a_thread_that_gets_no_turn_while_the_queue_fills_drops_nothing(held_up, count):
    """Far more than the kernel's own 16 a line; up to all that it grants: 39 cards, and 10 bits of the next."""
    _, queue, ear = held_up
    sent = fill(queue, count)
    assert (len(sent), queue.dropped) == (count, 0)
    ear.gate.set()
    assert eventually(lambda: len(ear.heard) >= count)
    assert ear.losses == []
    assert [bit for bit, _ in ear.edges] == [bit for bit, _ in sent]
    assert cards_in(read_all(ear.heard)) == [CARDS[n % len(CARDS)] for n in range(count // 26)]


@pytest.mark.parametrize("surplus", [1, 25, 26, 500, 3000])
def test_what_no_longer_fits_is_said_in_its_place_and_misread_by_nobody(held_up, surplus):
    _, queue, ear = held_up
    sent = fill(queue, EVENT_BUFFER + surplus)
    assert queue.dropped == surplus
    ear.gate.set()
    assert eventually(lambda: len(ear.edges) >= EVENT_BUFFER)
    assert ear.losses == [pytest.approx(sent[surplus][1])]
    assert isinstance(ear.heard[0], float), "before the first edge that was kept"
    things = read_all(ear.heard)
    lost, rest = -(-surplus // 26), (EVENT_BUFFER + surplus) // 26
    believed = range(lost + (2 if surplus % 26 == 0 else 1), rest)
    assert cards_in(things) == [CARDS[n % len(CARDS)] for n in believed], (
        "all but those that were lost, and the two around the gap"
    )


def test_with_the_kernels_own_choice_of_16_a_line_the_same_cards_would_be_lost(held_up):
    """Why the driver asks for more."""
    _, queue, ear = held_up
    queue.size = 32
    fill(queue, 1000)
    ear.gate.set()
    assert eventually(lambda: len(ear.edges) >= 32)
    assert (queue.dropped, len(ear.losses)) == (968, 1)
    assert cards_in(read_all(ear.heard)) == []


@given(
    st.lists(st.tuples(st.sampled_from(CARDS), st.sampled_from([0.004, 0.03, 0.5])), min_size=1, max_size=8),
    st.integers(2, 6), st.lists(st.integers(1, 60), min_size=1, max_size=20),
)  # fmt: skip
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_however_small_the_queue_and_however_rare_the_turns_no_card_is_misread(sent, size_bits, turns):
    """The thread takes what there is after so many edges, over and over; the queue drops what it must."""
    queue = KernelQueue(
        CHIP, {(D0, D1): gpiod.LineSettings(edge_detection=Edge.FALLING)}, consumer="test", event_buffer_size=1 << size_bits
    )
    order, heard, at_s, count = EdgeOrder(), [], 1000.0, 0
    for bits, pause_s in sent:
        for bit in bits:
            at_s += 0.001
            queue.fall(D1 if bit == "1" else D0, at_s)
            count += 1
            if count % turns[count % len(turns)] == 0:
                heard += take(queue, order)
        at_s += pause_s
    heard += take(queue, order)
    sent_cards = [bits for bits, _ in sent]
    assert all(card in sent_cards for card in cards_in(read_all(heard)))
    assert len([thing for thing in heard if isinstance(thing, tuple)]) + queue.dropped == 26 * len(sent)
    queue.release()


def take(queue: KernelQueue, order: EdgeOrder) -> list[tuple[int, float] | float]:
    if queue.empty:
        return []
    heard: list[tuple[int, float] | float] = []
    for event in order.sort(queue.read_edge_events(EVENT_BUFFER)):
        if order.gap_before(event):
            heard.append(event.timestamp_ns / 1e9)
        heard.append((int(event.line_offset == D1), event.timestamp_ns / 1e9))
    return heard


def test_neighbours_that_the_kernels_threads_queued_the_wrong_way_round_change_places_again(held_up):
    """Numbers and times are given in the interrupt; the queue is filled by a thread of each line."""
    _, queue, ear = held_up
    times = [1000.0 + n / 1000 for n in range(26)]
    events = [queue.number(D1 if bit == "1" else D0, at_s) for bit, at_s in zip(CARDS[1], times, strict=True)]
    for n in range(1, 25, 3):
        events[n], events[n + 1] = events[n + 1], events[n]
    for event in events:
        queue.put(event)
    ear.gate.set()
    assert eventually(lambda: len(ear.edges) == 26)
    assert ear.losses == []
    assert cards_in(read_all(ear.heard)) == [CARDS[1]]


def test_edges_whose_order_cannot_be_mended_are_told_as_a_loss(open_lines):
    """The later one was read before the earlier one came."""
    lines, queue = open_lines()
    ear = Ear()
    lines.start(ear.edge, ear.lost)
    first, second = queue.number(D0, 1000.0), queue.number(D1, 1000.001)
    queue.put(second)
    assert eventually(lambda: len(ear.edges) == 1)
    queue.put(first)
    assert eventually(lambda: len(ear.edges) == 2)
    assert len(ear.losses) == 2


def test_an_edge_that_was_overtaken_on_its_own_line_is_missed(open_lines):
    """Two interrupts of a line before its thread ran: one number for the request is skipped, none for the line."""
    lines, queue = open_lines()
    ear = Ear()
    lines.start(ear.edge, ear.lost)
    queue.number(D0, 1000.0)
    queue._on_line[D0] -= 1
    queue.fall(D0, 1000.001)
    assert eventually(lambda: len(ear.edges) == 1)
    assert ear.losses == [pytest.approx(1000.001)]


def test_the_numbers_may_wrap(monkeypatch):
    kernel = Kernel(first=NUMBERS - 10)
    monkeypatch.setattr(gpiod, "request_lines", kernel.request_lines)
    lines, ear = GpiodWiegandLines(GpiodLine(CHIP, D0), GpiodLine(CHIP, D1), "readers[0]"), Ear()
    (queue,) = kernel.queues
    queue.fall(D0, 999.0)
    queue.fall(D1, 999.001)
    lines.start(ear.edge, ear.lost)
    send(queue, CARDS[2], 1000.0)
    assert eventually(lambda: len(ear.edges) == 26)
    assert ear.losses == []
    assert cards_in(read_all(ear.heard)) == [CARDS[2]]
    lines.close()


def test_edges_from_before_the_start_are_nobodys(open_lines):
    lines, queue = open_lines()
    ear = Ear()
    send(queue, CARDS[0][:20], 999.0)
    lines.start(ear.edge, ear.lost)
    send(queue, CARDS[3], 1000.0)
    assert eventually(lambda: len(ear.heard) >= 26)
    assert (len(ear.heard), cards_in(read_all(ear.heard))) == (26, [CARDS[3]])


def test_silence_by_the_clock_is_not_believed_while_edges_wait_in_the_kernel(held_up):
    lines, queue, ear = held_up
    before_s = lines.heard_until_s(1000.0)
    assert before_s < 1000.0, "an edge is in hand"
    send(queue, CARDS[0], 1000.0)
    assert lines.heard_until_s(1001.0) == before_s
    ear.gate.set()
    assert eventually(lambda: lines.heard_until_s(1002.0) == 1002.0)
    assert len(ear.edges) == 26, "and when it is believed, everything has been handed on"


def test_a_process_that_was_held_up_reads_no_card_out_of_the_beginning_of_a_longer_one(open_lines):
    """26 of 34 bits were handed on when everything stood still; the clock says that it is long silent, the wire does not."""
    lines, queue = open_lines()
    ear = Ear()
    lines.start(ear.edge, ear.lost)
    send(queue, CARDS[0], 1000.0)
    assert eventually(lambda: len(ear.edges) == 26)
    ear.gate.clear()
    send(queue, "01100110", 1000.026)
    framer = WiegandFramer("front", (H10301,))
    for bit, at_s in ear.edges[:26]:
        framer.edge(bit, at_s)
    assert framer.flush(lines.heard_until_s(1000.3)) is None
    ear.gate.set()
    assert eventually(lambda: lines.heard_until_s(1000.3) == 1000.3)
    for bit, at_s in ear.edges[26:]:
        framer.edge(bit, at_s)
    fault = framer.flush(1000.3)
    assert isinstance(fault, ReadFault)
    assert (fault.fault, len(fault.bits)) == ("length", 34)


def test_a_chip_that_is_gone_is_told_once_with_the_reader_it_belongs_to(open_lines, faults):
    lines, queue = open_lines()
    lines.start(Ear().edge, Ear().lost)
    queue.pull_out()
    assert eventually(lambda: faults != [])
    assert len(faults) == 1
    assert "readers[0]" in faults[0]
    assert "No such device" in faults[0]
    assert lines.heard_until_s(5.0) == 5.0, "nobody waits for edges that cannot come"


def test_closing_gives_the_lines_back_once_and_hands_on_nothing_more(open_lines):
    lines, queue = open_lines()
    ear = Ear()
    lines.start(ear.edge, ear.lost)
    lines.close()
    lines.close()
    assert queue.released
    assert ear.heard == []
    assert lines.heard_until_s(5.0) == 5.0


# -- what cannot be opened: the real gpiod, on this machine --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("d0", "d1", "why"),
    [
        (
            GpiodLine("/dev/gpiochip250", 17),
            GpiodLine("/dev/gpiochip250", 27),
            r"readers\[0\].*17 and 27 of /dev/gpiochip250.*gpiodetect",
        ),
        (GpiodLine("/dev/null", 1), GpiodLine("/dev/null", 2), r"/dev/null.*no GPIO chip"),
        (GpiodLine("/dev/gpiochip0", 1), GpiodLine("/dev/gpiochip1", 2), "two lines of one chip"),
        (GpiodLine("/dev/gpiochip0", 1), GpiodLine("/dev/gpiochip0", 1), "two lines of one chip"),
    ],
)
def test_lines_that_cannot_be_had_stop_the_start_and_say_how_to_mend_it(d0, d1, why):
    with pytest.raises(HardwareError, match=why):
        GpiodWiegandLines(d0, d1, "readers[0]")


@pytest.mark.parametrize(
    ("error", "mend"),
    [(PermissionError(13, "Permission denied"), "group gpio"), (OSError(16, "Device or resource busy"), "gpioinfo"),
     (OSError(22, "Invalid argument"), "has the chip these lines"), (ValueError("no such line"), "has the chip these lines")],
)  # fmt: skip
def test_each_refusal_of_the_kernel_has_its_mend(monkeypatch, error, mend):
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(gpiod, "request_lines", refuse)
    with pytest.raises(HardwareError, match=mend):
        GpiodWiegandLines(GpiodLine(CHIP, D0), GpiodLine(CHIP, D1), "readers[0]")
