"""Which events of a door are news for vision, and that nothing secret goes with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.door_news import alias_of, news_of
from agent.core.event_words import SENTENCES

SECRET = b"0123456789abcdef"


def answer(card: int = 5283, **changes: object) -> dict[str, object]:
    return {"read": {"format": "H10301", "facility": 1, "card": card}, "match": None, "leaving": False, "partner": "", **changes}


@pytest.mark.parametrize(
    ("kind", "data", "what"),
    [
        ("access.granted", answer(), "granted"),
        ("access.denied", answer(), "denied"),
        ("access.first_of_two", answer(), "first_of_two"),
        ("access.granted", answer(leaving=True), "leaving"),
        ("access.held", answer(), None),
        ("rex.pressed", {}, "leaving"),
        ("rex.held", {}, "leaving"),
        ("door.opened", {"at_start": False}, "opened"),
        ("door.opened", {"at_start": True}, None),
        ("door.closed", {"open_s": 3.0}, "closed"),
        ("door.forced", {"mode": "Locked"}, "forced"),
        ("command.done", {"command": "unlock"}, "released"),
        ("command.done", {"command": "assist"}, None),
        ("mode.changed", {"mode": "Unlocked"}, "released"),
        ("mode.changed", {"mode": "LockedOpen"}, "released"),
        ("mode.changed", {"mode": "LockedDown"}, None),
        ("fire.active", {"releases": True}, "released"),
        ("fire.active", {"releases": False}, None),
    ],
)
def test_what_happened_at_the_door_is_one_word(kind, data, what):
    news = news_of(kind, data, 12.5, SECRET)
    assert (news.what if news else None) == what
    assert news is None or news.at_s == 12.5


@pytest.mark.parametrize("kind", sorted(set(SENTENCES) - {"access.granted", "access.denied", "access.first_of_two", "access.held",
                                                          "door.opened", "door.closed", "door.forced", "rex.pressed", "rex.held",
                                                          "command.done", "mode.changed", "fire.active"}))  # fmt: skip
def test_nothing_else_is_news(kind):
    assert news_of(kind, {}, 1.0, SECRET) is None


def test_the_face_that_was_compared_and_how_many_people_are_told():
    compared = {"track": 7}
    assert news_of("access.denied", answer(match=compared), 1.0, SECRET).face == 7
    told = (("access.granted", {}), ("access.granted", {"partner": "bob"}), ("access.first_of_two", {}), ("access.denied", {}))
    assert [news_of(kind, answer(**more), 1.0, SECRET).persons for kind, more in told] == [1, 2, 0, 0]


def test_only_whoever_was_let_in_has_norms_of_their_own():
    keys = [news_of(kind, answer(leaving=leaving), 1.0, SECRET, "norm-key").norm_key
            for kind, leaving in (("access.granted", False), ("access.granted", True), ("access.denied", False))]  # fmt: skip
    assert keys == ["norm-key", "", ""]


@given(st.integers(0, 65535), st.integers(0, 65535), st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_credential_is_one_name_in_one_run_and_another_in_the_next(card, other, secret, next_secret):
    alias = alias_of(answer(card)["read"], secret)
    assert len(alias) == 12
    assert (alias == alias_of(answer(other)["read"], secret)) == (card == other)
    assert (alias == alias_of(answer(card)["read"], next_secret)) == (secret == next_secret)
