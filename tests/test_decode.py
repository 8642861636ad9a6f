"""`doorward decode`: what others script, so the bytes of its output are a promise."""

from __future__ import annotations

import json

import pytest

from agent import cli
from agent.core.formats import FORMATS
from tests.core.vectors import RDM6300, WIEGAND_26, WIEGAND_FORMATS


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        status = cli.main(["decode", *words])
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_the_line_for_a_wiegand_frame_is_exactly_this(capsys):
    line = '{"format":"H10301","facility":1,"card":5283}\n'
    assert run(capsys, "wiegand", "00000000100010100101000110") == (0, line, "")


@pytest.mark.parametrize("row", WIEGAND_26, ids=lambda row: f"{row['facility']}-{row['card']}")
def test_every_26_bit_card_of_the_world_is_decoded(capsys, row):
    status, out, err = run(capsys, "wiegand", row["raw_bits"])
    expected = {"format": "H10301", "facility": int(row["facility"]), "card": int(row["card"])}
    assert (status, json.loads(out), err) == (0, expected, "")


@pytest.mark.parametrize("row", WIEGAND_FORMATS, ids=lambda row: f"{row['format']}-{row['facility']}-{row['card']}")
def test_every_card_of_the_other_formats_is_decoded_by_name_and_found_without(capsys, row):
    expected = {"format": row["format"], "facility": int(row["facility"]), "card": int(row["card"])}
    status, out, err = run(capsys, "wiegand", row["raw_bits"], "--format", row["format"])
    assert (status, json.loads(out), err) == (0, expected, "")
    status, out, err = run(capsys, "wiegand", row["raw_bits"])
    first = json.loads(out)
    assert expected in [{key: first[key] for key in expected}, *first.get("also", [])]
    assert (status, err, out.count("\n")) == (0, "", 1)


def test_the_line_for_a_frame_that_is_valid_in_two_formats_is_exactly_this(capsys):
    line = (
        '{"format":"H10302","facility":0,"card":11850046624,"also":[{"format":"H10304","facility":22602,"card":89248}]}\n'
    )  # fmt: skip
    assert run(capsys, "wiegand", f"{0x584A2B940:037b}") == (0, line, "")


def test_a_frame_of_any_other_length_is_decoded_raw(capsys):
    line = '{"format":"raw-40","facility":0,"card":4660}\n'
    assert run(capsys, "wiegand", f"{0x1234:040b}", "--format", "raw") == (0, line, "")


def test_an_unknown_length_is_reported_with_its_bits_in_hex_and_what_to_do(capsys):
    status, out, err = run(capsys, "wiegand", f"{0xABCDE12345:040b}")
    assert (status, out) == (1, "")
    assert "40 bits, 0xabcde12345" in err
    assert "raw_lengths = [40]" in err
    assert all(name in err for name in FORMATS)


def test_a_key_of_a_keypad_is_recognised_as_such(capsys):
    status, _, err = run(capsys, "wiegand", "10100101")
    assert status == 1
    assert 'the key 5: set keypad = "8-bit"' in err


def test_the_line_for_a_serial_frame_is_exactly_this(capsys):
    row = RDM6300[0]
    line = '{"format":"EM4100","version":98,"card":3808980205}\n'
    assert run(capsys, "rdm6300", row["tag_hex"] + row["checksum"]) == (0, line, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("wiegand", "00000000100010100101000111"), "26 bits, 0x22947: fail the parity check of H10301 (26 bits)"),
        (("wiegand", "0000000010001010010100011"), "25 bits, 0x114a3: fail the length check"),
        (
            ("wiegand", "0" * 34, "--format", "H10301"),
            "34 bits, 0x0: fail the length check of every format asked for: H10301 (26 bits)",
        ),
        (("wiegand", "01" * 18), "W36 (36 bits), W36-odd-even (36 bits)"),
        (("wiegand", "10" * 60), "too long for a card"),
        (("wiegand", "1111111"), "too short for a card"),
        (("wiegand", "1" * 97, "--format", "raw"), "16 to 96 bits are allowed"),
        (("rdm6300", "62E3086CED09"), "checksum 09, expected 08"),
        (("rdm6300", "62E3086CED"), "12 hex digits are allowed"),
        (("rdm6300", "62E3086CEDzz"), "only hex digits are allowed"),
    ],
)
def test_what_is_no_card_is_refused_with_the_reason(capsys, words, why):
    status, out, err = run(capsys, *words)
    assert (status, out) == (1, "")
    assert why in err


@pytest.mark.parametrize(
    "words",
    [
        ("wiegand", "0102"),
        ("wiegand", ""),
        ("wiegand",),
        (),
        ("barcode", "1"),
        ("wiegand", "0", "1"),
        ("wiegand", "01", "--format", "H10303"),
    ],
)
def test_what_is_no_question_is_a_usage_error(capsys, words):
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert err
