"""What every reader driver promises: each falling edge once, in order, with its time; and each loss in its place, where it can notice.

On gpiozero's mock pins, on the simulated wiring, on a model of the kernel's queue, and on the kernel's own GPIO chip (`make test-hardware`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import gpiod
import pytest

from agent.core.formats import FORMATS, H10301
from agent.core.messages import CredentialRead, KeyPressed, ReadFault
from agent.core.wiegand import WiegandFramer
from agent.errors import HardwareError
from hw.reader_gpiod import CONSUMER, EVENT_BUFFER, GpiodWiegandLines
from hw.reader_wiegand import GpioWiegandLines
from tests.contracts.conftest import D0, D1, Bench, MockBench, RigBench, eventually
from tests.core.vectors import WIEGAND_26, WIEGAND_FORMATS
from tests.hardware.gpio_sim import SimChip
from tests.kernel_queue import Kernel

BITS = WIEGAND_26[0]["raw_bits"]
PULSE_S = 50e-6

Driver = GpioWiegandLines | GpiodWiegandLines


class Wires(Protocol):
    """A reader's two wires, and the driver at their other end."""

    keeps_times: bool
    """Whether edges carry the time they were given, not the time they arrived."""
    notices_losses: bool

    def open(self) -> Driver: ...

    def level(self, bit: int, high: bool, at_s: float) -> None:
        """Let D0 (bit 0) or D1 (bit 1) fall or rise."""
        ...

    def close(self) -> None: ...


class PinWires:
    """gpiozero's pins on a bench."""

    notices_losses = False

    def __init__(self, bench: Bench) -> None:
        self._bench, self.keeps_times = bench, bench.keeps_times

    def open(self) -> Driver:
        return GpioWiegandLines(D0, D1, self._bench.factory, "readers[0]")

    def level(self, bit: int, high: bool, at_s: float) -> None:
        self._bench.drive(D1 if bit else D0, high, at_s)

    def close(self) -> None:
        self._bench.close()


class QueueWires:
    """The model of the kernel's queue."""

    keeps_times = True
    notices_losses = True

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def open(self) -> Driver:
        return GpiodWiegandLines(("/dev/gpiochip0", D0), ("/dev/gpiochip0", D1), "readers[0]")

    def level(self, bit: int, high: bool, at_s: float) -> None:
        if not high:
            for queue in self._kernel.queues:
                if not queue.released:
                    queue.fall(D1 if bit else D0, at_s)

    def close(self) -> None:
        pass


class ChipWires:
    """A chip in the kernel. gpio-sim raises interrupts at the next tick and forgets how often a line fell meanwhile: each is waited for."""

    keeps_times = False
    notices_losses = True

    def __init__(self, chip: SimChip) -> None:
        self._chip = chip
        for line in (D0, D1):
            chip.drive(line, True)

    def open(self) -> Driver:
        return GpiodWiegandLines((self._chip.path, D0), (self._chip.path, D1), "readers[0]")

    def level(self, bit: int, high: bool, at_s: float) -> None:
        before = self._interrupts()
        self._chip.drive(D1 if bit else D0, high)
        if not high and before is not None:
            assert eventually(lambda: self._interrupts() != before)

    def close(self) -> None:
        pass

    @staticmethod
    def _interrupts() -> int | None:
        """How many the reader's lines have had; None when nobody has them."""
        lines = [line.split() for line in Path("/proc/interrupts").read_text().splitlines() if line.endswith(CONSUMER)]
        return sum(int(line[1]) for line in lines) if lines else None


@pytest.fixture(params=["mock", "rig", "queue", pytest.param("chip", marks=pytest.mark.hardware)])
def wires(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wires]:
    made: Wires
    if request.param == "mock":
        made = PinWires(MockBench())
    elif request.param == "rig":
        made = PinWires(RigBench(tmp_path))
    elif request.param == "queue":
        kernel = Kernel()
        monkeypatch.setattr(gpiod, "request_lines", kernel.request_lines)
        made = QueueWires(kernel)
    else:
        made = ChipWires(request.getfixturevalue("kernel_chip"))
    yield made
    made.close()


class Ear:
    """What a driver handed on."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, float]] = []
        self.losses: list[tuple[int, float]] = []
        """How many edges had been heard, and the time that was told."""

    def edge(self, bit: int, at_s: float) -> None:
        self.heard.append((bit, at_s))

    def lost(self, at_s: float) -> None:
        self.losses.append((len(self.heard), at_s))


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def listen(wires: Wires, ear: Ear) -> Iterator[Callable[[], Driver]]:
    opened: list[Driver] = []

    def start() -> Driver:
        opened.append(wires.open())
        opened[-1].start(ear.edge, ear.lost)
        return opened[-1]

    yield start
    for lines in opened:
        lines.close()


def send(wires: Wires, bits: str, start_s: float, interval_s: float = 0.001) -> list[tuple[int, float]]:
    """Pull the lines low, one bit after the other; returns what the driver should hear."""
    edges = [(int(bit), start_s + n * interval_s) for n, bit in enumerate(bits)]
    for bit, at_s in edges:
        wires.level(bit, False, at_s)
        wires.level(bit, True, at_s + PULSE_S)
    return edges


def test_every_bit_is_heard_once_and_in_order(wires, listen, ear):
    listen()
    before_s = time.monotonic()
    sent = send(wires, BITS, start_s=1000.0)
    assert eventually(lambda: len(ear.heard) >= len(sent))
    assert [bit for bit, _ in ear.heard] == [bit for bit, _ in sent]
    times = [at_s for _, at_s in ear.heard]
    if wires.keeps_times:
        assert times == pytest.approx([at_s for _, at_s in sent], abs=1e-9)
    else:
        assert times == sorted(times)
        assert before_s <= times[0] <= times[-1] <= time.monotonic(), "CLOCK_MONOTONIC, as all else"
    assert ear.losses == []


@pytest.mark.parametrize("name", ["H10301", "C1000-35", "H10302"])
def test_a_card_is_read_from_the_pins_to_its_number(wires, listen, ear, name):
    """Where edges carry the time at which they arrive, a reader's pace is not what they have: it is given to them."""
    row = next(row for row in WIEGAND_FORMATS if row["format"] == name)
    framer, start_s = WiegandFramer("front", (FORMATS[name],)), time.monotonic()
    listen()
    send(wires, row["raw_bits"], start_s)
    assert eventually(lambda: len(ear.heard) == len(row["raw_bits"]))
    for n, (bit, at_s) in enumerate(ear.heard):
        assert framer.edge(bit, at_s if wires.keeps_times else start_s + n * 0.001) is None
    read = framer.flush(start_s + 1.0)
    assert isinstance(read, CredentialRead)
    assert (read.facility, read.card, read.bits) == (int(row["facility"]), int(row["card"]), row["raw_bits"])


