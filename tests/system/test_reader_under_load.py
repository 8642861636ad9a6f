"""Readers on a machine that has no time for them: every core burns, another thread holds the interpreter, and cards are read as they were
sent.

The clock is real, the driver and the framer are the real ones; the edges come from a process of its own through a model of the kernel's
queue, for this machine has no GPIO chip. DOORWARD_LOAD_FRAMES sets another number of frames.
"""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gpiod
import msgspec
import pytest

from agent.core.formats import FORMATS
from agent.core.messages import CredentialRead, KeyPressed, ReadFault
from agent.core.wiegand import WiegandFramer
from agent.inbox import Inbox
from hw.reader_gpiod import GpiodWiegandLines
from tests.core.frames import PARITY_PROTECTED, flipped
from tests.kernel_ring import Plan, Planned, RingRequest
from tests.wiegand_fuzz import Tally, frame, table

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
FRAMES = int(os.environ.get("DOORWARD_LOAD_FRAMES", "1000"))
READERS = 6
D0, D1 = 17, 27
FAITHFUL_S = 0.001
"""A frame that our own stand-in for the interrupts played later than this is none that a reader sends."""
KINDS = ("clean", "cut_short", "edge_lost", "wrong_bit", "longer")

Thing = CredentialRead | KeyPressed | ReadFault


class Meant(msgspec.Struct):
    """What a reader was made to send, and when."""

    reader: int
    kind: str
    bits: str
    begins_s: float
    ends_s: float


def troubled(kind: str, bits: str, chance: random.Random) -> tuple[str, int | None]:
    """The bits that go out, and which of their edges does not."""
    if kind == "cut_short":
        return bits[: chance.randrange(5, len(bits))], None
    if kind == "wrong_bit":
        return flipped(bits, chance.randrange(len(bits))), None
    if kind == "longer":
        return bits + "0110"[: chance.randrange(1, 5)], None
    return bits, chance.randrange(len(bits)) if kind == "edge_lost" else None


def plan_of(count: int, chance: random.Random) -> tuple[list[Meant], list[Planned]]:
    meant, planned, free_s = [], [], [0.05 + 0.01 * reader for reader in range(READERS)]
    for number in range(count):
        reader, kind = number % READERS, KINDS[number // READERS % len(KINDS)]
        bits = frame(PARITY_PROTECTED[reader], chance)
        out, lost = troubled(kind, bits, chance)
        interval_s, begins_s = chance.uniform(0.0003, 0.0012), free_s[reader] + chance.uniform(0.03, 0.05)
        edges = [(D1 if bit == "1" else D0, begins_s + n * interval_s) for n, bit in enumerate(out) if n != lost]
        planned.append(Planned(reader, edges))
        meant.append(Meant(reader, kind, bits, begins_s, edges[-1][1]))
        free_s[reader] = edges[-1][1]
    return meant, planned


@pytest.fixture
def load() -> Iterator[None]:
    """Every core burns twice, and a thread of our own holds the interpreter."""
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    stop = threading.Event()
    hog = threading.Thread(target=hold_the_interpreter, args=(stop,))
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)  # as the door program does
    hog.start()
    yield
    stop.set()
    hog.join()
    sys.setswitchinterval(interval_s)
    for process in burning:
        process.kill()
        process.wait()


def hold_the_interpreter(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(20_000))


