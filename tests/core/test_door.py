"""The door: it lets go when asked, holds in time, never keeps anybody in, and tells what happened."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.core.door import (
    FREE_MODES,
    OPENING_GRACE_S,
    RENEW_S,
    ContactChanged,
    DoorAction,
    DoorInput,
    DoorRules,
    DoorState,
    FireChanged,
    Granted,
    Leaves,
    LockNow,
    OtherDoorChanged,
    Pulse,
    Release,
    Report,
    RexPressed,
    ScheduleSays,
    Secure,
    SetMode,
    Tick,
    next_deadline_s,
    step,
)
from agent.core.messages import DoorMode

STRIKE = DoorRules(held_open_s=30.0, rex_pulse_s=5.0, relock_on_open=True, fire_releases=False)
MAGLOCK = msgspec.structs.replace(STRIKE, fire_releases=True)
PATIENT = msgspec.structs.replace(STRIKE, relock_on_open=False)


class Door:
    """A door with a lock as the driver gives it: a longer pulse is not shortened, each ends by itself."""

    def __init__(self, rules: DoorRules = STRIKE, mode: DoorMode = DoorMode.LOCKED, closed: bool = True) -> None:
        self.rules = rules
        self.state = DoorState(mode=mode, open=False if closed else None)
        self.released_until_s = -math.inf
        self.told: list[Report] = []

    def feel(self, event: DoorInput) -> tuple[DoorAction, ...]:
        """One input; returns the actions."""
        self.state, actions = step(self.state, event, self.rules)
        for action in actions:
            if isinstance(action, Pulse):
                self.released_until_s = max(self.released_until_s, event.at_s + action.seconds)
            elif isinstance(action, Secure):
                self.released_until_s = min(self.released_until_s, event.at_s)
            else:
                self.told.append(action)
        return actions

    def wait(self, until_s: float) -> None:
        """Let time pass, with a tick at each deadline as the loop gives it."""
        for _ in range(1000):
            due_s = next_deadline_s(self.state, self.rules)
            if due_s is None or due_s > until_s:
                return
            self.feel(Tick(at_s=due_s))
            after_s = next_deadline_s(self.state, self.rules)
            assert after_s is None or after_s > due_s, "the loop would spin"
        pytest.fail("deadlines without end")

    def released(self, at_s: float) -> bool:
        return at_s < self.released_until_s

    def heard(self, kind: str) -> int:
        return sum(report.kind == kind for report in self.told)


def grant(at_s: float, seconds: float = 3.0) -> Granted:
    return Granted(at_s=at_s, seconds=seconds, by="holder-1")


def opens(at_s: float) -> ContactChanged:
    return ContactChanged(at_s=at_s, open=True)


def closes(at_s: float) -> ContactChanged:
    return ContactChanged(at_s=at_s, open=False)


def rex(at_s: float) -> RexPressed:
    return RexPressed(at_s=at_s)


def fire(at_s: float, active: bool = True) -> FireChanged:
    return FireChanged(at_s=at_s, active=active)


# -- in and out ----------------------------------------------------------------------------------------------------------------


def test_a_granted_person_is_let_in_and_the_door_holds_again_by_itself():
    door = Door()
    assert door.feel(grant(1.0)) == (Pulse(3.0),)
    assert door.state.mode is DoorMode.ACCESSED
    assert next_deadline_s(door.state, STRIKE) == 4.0
    assert door.feel(Tick(at_s=3.9)) == ()
    assert door.feel(Tick(at_s=4.0)) == (Secure(), Report("lock.secured", {"why": "time"}))
    assert door.state.mode is DoorMode.LOCKED
    assert next_deadline_s(door.state, STRIKE) is None


def test_the_lock_holds_as_soon_as_the_door_has_opened_so_that_it_latches_when_it_falls_shut():
    door = Door()
    door.feel(grant(1.0))
    assert door.feel(opens(1.5)) == (Secure(), Report("door.opened", {"at_start": False}))
    assert door.feel(closes(3.5)) == (
        Secure(),
        Report("door.closed", {"open_s": 2.0, "was_forced": False, "was_held": False}),
        Report("lock.secured", {"why": "closed"}),
    )
    assert door.state.mode is DoorMode.LOCKED


def test_a_door_that_does_not_relock_on_opening_holds_when_it_closes():
    door = Door(PATIENT)
    door.feel(grant(1.0))
    door.feel(opens(1.5))
    assert door.released(1.6)
    door.feel(closes(2.0))
    assert not door.released(2.0)
    assert door.state.mode is DoorMode.LOCKED


def test_a_door_without_a_contact_relocks_by_time():
    door = Door(closed=False)
    door.feel(grant(1.0))
    door.wait(3.9)
    assert door.released(3.9)
    door.wait(4.0)
    assert (door.released(4.0), door.state.mode) == (False, DoorMode.LOCKED)


def test_a_second_grant_prolongs_and_a_shorter_one_does_not_shorten():
    door = Door()
    door.feel(grant(1.0, 10.0))
    door.feel(grant(2.0, 3.0))
    door.wait(10.9)
    assert door.released(10.9)
    door.wait(11.0)
    assert not door.released(11.0)


@pytest.mark.parametrize("mode", [DoorMode.LOCKED_DOWN, DoorMode.BLOCKED])
def test_a_grant_does_not_move_a_locked_down_or_blocked_door(mode):
    door = Door(mode=mode)
    assert door.feel(grant(1.0)) == (Report("lock.refused", {"mode": mode.value, "by": "holder-1", "other_open": False}),)
    assert door.state.mode is mode


@pytest.mark.parametrize("mode", list(DoorMode))
def test_whoever_wants_out_gets_out_in_every_mode(mode):
    door = Door(mode=mode)
    assert door.feel(rex(1.0)) == (Pulse(5.0), Report("rex.pressed", {"pulse_s": 5.0}))
    door.wait(5.9)
    assert door.released(5.9)
    assert door.feel(opens(5.9))[-1] == Report("door.opened", {"at_start": False})


def test_leaving_does_not_end_a_lock_down():
    door = Door(mode=DoorMode.LOCKED_DOWN)
    door.feel(rex(1.0))
    door.feel(opens(2.0))
    door.feel(closes(3.0))
    door.wait(20.0)
    assert (door.state.mode, door.released(3.1)) == (DoorMode.LOCKED_DOWN, False)


def test_a_request_to_exit_while_the_door_still_stands_open_outlives_its_closing():
    """One person goes in; another inside presses the button behind the closing leaf."""
    door = Door()
    door.feel(grant(1.0))
    door.feel(opens(1.5))
    door.feel(rex(3.0))
    door.feel(closes(3.5))
    assert door.released(3.6)
    assert door.feel(opens(4.0))[-1] == Report("door.opened", {"at_start": False})
    door.feel(closes(5.0))
    assert (door.released(5.0), door.state.mode) == (False, DoorMode.LOCKED)


def test_a_request_to_exit_that_nobody_uses_ends():
    door = Door()
    door.feel(grant(1.0))
    door.feel(opens(1.5))
    door.feel(rex(3.0))
    door.feel(closes(3.5))
    door.wait(8.0)
    assert (door.released(8.0), door.state.mode) == (False, DoorMode.LOCKED)


# -- openings that nobody allowed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [DoorMode.LOCKED, DoorMode.LOCKED_DOWN, DoorMode.BLOCKED])
def test_an_opening_without_leave_is_a_forced_one(mode):
    door = Door(mode=mode)
    assert door.feel(opens(1.0)) == (Secure(), Report("door.forced", {"mode": mode.value}))
    assert door.feel(closes(2.0))[1] == Report("door.closed", {"open_s": 1.0, "was_forced": True, "was_held": False})


def test_a_leaf_that_was_moving_as_the_lock_held_again_is_not_forced():
    door = Door()
    door.feel(grant(1.0))
    door.wait(4.0)
    door.feel(opens(4.0 + OPENING_GRACE_S))
    assert (door.heard("door.opened"), door.heard("door.forced")) == (1, 0)


def test_an_opening_later_than_that_is_forced():
    door = Door()
    door.feel(grant(1.0))
    door.wait(4.0)
    door.feel(opens(4.0 + OPENING_GRACE_S + 0.01))
    assert door.heard("door.forced") == 1


def test_one_credential_is_good_for_one_opening():
    door = Door()
    door.feel(grant(1.0, 10.0))
    door.feel(opens(1.5))
    door.feel(closes(2.0))
    door.feel(opens(2.5))
    assert door.heard("door.forced") == 1


@pytest.mark.parametrize("held", [LockNow(at_s=2.0, by="guard"), SetMode(mode=DoorMode.LOCKED_DOWN, at_s=2.0, by="guard")])
def test_an_opening_after_the_lock_was_told_to_hold_is_forced(held):
    door = Door()
    door.feel(grant(1.0, 10.0))
    door.feel(held)
    door.feel(opens(4.0))
    assert door.heard("door.forced") == 1


def test_a_grant_while_the_door_stands_open_does_not_excuse_a_forcing_after_it_has_closed():
    door = Door()
    door.feel(grant(1.0))
    door.feel(opens(1.5))
    door.feel(grant(2.0, 10.0))
    door.feel(closes(3.0))
    door.feel(opens(6.0))
    assert door.heard("door.forced") == 1


@pytest.mark.parametrize("now_open", [True, False])
def test_how_the_door_stands_at_start_is_told_and_not_called_forced(now_open):
    door = Door(closed=False)
    door.feel(ContactChanged(at_s=0.1, open=now_open))
    assert door.told == [Report("door.opened" if now_open else "door.closed", {"at_start": True})]
    assert door.state.open is now_open


def test_a_door_that_stood_open_at_start_is_reported_when_it_stays_open():
    door = Door(closed=False)
    door.feel(opens(0.1))
    door.wait(31.0)
    assert door.heard("door.held") == 1


def test_a_door_held_open_is_told_once_and_again_only_after_it_was_closed():
    door = Door()
    door.feel(grant(1.0))
    door.feel(opens(2.0))
    door.wait(31.9)
    assert door.heard("door.held") == 0
    door.wait(500.0)
    assert door.heard("door.held") == 1
    assert door.feel(closes(600.0))[1] == Report("door.closed", {"open_s": 598.0, "was_forced": False, "was_held": True})
    door.feel(grant(700.0))
    door.feel(opens(701.0))
    door.wait(800.0)
    assert door.heard("door.held") == 2


def test_a_contact_that_says_the_same_again_says_nothing():
    door = Door()
    door.feel(grant(1.0))
    door.feel(opens(1.5))
    assert door.feel(opens(1.6)) == ()


# -- commands ------------------------------------------------------------------------------------------------------------------


def test_a_guard_can_end_a_grant():
    door = Door()
    door.feel(grant(1.0, 10.0))
    assert door.feel(LockNow(at_s=2.0, by="guard")) == (Secure(), Report("lock.secured", {"why": "command of guard"}))
    assert door.state.mode is DoorMode.LOCKED


def test_a_lock_down_holds_at_once_and_lasts_until_it_is_released():
    door = Door()
    door.feel(grant(1.0, 10.0))
    told = Report("mode.changed", {"mode": "LockedDown", "by": "guard", "open": False})
    assert door.feel(SetMode(mode=DoorMode.LOCKED_DOWN, at_s=2.0, by="guard")) == (Secure(), told)
    door.wait(1000.0)
    assert door.state.mode is DoorMode.LOCKED_DOWN
    assert door.feel(Release(at_s=1001.0, by="guard"))[0].data["mode"] == "Locked"
    assert door.feel(grant(1002.0)) == (Pulse(3.0),)


def test_a_door_that_was_blocked_can_be_released_too():
    """A block survives a restart; without this nothing but a file on the controller would end it."""
    door = Door(mode=DoorMode.BLOCKED)
    door.feel(Release(at_s=1.0, by="guard"))
    assert door.state.mode is DoorMode.LOCKED


def test_a_release_without_a_lock_down_changes_nothing():
    door = Door()
    assert door.feel(Release(at_s=1.0, by="guard")) == ()


@pytest.mark.parametrize("command", [LockNow(at_s=2.0, by="guard"), SetMode(mode=DoorMode.LOCKED_DOWN, at_s=2.0, by="guard")])
def test_no_command_cuts_somebody_who_is_leaving(command):
    door = Door()
    door.feel(rex(1.0))
    assert Secure() not in door.feel(command)
    door.wait(5.9)
    assert door.released(5.9)
    door.wait(6.0)
    assert not door.released(6.0)


def test_a_lock_down_waits_for_the_person_leaving_and_not_for_the_one_who_was_let_in():
    """The fob asked for ten seconds, the button for five: after five nobody is leaving any more."""
    door = Door()
    door.feel(grant(1.0, 10.0))
    door.feel(rex(1.0))
    door.feel(SetMode(mode=DoorMode.LOCKED_DOWN, at_s=2.0, by="guard"))
    door.wait(6.0)
    assert not door.released(6.0)


def test_a_request_to_exit_whose_time_is_over_holds_up_no_command():
    door = Door()
    door.feel(rex(1.0))
    door.feel(grant(2.0, 10.0))
    assert Secure() in door.feel(LockNow(at_s=6.0, by="guard"))


def test_somebody_who_has_left_does_not_hold_up_a_lock_down():
    door = Door()
    door.feel(rex(1.0))
    door.feel(opens(2.0))
    door.feel(closes(3.0))
    door.feel(grant(3.5))
    assert Secure() in door.feel(SetMode(mode=DoorMode.LOCKED_DOWN, at_s=4.0, by="guard"))


# -- fire ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(DoorMode))
def test_a_fire_lets_a_fail_safe_lock_go_for_as_long_as_it_lasts_in_every_mode(mode):
    door = Door(MAGLOCK, mode)
    assert door.feel(fire(1.0))[0] == Pulse(2 * RENEW_S)
    for second in range(2, 100):
        door.wait(float(second))
        assert door.released(float(second))
    door.feel(fire(100.0, active=False))
    assert door.released(100.0) is (mode in FREE_MODES)
    assert (door.heard("fire.active"), door.heard("fire.cleared"), door.heard("door.forced")) == (1, 1, 0)


@pytest.mark.parametrize("command", [LockNow(at_s=2.0, by="guard"), SetMode(mode=DoorMode.LOCKED_DOWN, at_s=2.0, by="guard")])
def test_no_command_holds_a_fail_safe_lock_in_a_fire(command):
    door = Door(MAGLOCK)
    door.feel(fire(1.0))
    door.feel(command)
    for event in (opens(3.0), closes(4.0), opens(5.0), closes(6.0)):
        door.wait(event.at_s)
        door.feel(event)
        assert door.released(event.at_s)
    door.wait(50.0)
    assert door.released(50.0)
    assert door.heard("door.forced") == 0


def test_the_latch_of_a_fail_secure_door_keeps_holding_in_a_fire():
    """People leave by its handle; the latch keeps the fire from opening it (NFPA 80)."""
    door = Door(STRIKE)
    assert door.feel(fire(1.0)) == (Report("fire.active", {"releases": False}),)
    door.feel(opens(2.0))
    assert door.heard("door.forced") == 0


def test_the_end_of_a_fire_does_not_cut_somebody_who_is_leaving():
    door = Door(MAGLOCK)
    door.feel(fire(1.0))
    door.feel(rex(10.0))
    door.feel(fire(11.0, active=False))
    door.wait(14.9)
    assert door.released(14.9)
    door.wait(15.0)
    assert (door.released(15.0), door.state.mode) == (False, DoorMode.LOCKED)


def test_a_fire_in_the_middle_of_an_access_does_not_leave_it_unfinished():
    door = Door(STRIKE)
    door.feel(grant(1.0))
    door.feel(opens(1.5))
    door.feel(fire(2.0))
    door.feel(closes(3.0))
    door.feel(fire(4.0, active=False))
    door.wait(100.0)
    assert door.state.mode is DoorMode.LOCKED


# -- modes that people and schedules bring about -------------------------------------------------------------------------------


def unlocked(at_s: float, begins: bool = True) -> ScheduleSays:
    return ScheduleSays(at_s=at_s, unlocked=begins, by="schedule office-hours")


def order(mode: DoorMode, at_s: float) -> SetMode:
    return SetMode(at_s=at_s, mode=mode, by="manager")


def test_an_unlock_schedule_lets_everybody_in_and_out_for_as_long_as_it_lasts():
    door = Door()
    door.feel(unlocked(1.0))
    for second in range(2, 100):
        door.wait(float(second))
        assert door.released(float(second))
    door.feel(opens(50.0))
    door.feel(closes(52.0))
    assert door.released(52.0)
    door.feel(unlocked(100.0, begins=False))
    assert (door.released(100.0), door.state.mode) == (False, DoorMode.LOCKED)
    assert door.heard("door.forced") == door.heard("door.held") == 0


def test_what_a_person_ordered_a_schedule_neither_begins_nor_ends():
    door = Door()
    door.feel(order(DoorMode.UNLOCKED, 1.0))
    door.feel(unlocked(2.0))
    door.feel(unlocked(3.0, begins=False))
    assert door.state.mode is DoorMode.UNLOCKED
    door.feel(order(DoorMode.LOCKED_DOWN, 4.0))
    door.feel(unlocked(5.0))
    assert (door.state.mode, door.released(5.0)) == (DoorMode.LOCKED_DOWN, False)


def test_a_guard_who_locks_an_unlocked_door_has_it_locked_until_the_schedule_turns_again():
    door = Door()
    door.feel(unlocked(1.0))
    door.feel(LockNow(at_s=2.0, by="guard"))
    assert (door.state.mode, door.released(2.0)) == (DoorMode.LOCKED, False)
    door.feel(unlocked(3.0, begins=False))
    assert door.state.mode is DoorMode.LOCKED


def test_a_locked_open_door_is_locked_by_nothing_but_its_release_or_a_lock_down():
    door = Door()
    door.feel(order(DoorMode.LOCKED_OPEN, 1.0))
    for event in (LockNow(at_s=2.0, by="guard"), order(DoorMode.BLOCKED, 2.0), order(DoorMode.UNLOCKED, 2.0)):
        door.feel(event)
        assert (door.state.mode, door.released(2.0)) == (DoorMode.LOCKED_OPEN, True)
    door.feel(Release(at_s=3.0, by="manager"))
    assert (door.state.mode, door.released(3.0)) == (DoorMode.LOCKED, False)
    door.feel(order(DoorMode.LOCKED_OPEN, 4.0))
    door.feel(order(DoorMode.LOCKED_DOWN, 5.0))
    assert (door.state.mode, door.released(5.0)) == (DoorMode.LOCKED_DOWN, False)


def test_a_blocked_door_refuses_who_comes_and_lets_out_who_leaves():
    door = Door()
    door.feel(order(DoorMode.BLOCKED, 1.0))
    assert door.feel(grant(2.0))[0] == Report("lock.refused", {"mode": "Blocked", "by": "holder-1", "other_open": False})
    assert door.feel(rex(3.0))[0] == Pulse(5.0)
    door.wait(20.0)
    assert door.state.mode is DoorMode.BLOCKED


def test_one_of_the_few_whom_the_site_names_passes_a_lock_down_and_leaves_it_standing():
    door = Door(mode=DoorMode.LOCKED_DOWN)
    assert door.feel(msgspec.structs.replace(grant(1.0), despite_lockdown=True)) == (Pulse(3.0),)
    door.wait(10.0)
    assert (door.state.mode, door.released(10.0)) == (DoorMode.LOCKED_DOWN, False)


def test_nobody_is_let_in_while_the_other_door_of_a_lobby_stands_open_but_whoever_leaves_is_let_out():
    door = Door()
    door.feel(OtherDoorChanged(at_s=1.0, open=True))
    assert door.feel(grant(2.0))[0].data["other_open"] is True
    assert door.feel(rex(3.0))[0] == Pulse(5.0)
    door.wait(9.0)
    door.feel(OtherDoorChanged(at_s=10.0, open=False))
    assert door.feel(grant(11.0)) == (Pulse(3.0),)


def test_a_lobbys_other_door_that_opens_ends_a_grant_that_was_not_used_yet():
    door = Door()
    door.feel(grant(1.0))
    actions = door.feel(OtherDoorChanged(at_s=2.0, open=True))
    assert actions == (Secure(), Report("lock.secured", {"why": "other door opened"}))
    assert (door.state.mode, door.released(2.0)) == (DoorMode.LOCKED, False)


def test_a_lobbys_other_door_that_opens_takes_no_time_from_whoever_leaves():
    door = Door()
    door.feel(rex(1.0))
    door.feel(msgspec.structs.replace(grant(2.0), seconds=20.0))
    door.feel(OtherDoorChanged(at_s=3.0, open=True))
    door.wait(5.9)
    assert door.released(5.9)
    door.wait(6.1)
    assert not door.released(6.1), "the rest was granted to somebody coming in"


def test_a_press_of_the_exit_button_takes_no_time_from_somebody_who_was_given_longer_to_leave():
    door = Door()
    door.feel(Leaves(at_s=1.0, seconds=30.0, by="holder-1", extended=True))
    door.feel(rex(2.0))
    door.feel(order(DoorMode.LOCKED_DOWN, 10.0))
    assert door.released(30.9)


def test_whoever_was_opening_the_door_when_its_hours_ended_has_forced_nothing():
    door = Door()
    door.feel(unlocked(1.0))
    door.feel(unlocked(10.0, begins=False))
    door.feel(opens(10.0 + OPENING_GRACE_S))
    assert not door.state.forced


def test_a_door_that_is_opened_a_moment_after_its_hours_was_forced():
    door = Door()
    door.feel(unlocked(1.0))
    door.feel(unlocked(10.0, begins=False))
    door.feel(opens(10.1 + OPENING_GRACE_S))
    assert door.state.forced


def test_somebody_leaving_when_a_schedule_ends_still_gets_out():
    door = Door()
    door.feel(unlocked(1.0))
    door.feel(rex(10.0))
    door.feel(unlocked(11.0, begins=False))
    assert door.released(14.9)
    door.wait(16.0)
    assert not door.released(16.0)


# -- a door that is left open --------------------------------------------------------------------------------------------------

WARNING = msgspec.structs.replace(STRIKE, warn_before_s=10.0, extended_held_open_s=60.0, propped_s=300.0)


def test_a_door_left_open_is_warned_of_then_held_then_propped():
    door = Door(WARNING)
    door.feel(grant(1.0))
    door.feel(opens(2.0))
    kinds = []
    for until_s, kind in (
        (21.9, ""),
        (22.0, "door.warned"),
        (31.9, ""),
        (32.0, "door.held"),
        (301.9, ""),
        (302.0, "door.propped"),
    ):
        told = len(door.told)
        door.wait(until_s)
        kinds.append("".join(report.kind for report in door.told[told:] if report.kind.startswith("door.")) == kind)
    assert all(kinds), door.told
    assert next_deadline_s(door.state, WARNING) is None
    door.feel(closes(400.0))
    assert (door.state.left_open, door.state.alarm) == ("no", "none")


def test_whoever_needs_longer_gets_longer_to_pass_through_too():
    door = Door(WARNING)
    door.feel(msgspec.structs.replace(grant(1.0), extended=True))
    door.feel(opens(2.0))
    door.wait(51.9)
    assert door.heard("door.warned") == 0
    door.wait(62.0)
    assert (door.heard("door.warned"), door.heard("door.held")) == (1, 1)
    door.feel(closes(63.0))
    door.feel(grant(70.0))
    door.feel(opens(71.0))
    door.wait(101.0)
    assert door.heard("door.held") == 2, "the next person has the usual time"


def test_a_door_open_when_a_schedule_ends_has_its_full_time_from_then():
    door = Door(WARNING)
    door.feel(unlocked(1.0))
    door.feel(opens(2.0))
    door.wait(500.0)
    assert door.told[-1].kind == "door.opened"
    door.feel(unlocked(500.0, begins=False))
    door.wait(529.9)
    assert door.heard("door.held") == 0
    door.wait(530.0)
    assert door.heard("door.held") == 1


# -- anything, in any order ----------------------------------------------------------------------------------------------------

gaps_s = st.sampled_from([0.0, 0.01, 0.4, 0.6, 1.0, 3.0, 5.0, 12.0, 40.0]) | st.floats(0, 15)


class AnyDoor(RuleBasedStateMachine):
    """Any inputs in any order, time passing as the loop lets it pass."""

    def __init__(self) -> None:
        super().__init__()
        self.door = Door()
        self.now_s = 100.0
        self.leaving_until_s = -math.inf
        """A request to exit holds until somebody has opened the door."""
        self.asked_until_s = -math.inf
        """For how long the last request to exit asked, opened or not."""
        self.held_since_s = -math.inf
        """Since when the lock has held without a break."""
        self.opened_at: list[float] = []
        self.free_since_opened = False
        """Whether the door stood free at some moment since it was last opened: its time as an open one does not count then."""

    @initialize(
        fire_releases=st.booleans(),
        relock=st.booleans(),
        mode=st.sampled_from([DoorMode.LOCKED, DoorMode.LOCKED_DOWN]),
        contact=st.booleans(),
    )
    def build(self, fire_releases, relock, mode, contact):
        rules = DoorRules(held_open_s=8.0, rex_pulse_s=5.0, relock_on_open=relock, fire_releases=fire_releases)
        self.door = Door(rules, mode, closed=False)
        self.locked_down = mode is DoorMode.LOCKED_DOWN
        if contact:
            self.feel(closes(self.now_s))

    def feel(self, event: DoorInput) -> tuple[DoorAction, ...]:
        before = self.door.told.copy()
        actions = self.door.feel(event)
        assert self.door.told[: len(before)] == before
        kinds = [isinstance(action, Report) for action in actions]
        lock_actions = [n for n, is_report in enumerate(kinds) if not is_report]
        assert lock_actions == list(range(len(lock_actions))), "the lock comes before the report"
        for action in actions:
            if isinstance(action, Pulse):
                allowed = {Granted: getattr(event, "seconds", 0.0), RexPressed: self.door.rules.rex_pulse_s}
                assert action.seconds == allowed.get(type(event), 2 * RENEW_S), "no pulse is longer than asked"
        self.free_since_opened |= self.door.state.renew_s is not None
        if not self.door.released(event.at_s) and self.held_since_s == math.inf:
            self.held_since_s = event.at_s
        if self.door.released(event.at_s):
            self.held_since_s = math.inf
        return actions

    @rule(gap_s=gaps_s)
    def time_passes(self, gap_s):
        until_s = self.now_s + gap_s
        for _ in range(200):
            due_s = next_deadline_s(self.door.state, self.door.rules)
            if due_s is None or due_s > until_s:
                break
            assert due_s >= self.now_s - 1e-9, "a deadline lies in the past"
            self.now_s = max(self.now_s, due_s)
            self.feel(Tick(at_s=self.now_s))
            after_s = next_deadline_s(self.door.state, self.door.rules)
            assert after_s is None or after_s > due_s, "the loop would spin"
            self.check_the_lock()
        else:
            pytest.fail("deadlines without end")
        self.now_s = until_s

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0]))
    def grant(self, seconds):
        actions = self.feel(grant(self.now_s, seconds))
        assert (Pulse(seconds) in actions) is not self.locked_down

    @rule()
    def request_to_exit(self):
        assert isinstance(self.feel(rex(self.now_s))[0], Pulse)
        self.leaving_until_s = self.asked_until_s = self.now_s + self.door.rules.rex_pulse_s

    @rule(active=st.booleans())
    def fire_input(self, active):
        self.feel(fire(self.now_s, active))

    @rule()
    def lock_now(self):
        self.feel(LockNow(at_s=self.now_s, by="guard"))

    @rule()
    def lock_down(self):
        self.feel(SetMode(mode=DoorMode.LOCKED_DOWN, at_s=self.now_s, by="guard"))
        self.locked_down = True

    @rule(mode=st.sampled_from([DoorMode.UNLOCKED, DoorMode.LOCKED_OPEN]))
    def stand_free(self, mode):
        self.feel(SetMode(at_s=self.now_s, mode=mode, by="manager"))

    @rule(unlocked=st.booleans())
    def the_schedule_turns(self, unlocked):
        self.feel(ScheduleSays(at_s=self.now_s, unlocked=unlocked, by="schedule day"))

    @rule()
    def release(self):
        self.feel(Release(at_s=self.now_s, by="guard"))
        self.locked_down = False

    @precondition(lambda self: self.door.state.open is not True)
    @rule()
    def the_door_opens(self):
        known, in_fire = self.door.state.open is not None, self.door.state.fire
        released, held_since_s = self.door.released(self.now_s), self.held_since_s
        forced_before = self.door.heard("door.forced")
        self.feel(opens(self.now_s))
        forced = self.door.heard("door.forced") > forced_before
        if released or in_fire or not known:
            assert not forced
        elif self.now_s - held_since_s > OPENING_GRACE_S + 1e-6:
            assert forced, "the lock held and yet the door opened"
        self.leaving_until_s = -math.inf
        self.opened_at.append(self.now_s)
        self.free_since_opened = self.door.state.renew_s is not None

    @precondition(lambda self: self.door.state.open is not False)
    @rule()
    def the_door_closes(self):
        was_open, held = self.door.state.open is True, self.door.heard("door.held")
        opened_s = self.opened_at[-1] if self.opened_at else 0.0
        self.feel(closes(self.now_s))
        if was_open:
            assert self.door.told[-1].kind in ("door.closed", "lock.secured")
            assert self.door.heard("door.held") == held
            closed = next(report for report in reversed(self.door.told) if report.kind == "door.closed")
            assert closed.data["open_s"] == pytest.approx(self.now_s - opened_s, abs=0.001)
            if not self.free_since_opened:
                too_long = self.now_s >= opened_s + self.door.rules.held_open_s
                assert closed.data["was_held"] is too_long or self.now_s == opened_s + 8.0

    @invariant()
    def check_the_lock(self):
        state, now_s = self.door.state, self.now_s
        in_fire = state.fire and self.door.rules.fire_releases
        assert (state.renew_s is not None) is (in_fire or state.mode in FREE_MODES)
        if state.renew_s is not None:
            assert self.door.released(now_s), "the door stands free, and the lock holds"
        if now_s < self.leaving_until_s:
            assert self.door.released(now_s), "somebody is leaving and the lock holds"
        if in_fire:
            assert self.door.released(now_s), "fire, and the lock holds"
        assert (state.mode is DoorMode.LOCKED_DOWN) is self.locked_down
        if self.locked_down and not in_fire and now_s >= self.asked_until_s and not self.due_now():
            assert not self.door.released(now_s), "locked down, nobody is leaving, and the lock is released"
        if state.mode is DoorMode.ACCESSED and not in_fire:
            assert state.released_until_s is not None or state.open, "an access without an end"

    def due_now(self) -> bool:
        due_s = next_deadline_s(self.door.state, self.door.rules)
        return due_s is not None and due_s <= self.now_s


AnyDoor.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestAnyDoor = AnyDoor.TestCase
