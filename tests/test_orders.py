"""Orders from people and from the clock: modes by command, what survives, and an unlock schedule that somebody interrupts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gpiozero import OutputDevice

from agent.core.clock_watch import ClockNews
from agent.core.feedback import Meaning
from agent.core.messages import DoorMode
from agent.door_items import ClockTold
from tests.door_under_test import DOOR_RULES, DoorUnderTest
from tests.house import FOB_ALONE, fob, house_rules, last, order, walk_in

Make = Callable[..., DoorUnderTest]
TWO_WAYS = {"front": "in", "inner": "out"}
TO_OPENING_S, OPENING_LASTS_S = 1790.0, 3600.0
"""The door of the house starts ten seconds after nine; its opening hours are 9:30 to 10:30."""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[DoorUnderTest] = []

    def build(how: Any = None, **entry: Any) -> DoorUnderTest:
        made.append(DoorUnderTest(tmp_path, FOB_ALONE, house_rules(**entry), leads=TWO_WAYS, **(how or {})))
        made[-1].press("contact", False)
        return made[-1]

    yield build
    for door in made:
        door.close()


def stands(door: DoorUnderTest) -> tuple[str, str, bool]:
    """The published mode and lock, and whether the lock has really let go."""
    return door.told.states["mode"], door.told.states["lock"], door.lock.released


FREE, HELD = ("Unlocked", "released", True), ("Locked", "secured", False)


# -- modes by command --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hold_unlocked", ("Unlocked", "released", True)),
        ("lock_open", ("LockedOpen", "released", True)),
        ("block", ("Blocked", "secured", False)),
        ("lockdown", ("LockedDown", "secured", False)),
    ],
)
def test_a_mode_by_command_is_done_answered_published_and_on_record(make, name, expected):
    door = make()
    assert order(door, name) == (True, "done")
    assert stands(door) == expected
    changed = last(door, "mode.changed")
    assert (changed["mode"], changed["by"]) == (expected[0], "guard-1")
    assert last(door, "command.done")["command"] == name


@pytest.mark.parametrize(("name", "ended_by"), [("hold_unlocked", "lock"), ("lock_open", "release"), ("block", "release"),
                                                ("lockdown", "release")])  # fmt: skip
def test_a_mode_by_command_ends_by_the_command_that_ends_it(make, name, ended_by):
    door = make()
    order(door, name)
    assert order(door, ended_by) == (True, "done")
    assert stands(door) == HELD
    assert walk_in(door, "ann")[0]


@pytest.mark.parametrize("name", ["lock", "hold_unlocked", "block"])
def test_a_door_that_is_locked_open_is_released_first(make, name):
    door = make()
    order(door, "lock_open")
    assert order(door, name) == (False, "the door is LockedOpen: release it first")
    assert stands(door) == ("LockedOpen", "released", True)
    assert last(door, "command.refused")["command"] == name


@pytest.mark.parametrize("name", ["hold_unlocked", "lock_open", "block", "unlock"])
def test_a_lock_down_is_released_first(make, name):
    door = make()
    order(door, "lockdown")
    assert order(door, name) == (False, "the door is LockedDown: release it first")
    assert stands(door) == ("LockedDown", "secured", False)


@pytest.mark.parametrize("name", ["hold_unlocked", "lock_open", "block"])
def test_a_lock_down_comes_before_every_other_mode(make, name):
    door = make()
    order(door, name)
    assert order(door, "lockdown") == (True, "done")
    assert stands(door) == ("LockedDown", "secured", False)


@pytest.mark.parametrize("name", ["hold_unlocked", "lock_open"])
def test_a_door_that_stands_free_is_let_go_again_and_again_and_nobody_forces_it(make, name):
    door, pulses = make(), []
    order(door, name)
    pulse = door.lock.pulse
    door.lock.pulse = lambda seconds: (pulses.append(seconds), pulse(seconds))
    for _ in range(5):
        door.after(2.0)
    door.press("contact", True)
    assert len(pulses) == 5
    assert door.told.states["alarm"] == "none"
    door.after(120.0)
    assert not [kind for kind in door.kinds("door.") if kind in ("door.forced", "door.warned", "door.held")]


@pytest.mark.parametrize("name", ["hold_unlocked", "lock_open"])
def test_a_restart_ends_a_mode_that_stands_free(make, name):
    door = make()
    order(door, name)
    again = door.restart()
    again.press("contact", False)
    assert stands(again) == HELD
    again.close()


def test_a_fob_at_a_door_that_stands_free_is_answered_and_the_door_stays_free(make):
    door = make()
    order(door, "hold_unlocked")
    assert walk_in(door, "ann")[0]
    assert stands(door) == FREE
    assert door.kinds("access.") == ["access.granted"]


def test_a_lock_down_during_an_opening_holds_at_once(make):
    door = make()
    door.read(fob("ann"))
    order(door, "lockdown")
    assert stands(door) == ("LockedDown", "secured", False)


def test_a_door_that_is_opened_after_a_lock_down_took_its_grant_away_was_forced(make):
    door = make()
    door.read(fob("ann"))
    order(door, "lockdown")
    door.after(1.0)
    door.press("contact", True)
    assert door.told.states["alarm"] == "forced"


def test_an_opening_by_a_guard_is_shown_as_one(make):
    door = make()
    order(door, "unlock")
    assert door.shown is Meaning.GRANTED
    assert stands(door) == ("Accessed", "released", True)


def test_a_person_is_told_that_help_is_coming(make):
    door = make()
    assert order(door, "assist") == (True, "done")
    assert door.shown is Meaning.HELP_IS_COMING
    assert last(door, "command.done")["command"] == "assist"
    assert not door.lock.released


def test_each_order_is_answered_once(make):
    door = make()
    for name in ("assist", "forgive", "unlock", "lock", "hold_unlocked", "lock", "block", "release", "lockdown", "release"):
        order(door, name)
    assert len(door.told.results) == len(door.kinds("command.")) == 10
    assert all(ok for _, ok, _ in door.told.results)


def test_an_order_to_lock_while_somebody_is_leaving_ends_what_was_granted_to_somebody_coming_in(make):
    door = make()
    door.read(fob("ann"))
    door.press("rex", True)
    door.press("rex", False)
    order(door, "lock")
    assert door.lock.released
    door.after(5.0)
    assert stands(door) == HELD


@pytest.mark.parametrize("name", ["lockdown", "block"])
def test_the_first_of_two_does_not_come_in_with_one_whom_a_lock_down_lets_pass(make, name):
    door = make(two_person="always")
    walk_in(door, "ann")
    order(door, name)
    if name == "block":
        order(door, "release")
    assert not walk_in(door, "medic")[0]
    assert not door.lock.released


# -- a relay that cannot be driven ---------------------------------------------------------------------------------------------------


@pytest.fixture
def stuck(make, monkeypatch):
    door = make()

    def value(output, level):
        raise OSError("relay stuck")

    monkeypatch.setattr(OutputDevice, "value", OutputDevice.value.setter(value))
    yield door
    monkeypatch.undo()


def test_nobody_is_shown_that_a_door_is_open_whose_relay_did_not_move(stuck):
    stuck.read(fob("ann"))
    assert "relay stuck" in last(stuck, "lock.fault")["error"]
    assert stuck.shown is Meaning.OUT_OF_ORDER


def test_a_guards_unlock_that_did_not_move_the_relay_is_not_shown_as_open(stuck):
    ok, reason = order(stuck, "unlock")
    assert not ok
    assert "relay stuck" in reason
    assert stuck.shown is not Meaning.GRANTED


# -- unlock schedule -----------------------------------------------------------------------------------------------------------------


def test_a_door_stands_unlocked_between_the_borders_of_its_hours(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S - 1.0)
    assert stands(door) == HELD
    door.after(1.0)
    assert stands(door) == FREE
    door.after(OPENING_LASTS_S - 1.0)
    assert stands(door) == FREE
    door.after(1.0)
    assert stands(door) == HELD
    assert [data["by"] for kind, data in door.events if kind == "mode.changed"] == ["schedule", "schedule"]


TOLD = ClockTold(ClockNews("clock.synchronised", {"offset_s": 1.0, "moved_s": 0.0}))


def test_no_door_stands_unlocked_by_a_clock_that_may_be_anything(make):
    door = make(unlock_schedule="opening")
    door.knows_the_time = False
    door.after(TO_OPENING_S + 60.0)
    assert stands(door) == HELD
    door.inbox.put(TOLD)
    door.after(0.1)
    assert stands(door) == HELD
    door.knows_the_time = True
    door.inbox.put(TOLD)
    door.after(0.1)
    assert stands(door) == FREE
    door.knows_the_time = False
    door.after(61.0)
    assert stands(door) == HELD, "the clock was set while nobody kept it right"


def test_the_hours_begin_by_themselves_when_nothing_else_happens(make):
    """The loop wakes up for them: the border is among its deadlines."""
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S - 30.0)
    left_s = 30.0 - (door.clock.now_s - (TO_OPENING_S - 30.0)) + 10.0
    assert door.loop._hours.due_s <= door.clock.now_s + left_s
    assert door.loop._hours.due_s > door.clock.now_s


def test_a_clock_that_is_set_ahead_is_noticed_within_a_minute(make):
    door = make(unlock_schedule="opening")
    wall = door.clock.wall
    door.clock.wall = lambda: wall() + timedelta(hours=1)
    door.after(61.0)
    assert stands(door) == FREE


def test_a_guard_who_locks_in_the_hours_is_obeyed_until_the_next_ones(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S)
    assert order(door, "lock") == (True, "done")
    assert stands(door) == HELD
    for _ in range(10):
        door.after(300.0)
    assert stands(door) == HELD
    door.after(600.0)  # they end
    door.after(24 * 3600.0 - 3600.0)
    assert stands(door) == FREE


def test_a_lock_down_in_the_hours_holds_and_its_release_gives_the_door_back_to_them(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S)
    order(door, "lockdown")
    door.after(600.0)
    assert stands(door) == ("LockedDown", "secured", False)
    order(door, "release")
    assert stands(door) == FREE


def test_hours_that_begin_in_a_lock_down_begin_with_its_release(make):
    door = make(unlock_schedule="opening")
    order(door, "lockdown")
    door.after(TO_OPENING_S + 60.0)
    assert stands(door) == ("LockedDown", "secured", False)
    order(door, "release")
    assert stands(door) == FREE


def test_hours_that_end_in_a_lock_down_do_not_come_back_with_its_release(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S)
    order(door, "lockdown")
    door.after(OPENING_LASTS_S)
    order(door, "release")
    assert stands(door) == HELD


def test_what_a_person_holds_unlocked_stays_so_when_the_hours_end(make):
    door = make(unlock_schedule="opening")
    order(door, "hold_unlocked")
    door.after(TO_OPENING_S)
    door.after(OPENING_LASTS_S)
    assert stands(door) == FREE
    order(door, "lock")
    assert stands(door) == HELD


def test_a_restart_in_the_hours_finds_the_door_unlocked(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S + 60.0)
    again = door.restart()
    again.press("contact", False)
    assert stands(again) == FREE
    again.after(OPENING_LASTS_S)
    assert stands(again) == HELD
    again.close()


def test_a_restart_in_a_lock_down_in_the_hours_finds_the_door_locked_down(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S)
    order(door, "lockdown")
    again = door.restart()
    again.press("contact", False)
    assert stands(again) == ("LockedDown", "secured", False)
    again.close()


def test_a_guard_who_locked_in_the_hours_is_still_obeyed_after_a_restart(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S)
    order(door, "lock")
    again = door.restart()
    again.press("contact", False)
    assert stands(again) == HELD
    again.after(600.0)
    assert stands(again) == HELD
    again.close()


def test_release_gives_a_door_that_a_guard_locked_back_to_its_hours(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S)
    order(door, "lock")
    assert order(door, "release") == (True, "done")
    assert stands(door) == FREE


def test_somebody_inside_the_doorway_at_the_end_of_the_hours_makes_no_alarm(make):
    door = make(unlock_schedule="opening")
    door.after(TO_OPENING_S)
    door.after(OPENING_LASTS_S - 5.0)
    door.press("contact", True)
    door.after(6.0)
    assert door.told.states["mode"] == "Locked"
    assert door.told.states["alarm"] == "none"
    door.press("contact", False)
    assert "door.forced" not in door.kinds()


# -- first card ----------------------------------------------------------------------------------------------------------------------

FIRST_CARD = {"unlock_schedule": "opening", "first_card": True}


def test_hours_that_wait_for_a_first_card_begin_with_somebody_who_may_begin_them(make):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S)
    assert stands(door) == HELD
    door.after(5.0)
    assert door.told.states["health"]["awaits_first_card"]
    assert walk_in(door, "ann")[0]
    assert stands(door) == HELD
    assert walk_in(door, "keeper")[0]
    door.after(60.0)
    assert stands(door) == FREE
    door.after(OPENING_LASTS_S)
    assert stands(door) == HELD


def test_the_first_card_unlocks_at_once_and_not_a_minute_later(make):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S)
    walk_in(door, "keeper")
    assert stands(door) == FREE


def test_a_card_before_the_hours_begins_nothing(make):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S - 60.0)
    walk_in(door, "keeper")
    door.after(120.0)
    assert stands(door) == HELD


def test_a_card_that_leads_out_begins_nothing(make):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S)
    walk_in(door, "keeper", "inner")
    door.after(60.0)
    assert stands(door) == HELD


@pytest.mark.parametrize("name", ["lock", "lockdown"])
def test_an_order_to_lock_takes_another_first_card(make, name):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S)
    walk_in(door, "keeper")
    door.after(60.0)
    order(door, name)
    if name == "lockdown":
        order(door, "release")
    door.after(60.0)
    assert stands(door) == HELD
    walk_in(door, "keeper")
    door.after(60.0)
    assert stands(door) == FREE


def test_a_restart_in_hours_that_were_begun_finds_the_door_unlocked_and_in_those_that_were_not_locked(make):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S)
    not_begun = door.restart()
    not_begun.press("contact", False)
    assert stands(not_begun) == HELD
    walk_in(not_begun, "keeper")
    begun = not_begun.restart()
    begun.press("contact", False)
    begun.after(60.0)
    assert stands(begun) == FREE
    begun.after(OPENING_LASTS_S)
    assert stands(begun) == HELD
    begun.after(24 * 3600.0 - OPENING_LASTS_S)
    assert stands(begun) == HELD
    begun.close()


def test_an_order_to_lock_is_still_obeyed_after_a_restart_where_a_first_card_is_asked_for(make):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S)
    walk_in(door, "keeper")
    door.after(60.0)
    order(door, "lock")
    again = door.restart()
    again.press("contact", False)
    assert stands(again) == HELD
    again.close()


def test_an_order_to_lock_while_somebody_is_leaving_is_still_obeyed_after_a_restart(make):
    door = make(**FIRST_CARD)
    door.after(TO_OPENING_S)
    walk_in(door, "keeper")
    assert stands(door) == FREE
    door.press("rex", True)
    door.press("rex", False)
    assert order(door, "lock") == (False, "somebody is leaving: the lock holds when that is over")
    door.after(6.0)
    assert stands(door) == HELD
    again = door.restart()
    again.press("contact", False)
    again.after(60.0)
    assert stands(again) == HELD
    again.close()


def test_the_second_of_two_unlocks_where_the_first_may_begin_the_hours(make):
    door = make(**FIRST_CARD, two_person="always")
    door.after(TO_OPENING_S)
    walk_in(door, "keeper")
    assert stands(door) == HELD
    walk_in(door, "ann")
    door.after(60.0)
    assert stands(door) == FREE


# -- relocking -----------------------------------------------------------------------------------------------------------------------


def test_a_door_that_does_not_relock_when_it_opens_relocks_when_it_shuts(make):
    rules = type(DOOR_RULES)(held_open_s=30.0, rex_pulse_s=5.0, relock_on_open=False, fire_releases=False)
    door = make(how={"door_rules": rules})
    door.read(fob("ann"))
    door.press("contact", True)
    assert door.lock.released
    door.press("contact", False)
    assert stands(door) == HELD
    assert last(door, "lock.secured")["why"] == "closed"


def test_whoever_needs_longer_has_longer(make):
    door = make()
    walk_in(door, "bob")
    granted = last(door, "access.granted")
    assert (granted["extended"], granted["pulse_s"]) == (True, FOB_ALONE.extended_pulse_s)


def test_the_saved_mode_is_what_stands(make):
    door = make()
    for name in ("block", "release", "lockdown"):
        order(door, name)
    assert door.saved == [DoorMode.BLOCKED, DoorMode.LOCKED, DoorMode.LOCKED_DOWN]
