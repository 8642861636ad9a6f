"""Whatever bytes a file has, there is a sentence about it and no exception."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analysis.film_faults import UNKNOWN, why_unreadable

FTYP = struct.pack(">I4s8s", 16, b"ftyp", b"isom\0\0\0\0")


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def words(tmp_path: Path, content: bytes) -> str:
    (tmp_path / "film").write_bytes(content)
    return why_unreadable(tmp_path / "film")


@pytest.mark.parametrize(
    ("content", "words_of_it"),
    [
        (b"", "empty"),
        (FTYP + box(b"mdat", bytes(100)), "no index"),
        (FTYP + box(b"free", b"") + box(b"moov", b"....soun...."), "sound alone"),
        (FTYP + box(b"moov", b"....text...."), "no track with pictures"),
        (FTYP + box(b"moov", b"....vide...."), "missing or damaged"),
        (FTYP + struct.pack(">I4sQ", 1, b"mdat", 24) + bytes(8) + box(b"moov", b"soun"), "sound alone"),
        (b"ID3\x04" + bytes(50), "sound alone (MP3)"),
        (b"RIFF\0\0\0\0AVI LIST", UNKNOWN),
        (b"not a film", UNKNOWN),
    ],
)
def test_a_fault_has_its_own_words(tmp_path, content, words_of_it):
    assert words_of_it in words(tmp_path, content)


@given(st.binary(max_size=200))
def test_any_bytes_get_a_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("film")
    assert words(folder, content)
    assert words(folder, FTYP + content)
