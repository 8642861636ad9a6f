"""What an OSDP reader may say, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.osdp_gate import BUSY, CCRYPT, NAK, PDCAP, PDID, RMAC_I, OsdpGate, crc16, explain
from tests.hw.osdp_far_end import reply

ADDRESS = 5
RAW = bytes.fromhex("5000011a00deadbec0")
IDENT = bytes([PDID]) + bytes(12)
STEP_1, STEP_2 = b"\x03\x12\x01", b"\x03\x14\x01"
SIGNED, SEALED = b"\x02\x16", b"\x02\x18"
MAC = bytes(4)


def passes(frame: bytes, secure: bool, setting_key: bool = False) -> bool:
    gate = OsdpGate(ADDRESS)
    gate.key_is_being_set = setting_key
    gate.asked()
    return bool(gate.feed(frame, secure))


def test_the_crc_is_the_one_of_the_standard():
    """A NAK as libosdp 3.2.9's own peripheral sends it."""
    assert crc16(bytes.fromhex("53850900064106")).to_bytes(2, "little") == bytes.fromhex("a1f9")


@pytest.mark.parametrize("kind", range(0x11, 0x19))
def test_no_card_passes_before_the_channel_and_in_it_only_with_a_mac(kind):
    block = bytes([3, kind, 1] if kind < 0x15 else [2, kind])
    assert not passes(reply(ADDRESS, 1, block, RAW + MAC), secure=False)
    assert passes(reply(ADDRESS, 1, block, RAW + MAC), secure=True) == (kind in (0x16, 0x18))


@pytest.mark.parametrize("secure", [False, True])
def test_no_card_passes_in_plain_text(secure):
    assert not passes(reply(ADDRESS, 1, b"", RAW), secure)
    assert not passes(reply(ADDRESS, 1, b"", RAW), secure, setting_key=True)


@pytest.mark.parametrize(("block", "body", "before", "within"), [
    (b"", IDENT, True, False), (b"", bytes([PDCAP, 9, 1, 1]), True, False), (b"", bytes([NAK, 6]), True, True),
    (b"", bytes([BUSY]), True, True), (STEP_1, bytes([CCRYPT]) + bytes(32), True, False), (STEP_2, bytes([RMAC_I]) + bytes(16), True, False),
    (STEP_1, bytes([RMAC_I]) + bytes(16), False, False), (STEP_2, bytes([CCRYPT]) + bytes(32), False, False), (b"", b"\x40", False, False),
    (SIGNED, b"\x40" + MAC, False, True), (SIGNED, b"\x40", False, False), (b"\x07\x16", b"\x40" + MAC, False, False),
])  # fmt: skip
def test_each_reply_has_its_time(block, body, before, within):
    assert passes(reply(ADDRESS, 1, block, body), secure=False) == before
    assert passes(reply(ADDRESS, 1, block, body), secure=True) == within


def test_a_plain_ack_passes_only_while_a_key_is_being_set():
    """Some readers drop the channel with the old key before they acknowledge the new one."""
    assert not passes(reply(ADDRESS, 1, b"", b"\x40"), secure=True)
    assert passes(reply(ADDRESS, 1, b"", b"\x40"), secure=True, setting_key=True)


def test_one_command_has_one_reply():
    gate = OsdpGate(ADDRESS)
    assert gate.feed(reply(ADDRESS, 1, b"", IDENT), False) == b""
    gate.asked()
    assert gate.feed(reply(ADDRESS, 1, b"", IDENT) * 3, False) == reply(ADDRESS, 1, b"", IDENT)[1:]
    assert gate.heard.refused == 3


def test_what_was_left_of_an_earlier_reply_is_not_taken_for_the_next():
    gate = OsdpGate(ADDRESS)
    gate.asked()
    half = reply(ADDRESS, 1, b"", IDENT)
    assert gate.feed(half[:10], False) == b""
    gate.asked()
    assert gate.feed(half[10:], False) == b""


@pytest.mark.parametrize("spoil", range(8 * 23))
def test_a_flipped_bit_anywhere_passes_nothing(spoil):
    frame = bytearray(reply(ADDRESS, 1, SEALED, bytes(8) + MAC))
    if spoil // 8 < len(frame):
        frame[spoil // 8] ^= 1 << spoil % 8
        assert spoil // 8 == 0 or not passes(bytes(frame), True)  # the first byte is the mark, which may be missing


@given(st.binary(max_size=600), st.booleans(), st.integers(1, 30))
def test_any_bytes_leave_a_bounded_memory_and_the_next_reply_is_found(noise, secure, cut):
    gate = OsdpGate(ADDRESS)
    gate.asked()
    frame = reply(ADDRESS, 1, SIGNED, b"\x40" + MAC) if secure else reply(ADDRESS, 1, b"", IDENT)
    for at in range(0, len(noise), cut):
        gate.feed(noise[at : at + cut], secure)
    assert len(gate._buffer) <= 255
    gate.asked()
    assert gate.feed(frame, secure) == frame[1:]


@given(st.binary(max_size=60), st.integers(1, 255), st.booleans())
def test_whatever_passes_is_whole_and_for_our_reader(body, control, secure):
    gate = OsdpGate(ADDRESS)
    gate.asked()
    passed = gate.feed(reply(ADDRESS, control & 3, b"", b"\x41" + body) + body, secure)
    assert not passed or (passed[1] == ADDRESS | 0x80 and len(passed) == passed[2] | passed[3] << 8)


def heard(*frames: bytes, secure: bool = False) -> str:
    gate = OsdpGate(ADDRESS)
    for frame in frames:
        gate.asked()
        gate.feed(frame, secure)
    return explain(gate.heard, ADDRESS, 9600)


CAN = reply(ADDRESS, 1, b"", bytes([PDCAP, 9, 1, 1]))


@pytest.mark.parametrize(("frames", "words"), [
    ((), "A and B swapped"), ((b"\x12\x34\x56",), "no OSDP at 9600 baud"), ((reply(7, 1, b"", IDENT),), "answers as address 7, none as 5"),
    ((reply(ADDRESS, 1, b"", RAW),), "plain text"), ((reply(ADDRESS, 1, b"", IDENT),), "does not go on"),
    ((reply(ADDRESS, 1, b"", IDENT), reply(ADDRESS, 1, b"", bytes([PDCAP, 4, 1, 1]))), "no Secure Channel"),
    ((reply(ADDRESS, 1, b"", IDENT), CAN, reply(ADDRESS, 1, b"", bytes([NAK, 6]))), "knows no key"),
    ((reply(ADDRESS, 1, b"", IDENT), reply(ADDRESS, 1, STEP_1, bytes([CCRYPT]) + bytes(32))), "another key"),
    ((reply(ADDRESS, 1, STEP_1, bytes([CCRYPT]) + bytes(32)), reply(ADDRESS, 1, STEP_2, bytes([RMAC_I]) + bytes(16))), "broke off"),
])  # fmt: skip
def test_the_installer_is_told_what_to_look_at(frames, words):
    assert words in heard(*frames)
