"""Whoever left is known to no door by face or PIN after the night, in SQLite and in a real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from central.people.people import People
from central.people.turnover import Turnover
from tests.central.people.a_centre import FOB, NOW, Centre
from tests.central.people.test_people import enrol, issued


@pytest.fixture
def centre(tmp_path: Path, engine: Engine) -> Centre:
    return Centre(tmp_path, engine)


@pytest.fixture
def night(centre: Centre) -> Turnover:
    """NOW is half past eight in the morning; what was to be done last night is done."""
    night = Turnover(centre.people, "03:10", timezone.utc)
    night.turn()
    return night


def changed(people: People, since: int) -> set[str]:
    with people.glance() as glance:
        profiles = frozenset({"staff"})
        found = glance.changed(profiles, since, profiles)
        assert found is not None
        return {*found.keys}


def test_whose_time_ran_out_is_told_to_doors_in_the_night_without_face_and_pin(centre: Centre, night: Turnover) -> None:
    centre.holder("holder-1", FOB, pin="1234", valid_until=NOW + timedelta(hours=1))
    centre.holder("holder-2", "H10301:2:2", pin="1234", valid_until=NOW + timedelta(days=2))
    enrol(centre, "holder-1", 2)
    before = centre.people.revision
    assert issued(centre)["holder-1"].cardholder.templates
    centre.clock.pass_by(hours=2)
    assert (night.turn(), centre.people.revision) == (0, before)  # by day nothing is told: the door refuses by its own clock
    centre.clock.pass_by(hours=18)
    assert (night.turn(), centre.people.revision) == (1, before + 1)
    assert changed(centre.people, before) == {FOB}
    assert (issued(centre)["holder-1"].cardholder.templates, issued(centre)["holder-1"].cardholder.pin) == ((), "")
    assert issued(centre)["holder-2"].cardholder.pin == "1234"
    assert ("people.time_over", "") in centre.on_record()
    assert night.turn() == 0


def test_a_night_on_which_nobody_left_makes_no_bundle(centre: Centre, night: Turnover) -> None:
    centre.holder("holder-1", FOB, valid_until=NOW + timedelta(hours=1))  # nothing secret of them is at a door
    centre.holder("holder-2", "H10301:2:2", pin="1234", valid_from=NOW + timedelta(hours=1))  # doors know when it begins
    before = centre.people.revision
    centre.clock.pass_by(days=1)
    assert (night.turn(), centre.people.revision) == (0, before)
    assert issued(centre)["holder-2"].cardholder.pin == "1234"


def test_nights_on_which_the_centre_did_not_run_are_made_up_for(centre: Centre, night: Turnover) -> None:
    centre.holder("holder-1", FOB, pin="1234", valid_until=NOW + timedelta(hours=1))
    centre.clock.pass_by(days=9)
    assert Turnover(centre.people, "03:10", ZoneInfo("Europe/Berlin")).turn() == 1


@pytest.mark.parametrize(("at", "hours"), [("03:10", 17), ("00:00", 14), ("24:00", 14), ("09:31", 0)])
def test_the_hour_is_that_of_the_sites_clocks(tmp_path: Path, at: str, hours: int) -> None:
    """NOW is 09:30 in Berlin."""
    centre = Centre(tmp_path)
    night = Turnover(centre.people, at, ZoneInfo("Europe/Berlin"))
    night.turn()
    centre.holder("holder-1", FOB, pin="1234", valid_until=NOW + timedelta(seconds=1))
    centre.clock.pass_by(hours=hours, seconds=10)
    assert night.turn() == 0
    centre.clock.pass_by(hours=1)
    assert night.turn() == 1
