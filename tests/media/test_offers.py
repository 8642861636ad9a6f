"""What is asked of a door over the network: answered once, now, and in the centre's form; everything else is refused with a reason."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.commands import SeenCommands
from agent.media.offers import MAX_BYTES, REFUSALS, Bye, Declined, Invited, admit_offer, read_bye

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
STARTED = NOW - timedelta(hours=1)
LEVELS = ("doorward", "hq", "front", "rtc", "session-1", "offer")


def offer(**changes) -> bytes:
    told = {"sdp": "v=0 m=video", "who": "ada", "why": "alert", "issued": NOW, "expires": NOW + timedelta(seconds=10)}
    return msgspec.json.encode(told | changes)


def admit(payload=None, levels=LEVELS, retained=False, now=NOW, seen=None, started=STARTED):
    return admit_offer(levels, offer() if payload is None else payload, retained, now, seen or SeenCommands(), started)


def test_an_offer_of_now_is_taken_once():
    seen = SeenCommands()
    assert isinstance(admit(seen=seen), Invited)
    assert admit(seen=seen) == Declined("session-1", "repeated")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"retained": True}, "retained"),
        ({"now": NOW + timedelta(seconds=11)}, "stale"),
        ({"now": NOW - timedelta(seconds=3)}, "not_yet_valid"),
        ({"started": NOW + timedelta(seconds=1)}, "issued_before_start"),
        ({"payload": offer(expires=NOW + timedelta(minutes=5))}, "too_long_lived"),
        ({"payload": offer(expires=NOW)}, "too_long_lived"),
        ({"payload": offer(who="Ada Lovelace")}, "malformed"),
        ({"payload": offer(why="")}, "malformed"),
        ({"payload": offer(more=1)}, "malformed"),
        ({"payload": offer(ice=[{"urls": ["http://elsewhere"]}])}, "malformed"),
        ({"payload": offer(sdp="x" * MAX_BYTES)}, "malformed"),
        ({"levels": (*LEVELS[:4], "#", "offer")}, "malformed"),
    ],
)
def test_everything_else_is_refused_with_a_reason_that_has_a_sentence(given, reason):
    got = admit(**given)
    assert isinstance(got, Declined)
    assert got.reason == reason
    assert REFUSALS[reason]


def test_turn_servers_of_the_centre_are_taken():
    server = {"urls": ["turn:turn.example.org:3478?transport=udp"], "username": "1772442000:hq-front", "credential": "abc="}
    got = admit(offer(ice=[server], unmask=True))
    assert isinstance(got, Invited)
    assert (got.offer.ice[0].urls, got.offer.unmask) == (("turn:turn.example.org:3478?transport=udp",), True)


@given(st.binary(max_size=300), st.lists(st.text(max_size=70), min_size=3, max_size=8).map(tuple), st.booleans())
def test_no_bytes_on_no_topic_are_taken_for_an_offer_or_end_the_program(payload, levels, retained):
    assert isinstance(admit(payload, levels, retained), Declined)
    assert isinstance(admit(payload), Declined)
    said = read_bye(payload)
    assert said is None or isinstance(said, Bye)
