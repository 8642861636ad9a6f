"""The PN532's UART protocol: against a chip played from NXP's user manual (tests/hw/pn532_chip.py), without wire and clock."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.messages import CredentialRead, ReadFault
from agent.core.pn532 import Damaged, Pn532, Pn532Frames, credential, frame, read_uid
from agent.errors import WireError
from tests.hw.pn532_chip import Pn532Chip, extended, information

FOUR, SEVEN, TEN = bytes.fromhex("de8a4c1f"), bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("04112233445566778899")
STEP_S = 0.01


class Bench:
    """Driver and chip, joined in made-up time."""

    def __init__(self) -> None:
        self.chip, self.driver = Pn532Chip(), Pn532("front")
        self.now_s = 100.0
        self.heard: list[CredentialRead | ReadFault] = []

    def run(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            said = self.chip.hear(self.driver.tick(self.now_s))
            self.heard += self.driver.feed(said, self.now_s)
            self.now_s += STEP_S

    @property
    def cards(self) -> list[int]:
        return [one.card for one in self.heard if isinstance(one, CredentialRead)]


def test_the_chip_is_woken_put_into_normal_mode_and_asked_who_it_is_before_anything_else():
    bench = Bench()
    bench.run(0.2)
    assert bench.chip.commands[:4] == [0x14, 0x02, 0x32, 0x4A]
    assert bench.driver.ready
    assert bench.heard == []


def test_the_frames_of_the_manual_are_what_is_sent():
    """UM0701-02, 7.2.2: GetFirmwareVersion is 00 00 FF 02 FE D4 02 2A 00."""
    assert frame(b"\x02") == bytes.fromhex("0000ff02fed4022a00")


@pytest.mark.parametrize(("uid", "facility", "card"), [
    (FOUR, 0, 0xDE8A4C1F), (SEVEN, 0, 0x04A1B2C3D4E5F6), (TEN, 0x041122, 0x33445566778899),
])  # fmt: skip
def test_a_fob_is_told_once_for_as_long_as_it_lies_there(uid, facility, card):
    bench = Bench()
    bench.run(0.3)
    bench.chip.card = uid
    bench.run(5.0)
    (read,) = bench.heard
    assert (read.format, read.facility, read.card) == ("iso14443a", facility, card)
    assert int(read.bits, 2) == int.from_bytes(uid, "big")
    assert len(read.bits) == 8 * len(uid)


def test_a_fob_that_was_away_for_a_second_is_told_again():
    bench = Bench()
    bench.chip.card = SEVEN
    bench.run(1.0)
    bench.chip.card = None
    bench.run(1.0)
    bench.chip.card = SEVEN
    bench.run(1.0)
    assert len(bench.cards) == 2


def test_a_fob_that_flickers_at_the_edge_of_the_field_is_told_once():
    bench = Bench()
    for _ in range(20):
        bench.chip.card = SEVEN
        bench.run(0.2)
        bench.chip.card = None
        bench.run(0.2)
    assert len(bench.cards) == 1


def test_a_second_fob_laid_beside_the_first_is_told():
    bench = Bench()
    bench.chip.card = SEVEN
    bench.run(0.5)
    bench.chip.card = FOUR
    bench.run(0.5)
    assert bench.cards == [int.from_bytes(SEVEN, "big"), int.from_bytes(FOUR, "big")]


def test_a_telephones_made_up_number_is_no_credential():
    """ISO 14443-3: a UID that begins with 08 is random."""
    bench = Bench()
    bench.chip.card = bytes.fromhex("08123456")
    bench.run(2.0)
    assert [one.fault for one in bench.heard] == ["random_uid"]


def test_a_damaged_answer_is_asked_for_again_and_the_fob_is_read():
    bench = Bench()
    bench.run(0.3)
    bench.chip.card = SEVEN
    spoilt = []

    def once(data: bytes) -> bytes:
        if spoilt or b"\x4b\x01" not in data:
            return data
        spoilt.append(data)
        return data[:10] + bytes([data[10] ^ 1]) + data[11:]

    bench.chip.spoil = once
    bench.run(0.5)
    assert bench.chip.nacks == 1
    assert bench.cards == [int.from_bytes(SEVEN, "big")]
    assert [one.fault for one in bench.heard if isinstance(one, ReadFault)] == ["checksum"]


def test_no_flipped_bit_in_an_answer_ever_becomes_another_fob():
    for byte in range(len(information(bytes([0xD5, 0x4B, 1, 1, 0, 4, 8, 7]) + SEVEN))):
        for bit in range(8):
            bench = Bench()
            bench.run(0.3)
            bench.chip.card = SEVEN
            flips = []

            def flip(data: bytes, byte: int = byte, bit: int = bit, flips: list[bytes] = flips) -> bytes:
                if flips or b"\x4b\x01" not in data:
                    return data
                flips.append(data)
                return data[:byte] + bytes([data[byte] ^ 1 << bit]) + data[byte + 1 :]

            bench.chip.spoil = flip
            bench.run(0.4)
            assert set(bench.cards) <= {int.from_bytes(SEVEN, "big")}


def test_a_chip_that_lost_its_power_is_noticed():
    bench = Bench()
    bench.run(0.5)
    bench.chip.deaf = True
    with pytest.raises(WireError, match="does not answer"):
        bench.run(5.0)


def test_a_chip_that_fell_asleep_again_is_noticed():
    bench = Bench()
    bench.run(0.5)
    bench.chip.power_cut()
    with pytest.raises(WireError, match="does not answer"):
        bench.run(5.0)


def test_an_answer_that_stays_damaged_ends_the_talk():
    bench = Bench()
    bench.chip.spoil = lambda data: data[:-2] + b"\x99\x00"
    with pytest.raises(WireError):
        bench.run(8.0)
    assert not bench.driver.ready


def test_something_else_on_the_line_is_not_taken_for_a_pn532():
    bench = Bench()
    bench.chip.version = bytes([0x07, 1, 6, 7])
    with pytest.raises(WireError, match="no PN532"):
        bench.run(2.0)


@pytest.mark.parametrize(
    "answer", ["01", "0101000408", "010100040805112233", "0101000408070411", "01010004080b" + "11" * 11, "0101000408ff"]
)
def test_an_answer_without_a_whole_uid_names_nobody(answer):
    with pytest.raises(WireError):
        read_uid(bytes.fromhex(answer))


@pytest.mark.parametrize("wrap", [information, extended])
@given(data=st.binary(min_size=1, max_size=255), cuts=st.lists(st.integers(1, 300), max_size=5), noise=st.binary(max_size=20))
def test_a_frame_is_found_however_it_is_cut_up_and_whatever_came_before(wrap, data, cuts, noise):
    whole = noise.replace(b"\x00", b"\x01") + b"\x01" + wrap(data)
    frames, found, at = Pn532Frames(), [], 0
    for cut in [*sorted(cuts), len(whole)]:
        found += frames.feed(whole[at:cut])
        at = max(at, cut)
    assert [one for one in found if isinstance(one, bytes)] == [data]


@given(chunks=st.lists(st.binary(max_size=400), max_size=10))
@example(chunks=[b"\x00\xff\xff\xff\x01\x09\xf6"])
@example(chunks=[b"\x00\x00\xff\x00\xff", b"\x00"])
def test_any_bytes_leave_a_bounded_memory_and_the_next_frame_is_found(chunks):
    frames = Pn532Frames()
    for chunk in chunks:
        for one in frames.feed(chunk):
            assert isinstance(one, bytes | Damaged)
    assert len(frames._buffer) < 300
    frames.feed(bytes(300))  # whatever frame had begun is over, or shown to be none
    assert bytes([0xD5, 0x03, 0x32]) in frames.feed(information(bytes([0xD5, 0x03, 0x32])))


@given(st.lists(st.binary(max_size=100), max_size=30))
def test_noise_never_becomes_a_fob_and_never_more_than_a_fault_a_second(chunks):
    driver, heard = Pn532("front"), []
    for chunk in chunks:
        heard += driver.feed(chunk, 50.0)
    assert len(heard) <= 1
    assert not any(isinstance(one, CredentialRead) for one in heard)


@given(st.sampled_from([4, 7, 10]).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_every_uid_has_a_name_that_fits_the_journal(uid):
    read = credential("front", uid, 1.0)
    assert 0 <= read.card < 1 << 56
    assert (read.facility << 56 | read.card) == int.from_bytes(uid, "big")
