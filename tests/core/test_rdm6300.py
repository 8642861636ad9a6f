"""Serial 125 kHz readers: a tag counts when its checksum holds."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.core.rdm6300 import SerialTag, decode_rdm6300
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
