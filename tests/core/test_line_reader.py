"""Readers that print a line for each fob."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.line_reader import LONGEST, LineReader
from agent.core.messages import CredentialRead, ReadFault


def feed(*chunks: tuple[float, bytes]) -> list[CredentialRead | ReadFault]:
    reader = LineReader("desk")
    return [one for at_s, data in chunks for one in reader.feed(data, at_s)]


@pytest.mark.parametrize(("line", "form", "card"), [
    (b"0012345678\r\n", "line", 12345678), (b"DEADBEEF01\r", "line-hex", 0xDEADBEEF01), (b"deadbeef01\n", "line-hex", 0xDEADBEEF01),
    (b"\x0204A1B2C3\x03\r\n", "line-hex", 0x04A1B2C3), (b" 7 \n", "line", 7), (b"18446744073709551615\n", "line", 2**64 - 1),
])  # fmt: skip
def test_a_line_is_a_number(line, form, card):
    (read,) = feed((5.0, line))
    assert read == CredentialRead(reader="desk", format=form, facility=0, card=card, bits=f"{card:b}", read_s=5.0)


def test_a_number_is_nothing_until_its_line_ends():
    assert feed((5.0, b"1234")) == []
    (read,) = feed((5.0, b"12"), (5.1, b"34\r"))
    assert read.card == 1234


@pytest.mark.parametrize(
    "line", [b"hello\n", b"12 34\n", b"-5\n", b"0x12\n", b"\xff\xfe\n", b"18446744073709551616\n", "１２\n".encode(), b"1_2\n"]
)
def test_what_is_no_number_of_at_most_64_bits_is_a_fault(line):
    assert [one.fault for one in feed((5.0, line))] == ["framing"]


def test_an_endless_line_is_a_fault_and_no_part_of_it_a_fob():
    reader, heard = LineReader("desk"), []
    for _ in range(1000):
        heard += reader.feed(b"123456789", 5.0)
    assert len(reader._line) <= LONGEST
    assert heard == []
    assert [one.fault for one in reader.feed(b"1\n", 5.0)] == ["length"]
    assert [one.card for one in reader.feed(b"42\n", 5.0)] == [42]


def test_a_fob_that_is_printed_over_and_over_is_told_once():
    assert len(feed(*((5 + n / 10, b"42\r\n") for n in range(50)))) == 1
    assert len(feed((5.0, b"42\n"), (5.2, b"43\n"), (5.4, b"42\n"))) == 2
    assert len(feed((5.0, b"42\n"), (7.0, b"42\n"))) == 2


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_any_bytes_leave_a_reader_that_reads_the_next_line(chunks):
    reader, now_s = LineReader("desk"), 0.0
    for chunk in chunks:
        now_s += 2
        for one in reader.feed(chunk, now_s):
            assert isinstance(one, ReadFault) or 0 <= one.card < 1 << 64
    reader.feed(b"\n", now_s + 2)
    assert [one.card for one in reader.feed(b"9001\n", now_s + 4)] == [9001]
