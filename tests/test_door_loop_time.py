"""Times that cannot be: a clock that jumped, a frame stamped with nothing. The door neither believes them nor waits for them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.door_items import Edge
from tests.core.people import face, view_of
from tests.door_under_test import OWNER_FOB, UNKNOWN_FOB, DoorUnderTest


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DoorUnderTest]:
    made = DoorUnderTest(tmp_path)
    yield made
    made.close()


def owner_seen_at(at_s: float):
    return view_of(face(embedded_s=at_s), taken_s=at_s)


@pytest.mark.parametrize("impossible", [math.nan, math.inf])
def test_a_picture_of_no_time_does_not_shut_out_those_that_follow(door, impossible):
    door.see(msgspec.structs.replace(owner_seen_at(door.clock.now_s), taken_s=impossible))
    door.see(owner_seen_at(door.clock.now_s))
    door.read(OWNER_FOB)
    assert door.decisions() == [(True, ["face_match"])]


def test_a_fob_stamped_with_a_later_hour_gets_its_answer_within_the_policys_waits(door):
    """Else such reads would wait for that hour, and eight of them would fill the door."""
    start_s = door.clock.now_s + 3600.0
    for n, bit in enumerate(OWNER_FOB):
        door.send(Edge("front", int(bit), start_s + n / 1000))
    for n, bit in enumerate(UNKNOWN_FOB):  # silence is measured by the edges' own times
        door.send(Edge("front", int(bit), start_s + 1.0 + n / 1000))
    door.after(0.6)
    assert door.decisions() == [(False, ["vision_missing"])]
