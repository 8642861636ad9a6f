"""What every reader driver promises: each falling edge once, in order, with its time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from agent.core.credentials import FORMATS, H10301, WiegandFramer
from agent.core.messages import CredentialRead
from hw.reader_wiegand import GpioWiegandLines
from tests.contracts.conftest import D0, D1, Bench, eventually
from tests.core.vectors import WIEGAND_26

BITS = WIEGAND_26[0]["raw_bits"]


@pytest.fixture
def lines(bench: Bench) -> Iterator[GpioWiegandLines]:
    fitted = GpioWiegandLines(D0, D1, bench.factory)
    yield fitted
    fitted.close()


def send(bench: Bench, bits: str, start_s: float, interval_s: float = 0.001) -> list[tuple[int, float]]:
    """Pull the lines low, one bit after the other; returns what the driver should hear."""
    edges = [(int(bit), start_s + n * interval_s) for n, bit in enumerate(bits)]
    for bit, at_s in edges:
        bench.drive(D1 if bit else D0, False, at_s)
        bench.drive(D1 if bit else D0, True, at_s + 50e-6)
    return edges


def test_every_bit_is_heard_once_and_in_order(bench, lines):
    heard: list[tuple[int, float]] = []
    lines.start(lambda bit, at_s: heard.append((bit, at_s)))
    before_s = time.monotonic()
    sent = send(bench, BITS, start_s=1000.0)
    assert eventually(lambda: len(heard) >= len(sent))
    assert [bit for bit, _ in heard] == [bit for bit, _ in sent]
    if bench.keeps_times:
        assert [at_s for _, at_s in heard] == pytest.approx([at_s for _, at_s in sent], abs=1e-9)
    else:
        times = [at_s for _, at_s in heard]
        assert times == sorted(times)
        assert before_s <= times[0] <= times[-1] <= time.monotonic()


def test_a_card_is_read_from_the_pins_to_its_number(bench, lines):
    """Slow on the mock pins, whose edges carry the time at which they arrive."""
    framer, heard = WiegandFramer("front", tuple(FORMATS.values())), []
    lines.start(lambda bit, at_s: heard.append((bit, at_s)))
    start_s = time.monotonic()
    send(bench, BITS, start_s)
    assert eventually(lambda: len(heard) == 26)
    for bit, at_s in heard:
        framer.edge(bit, at_s)
    read = framer.flush(heard[-1][1] + 0.025)
    assert isinstance(read, CredentialRead)
    assert (read.format, read.facility, read.card, read.bits) == (H10301.name, 1, 5283, BITS)


def test_lines_at_rest_say_nothing_at_start(bench, lines):
    heard: list[int] = []
    lines.start(lambda bit, at_s: heard.append(bit))
    time.sleep(0.02)
    assert heard == []


def test_the_rising_end_of_a_pulse_is_no_bit(bench, lines):
    heard: list[int] = []
    lines.start(lambda bit, at_s: heard.append(bit))
    bench.drive(D0, False, 1000.0)
    assert eventually(lambda: heard == [0])
    bench.drive(D0, True, 1000.1)
    bench.drive(D1, False, 1000.2)
    assert eventually(lambda: len(heard) == 2)
    assert heard == [0, 1]


def test_closed_lines_are_deaf_and_give_their_pins_back(bench):
    heard: list[int] = []
    lines = GpioWiegandLines(D0, D1, bench.factory)
    lines.start(lambda bit, at_s: heard.append(bit))
    lines.close()
    again = GpioWiegandLines(D0, D1, bench.factory)
    send(bench, "01", 1000.0)
    time.sleep(0.02)
    assert heard == []
    again.close()
