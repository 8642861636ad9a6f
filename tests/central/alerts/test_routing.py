"""Who is on duty, and when somebody sleeps."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.alerts.alert import Alert
from central.alerts.routing import Duty, Hours, Recipient, Route, Shift, is_on_duty, is_quiet, route_of, told_at
from tests.central.alerts.house import NOW

GUARDS = [Recipient(account="here", role="guard", sites=("hq",)), Recipient(account="there", role="guard", sites=("depot",)),
          Recipient(account="boss", role="manager")]  # fmt: skip


def alert(**told: object) -> Alert:
    base = {"site": "hq", "door": "front", "subject": "door.held", "kind": "door.held", "severity": "high", "title": "", "sentence": "",
            "at": NOW, "newest_at": NOW, "state": "open", "tells": ("guards",)}  # fmt: skip
    return Alert(**(base | told))  # type: ignore[arg-type]


def test_a_night_lasts_into_the_next_day() -> None:
    night = Duty(account="a", hours=(Hours(days=(4,), begin="22:00", end="06:00"),), timezone="Europe/Berlin")
    friday = datetime(2026, 3, 6, 22, 30, tzinfo=timezone.utc)
    assert is_on_duty(night, None, friday)
    assert is_on_duty(night, None, friday + timedelta(hours=6))
    assert not is_on_duty(night, None, friday + timedelta(hours=7))
    assert not is_on_duty(night, None, friday + timedelta(days=1))


def test_the_switch_counts_more_than_the_roster() -> None:
    always = (Hours(begin="00:00", end="24:00"),)
    assert is_on_duty(Duty(account="a", hours=always), None, NOW)
    assert not is_on_duty(Duty(account="a", hours=always, switch="off"), None, NOW)
    assert is_on_duty(Duty(account="a", switch="on"), None, NOW)
    assert not is_on_duty(None, None, NOW)


def test_a_shift_counts_once() -> None:
    duty = Duty(account="a", shifts=(Shift(begin=NOW, end=NOW + timedelta(hours=8)),))
    assert is_on_duty(duty, None, NOW)
    assert not is_on_duty(duty, None, NOW + timedelta(hours=8))


def test_who_is_on_duty_for_a_zone_is_rung_for_it_and_for_what_names_none() -> None:
    duty = Duty(account="a", switch="on", zones=("lobby",))
    assert is_on_duty(duty, alert(zone="lobby"), NOW)
    assert is_on_duty(duty, alert(zone=""), NOW)
    assert not is_on_duty(duty, alert(zone="vault"), NOW)


@pytest.mark.parametrize(("step", "who"), [(0, []), (1, ["here"]), (2, ["boss", "here"]), (3, ["boss", "here"])])
def test_each_step_reaches_more_people_of_the_site(step: int, who: list[str]) -> None:
    assert told_at(step, alert(), Route(), GUARDS, {}, NOW) == who


@given(st.integers(0, 3), st.sets(st.sampled_from(["here", "there", "boss"])))
def test_a_further_step_leaves_nobody_out(step: int, on: set[str]) -> None:
    duties = {each: Duty(account=each, switch="on") for each in on}
    assert set(told_at(step, alert(), Route(), GUARDS, duties, NOW)) <= set(
        told_at(step + 1, alert(), Route(), GUARDS, duties, NOW)
    )


def test_the_first_route_that_fits_counts() -> None:
    routes = (Route(kinds=("camera.*",)), Route(doors=("hq/front",), to=("boss",)), Route())
    assert route_of(routes, alert(), NOW).to == ("boss",)
    assert route_of(routes, alert(subject="camera.tamper"), NOW).kinds == ("camera.*",)
    assert route_of((), alert(), NOW) == Route()


def test_quiet_hours_let_the_worst_through() -> None:
    duty = Duty(account="a", quiet=(Hours(begin="08:00", end="09:00"),))
    assert is_quiet(duty, "high", "critical", NOW)
    assert not is_quiet(duty, "critical", "critical", NOW)
    assert not is_quiet(duty, "high", "critical", NOW + timedelta(hours=1))
