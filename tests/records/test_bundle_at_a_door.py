"""A door that reads its people from real bundles: who passes changes between two fobs, and never because of what happens to a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.core.access import AccessRules
from agent.core.people import Roll
from agent.core.withdrawn import WithdrawnRoll
from agent.door_items import NewRules
from agent.records.people_file import SealedRoll
from tests.core.people import MODEL, OWNER, STRANGER, face, view_of
from tests.door_under_test import OWNER_FOB, UNKNOWN_FOB, DoorUnderTest
from tests.door_under_test import rules as plain
from tests.records.bundles import read, write


def sealed(path: Path, version: int, **changes: str) -> AccessRules:
    """The rules of the door under test, by way of a file."""
    wanted = plain(**changes)
    assert isinstance(wanted.people, Roll)
    write(path, replace(wanted, version=version), wanted.people)
    return read(path).rules


@pytest.fixture
def door(tmp_path: Path):
    door = DoorUnderTest(tmp_path, access=sealed(tmp_path / "b", 1))
    yield door
    door.close()


def see(door: DoorUnderTest, whom: bytes) -> None:
    now_s = door.clock.now_s
    door.see(view_of(face(whom, embedded_s=now_s), taken_s=now_s))


def test_the_owner_is_known_by_a_template_of_signed_bytes(door: DoorUnderTest) -> None:
    see(door, OWNER)
    door.read(OWNER_FOB)
    assert door.lock.released
    (event,) = [data for kind, data in door.events if kind == "access.granted"]
    assert (event["cardholder"], event["embedder"]) == ("cardholder-1", MODEL)
    assert event["match"]["score"] == pytest.approx(1.0, abs=1e-4)


def test_somebody_else_is_not_and_an_unknown_fob_is_nobodys(door: DoorUnderTest) -> None:
    see(door, STRANGER)
    door.read(OWNER_FOB)
    door.after(1.0)
    door.read(UNKNOWN_FOB)
    assert [reasons[0] for _, reasons in door.decisions()][-1] == "unknown_credential"
    assert not any(granted for granted, _ in door.decisions())


def test_a_fob_withdrawn_while_the_door_runs_is_refused_at_the_next_read(door: DoorUnderTest, tmp_path: Path) -> None:
    see(door, OWNER)
    door.send(NewRules(sealed(tmp_path / "b", 2, state="revoked")))
    door.read(OWNER_FOB)
    assert door.decisions() == [(False, ["credential_revoked"])]
    assert ("bundle.applied", {"version": 2, "credentials": 1}) in door.events


def test_a_file_cut_short_under_a_running_door_keeps_nobody_out(door: DoorUnderTest, tmp_path: Path) -> None:
    os.truncate(tmp_path / "b", 0)
    see(door, OWNER)
    door.read(OWNER_FOB)
    assert door.lock.released


def test_a_fob_withdrawn_beside_the_bundle_is_refused_at_the_next_read_and_that_is_on_record(
    door: DoorUnderTest, tmp_path: Path
) -> None:
    see(door, OWNER)
    in_force = sealed(tmp_path / "b", 1)
    assert isinstance(in_force.people, SealedRoll)
    hashed = in_force.people.hash_of("H10301:1:5283")
    taken: list[bool] = []
    people = WithdrawnRoll(in_force.people, in_force.people.hash_of, {hashed: "stolen"})
    door.send(NewRules(replace(in_force, people=people), 1, lambda: taken.append(True)))
    door.read(OWNER_FOB)
    assert door.decisions() == [(False, ["credential_stolen"])]
    assert ("bundle.withdrawn", {"version": 1, "withdrawn": 1}) in door.events
    assert taken == [True]
