"""What travels when a door joins its centre: read strictly, sealed, and of one form whatever the code."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from datetime import datetime, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from agent.errors import WireError
from agent.pairing import messages
from agent.pairing.messages import Grant, Granted, Hello, Met, Proof, Refusal, Request, read, seal, unseal
from agent.pairing.spake2 import begin, finish

KINDS: tuple[type[Struct], ...] = (Hello, Met, Proof, Granted, Request)
KEY = bytes(range(32))
REQUEST = Request(link="-----BEGIN CERTIFICATE REQUEST-----", media="", public_key=bytes(32), expects="hq/front")
SHAPES: list[Struct] = [
    Hello(label="K7Q", share=bytes(32)), Met(session="0" * 32, share=bytes(32)), REQUEST,
    Proof(session="0" * 32, confirms=bytes(32), sealed=bytes(100)), Granted(confirms=bytes(32), sealed=bytes(100)),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@given(raw=st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40), lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["label", "share", "session", "confirms", "sealed", "format", "link"]), inner, max_size=5), max_leaves=8
).map(msgspec.json.encode))  # fmt: skip
def test_whatever_comes_is_a_message_or_a_sentence(kind: type[Struct], raw: bytes) -> None:
    with suppress(WireError):
        assert isinstance(read(raw, kind, "it"), kind)


@given(st.sampled_from(SHAPES), st.data())
def test_a_message_with_one_byte_changed_is_never_another_kind_of_trouble(shape: Struct, data: st.DataObject) -> None:
    raw = bytearray(msgspec.json.encode(shape))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        assert isinstance(read(bytes(raw), type(shape), "it"), type(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_message_is_read_as_it_was_written(shape: Struct) -> None:
    assert read(msgspec.json.encode(shape), type(shape), "it") == shape


@pytest.mark.parametrize(("kind", "text"), [
    pytest.param(Hello, '{"label":"K7Q"}', id="no share"),
    pytest.param(Hello, '{"label":"K0Q","share":"%s"}', id="letters of no code"),
    pytest.param(Hello, '{"label":"K7QM","share":"%s"}', id="more than the label"),
    pytest.param(Hello, '{"label":"K7Q","share":"AA=="}', id="short share"),
    pytest.param(Hello, '{"format":2,"label":"K7Q","share":"%s"}', id="another format"),
    pytest.param(Hello, '{"label":"K7Q","share":"%s","code":"K7QM3XPD"}', id="the code itself"),
    pytest.param(Proof, '{"session":"../../etc/passwd","confirms":"%s","sealed":"%s"}', id="a path"),
    pytest.param(Proof, '{"session":"00","confirms":"%s","sealed":"%s"}', id="short session"),
])  # fmt: skip
def test_a_message_that_is_not_quite_one_is_refused(kind: type[Struct], text: str) -> None:
    with pytest.raises(WireError):
        read(text.replace("%s", "A" * 43 + "=").encode(), kind, "it")


def test_no_message_is_longer_than_it_may_be() -> None:
    with pytest.raises(WireError, match="at most 16384"):
        read(b" " * 20_000, Hello, "it")
    files = dict.fromkeys(messages.FILES[:2], "x" * 4096)
    grant = Grant(site="hq", door="front", name="n" * 100, at=NOW, valid_until=NOW, replaces=True, files=files)
    assert len(seal(KEY, grant)) < messages.MOST_SEALED


NOW = datetime(2026, 3, 2, tzinfo=timezone.utc)


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_what_was_sealed_with_another_key_is_nothing(junk: bytes, other: bytes) -> None:
    with pytest.raises(WireError):
        unseal(KEY, junk, Request, "it")
    if other != KEY:
        with pytest.raises(WireError, match="not sealed with the key"):
            unseal(other, seal(KEY, REQUEST), Request, "it")


def test_what_a_door_sealed_is_not_taken_for_the_centres() -> None:
    door, centre = begin("door", "K7QM3XPD"), begin("centre", "K7QM3XPD")
    agreed = finish(door, centre.share, b"")
    with pytest.raises(WireError):
        unseal(agreed.centre_seals, seal(agreed.door_seals, REQUEST), Request, "it")


def test_a_grant_is_not_taken_for_a_refusal() -> None:
    told = unseal(KEY, seal(KEY, Refusal(sentence="no")), Grant | Refusal, "it")  # type: ignore[arg-type]
    assert isinstance(told, Refusal)


@given(st.text("34679", min_size=5, max_size=5), st.text("ACDEF", min_size=5, max_size=5))
def test_runs_under_two_codes_look_alike(one: str, other: str) -> None:
    """Field by field of the same form and length; what differs is random in both."""

    def forms(code: str) -> list[tuple[str, int]]:
        door, centre = begin("door", code), begin("centre", code)
        agreed = finish(door, centre.share, b"")
        sent = [Hello(label=code[:3], share=door.share), Met(session="0" * 32, share=centre.share),
                Proof(session="0" * 32, confirms=agreed.door_confirms, sealed=seal(agreed.door_seals, REQUEST)),
                Granted(confirms=agreed.centre_confirms, sealed=seal(agreed.centre_seals, Refusal(sentence="no")))]  # fmt: skip
        return [(type(each).__name__, len(msgspec.json.encode(each))) for each in sent]

    assert forms("K7Q" + one) == forms("K7Q" + other)


def test_a_door_needs_no_library_for_it_that_it_has_not() -> None:
    """`cryptography` comes with the extra `live`, which not every door has."""
    words = "import sys, agent.commission.pairing; print([each for each in ('cryptography', 'spake2', 'central') if each in sys.modules])"
    assert subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout.strip() == "[]"
