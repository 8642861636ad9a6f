"""Credentials that wait: frames that turn out to have been longer, and many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.cases import MAX_CASES
from agent.core.feedback import Meaning
from agent.core.messages import DoorMode
from agent.core.people import Cardholder, Credential, Roll
from agent.door_items import Edge
from tests.core.frames import BUILDERS
from tests.door_under_test import OWNER_FOB, DoorUnderTest, policy_with, rules
from tests.house import FOB_ALONE, fob, house_rules, order, walk_in

Make = Callable[..., DoorUnderTest]
TWO_WAYS = {"front": "in", "inner": "out"}
IN_THE_HOURS_S = 1800.0
FIRST_CARD = {"unlock_schedule": "opening", "first_card": True}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[DoorUnderTest] = []

    def build(policy: Any = FOB_ALONE, access: Any = None, **entry: Any) -> DoorUnderTest:
        made.append(DoorUnderTest(tmp_path, policy, access or house_rules(**entry), leads=TWO_WAYS))
        made[-1].press("contact", False)
        return made[-1]

    yield build
    for door in made:
        door.close()


def surplus_bit(door: DoorUnderTest, reader: str = "front") -> None:
    """One more bit comes behind what was taken for a whole frame."""
    door.clock.now_s += 0.002
    door.send(Edge(reader, 1, door.clock.now_s))
    door.after(0.2)


@pytest.fixture
def no_vision(make: Make) -> DoorUnderTest:
    """The owner of `OWNER_FOB` is let in by fob alone when vision has been silent for half a second."""
    return make(policy=policy_with(without_vision="fob_alone"), access=rules())


def test_a_frame_that_was_longer_is_not_let_in_when_its_wait_for_a_face_is_over(no_vision):
    no_vision.read(OWNER_FOB)
    surplus_bit(no_vision)
    no_vision.after(2.0)
    assert not no_vision.lock.released
    assert no_vision.kinds("access.") == []
    assert no_vision.kinds("reader.") == ["reader.fault"]


def test_whoever_holds_the_fob_out_again_after_it_was_misread_is_asked_to_look_and_let_in(no_vision):
    no_vision.read(OWNER_FOB)
    surplus_bit(no_vision)
    assert no_vision.shown is Meaning.TRY_AGAIN
    no_vision.after(0.5)
    no_vision.read(OWNER_FOB)
    assert no_vision.shown is Meaning.LOOK_AT_CAMERA
    no_vision.after(1.0)
    assert no_vision.lock.released


def test_a_frame_that_was_longer_is_no_first_of_two(make):
    door = make(two_person="always")
    door.read(fob("ann"))
    surplus_bit(door)
    assert walk_in(door, "bob") == (False, ["second_person_needed"])
    assert walk_in(door, "ann")[0]


def test_a_frame_that_was_longer_begins_no_opening_hours(make):
    door = make(**FIRST_CARD)
    door.after(IN_THE_HOURS_S)
    door.read(fob("keeper"))
    surplus_bit(door)
    door.after(61.0)
    assert door.loop.state.mode is DoorMode.LOCKED
    assert not door.lock.released
    walk_in(door, "keeper")
    assert door.loop.state.mode is DoorMode.UNLOCKED


def test_a_frame_that_was_longer_at_an_open_door_leaves_nobody_inside(make):
    door = make(passback="hard")
    door.press("rex", True)
    door.press("contact", True)
    door.read(fob("ann"))
    surplus_bit(door)
    door.press("contact", False)
    assert walk_in(door, "ann")[0]


@pytest.mark.parametrize("how", ["schedule", "person"])
def test_a_frame_that_was_longer_ends_no_opening_hours_and_no_persons_order(make, how):
    door = make(**({"unlock_schedule": "opening"} if how == "schedule" else {}))
    door.after(IN_THE_HOURS_S)
    if how == "person":
        order(door, "hold_unlocked")
    door.read(fob("ann"))
    surplus_bit(door)
    assert door.loop.state.mode is DoorMode.UNLOCKED
    assert door.lock.released


def test_whoever_leaves_is_let_out_however_many_wait_outside(make):
    many = [Cardholder(id=f"holder-{number}", profiles=("vault",), pin="86420975") for number in range(MAX_CASES)]
    cards = [Credential(key=f"H10301:1:{100 + number}", cardholder=holder.id) for number, holder in enumerate(many)]
    door = make(access=replace(house_rules(), people=Roll(many, cards)))
    for number in range(MAX_CASES):
        door.read(BUILDERS["H10301"][2](1, 100 + number))
        door.after(0.05)
    door.read(fob("nobody"))
    door.after(0.05)
    assert "too_many_waiting" in [data["fault"] for kind, data in door.events if kind == "reader.fault"]
    door.read(fob("nobody"), "inner")
    assert door.lock.released
    assert door.decisions() == [(True, ["leaving", "unknown_credential"])]
