"""A code as people say, hear and type it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.pairing.code import ALPHABET, LENGTH, fresh, label, read, shown

CODES = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)


@given(CODES)
def test_what_is_shown_can_be_typed_in_small_letters_too(code: str) -> None:
    for typed in (code, shown(code), shown(code).lower(), f"  {code[:4]}-{code[4:]}\n", " ".join(code)):
        assert read(typed) == code


def test_no_two_characters_are_taken_for_each_other() -> None:
    for alike in ("O0QD", "1ILJ", "2Z", "5S", "8B", "UV"):
        assert sum(each in ALPHABET for each in alike) <= 2, alike
    assert not set("0O1I2Z5S8BUV") & set(ALPHABET)
    assert len(set(ALPHABET)) == len(ALPHABET) == 24


def test_fresh_codes_use_all_characters_and_are_not_alike() -> None:
    made = [fresh() for _ in range(200)]
    assert len(set(made)) == 200
    assert set("".join(made)) == set(ALPHABET)
    assert all(label(code) == code[:3] for code in made)


@pytest.mark.parametrize(("typed", "says"), [
    ("K7QM 3XP", "has 7 characters"), ("K7QM 3XPDD", "has 9 characters"), ("", "has 0 characters"), ("K7QM 3XPO", "'O', and no code does"),
    ("K7QM 3XPÄ", "no code does"), ("K" * 100_000, "has 100 characters"),
])  # fmt: skip
def test_a_mistyped_code_is_said_before_a_try_is_lost(typed: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(typed)


@given(st.text())
def test_whatever_is_typed_is_a_code_or_a_sentence(typed: str) -> None:
    with suppress(ConfigError):
        assert set(read(typed)) <= set(ALPHABET)
