"""Keys of a reader's keypad, and the PIN they make: only what was surely pressed counts, and nobody gets to see it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.formats import H10301
from agent.core.keypad import KEY_SILENCE_S, MOST_DIGITS, PinPad, key_of
from agent.core.messages import CredentialRead, KeyPressed, ReadFault
from agent.core.wiegand import LATE_S, NO_DIGITS_BELOW_BITS, WiegandFramer
from tests.core.frames import Edge, evenly, flipped, paced
from tests.core.vectors import WIEGAND_26

EIGHT = {
    "0": "11110000", "1": "11100001", "2": "11010010", "3": "11000011", "4": "10110100", "5": "10100101",
    "6": "10010110", "7": "10000111", "8": "01111000", "9": "01101001", "*": "01011010", "#": "01001011",
}  # fmt: skip
"""As printed in Rosslare's AYC-Qx4 manual, option 3."""
FOUR = {
    "0": "0000", "1": "0001", "2": "0010", "3": "0011", "4": "0100", "5": "0101",
    "6": "0110", "7": "0111", "8": "1000", "9": "1001", "*": "1010", "#": "1011",
}  # fmt: skip
"""As printed there, 4.2.3.9."""
CARD = WIEGAND_26[0]["raw_bits"]

keys = st.sampled_from(sorted(EIGHT))


def play(edges: list[Edge], keypad, silence_after_s: float = LATE_S) -> list[CredentialRead | KeyPressed | ReadFault]:
    framer = WiegandFramer("front", (H10301,), keypad)
    out = []
    for bit, at_s in edges:
        out += [framer.flush(at_s), framer.before(at_s), framer.edge(bit, at_s)]
    out.append(framer.flush(edges[-1][1] + silence_after_s))
    return [thing for thing in out if thing is not None]


def pressed(things) -> str:
    return "".join(thing.key for thing in things if isinstance(thing, KeyPressed))


def bursts(codes: list[str], every_s: float = 0.25) -> list[Edge]:
    return [edge for n, code in enumerate(codes) for edge in evenly(code, 1.0 + n * every_s)]


# -- one burst -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keypad", "codes"), [("4-bit", FOUR), ("8-bit", EIGHT)])
def test_every_key_of_the_manuals_is_heard(keypad, codes):
    for key, code in codes.items():
        assert key_of(code) == key
        assert play(evenly(code), keypad) == [KeyPressed(reader="front", key=key, at_s=evenly(code)[-1][1])]
    typed = play(bursts(list(codes.values())), keypad)
    assert pressed(typed) == "".join(codes)
    assert len(typed) == 12


@given(st.text("01", max_size=12))
def test_no_other_bits_are_a_key(bits):
    known = {**{code: key for key, code in EIGHT.items()}, **{code: key for key, code in FOUR.items()}}
    assert key_of(bits) == known.get(bits)


@given(keys, st.integers(0, 7))
def test_a_wrong_bit_in_eight_is_no_key(key, n):
    assert key_of(flipped(EIGHT[key], n)) is None


@pytest.mark.parametrize("bits", ["1100", "1101", "1110", "1111"])
def test_the_four_values_that_no_keypad_sends_are_no_key(bits):
    things = play(evenly(bits), "4-bit")
    assert [type(thing) for thing in things] == [ReadFault]


@given(keys)
def test_a_reader_without_a_keypad_has_no_keys_and_tells_of_none_that_are_pressed_all_the_same(key):
    for code in (FOUR[key], EIGHT[key]):
        (fault,) = play(evenly(code), "none")
        assert isinstance(fault, ReadFault)
        assert (fault.fault, fault.bits) == ("length", "?" * len(code))


@given(keys)
def test_keys_of_the_other_kind_of_keypad_are_no_keys(key):
    assert pressed(play(evenly(FOUR[key]), "8-bit")) == ""
    assert pressed(play(evenly(EIGHT[key]), "4-bit")) == ""


# -- what is no key ------------------------------------------------------------------------------------------------------------


@given(st.sampled_from([row["raw_bits"] for row in WIEGAND_26]), st.integers(1, 25))
def test_a_card_cut_short_is_a_key_only_where_its_eight_bits_complement_each_other(card, kept):
    """12 of the 256 values do: no reader that sends keys and cards on the same wires can tell, so the digit may spoil a PIN, and no more."""
    typed = pressed(play(evenly(card[:kept]), "8-bit"))
    assert typed == (key_of(card[:kept]) or "" if kept == 8 else "")


@given(st.integers(1, 25), st.floats(0.026, KEY_SILENCE_S - 0.002), st.sampled_from(["4-bit", "8-bit"]))
def test_pieces_of_one_broken_frame_are_no_keys(at, gap_s, keypad):
    """A loose wire: a hole in the middle of a frame that is longer than any frame's pause leaves two pieces close together."""
    head, tail = CARD[:at], CARD[at:]
    edges = evenly(head) + evenly(tail, 1.0 + (len(head) - 1) / 1000 + gap_s)
    assert pressed(play(edges, keypad)) == ""