def test_lines_at_rest_say_nothing_at_start(listen, ear):
    listen()
    time.sleep(0.02)
    assert (ear.heard, ear.losses) == ([], [])


def test_the_rising_end_of_a_pulse_is_no_bit(wires, listen, ear):
    listen()
    wires.level(0, False, 1000.0)
    assert eventually(lambda: len(ear.heard) == 1)
    wires.level(0, True, 1000.1)
    wires.level(1, False, 1000.2)
    assert eventually(lambda: len(ear.heard) == 2)
    assert [bit for bit, _ in ear.heard] == [0, 1]
    wires.level(1, True, 1000.3)


def test_silence_is_told_once_everything_was_handed_on(wires, listen, ear):
    lines = listen()
    send(wires, BITS, 1000.0)
    assert eventually(lambda: len(ear.heard) == len(BITS) and lines.heard_until_s(2000.0) == 2000.0)


def test_closed_lines_are_deaf_and_give_their_pins_back(wires, listen, ear):
    lines = listen()
    lines.close()
    again = wires.open()
    send(wires, "01", 1000.0)
    time.sleep(0.02)
    assert ear.heard == []
    again.close()


# -- what only a driver on the kernel's queue can promise ----------------------------------------------------------------------


class Held(Ear):
    """An ear that holds up the thread that tells it, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def edge(self, bit: int, at_s: float) -> None:
        super().edge(bit, at_s)
        self.go.wait()

    def cards(self) -> list[str]:
        """What a framer makes of it all."""
        framer, losses = WiegandFramer("front", (H10301,)), dict(self.losses)
        things: list[CredentialRead | KeyPressed | ReadFault | None] = []
        for count, (bit, at_s) in enumerate(self.heard):
            things += [framer.lost(at_s) if count in losses else framer.before(at_s), framer.edge(bit, at_s)]
        things.append(framer.flush(1e12))
        return [thing.bits for thing in things if isinstance(thing, CredentialRead)]


@pytest.fixture
def held(wires: Wires) -> Iterator[Held]:
    """A driver whose thread is in the middle of handing on an edge, and gets no further."""
    if not wires.notices_losses:
        pytest.skip("gpiozero's back ends keep no queue that could be asked")
    lines, held = wires.open(), Held()
    lines.start(held.edge, held.lost)
    send(wires, "0", 990.0)
    assert eventually(lambda: len(held.heard) == 1)
    yield held
    held.go.set()
    lines.close()


def send_cards(wires: Wires, count: int) -> tuple[list[str], list[int]]:
    """So many edges of cards, one a second; the last may be cut short. Returns the cards that were sent whole, and all bits."""
    cards = [WIEGAND_26[n % len(WIEGAND_26)]["raw_bits"] for n in range(count // 26)]
    pieces = [*cards, BITS[: count % 26]]
    edges = [edge for n, piece in enumerate(pieces) for edge in send(wires, piece, 1000.0 + n)]
    return cards, [bit for bit, _ in edges]


def test_a_full_queue_of_1024_edges_is_kept_while_the_thread_gets_no_turn(wires, held):
    cards, bits = send_cards(wires, EVENT_BUFFER)
    held.go.set()
    assert eventually(lambda: len(held.heard) >= 1 + EVENT_BUFFER)
    assert held.losses == []
    assert [bit for bit, _ in held.heard[1:]] == bits
    assert not wires.keeps_times or held.cards() == cards


@pytest.mark.parametrize("surplus", [7, 26])
def test_edges_beyond_it_are_missed_in_their_place_and_nothing_is_misread(wires, held, surplus):
    cards, bits = send_cards(wires, EVENT_BUFFER + surplus)
    held.go.set()
    assert eventually(lambda: len(held.heard) >= 1 + EVENT_BUFFER)
    assert [count for count, _ in held.losses] == [1], "after the edge in hand, before the oldest that was kept"
    assert [bit for bit, _ in held.heard[1:]] == bits[surplus:]
    assert not wires.keeps_times or held.cards() == cards[2 if surplus < 26 else 3 :]


def test_lines_that_somebody_has_cannot_be_had_twice(wires, listen):
    if isinstance(wires, ChipWires):
        listen()
        with pytest.raises(HardwareError, match=r"readers\[0\].*gpioinfo"):
            wires.open()
    else:
        pytest.skip("nobody but a kernel keeps programs apart")