class Loop:
    """The part of the door's loop that reads."""

    def __init__(self, requests: list[RingRequest]) -> None:
        self._inbox: Inbox[tuple[int, int | None, float]] = Inbox()
        self.framers = [WiegandFramer(str(reader), (FORMATS[PARITY_PROTECTED[reader]],)) for reader in range(READERS)]
        self.lines = [GpiodWiegandLines(("/dev/gpiochip0", D0), ("/dev/gpiochip0", D1), f"readers[{n}]") for n in range(READERS)]
        self.things: list[list[Thing]] = [[] for _ in range(READERS)]
        for reader, lines in enumerate(self.lines):
            lines.start(self._edge(reader), self._loss(reader))

    def _edge(self, reader: int):
        return lambda bit, at_s: self._inbox.put((reader, bit, at_s))

    def _loss(self, reader: int):
        return lambda at_s: self._inbox.put((reader, None, at_s))

    def turn(self) -> None:
        due_s = [framer.due_s for framer in self.framers if framer.due_s is not None]
        select.select([self._inbox], [], [], max(0.0, min([*due_s, time.monotonic() + 0.2]) - time.monotonic()))
        heard_s = [lines.heard_until_s(time.monotonic()) for lines in self.lines]
        for reader, bit, at_s in self._inbox.drain():
            framer = self.framers[reader]
            self._keep(reader, *((framer.lost(at_s),) if bit is None else (framer.before(at_s), framer.edge(bit, at_s))))
        for reader, framer in enumerate(self.framers):
            self._keep(reader, framer.flush(heard_s[reader]))

    def _keep(self, reader: int, *things: Thing | None) -> None:
        self.things[reader] += [thing for thing in things if thing is not None]

    def close(self) -> None:
        for lines in self.lines:
            lines.close()
        self._inbox.close()


def judge(meant: list[Meant], late_s: list[float], loop: Loop) -> tuple[dict[str, Tally], int]:
    """How each kind ended; and how many clean frames were played in time and yet not read."""
    tallies, missed = {kind: Tally() for kind in KINDS}, 0
    for sent, late in zip(meant, late_s, strict=True):
        tally = tallies[sent.kind]
        given = [(thing, after) for thing, after in neighbours(loop.things[sent.reader])
                 if isinstance(thing, CredentialRead) and sent.begins_s <= thing.read_s <= sent.ends_s + 1e-6]  # fmt: skip
        right = [thing for thing, _ in given if thing.bits == sent.bits and sent.kind == "clean"]
        back = [
            thing for thing, after in given if thing not in right and isinstance(after, ReadFault) and after.fault == "overrun"
        ]
        tally.sent += 1
        tally.read += bool(right)
        tally.refused += not given
        tally.taken_back += len(back)
        tally.wrong += len(given) - len(right) - len(back)
        missed += sent.kind == "clean" and not right and late < FAITHFUL_S
    return tallies, missed


def neighbours(things: list[Thing]) -> list[tuple[Thing, Thing | None]]:
    return list(zip(things, [*things[1:], None], strict=True))


@pytest.mark.timeout(600)
def test_readers_on_a_machine_that_has_no_time_for_them_are_read_rightly(load, monkeypatch, capsys):
    requests: list[RingRequest] = []

    def request_lines(*_: object, **__: object) -> RingRequest:
        requests.append(RingRequest())
        return requests[-1]

    monkeypatch.setattr(gpiod, "request_lines", request_lines)
    meant, planned = plan_of(FRAMES, random.Random(20))
    loop = Loop(requests)
    start_s = time.monotonic() + 1.5
    for sent in meant:
        sent.begins_s, sent.ends_s = sent.begins_s + start_s, sent.ends_s + start_s
    plan = Plan(start_s, [(request.memory_fd, request.fd) for request in requests], planned)
    passed = [descriptor for ring in plan.rings for descriptor in ring]
    player = subprocess.Popen(
        [sys.executable, "-m", "tests.kernel_ring"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=passed
    )
    assert player.stdin is not None
    player.stdin.write(msgspec.json.encode(plan))
    player.stdin.close()
    until_s = max(sent.ends_s for sent in meant) + 1.0
    while time.monotonic() < until_s:
        loop.turn()
    assert player.stdout is not None
    late_s = msgspec.json.decode(player.stdout.read(), type=list[float])
    assert player.wait() == 0
    loop.close()
    tallies, missed = judge(meant, late_s, loop)
    late = sum(late >= FAITHFUL_S for late in late_s)
    with capsys.disabled():
        print(f"\n{FRAMES:,} frames of {READERS} readers in real time, {2 * (os.cpu_count() or 1)} burning processes on "
              f"{os.cpu_count()} cores and a thread that holds the interpreter; {late} frames were late on the wire by our own doing, "
              f"at most {1000 * max(late_s):.1f} ms\n{table(tallies)}")  # fmt: skip
    assert [request.dropped for request in requests] == [0] * READERS
    assert sum(tally.wrong for tally in tallies.values()) == 0
    assert missed == 0
