"""What every reader that frames for itself promises, on whatever wire.

The far ends: frames on a pty (RDM6300, lines), a PN532 played from its manual on a pty, libosdp's own peripheral on a pty, and the simulator.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from agent.core.feedback import TABLE, Meaning
from agent.core.formats import FORMATS
from agent.core.line_reader import LineReader
from agent.core.messages import CredentialRead, ReaderNews, ReaderStatus, ReadFault
from agent.core.pn532 import Pn532
from agent.core.rdm6300 import Rdm6300Stream
from hw.interfaces import Reader
from hw.reader_osdp import OsdpReader
from hw.reader_serial import SerialReader
from hw.reader_sim import SimReader
from tests.contracts.conftest import eventually
from tests.core.vectors import RDM6300, WIEGAND_26
from tests.hw.pn532_chip import Pn532OnPty
from tests.hw.pty_line import PtyLine

pytestmark = pytest.mark.slow

NAME = "front"
SOON = (0.02, 0.1)
AT_ONCE_S = 0.05
NOISE = bytes(range(256)).replace(b"\x02", b"\x01") * 20
TAG = bytes.fromhex(next(row["frame_hex"] for row in RDM6300 if row["xor_check"] == "xor_ok"))


class Stand(Protocol):
    """A reader and the hand in front of it."""

    key: str
    """Of the fob that is held out."""
    secure: bool | None

    def reader(self) -> Reader: ...

    def fob(self) -> None:
        """Hold it out, for a short while, in the way the reader notices."""
        ...

    def noise(self) -> None: ...

    def unplug(self) -> None: ...

    def plug_in(self) -> None: ...

    def close(self) -> None: ...


class _OnPty:
    """A serial reader that only talks."""

    secure: bool | None = None
    key = ""
    protocol: Any
    frame = b""

    def __init__(self, folder: Path) -> None:
        self.line = PtyLine(folder / "tty")

    def reader(self) -> Reader:
        return SerialReader(NAME, self.line.path, 9600, self.protocol, SOON)

    def fob(self) -> None:
        for _ in range(3):  # it repeats itself for as long as a fob lies there
            self.line.send(self.frame)
            time.sleep(0.02)

    def noise(self) -> None:
        self.line.send(NOISE[:3000])

    def unplug(self) -> None:
        self.line.unplug()

    def plug_in(self) -> None:
        self.line.plug_in()

    def close(self) -> None:
        self.line.close()


class Rdm6300Stand(_OnPty):
    protocol, frame, key = Rdm6300Stream, TAG, "EM4100:98:3808980205"


class LinesStand(_OnPty):
    protocol, frame, key = LineReader, b"00123\r\n", "line:0:123"


class Pn532Stand(_OnPty):
    protocol, key = Pn532, f"iso14443a:0:{0x04A1B2C3D4E5F6}"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.far = Pn532OnPty(self.line)

    def fob(self) -> None:
        self.far.chip.card = bytes.fromhex("04a1b2c3d4e5f6")
        time.sleep(0.3)
        self.far.chip.card = None

    def plug_in(self) -> None:
        self.far.chip.power_cut()
        self.line.plug_in()

    def close(self) -> None:
        self.far.close()
        super().close()


class OsdpStand:
    secure: bool | None = True
    key = "H10301:1:5283"

    def __init__(self, folder: Path) -> None:
        from tests.hw.osdp_far_end import FarEnd

        self.far = FarEnd(folder / "tty", bytes(range(16)), 5)

    def reader(self) -> Reader:
        return OsdpReader(NAME, self.far.path, lambda: bytes(range(16)), (FORMATS["H10301"],), 9600, 5, SOON)

    def fob(self) -> None:
        self.far.card(WIEGAND_26[0]["raw_bits"])

    def noise(self) -> None:
        self.far.put(NOISE[:3000])

    def unplug(self) -> None:
        self.far.unplug()

    def plug_in(self) -> None:
        self.far.plug_in()

    def close(self) -> None:
        self.far.close()


class SimStand:
    secure: bool | None = None
    key = "H10301:1:5283"

    def __init__(self, folder: Path) -> None:
        self._made: list[SimReader] = []
        self._plugged = True

    def reader(self) -> Reader:
        self._made.append(SimReader(NAME, self._plugged))
        return self._made[-1]

    def fob(self) -> None:
        self._made[-1].present("H10301", 1, 5283, WIEGAND_26[0]["raw_bits"])

    def noise(self) -> None:
        self._made[-1].fault("framing", "1010")

    def unplug(self) -> None:
        self._plugged = False
        for made in self._made:
            made.unplug()

    def plug_in(self) -> None:
        self._plugged = True
        for made in self._made:
            made.plug_in()

    def close(self) -> None: ...


STANDS: dict[str, Callable[[Path], Stand]] = {
    "rdm6300": Rdm6300Stand, "lines": LinesStand, "pn532": Pn532Stand, "osdp": OsdpStand, "sim": SimStand,
}  # fmt: skip


@pytest.fixture(params=list(STANDS))
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    made = STANDS[request.param](tmp_path)
    yield made
    made.close()


class Told(list[ReaderNews]):
    """All news of a reader, with the threads that brought them."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def __call__(self, news: ReaderNews) -> None:
        self.threads.add(threading.get_ident())
        self.append(news)

    @property
    def reads(self) -> list[CredentialRead]:
        return [one for one in self if isinstance(one, CredentialRead)]

    @property
    def statuses(self) -> list[ReaderStatus]:
        return [one for one in self if isinstance(one, ReaderStatus)]

    @property
    def online(self) -> bool:
        return bool(self.statuses) and self.statuses[-1].online


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reader(stand: Stand, told: Told) -> Iterator[Reader]:
    made = stand.reader()
    made.start(told)
    assert eventually(lambda: told.online)
    yield made
    made.close()


