"""Whose norms they are, only the door can tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.norm_keys import norm_key, norm_key_of
from agent.core.people import Cardholder

DOOR, OTHER = b"d" * 32, b"e" * 32


@given(st.text(), st.text())
def test_two_cardholders_have_two_keys_and_one_has_always_the_same(one: str, other: str) -> None:
    assert norm_key(DOOR, one) == norm_key(DOOR, one)
    assert (norm_key(DOOR, one) == norm_key(DOOR, other)) == (one == other)


@given(st.text())
def test_at_another_door_a_cardholder_has_another_key(cardholder: str) -> None:
    assert norm_key(DOOR, cardholder) != norm_key(OTHER, cardholder)


def test_a_key_is_32_digits() -> None:
    key = norm_key(DOOR, "cardholder-17")
    assert len(bytes.fromhex(key)) == 16


@pytest.mark.parametrize("length", [0, 15, 65])
def test_a_door_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="allowed are 16 to 64"):
        norm_key(b"k" * length, "a")


def test_whoever_has_not_agreed_has_no_key() -> None:
    assert norm_key_of(Cardholder(id="a"), DOOR) == ""
    assert norm_key_of(Cardholder(id="a", norms_consent=True), DOOR) == norm_key(DOOR, "a")
