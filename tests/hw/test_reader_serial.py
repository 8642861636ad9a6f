"""Serial readers on ptys. A pty has no baud rate that could be wrong and no parity: what it proves is framing, presence and coming back."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.feedback import TABLE, Meaning
from agent.core.line_reader import LineReader
from agent.core.messages import CredentialRead, ReaderNews, ReaderStatus, ReadFault
from agent.core.pn532 import Pn532
from agent.core.rdm6300 import Rdm6300Stream
from hw.reader_serial import PROTOCOLS, SerialReader, open_serial_reader
from tests.contracts.conftest import eventually
from tests.core.vectors import RDM6300
from tests.hw.pn532_chip import Pn532OnPty
from tests.hw.pty_line import PtyLine

pytestmark = pytest.mark.slow

TAG = next(row for row in RDM6300 if row["xor_check"] == "xor_ok")
FRAME = bytes.fromhex(TAG["frame_hex"])
SOON = (0.02, 0.1)


class Told(list[ReaderNews]):
    """What a reader said."""

    @property
    def status(self) -> ReaderStatus | None:
        return next((one for one in reversed(self) if isinstance(one, ReaderStatus)), None)

    @property
    def online(self) -> bool:
        return self.status is not None and self.status.online

    @property
    def reads(self) -> list[CredentialRead]:
        return [one for one in self if isinstance(one, CredentialRead)]

    def said(self, words: str) -> bool:
        return self.status is not None and words in self.status.detail


@pytest.fixture
def line(tmp_path: Path) -> Iterator[PtyLine]:
    made = PtyLine(tmp_path / "ttyUSB0")
    yield made
    made.close()


def start(line: PtyLine, protocol: type = Rdm6300Stream) -> tuple[SerialReader, Told]:
    reader, told = SerialReader("front", line.path, 9600, protocol, SOON), Told()
    reader.start(told.append)
    return reader, told


@pytest.fixture
def rdm6300(line: PtyLine) -> Iterator[Told]:
    reader, told = start(line)
    assert eventually(lambda: told.online)
    yield told
    reader.close()


def test_a_tag_is_read(line, rdm6300):
    line.send(FRAME)
    assert eventually(lambda: rdm6300.reads)
    assert [(read.facility, read.card) for read in rdm6300.reads] == [(0x62, int(TAG["dec_32bit"]))]


def test_a_frame_that_comes_in_pieces_is_one_tag(line, rdm6300):
    for byte in FRAME:
        line.send(bytes([byte]))
        time.sleep(0.001)
    assert eventually(lambda: len(rdm6300.reads) == 1)


def test_a_tag_that_was_held_out_before_anybody_listened_opens_nothing(line):
    line.send(FRAME)
    reader, told = start(line)
    assert eventually(lambda: told.online)
    time.sleep(0.1)
    assert told.reads == []
    reader.close()


def test_noise_is_a_fault_and_no_tag_and_the_next_tag_is_read(line, rdm6300):
    line.send(os.urandom(3000).replace(b"\x02", b"\x01"))
    assert eventually(lambda: any(isinstance(one, ReadFault) for one in rdm6300))
    line.send(FRAME)
    assert eventually(lambda: len(rdm6300.reads) == 1)
    assert len([one for one in rdm6300 if isinstance(one, ReadFault)]) == 1


def test_an_unplugged_reader_is_told_once_with_its_plug_and_comes_back_by_itself(line, rdm6300):
    line.unplug()
    assert eventually(lambda: rdm6300.said("USB plug"))
    time.sleep(0.5)
    offline = [one for one in rdm6300 if isinstance(one, ReaderStatus) and not one.online]
    assert len(offline) <= 2  # 'the line broke', then 'there is no such device', however often it is tried
    line.plug_in()
    assert eventually(lambda: rdm6300.online)
    line.send(FRAME)
    assert eventually(lambda: len(rdm6300.reads) == 1)


def test_a_reader_that_is_not_there_yet_is_a_status_and_no_error(tmp_path):
    reader, told = open_serial_reader("front", str(tmp_path / "none"), "rdm6300"), Told()
    reader.start(told.append)
    assert eventually(lambda: told.said("no such device"))
    reader.close()


def test_a_device_that_another_program_has_is_told(line, rdm6300):
    reader, told = start(line)
    assert eventually(lambda: told.said("another program has it"))
    assert rdm6300.online
    reader.close()


@pytest.mark.parametrize("plugged", [True, False])
def test_waiting_costs_nothing(line, plugged):
    """No busy loop: neither on a quiet line nor on one that is gone."""
    reader, told = start(line)
    assert eventually(lambda: told.online)
    if not plugged:
        line.unplug()
        assert eventually(lambda: not told.online)
    time.sleep(0.2)
    before = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(1.0)
    after = resource.getrusage(resource.RUSAGE_SELF)
    reader.close()
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.1


def test_an_error_that_nobody_thought_of_is_told_and_the_reader_comes_back(line, caplog):
    class Odd(Rdm6300Stream):
        made = 0

        def __init__(self, reader: str) -> None:
            super().__init__(reader)
            Odd.made += 1

        def feed(self, data: bytes, now_s: float):
            if Odd.made == 1:
                raise ZeroDivisionError("who would have thought")
            return super().feed(data, now_s)

    reader, told = start(line, Odd)
    assert eventually(lambda: told.online)
    line.send(FRAME)
    assert eventually(lambda: told.said("ZeroDivisionError"))
    assert eventually(lambda: told.online)
    line.send(FRAME)
    assert eventually(lambda: told.reads)
    reader.close()


def test_a_pn532_is_woken_and_its_cards_are_read_until_it_loses_its_power_and_afterwards(line):
    chip = Pn532OnPty(line)
    reader, told = start(line, Pn532)
    assert eventually(lambda: told.online)
    chip.chip.card = bytes.fromhex("04a1b2c3d4e5f6")
    assert eventually(lambda: told.reads)
    time.sleep(0.3)
    assert [(read.format, read.card) for read in told.reads] == [("iso14443a", 0x04A1B2C3D4E5F6)]
    chip.chip.deaf = True
    assert eventually(lambda: told.said("swap TX and RX"))
    chip.chip.power_cut()
    assert eventually(lambda: told.online)
    reader.close()
    chip.close()


def test_a_line_reader_reads_lines(line):
    reader, told = start(line, LineReader)
    assert eventually(lambda: told.online)
    line.send(b"0012345678\r\n")
    assert eventually(lambda: told.reads)
    assert told.reads[0].key == "line:0:12345678"
    reader.close()


def test_a_closed_reader_is_silent_and_leaves_no_thread_and_no_device_behind(line):
    reader, told = start(line)
    assert eventually(lambda: told.online)
    reader.close()
    reader.close()
    reader.show(TABLE[Meaning.GRANTED])
    line.send(FRAME)
    time.sleep(0.05)
    assert told.reads == []
    assert not [thread for thread in threading.enumerate() if thread.name == "reader front"]
    again, told = start(line)
    assert eventually(lambda: told.online)
    again.close()


@pytest.mark.parametrize(("protocol", "baud"), [("rdm6300", 9600), ("pn532", 115200), ("lines", 9600)])
def test_each_protocol_has_its_own_speed(protocol, baud):
    assert PROTOCOLS[protocol][1] == baud
    reader = open_serial_reader("front", "/dev/none", protocol)
    assert (reader._baud, reader.name) == (baud, "front")
    assert open_serial_reader("front", "/dev/none", protocol, 19200)._baud == 19200


def test_a_door_without_a_serial_reader_loads_no_pyserial():
    program = "import sys, hw.reader_serial; print(sorted({'serial', 'numpy'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"
