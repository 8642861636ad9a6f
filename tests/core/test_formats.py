"""What the bits of a card mean, in every format."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import WiegandFormatName
from agent.core.formats import FORMATS, RAW_LEAST_BITS, RAW_MOST_BITS, Decoded, decode, decode_all, formats_named, raw_format
from agent.errors import ConfigError
from tests.core.frames import BUILDERS, PARITY_PROTECTED, flipped
from tests.core.vectors import WIEGAND_26, WIEGAND_FORMATS, rows

OTHER = {row["format"]: row for row in rows("wiegand.csv") if row["bits"] != "26"}


def frame(data: st.DataObject, name: str) -> tuple[int, int, str]:
    facility_bits, card_bits, build = BUILDERS[name]
    facility = data.draw(st.integers(0, (1 << facility_bits) - 1))
    card = data.draw(st.integers(0, (1 << card_bits) - 1))
    return facility, card, build(facility, card)


def test_the_formats_are_those_that_the_configuration_knows():
    assert {*FORMATS, "raw"} == set(get_args(WiegandFormatName))
    assert all(name == form.name for name, form in FORMATS.items())


def test_every_format_says_where_its_layout_is_published():
    assert all(form.source for form in FORMATS.values())


@pytest.mark.parametrize("row", WIEGAND_FORMATS, ids=lambda row: f"{row['format']} {row['facility']}-{row['card']}")
def test_cards_of_the_world_are_read_as_their_owners_say(row):
    expected = Decoded(format=row["format"], facility=int(row["facility"]), card=int(row["card"]))
    assert decode(row["raw_bits"], formats_named([row["format"]])) == expected


def test_the_36_bit_card_of_the_world_is_read_with_its_parities_swapped_and_only_so():
    row = OTHER["HID 36-bit (swapped parity, OEM=0)"]
    (found,) = decode_all(row["raw_bits"], FORMATS.values())
    assert (found.format, found.facility, found.card) == ("W36-odd-even", int(row["facility"]), int(row["card"]))


def test_the_32_bit_card_of_the_world_is_its_whole_value():
    row = OTHER["raw 32"]
    assert decode(row["raw_bits"], FORMATS.values()) == Decoded(format="W32", facility=0, card=int(row["card"]))
    assert decode(row["raw_bits"], [raw_format(32)]) == Decoded(format="raw-32", facility=0, card=int(row["card"]))


@pytest.mark.parametrize("name", BUILDERS)
@given(data=st.data())
def test_every_number_that_can_be_printed_on_a_card_can_be_read(name, data):
    facility, card, bits = frame(data, name)
    assert len(bits) == FORMATS[name].length
    assert decode(bits, [FORMATS[name]]) == Decoded(format=name, facility=facility, card=card)


# -- what parity catches -------------------------------------------------------------------------------------------------------


def frames_of_the_world(name: str) -> list[str]:
    found = [row["raw_bits"] for row in WIEGAND_FORMATS if row["format"] == name]
    return found + [row["raw_bits"] for row in WIEGAND_26 if name == "H10301"]


@pytest.mark.parametrize("name", PARITY_PROTECTED)
def test_one_wrong_bit_anywhere_in_any_card_is_refused(name):
    """Every bit of every frame at hand: cards of the world, all zeros, all ones, and numbers with one bit set."""
    facility_bits, card_bits, build = BUILDERS[name]
    facilities = [0, (1 << facility_bits) - 1, *(1 << n for n in range(facility_bits))]
    cards = [0, (1 << card_bits) - 1, *(1 << n for n in range(card_bits))]
    frames = frames_of_the_world(name) + [build(f, c) for f in facilities for c in cards]
    for bits in frames:
        assert isinstance(decode(bits, [FORMATS[name]]), Decoded)
        for n in range(len(bits)):
            assert decode(flipped(bits, n), [FORMATS[name]]) == "parity"


@pytest.mark.parametrize("name", PARITY_PROTECTED)
@given(data=st.data())
@settings(max_examples=30)
def test_one_wrong_bit_is_refused_whatever_the_number(name, data):
    _, _, bits = frame(data, name)
    assert all(decode(flipped(bits, n), [FORMATS[name]]) == "parity" for n in range(len(bits)))


UNDETECTED_PAIRS = {"H10301": 156, "W34": 272, "C1000-35": 176, "W36": 306, "W36-odd-even": 306, "H10302": 306, "H10304": 306}


@pytest.mark.parametrize("name", PARITY_PROTECTED)
def test_how_many_pairs_of_wrong_bits_parity_cannot_see_is_known(name):
    """Two wrong bits covered by the same rules cancel out. Which pairs do does not depend on the number: the rules are linear."""
    facility_bits, _, build = BUILDERS[name]
    for bits in (build(0, 0), build((1 << facility_bits) - 1, 5)):
        pairs = list(combinations(range(len(bits)), 2))
        seen = [decode(flipped(bits, *pair), [FORMATS[name]]) == "parity" for pair in pairs]
        assert len(pairs) - sum(seen) == UNDETECTED_PAIRS[name]


# -- several formats -----------------------------------------------------------------------------------------------------------


def test_of_two_formats_that_both_hold_the_readers_list_decides():
    row = next(row for row in WIEGAND_FORMATS if row["format"] == "H10304")
    first, second = formats_named(["H10304", "H10302"])
    bits = row["raw_bits"]
    assert decode(bits, [first, second]) == Decoded(format="H10304", facility=int(row["facility"]), card=int(row["card"]))
    other = decode(bits, [second, first])
    assert isinstance(other, Decoded)
    assert other.format == "H10302"
    assert {found.format for found in decode_all(bits, FORMATS.values())} == {"H10302", "H10304"}


@given(st.data())
def test_whatever_is_valid_with_a_facility_code_of_37_bits_is_valid_without_one(data):
    _, _, bits = frame(data, "H10304")
    assert [found.format for found in decode_all(bits, FORMATS.values())] == ["H10302", "H10304"]


def test_a_frame_whose_parity_holds_in_the_second_format_only_is_read_in_that():
    bits = next(row["raw_bits"] for row in WIEGAND_FORMATS if row["format"] == "W36-odd-even")
    found = decode(bits, formats_named(["W36", "W36-odd-even"]))
    assert isinstance(found, Decoded)
    assert found.format == "W36-odd-even"


@given(st.text("01", max_size=130))
def test_a_frame_of_another_length_is_refused_for_its_length(bits):
    lengths = {form.length for form in FORMATS.values()}
    if len(bits) not in lengths:
        assert decode(bits, FORMATS.values()) == "length"
        assert decode_all(bits, FORMATS.values()) == []


# -- raw -----------------------------------------------------------------------------------------------------------------------


@given(st.integers(RAW_LEAST_BITS, RAW_MOST_BITS), st.data())
def test_raw_frames_keep_every_bit_and_no_number_is_too_large_for_a_json_reader(length, data):
    value = data.draw(st.integers(0, (1 << length) - 1))
    found = decode(f"{value:0{length}b}", [raw_format(length)])
    assert isinstance(found, Decoded)
    assert found.facility * (1 << min(length, 48)) + found.card == value
    assert max(found.facility, found.card) < 1 << 53


def test_raw_frames_of_two_lengths_are_different_cards():
    """Else a frame that lost its leading zeros would be the card that it was."""
    long, short = decode("0" * 36 + "1111", [raw_format(40)]), decode("0" * 28 + "1111", [raw_format(32)])
    assert isinstance(long, Decoded)
    assert isinstance(short, Decoded)
    assert long.card == short.card
    assert long.format != short.format


def test_raw_stands_for_one_format_a_length_in_its_place_of_the_list():
    names = [form.name for form in formats_named(["H10301", "raw", "W34"], [40, 56])]
    assert names == ["H10301", "raw-40", "raw-56", "W34"]


@pytest.mark.parametrize(
    ("names", "lengths", "why"),
    [
        (["raw"], [], "'raw' needs them"),
        (["H10301"], [40], "raw_lengths belong to 'raw'"),
        (["raw"], [8], "16 to 96 bits are allowed"),
        (["raw"], [97], "16 to 96 bits are allowed"),
        (["H10303"], [], "'H10303': allowed are H10301, W34, C1000-35"),
    ],
)
def test_a_list_of_formats_that_makes_no_sense_is_refused_with_the_mend(names, lengths, why):
    with pytest.raises(ConfigError, match=re.escape(why)):
        formats_named(names, lengths)


def test_the_page_for_installers_names_every_format_with_its_length():
    page = (Path(__file__).parents[2] / "docs" / "WIEGAND.md").read_text("utf-8")
    rows = {match[1]: int(match[2]) for match in re.finditer(r"^\| `([\w-]+)`[^|]*\| (\d+) \|", page, re.MULTILINE)}
    assert rows == {form.name: form.length for form in FORMATS.values()}
