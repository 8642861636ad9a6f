"""The centre's word that somebody is to be enrolled here: followed when it is the centre's, for this door, of now. Templates come sealed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from agent.core.messages import HeadPose
from agent.errors import BundleError
from agent.records.enrol_word import (
    MOST_BYTES,
    REFUSALS,
    Answer,
    Begin,
    Declined,
    End,
    Feedback,
    Gate,
    Sealed,
    read,
    sealed,
    signed_begin,
    unsealed,
)
from agent.records.signed_word import Signed

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
CENTRE, DOOR, SESSION_KEY = SigningKey.generate(), PrivateKey.generate(), PrivateKey.generate()
NAME = "4f9e1c2a-0b7d"
TEMPLATE = Sealed(session=NAME, pose="front", embedding=bytes(512), embedder_id="net", quality=0.8, face_px=110.0,
                  head=HeadPose(yaw_deg=1.0, pitch_deg=0.0, roll_deg=0.0, confidence=0.9), alive="live")  # fmt: skip


def begin(**changes: Any) -> Begin:
    told = {"session": NAME, "site": "hq", "door": "front", "who": "mary", "key": bytes(SESSION_KEY.public_key), "embedder_id": "net",
            "issued": NOW, "expires": NOW + timedelta(seconds=10), **changes}  # fmt: skip
    return Begin(**told)


def gate() -> Gate:
    return Gate(CENTRE.verify_key, "hq", "front", NOW - timedelta(hours=1))


def declined(payload: bytes, session: str = NAME, *, retained: bool = False, at: Gate | None = None, now: datetime = NOW) -> str:
    told = (at or gate()).admit(session, payload, retained, now)
    return told.reason if isinstance(told, Declined) else ""


def test_the_centres_word_for_this_door_is_followed_once() -> None:
    door, raw = gate(), signed_begin(begin(), CENTRE)
    assert door.admit(NAME, raw, False, NOW) == begin()
    assert declined(raw, at=door) == "repeated"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"door": "back"}, "not_for_this_door"),
        ({"site": "lab"}, "not_for_this_door"),
        ({"session": "another-one"}, "not_for_this_door"),
        ({"expires": NOW}, "too_long_lived"),
        ({"expires": NOW + timedelta(seconds=31)}, "too_long_lived"),
        ({"issued": NOW - timedelta(seconds=10), "expires": NOW}, "stale"),
        ({"issued": NOW + timedelta(seconds=3), "expires": NOW + timedelta(seconds=9)}, "not_yet_valid"),
        ({"key": bytes(32)}, "forged"),
        ({"key": b"short"}, "forged"),
        ({"for_s": 301.0}, "forged"),
        ({"who": "Mary"}, "forged"),
    ],
)
def test_a_word_that_is_not_for_here_and_now_is_not_followed(changes: dict[str, Any], reason: str) -> None:
    assert declined(signed_begin(begin(**changes), CENTRE)) == reason


def test_a_word_from_before_the_door_started_or_that_a_broker_kept_is_not_followed() -> None:
    raw = signed_begin(begin(), CENTRE)
    young = Gate(CENTRE.verify_key, "hq", "front", NOW + timedelta(seconds=1))
    assert declined(raw, at=young, now=NOW + timedelta(seconds=2)) == "issued_before_start"
    assert declined(raw, retained=True) == "retained"


def test_whoever_rules_the_broker_cannot_order_an_enrolment_for_a_key_of_their_own() -> None:
    mine = begin(key=bytes(PrivateKey.generate().public_key))
    assert declined(signed_begin(mine, SigningKey.generate())) == "forged"
    stolen = msgspec.json.decode(signed_begin(begin(), CENTRE), type=Signed)
    assert declined(msgspec.json.encode(Signed(msgspec.json.encode(mine), stolen.signature))) == "forged"


def test_what_is_too_large_or_of_no_name_is_not_read() -> None:
    assert declined(b"x" * (MOST_BYTES + 1)) == "malformed"
    for session in ("", "short", "x" * 65, "UPPER-CASE", "a/b/c/d/e/f"):
        assert declined(signed_begin(begin(), CENTRE), session) == "malformed"


@given(st.binary(max_size=600), st.text(max_size=70))
def test_no_bytes_make_a_door_raise_or_begin(payload: bytes, session: str) -> None:
    assert declined(payload, session) in REFUSALS
    for kind in (Answer, Feedback, End):
        assert isinstance(read(payload, kind), kind | None)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_word_that_was_changed_anywhere_is_refused(at: int, flip: int) -> None:
    raw = bytearray(signed_begin(begin(), CENTRE))
    raw[at % len(raw)] ^= flip
    told = gate().admit(NAME, bytes(raw), False, NOW)
    assert isinstance(told, Declined) or told == begin()  # blanks and the like change nothing


def test_a_template_is_read_by_this_session_alone_and_only_from_this_door() -> None:
    box, door = sealed(TEMPLATE, DOOR, bytes(SESSION_KEY.public_key)), bytes(DOOR.public_key)
    assert unsealed(box, SESSION_KEY, door, NAME) == TEMPLATE
    assert TEMPLATE.embedding[:32] not in box
    other = PrivateKey.generate()
    for key, by, session in (
        (other, door, NAME),
        (SESSION_KEY, bytes(other.public_key), NAME),
        (SESSION_KEY, door, "another-one"),
    ):
        with pytest.raises(BundleError):
            unsealed(box, key, by, session)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_template_that_was_changed_on_the_way_is_refused(at: int, flip: int) -> None:
    box = bytearray(sealed(TEMPLATE, DOOR, bytes(SESSION_KEY.public_key)))
    box[at % len(box)] ^= flip
    with pytest.raises(BundleError, match="no template that this door sealed"):
        unsealed(bytes(box), SESSION_KEY, bytes(DOOR.public_key), NAME)


@given(st.binary(max_size=300))
def test_no_bytes_are_a_template(box: bytes) -> None:
    with pytest.raises(BundleError):
        unsealed(box, SESSION_KEY, bytes(DOOR.public_key), NAME)