def test_a_reader_says_its_name_and_that_it_is_there(stand, reader, told):
    assert reader.name == NAME
    assert {news.reader for news in told} == {NAME}
    assert told.statuses[-1].secure == stand.secure


def test_a_fob_that_is_held_out_is_told_once_with_its_time(stand, reader, told):
    before_s = time.monotonic()
    stand.fob()
    assert eventually(lambda: told.reads)
    time.sleep(0.1)
    (read,) = told.reads
    assert (read.reader, read.key) == (NAME, stand.key)
    assert before_s <= read.read_s <= time.monotonic()
    assert read.bits
    assert set(read.bits) <= {"0", "1"}


def test_everything_is_told_from_one_thread_that_is_not_ours_and_fits_the_journal(stand, reader, told):
    stand.fob()
    stand.noise()
    assert eventually(lambda: told.reads)
    assert len(told.threads) == 1
    assert threading.get_ident() not in told.threads
    for news in told:
        assert msgspec.json.decode(msgspec.json.encode(news))


def test_a_reader_that_is_not_there_is_a_status_and_no_error_and_comes_when_it_is_plugged_in(stand, told):
    stand.unplug()
    reader = stand.reader()
    reader.start(told)
    assert eventually(lambda: told.statuses)
    assert not told.online
    assert "USB plug" in told.statuses[-1].detail
    stand.plug_in()
    assert eventually(lambda: told.online)
    reader.close()


def test_a_reader_that_is_unplugged_is_told_once_and_reads_again_when_it_is_back(stand, reader, told):
    stand.unplug()
    assert eventually(lambda: not told.online)
    assert told.statuses[-1].detail
    time.sleep(0.3)
    for earlier, later in zip(told.statuses, told.statuses[1:], strict=False):
        assert msgspec.structs.replace(earlier, at_s=0.0) != msgspec.structs.replace(later, at_s=0.0)
    stand.plug_in()
    assert eventually(lambda: told.online)
    stand.fob()
    assert eventually(lambda: told.reads)


def test_noise_opens_nothing_is_told_sparingly_and_the_next_fob_is_read(stand, reader, told):
    for _ in range(5):
        stand.noise()
        time.sleep(0.02)
    time.sleep(0.1)
    assert told.reads == []
    assert len([one for one in told if isinstance(one, ReadFault)]) <= 5
    assert eventually(lambda: told.online)
    stand.fob()
    assert eventually(lambda: told.reads)


def test_showing_never_waits_and_never_raises_whatever_state_the_reader_is_in(stand, told):
    reader = stand.reader()

    def show_all() -> None:
        for meaning in Meaning:
            since_s = time.monotonic()
            reader.show(TABLE[meaning])
            assert time.monotonic() - since_s < AT_ONCE_S

    show_all()
    reader.start(told)
    show_all()
    assert eventually(lambda: told.online)
    show_all()
    stand.unplug()
    show_all()
    reader.close()
    show_all()


def test_a_closed_reader_is_silent_at_once_and_may_be_closed_again(stand, told):
    reader = stand.reader()
    reader.start(told)
    assert eventually(lambda: told.online)
    since_s = time.monotonic()
    reader.close()
    assert time.monotonic() - since_s < 3.0
    count = len(told)
    stand.fob()
    stand.noise()
    reader.close()
    time.sleep(0.1)
    assert len(told) == count
    assert not [thread for thread in threading.enumerate() if thread.name == f"reader {NAME}"]


def test_a_reader_that_was_never_started_can_be_closed(stand):
    stand.reader().close()
