"""`doorward decode`: what others script, so the bytes of its output are a promise."""

from __future__ import annotations

import json

import pytest

from agent import cli
from tests.core.vectors import RDM6300, WIEGAND_26


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


def test_the_line_for_a_serial_frame_is_exactly_this(capsys):
    row = RDM6300[0]
    line = '{"format":"EM4100","version":98,"card":3808980205}\n'
    assert run(capsys, "rdm6300", row["tag_hex"] + row["checksum"]) == (0, line, "")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("wiegand", "00000000100010100101000111"), "26 bits fail the parity check of every known format: H10301 (26 bits)"),
        (("wiegand", "0000000010001010010100011"), "25 bits fail the length check"),
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
    "words", [("wiegand", "0102"), ("wiegand", ""), ("wiegand",), (), ("barcode", "1"), ("wiegand", "0", "1")]
)
def test_what_is_no_question_is_a_usage_error(capsys, words):
    status, out, err = run(capsys, *words)
    assert (status, out) == (2, "")
    assert err
