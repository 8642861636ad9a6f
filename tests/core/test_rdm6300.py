"""Serial 125 kHz readers: a tag counts when its checksum holds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.messages import CredentialRead, ReadFault
from agent.core.rdm6300 import Rdm6300Stream, SerialTag, decode_rdm6300
from agent.errors import WireError
from tests.core.vectors import RDM6300

GOOD = next(row for row in RDM6300 if row["xor_check"] == "xor_ok")
ADDED_UP = next(row for row in RDM6300 if row["xor_check"] == "xor_bad")


def between_stx_and_etx(frame_hex: str) -> str:
    frame = bytes.fromhex(frame_hex)
    assert (frame[0], frame[-1]) == (2, 3)
    return frame[1:-1].decode("ascii")


def test_the_tag_of_the_data_sheet_is_read():
    tag = decode_rdm6300(between_stx_and_etx(GOOD["frame_hex"]))
    assert tag == SerialTag(format="EM4100", version=0x62, card=int(GOOD["dec_32bit"]))
    assert tag.card & 0xFFFFFF == int(GOOD["dec_24bit"])


def test_a_clone_that_adds_its_bytes_up_is_refused_and_told_what_was_expected():
    with pytest.raises(WireError, match="checksum B4, expected 46"):
        decode_rdm6300(between_stx_and_etx(ADDED_UP["frame_hex"]))


def test_one_wrong_digit_anywhere_is_refused():
    text = GOOD["tag_hex"] + GOOD["checksum"]
    wrong = {text[:n] + digit + text[n + 1 :] for n in range(12) for digit in "0123456789ABCDEF"} - {text}
    assert len(wrong) == 12 * 15
    for frame in wrong:
        with pytest.raises(WireError, match="checksum"):
            decode_rdm6300(frame)


@pytest.mark.parametrize("text", ["", "62E3086CED0", "62E3086CED080", "\x0262E3086CED08\x03"])
def test_a_frame_of_another_length_is_refused(text):
    with pytest.raises(WireError, match="12 hex digits"):
        decode_rdm6300(text)


@pytest.mark.parametrize("text", ["62E3086CED0G", "62 E3086C E5", " " * 12, "６２E3086CED08", "-2E3086CED08"])
def test_only_hex_digits_count_and_blanks_are_none(text):
    """'62 E3086C E5' is a tag of four bytes with a checksum that holds: a shorter number than any tag has."""
    with pytest.raises(WireError, match="only hex digits"):
        decode_rdm6300(text)


@given(st.text(max_size=20) | st.text("0123456789abcdefABCDEF ", min_size=12, max_size=12))
@example("62e3086ced08")
def test_any_text_is_a_tag_whose_checksum_holds_or_a_wire_error(text):
    with contextlib.suppress(WireError):
        tag = decode_rdm6300(text)
        digits = f"{tag.version:02X}{tag.card:08X}"
        assert text.upper().startswith(digits)
        assert len(text) == 12


# -- the stream ------------------------------------------------------------------------------------------------------------------

FRAME = bytes.fromhex(GOOD["frame_hex"])
CARD = int(GOOD["dec_32bit"])


def feed(*chunks: tuple[float, bytes]) -> list[CredentialRead | ReadFault]:
    stream = Rdm6300Stream("front")
    return [one for at_s, data in chunks for one in stream.feed(data, at_s)]


def test_a_tag_is_read_from_the_wire():
    (read,) = feed((10.0, FRAME))
    assert read == CredentialRead(
        reader="front", format="EM4100", facility=0x62, card=CARD, bits=f"{0x62:08b}{CARD:032b}", read_s=10.0
    )


def test_an_id12_ends_its_frames_with_a_line_of_its_own():
    (read,) = feed((10.0, FRAME[:-1] + b"\r\n\x03"))
    assert read.card == CARD


def test_a_tag_that_lies_there_is_told_once_and_again_when_it_comes_back():
    lying = [(10 + n * 0.1, FRAME) for n in range(100)]
    assert len(feed(*lying)) == 1
    assert len(feed(*lying, (22.0, FRAME))) == 2


def test_a_line_that_is_opened_in_the_middle_of_a_frame_hears_the_next_one_and_no_fault():
    (read,) = feed((10.0, FRAME[5:]), (10.1, FRAME))
    assert read.card == CARD


def test_a_frame_that_was_cut_off_does_not_swallow_the_next():
    fault, read = feed((10.0, FRAME), (13.0, FRAME[:6]), (13.1, FRAME))[1:]
    assert (fault.fault, read.card) == ("framing", CARD)


def test_a_storm_of_noise_is_one_fault_a_second_with_its_first_bits():
    heard = feed((0.0, FRAME), *((1.0 + n / 100, b"\xa5" * 50) for n in range(300)))[1:]
    assert [one.fault for one in heard] == ["framing"] * 3
    assert heard[0].bits == "10100101" * 16


@pytest.mark.parametrize("bit", range(8 * 14))
def test_a_flipped_bit_anywhere_in_a_frame_is_never_another_tag(bit):
    """Lower case letters are the same digits: such a flip is the tag itself."""
    spoilt = bytearray(FRAME)
    spoilt[bit // 8] ^= 1 << bit % 8
    assert {one.card for one in feed((1.0, bytes(spoilt))) if isinstance(one, CredentialRead)} <= {CARD}


@given(st.lists(st.binary(max_size=60) | st.just(FRAME), max_size=20), st.integers(0, 13))
def test_any_bytes_are_tags_whose_checksum_holds_or_faults_and_the_next_tag_is_read(chunks, cut):
    stream, now_s = Rdm6300Stream("front"), 0.0
    for chunk in [*chunks, FRAME[:cut]]:
        now_s += 2.0
        for one in stream.feed(chunk, now_s):
            assert isinstance(one, CredentialRead | ReadFault)
            assert len(one.bits) <= 128
    read = stream.feed(FRAME, now_s + 2.0)
    assert CARD in [one.card for one in read if isinstance(one, CredentialRead)]