@given(keys, st.floats(0.001, 0.008), st.integers(0, 2), st.one_of(st.floats(0.05, 0.55), st.floats(1.5, 3.0)))
def test_edges_at_an_uneven_pace_are_noise(key, interval_s, at, factor):
    gaps_s = [interval_s * (factor if n == at else 1.0) for n in range(3)]
    assert pressed(play(paced(FOUR[key], gaps_s), "4-bit")) == ""


@given(keys, st.floats(0.0255, KEY_SILENCE_S - 0.001))
def test_a_burst_that_anything_follows_or_precedes_too_soon_is_no_key(key, gap_s):
    noise = [(1, 1.003 + gap_s)]
    assert pressed(play(evenly(FOUR[key]) + noise, "4-bit")) == ""
    late = [(1, 1.0 - gap_s), *evenly(FOUR[key])]
    assert pressed(play(late, "4-bit")) == ""


def test_a_card_is_still_read_on_a_reader_with_a_keypad_and_keys_before_and_after_it():
    for keypad, codes in (("4-bit", FOUR), ("8-bit", EIGHT)):
        edges = evenly(codes["1"]) + evenly(CARD, 2.0) + evenly(codes["2"], 3.0)
        things = play(edges, keypad)
        assert [type(thing) for thing in things] == [KeyPressed, CredentialRead, KeyPressed]


def test_a_key_is_not_taken_for_the_beginning_of_a_card_nor_a_card_for_a_key_while_edges_are_late():
    framer = WiegandFramer("front", (H10301,), "4-bit")
    for bit, at_s in evenly(CARD[:4]):
        framer.edge(bit, at_s)
    assert framer.due_s == pytest.approx(1.003 + LATE_S), "a key has time; a card that is handed on late must not become one"


@given(st.lists(st.text("01", min_size=1, max_size=NO_DIGITS_BELOW_BITS - 1), min_size=1, max_size=4), st.data())
def test_no_fault_of_a_reader_with_a_keypad_shows_the_bits_of_a_key(codes, data):
    edges, at_s = [], 1.0
    for code in codes:
        edges += evenly(code, at_s)
        at_s = edges[-1][1] + data.draw(st.floats(0.003, 0.3))
    things = play(edges, data.draw(st.sampled_from(["4-bit", "8-bit"])))
    faults = [thing for thing in things if isinstance(thing, ReadFault)]
    assert all(fault.bits == "" or len(fault.bits) >= NO_DIGITS_BELOW_BITS for fault in faults)


# -- the PIN -------------------------------------------------------------------------------------------------------------------


def type_in(pad: PinPad, typed: str, start_s: float = 10.0, every_s: float = 0.4) -> list[str]:
    ends = [pad.press(KeyPressed(reader="front", key=key, at_s=start_s + n * every_s)) for n, key in enumerate(typed)]
    return [pin for pin in ends if pin is not None]


@given(st.text("0123456789", min_size=1, max_size=MOST_DIGITS))
def test_digits_and_a_hash_are_a_pin(digits):
    assert type_in(PinPad(), digits + "#") == [digits]


@given(st.text("0123456789*", max_size=7), st.text("0123456789", min_size=1, max_size=MOST_DIGITS))
def test_a_star_begins_anew(before, digits):
    assert type_in(PinPad(), f"{before}*{digits}#") == [digits]


def test_a_hash_alone_is_no_pin():
    assert type_in(PinPad(), "#*##") == []


@given(st.text("0123456789", min_size=MOST_DIGITS + 1, max_size=30))
def test_a_digit_too_many_spoils_the_entry_and_not_the_next(digits):
    pad = PinPad()
    assert type_in(pad, digits + "#") == []
    assert type_in(pad, "1234#", 60.0) == ["1234"]


def test_a_half_typed_pin_is_forgotten_after_a_silence():
    pad = PinPad(time_out_s=5.0)
    assert type_in(pad, "12", 10.0, 1.0) == []
    assert pad.due_s == 16.0
    assert not pad.expire(15.99)
    assert pad.expire(16.0)
    assert (pad.due_s, pad.under_way) == (None, False)
    assert not pad.expire(99.0)
    assert type_in(pad, "34#", 17.0) == ["34"]


def test_a_key_after_the_silence_begins_a_new_pin_even_if_nobody_looked_at_the_clock():
    pad = PinPad(time_out_s=5.0)
    type_in(pad, "12", 10.0)
    assert type_in(pad, "34#", 30.0) == ["34"]


def test_whoever_types_slowly_has_the_time_out_for_each_key_anew():
    assert type_in(PinPad(time_out_s=5.0), "1234#", every_s=4.9) == ["1234"]


def test_a_case_that_is_closed_leaves_no_digits_for_the_next_person():
    pad = PinPad()
    type_in(pad, "123")
    pad.clear()
    assert type_in(pad, "4#", 11.5) == ["4"]


@given(st.text("123456789", min_size=1, max_size=12))
def test_a_pad_shows_nobody_what_is_typed(digits):
    pad = PinPad()
    type_in(pad, digits)
    assert not any(digit in f"{pad!r} {pad}" for digit in digits)
