"""A door that does not know what time it is: what is judged by a guess, what is refused, and what never asks the hour."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone

import pytest

from agent.core.access import AccessProfile, AccessRules, Interval, Schedule, may_pass
from agent.core.commands import NAMES, SAFE_WHENEVER, Command, CommandLimits, SeenCommands, admit
from agent.core.people import Cardholder, Credential, Roll
from agent.core.reasons import Reason
from agent.core.schedules import is_always

NOW = datetime(2026, 7, 15, 12, 0, tzinfo=timezone.utc)
FOB = "H10301:1:5283"
WHOLE_WEEK = (Interval(days=(0, 1, 2, 3, 4), from_min=0, until_min=1440), Interval(days=(5, 6), from_min=0, until_min=1440))
ALWAYS = Schedule(id="always", zone="Europe/Berlin", intervals=WHOLE_WEEK)
OFFICE = Schedule(id="office", zone="Europe/Berlin", intervals=(Interval(days=(0, 1, 2, 3, 4), from_min=480, until_min=1080),))


def rules(
    schedule: Schedule, *, credential: dict[str, object] | None = None, holder: dict[str, object] | None = None
) -> AccessRules:
    people = Roll([Cardholder(id="holder-1", profiles=("staff",), **(holder or {}))],  # type: ignore[arg-type]
                  [Credential(key=FOB, cardholder="holder-1", **(credential or {}))])  # type: ignore[arg-type]  # fmt: skip
    profile = AccessProfile(id="staff", doors=("front",), schedule=schedule.id)
    return AccessRules(
        version=1, site="hq", door="front", people=people, profiles={"staff": profile}, schedules={schedule.id: schedule}
    )


def refused(known: AccessRules, key: str = FOB) -> Reason | None:
    return may_pass(known, key, NOW, by_time=False).refused


def test_who_is_bound_to_no_hour_and_no_day_passes() -> None:
    assert refused(rules(ALWAYS)) is None


@pytest.mark.parametrize(
    "known",
    [
        rules(OFFICE),
        rules(ALWAYS, credential={"valid_until": NOW + timedelta(days=900)}),
        rules(ALWAYS, credential={"valid_from": NOW - timedelta(days=900)}),
        rules(ALWAYS, holder={"valid_until": NOW + timedelta(days=900)}),
        rules(ALWAYS, holder={"visitor": True}),
    ],
    ids=["hours", "a fob that ends", "a fob that begins", "a person who leaves", "a visitor"],
)
def test_who_is_bound_to_days_or_hours_does_not(known: AccessRules) -> None:
    assert refused(known) is Reason.TIME_UNKNOWN


def test_what_needs_no_clock_is_said_as_ever() -> None:
    assert refused(rules(OFFICE, credential={"state": "stolen"})) is Reason.CREDENTIAL_STOLEN
    assert refused(rules(OFFICE, holder={"suspended": True})) is Reason.CARDHOLDER_SUSPENDED
    assert refused(rules(OFFICE), "H10301:1:1") is Reason.UNKNOWN_CREDENTIAL
    elsewhere = AccessProfile(id="staff", doors=("back",), schedule="always")
    known = AccessRules(
        version=1, site="hq", door="front", people=rules(ALWAYS).people, profiles={"staff": elsewhere}, schedules={}
    )
    assert refused(known) is Reason.NO_PROFILE_FOR_DOOR


def test_a_schedule_is_always_open_only_if_no_day_and_no_hour_is_left_out() -> None:
    assert is_always(ALWAYS)
    assert not is_always(OFFICE)
    assert not is_always(Schedule(id="x", zone="UTC", intervals=WHOLE_WEEK, holidays=(date(2026, 12, 25),)))
    assert not is_always(Schedule(id="x", zone="UTC", intervals=WHOLE_WEEK, last_day=date(2030, 1, 1)))
    assert not is_always(Schedule(id="x", zone="UTC", intervals=WHOLE_WEEK[:1]))


# -- commands ------------------------------------------------------------------------------------------------------------------------

IN_1970 = datetime(1970, 1, 1, tzinfo=timezone.utc)
LIMITS = CommandLimits(max_valid_s=10.0, started=IN_1970)


def given(
    name: str, *, retained: bool = False, seen: SeenCommands | None = None, live: bool = False, valid_s: float = 10.0
) -> str:
    """'' where it is obeyed, else why not; by a door that stands in 1970."""
    order = {"id": "4f9e1c2a", "issued": NOW.isoformat(), "expires": (NOW + timedelta(seconds=valid_s)).isoformat()}
    levels = ("doorward", "hq", "front", "cmd", "guard-1", name)
    answer = admit(
        levels, json.dumps(order).encode(), retained, IN_1970, seen or SeenCommands(), LIMITS, by_time=False, live=live
    )
    return "" if isinstance(answer, Command) else answer.reason


@pytest.mark.parametrize("name", NAMES)
def test_what_keeps_a_door_shut_is_obeyed_and_what_opens_it_is_not(name: str) -> None:
    assert given(name) == ("" if name in SAFE_WHENEVER else "time_unknown")
    assert ("unlock" in name or name in ("release", "lock_open", "forgive")) <= (name not in SAFE_WHENEVER)


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_over_a_connection_that_stood_for_a_while_is_of_now_and_obeyed(name: str) -> None:
    assert given(name, live=True) == ""
    assert given(name, live=True, retained=True) == "retained"
    assert (given(name, live=True, valid_s=60.0) == "too_long_lived") is (name not in SAFE_WHENEVER)


def test_what_a_network_repeats_or_keeps_is_still_refused() -> None:
    seen = SeenCommands()
    assert given("lockdown", seen=seen) == ""
    assert given("lockdown", seen=seen) == "repeated"
    assert given("lockdown", retained=True) == "retained"
