"""What stands on a lock screen."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from central.alerts.wording import MOST_BYTES, Push, encoded, more, push_of, taken
from tests.central.alerts.house import NOW
from tests.central.alerts.test_routing import alert

DENIED = alert(
    id=7, kind="access.denied", title="Another face than the fob's", zone="lobby", reasons=("the face is not the cardholder's",)
)


def test_a_push_says_what_where_why_and_what_can_be_done() -> None:
    push = push_of(DENIED, "Front door")
    assert push.title == "Another face than the fob's: Front door"
    assert push.body == "Zone: lobby\nThe face is not the cardholder's"
    assert [each.action for each in push.actions] == ["acknowledge", "open"]
    assert (push.url, push.tag) == ("/#/alerts/7", "alert-7")


def test_a_name_stands_there_only_where_the_site_says_so() -> None:
    named = replace(DENIED, person="holder-1", sentence="holder-1 was not let in")
    assert "holder-1" not in encoded(push_of(named, "Front door")).decode()
    assert "Ada Lovelace" in push_of(named, "Front door", "Ada Lovelace").body


def test_a_quiet_push_takes_the_place_of_the_loud_one() -> None:
    quiet = taken(replace(DENIED, state="acknowledged"), "Front door", NOW)
    assert (quiet.tag, quiet.quiet, quiet.body) == ("alert-7", True, "Somebody deals with it.")


def test_what_was_held_back_is_one_line() -> None:
    assert more(12, ["Front door"], "high", NOW).title == "12 more at Front door"


@given(body=st.text(max_size=6000), title=st.text(max_size=120))
def test_a_push_always_fits_and_is_whole(body: str, title: str) -> None:
    push = replace(push_of(DENIED, "Front door"), body=body, title=title)
    told = encoded(push)
    assert len(told) <= MOST_BYTES
    read = msgspec.json.decode(told, type=Push)
    assert read.title == title
    assert read.body in (body, body[: len(read.body) - 1] + "…")


def test_faces_of_four_bytes_are_cut_between_and_not_within() -> None:
    told = msgspec.json.decode(encoded(replace(push_of(DENIED, "x"), body="\N{POLICE OFFICER}" * 3000)), type=Push)
    assert told.body.rstrip("…") == "\N{POLICE OFFICER}" * (len(told.body) - 1)
    assert len(told.body) > 800
