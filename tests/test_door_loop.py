"""The door's loop: what comes in, in which order it acts, and that nothing gets out of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from gpiozero import OutputDevice
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.cases import MAX_CASES
from agent.core.commands import Command, Refusal
from agent.core.messages import DoorMode, Liveness, ReadFault, VisionHealth
from agent.door_items import Edge, Fault, InputEdge, NewRules
from agent.door_loop import MAX_FAILED_TURNS, run_turns
from agent.errors import JournalError
from tests.core.people import STRANGER, face, view_of
from tests.door_under_test import OWNER_FOB, START, UNKNOWN_FOB, DoorUnderTest, policy_with, rules


@pytest.fixture
def door(tmp_path):
    door = DoorUnderTest(tmp_path)
    yield door
    door.close()


def owner_in_view(door: DoorUnderTest) -> None:
    now_s = door.clock.now_s
    door.see(view_of(face(embedded_s=now_s), taken_s=now_s))


def stranger_in_view(door: DoorUnderTest) -> None:
    now_s = door.clock.now_s
    door.see(view_of(face(STRANGER, embedded_s=now_s), taken_s=now_s))


def command(name: str, door: DoorUnderTest, user: str = "guard-1") -> Command:
    now = door.clock.wall()
    return Command(id=f"command-{name}", user=user, name=name, issued=now, expires=now + timedelta(seconds=10))


def test_the_owner_in_view_is_let_in_at_once(door):
    owner_in_view(door)
    door.read(OWNER_FOB)
    assert door.lock.released
    assert door.decisions() == [(True, ["face_match"])]
    (data,) = [data for kind, data in door.events if kind == "access.granted"]
    assert data["cardholder"] == "cardholder-1"
    assert data["match"]["score"] == pytest.approx(1.0)
    assert data["decided_ms"] < 10


def test_the_opening_is_on_record_before_the_relay_moves(door):
    on_record_at_pulse = []
    pulse = door.lock.pulse
    door.lock.pulse = lambda seconds: (on_record_at_pulse.append(door.journal._sequence), pulse(seconds))
    owner_in_view(door)
    before = door.journal._sequence
    door.read(OWNER_FOB)
    assert on_record_at_pulse == [before + 1]


def test_somebody_else_with_the_owners_fob_is_denied_after_a_second_look(door):
    stranger_in_view(door)
    door.read(OWNER_FOB)
    assert door.decisions() == []
    door.clock.now_s += 0.5
    stranger_in_view(door)
    door.clock.now_s += 0.4
    stranger_in_view(door)
    assert door.decisions() == [(False, ["face_mismatch"])]
    assert not door.lock.released


def picture_in_view(door: DoorUnderTest) -> None:
    now_s = door.clock.now_s
    flat = Liveness(verdict="attack", score=0.05, reason="moves_as_a_plane", watched_s=2.5)
    door.see(view_of(replace(face(embedded_s=now_s), liveness=flat), taken_s=now_s))


def test_a_picture_of_the_owner_opens_under_alert_and_the_event_tells_what_vision_saw(tmp_path):
    door = DoorUnderTest(tmp_path, policy_with(liveness="alert"))
    picture_in_view(door)
    door.read(OWNER_FOB)
    [granted] = [data for kind, data in door.events if kind == "access.granted"]
    assert granted["reasons"] == ["face_match", "presentation_attack"]
    assert granted["match"]["liveness"]["reason"] == "moves_as_a_plane"
    door.close()


def test_whoever_shows_a_picture_is_kept_out_but_whoever_wants_to_leave_is_not_asked(tmp_path):
    door = DoorUnderTest(tmp_path, policy_with(liveness="require_live"))
    picture_in_view(door)
    door.read(OWNER_FOB)
    for _ in range(4):
        door.clock.now_s += 0.4
        picture_in_view(door)
    assert door.decisions() == [(False, ["presentation_attack"])]
    assert not door.lock.released
    door.press("rex", True)
    assert door.lock.released
    door.close()


def test_the_owner_who_turns_to_the_camera_in_time_is_let_in(door):
    door.see(view_of(taken_s=door.clock.now_s))
    door.read(OWNER_FOB)
    door.clock.now_s += 0.6
    owner_in_view(door)
    assert door.decisions() == [(True, ["face_match"])]


def test_an_unknown_fob_is_denied_without_waiting(door):
    door.read(UNKNOWN_FOB)
    assert door.decisions() == [(False, ["unknown_credential"])]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("deny", (False, ["vision_missing"])), ("fob_alone", (True, ["fob_alone_no_vision", "vision_missing"]))],
)
def test_a_silent_vision_delays_the_answer_by_the_policys_wait_and_no_more(tmp_path, policy, expected):
    door = DoorUnderTest(tmp_path, policy_with(without_vision=policy))
    door.read(OWNER_FOB)
    door.after(0.45)
    assert door.decisions() == []
    door.after(0.06)
    assert door.decisions() == [expected]
    assert door.lock.released is expected[0]
    door.close()


def test_what_vision_saw_a_second_ago_lets_nobody_in(door):
    owner_in_view(door)
    door.clock.now_s += 1.0
    door.read(OWNER_FOB)
    door.after(0.6)
    assert door.decisions() == [(False, ["vision_stale"])]


def test_an_observation_from_the_future_is_garbage_and_does_not_shut_out_later_ones(door):
    door.see(view_of(face(embedded_s=1e9), taken_s=1e9))
    owner_in_view(door)
    door.read(OWNER_FOB)
    assert door.decisions() == [(True, ["face_match"])]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.binary(max_size=2000))
def test_no_bytes_on_visions_socket_get_out_of_the_loop(door, raw):
    door.see(raw)
    door.turn()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 0.03)), max_size=60))
def test_no_noise_on_the_readers_lines_opens_the_door_or_gets_out_of_the_loop(door, edges):
    for bit, pause_s in edges:
        door.clock.now_s += pause_s
        door.inbox.put(Edge("front", bit, door.clock.now_s))
    door.turn()
    door.after(1.0)
    assert not door.lock.released


def test_bits_that_follow_a_frame_take_back_the_opening_it_caused(door):
    owner_in_view(door)
    door.read(OWNER_FOB)
    assert door.lock.released
    door.send(Edge("front", 1, door.clock.now_s + 0.005))
    assert not door.lock.released
    door.after(0.2)
    assert [data["fault"] for kind, data in door.events if kind == "reader.fault"] == ["overrun"]


def test_a_fob_left_in_the_field_is_one_case(door):
    stranger_in_view(door)
    door.read(OWNER_FOB)
    door.clock.now_s += 0.1
    stranger_in_view(door)
    door.read(OWNER_FOB)
    door.clock.now_s += 0.8
    stranger_in_view(door)
    assert len(door.decisions()) == 1


def test_a_jammed_reader_is_reported_and_forgets_nobody(tmp_path):
    door = DoorUnderTest(tmp_path, policy_with(vision_wait_s=1.0))
    for _ in range(MAX_CASES + 2):
        door.clock.now_s += 0.55  # beyond what counts as the same fob held on
        door.read(OWNER_FOB)
    door.after(2.0)
    faults = [data for kind, data in door.events if kind == "reader.fault"]
    assert len(door.decisions()) + len(faults) == MAX_CASES + 2
    door.close()


def test_pressing_the_exit_button_lets_go_in_a_lock_down_too(door):
    door.send(command("lockdown", door))
    door.press("rex", True)
    assert door.lock.released
    assert door.kinds("rex.") == ["rex.pressed"]


def test_a_lock_down_denies_the_owner_lasts_and_is_released_by_command(door):
    door.send(command("lockdown", door))
    assert door.saved == [DoorMode.LOCKED_DOWN]
    owner_in_view(door)
    door.read(OWNER_FOB)
    assert door.decisions() == [(False, ["locked_down"])]
    door.send(command("release", door))
    assert door.saved[-1] is DoorMode.LOCKED
    owner_in_view(door)
    door.after(0.6)
    owner_in_view(door)
    door.read(OWNER_FOB)
    assert door.decisions()[-1] == (True, ["face_match"])


def test_a_guards_unlock_is_done_answered_and_on_record(door):
    door.send(command("unlock", door))
    assert door.lock.released
    assert door.told.results == [("command-unlock", True, "done")]
    assert door.kinds("command.") == ["command.done"]


def test_unlocking_a_locked_down_door_is_refused_with_the_way_out(door):
    door.send(command("lockdown", door))
    door.send(command("unlock", door))
    assert not door.lock.released
    assert door.told.results[-1] == ("command-unlock", False, "the door is LockedDown: release it first")


def test_a_lock_down_that_cannot_be_saved_is_done_and_says_so(door):
    def full(mode):
        raise JournalError("disk full")

    door.loop._orders._save_mode = full
    door.send(command("lockdown", door))
    _, ok, reason = door.told.results[-1]
    assert ok
    assert "will not survive a restart" in reason


def test_a_refused_command_is_answered_and_on_record(door):
    door.send(Refusal(reason="stale", detail="too old", id="command-1", user="guard-1", command="unlock"))
    assert door.told.results == [("command-1", False, "stale")]
    assert door.kinds("command.") == ["command.refused"]


def test_a_newer_bundle_counts_from_the_next_fob_on(door):
    door.send(NewRules(rules(template=STRANGER)))
    stranger_in_view(door)
    door.read(OWNER_FOB)
    assert door.decisions() == [(True, ["face_match"])]
    assert "bundle.applied" in door.kinds()


def test_a_door_that_is_opened_is_held_again_and_one_that_is_forced_is_reported(door):
    door.press("contact", False)
    owner_in_view(door)
    door.read(OWNER_FOB)
    door.press("contact", True)
    assert not door.lock.released
    door.press("contact", False)
    door.clock.now_s += 30
    door.press("contact", True)
    assert door.kinds("door.") == ["door.closed", "door.opened", "door.closed", "door.forced"]


def test_vision_coming_and_going_is_told_once_each(door):
    owner_in_view(door)
    door.after(0.2)
    door.after(1.0)
    door.after(1.0)
    owner_in_view(door)
    assert door.kinds("vision.") == ["vision.back", "vision.lost", "vision.back"]


def test_health_carries_what_vision_says_of_itself(door):
    door.see(
        VisionHealth(
            at_s=door.clock.now_s, ok=False, camera="sim", engine="litert cpu", frames_per_s=0.0, faults=("camera gone",)
        )
    )
    door.after(6.0)
    assert door.told.states["health"]["vision_faults"] == ["camera gone"]
    assert door.told.states["lock"] == "secured"


def test_a_fault_of_another_thread_is_on_record(door):
    door.send(Fault("lock.fault", "relay does not answer"))
    assert ("lock.fault", {"error": "relay does not answer"}) in door.events


def test_an_exception_in_a_turn_is_on_record_and_the_door_goes_on(door):
    broken = iter([True, False, False])
    turns = iter([False, False, False, True])
    turn = door.loop.turn

    def sometimes():
        if next(broken):
            raise RuntimeError("a bug")
        door.inbox.put(Fault("x", "y"))
        turn()

    door.loop.turn = sometimes
    assert run_turns(door.loop, lambda: next(turns)) == 0
    assert door.kinds().count("door.fault") == 1


def test_a_door_whose_every_turn_fails_ends_so_that_it_is_started_anew(door):
    def always():
        raise RuntimeError("a bug")

    door.loop.turn = always
    assert run_turns(door.loop, lambda: False) == 1
    assert door.kinds().count("door.fault") == MAX_FAILED_TURNS


def test_whoever_wants_to_leave_is_not_kept_in_by_an_exception_about_something_else(door):
    door.loop._handlers[Fault] = lambda fault: 1 / 0
    door.inbox.put(Fault("x", "handling this fails"))
    door.inbox.put(InputEdge("rex", True, door.clock.now_s))
    turns = iter([False, False, True])
    run_turns(door.loop, lambda: next(turns))
    door.after(0.04)
    assert door.lock.released
    assert door.kinds("rex.") == ["rex.pressed"]


def test_whoever_wants_to_leave_waits_for_one_command_to_be_saved_and_not_for_all(door):
    door.press("rex", False)
    saved = []
    door.loop._orders._save_mode = saved.append
    for _ in range(50):
        door.inbox.put(command("lockdown", door))
    door.inbox.put(InputEdge("rex", True, door.clock.now_s))
    door.inbox.put(InputEdge("rex", False, door.clock.now_s + 0.2))
    door.clock.now_s += 0.3
    door.turn()
    assert door.lock.released
    assert len(saved) == 1
    for _ in range(49):
        door.turn()
    assert len(saved) == 50
    assert door.kinds("command.").count("command.done") == 50


def test_a_frame_that_lies_behind_a_command_is_not_cut_short(door):
    """Its silence is over by the clock, but not all of its bits have been handled."""
    owner_in_view(door)
    for number, bit in enumerate(OWNER_FOB):
        door.clock.now_s += 0.001
        if number == 20:
            door.inbox.put(command("assist", door))
        door.inbox.put(Edge("front", int(bit), door.clock.now_s))
    door.after(0.2)
    owner_in_view(door)
    door.turn()
    assert door.kinds("reader.") == []
    assert door.decisions() == [(True, ["face_match"])]


def test_a_press_of_the_exit_button_that_was_over_before_a_busy_loop_came_to_it_lets_somebody_out(door):
    door.press("rex", False)
    pressed_s = door.clock.now_s
    door.clock.now_s += 0.6
    door.inbox.put(InputEdge("rex", True, pressed_s + 0.1))
    door.inbox.put(InputEdge("rex", False, pressed_s + 0.3))
    door.turn()
    assert door.lock.released
    assert door.kinds("rex.") == ["rex.pressed"]


def test_a_guards_unlock_too_is_on_record_before_the_relay_moves(door):
    on_record_at_pulse = []
    pulse = door.lock.pulse
    door.lock.pulse = lambda seconds: (on_record_at_pulse.append(door.journal._sequence), pulse(seconds))
    before = door.journal._sequence
    door.send(command("unlock", door))
    assert on_record_at_pulse == [before + 1]
    assert door.kinds("command.") == ["command.done"]


@pytest.fixture
def stuck_relay(monkeypatch):
    """Calling it makes the relay stick, calling it with False frees it."""
    stuck = [False]
    drive = OutputDevice.value.fset

    def value(output, level):
        if stuck[0]:
            raise OSError("relay stuck")
        drive(output, level)

    monkeypatch.setattr(OutputDevice, "value", OutputDevice.value.setter(value))
    return lambda sticks=True: stuck.__setitem__(0, sticks)


@pytest.mark.parametrize("name", ["lock", "lockdown"])
def test_a_guard_is_not_told_that_a_stuck_relay_is_somebody_leaving(door, stuck_relay, name):
    door.send(command("unlock", door))
    stuck_relay()
    door.send(command(name, door))
    _, ok, reason = door.told.results[-1]
    assert not ok
    assert "cannot be driven" in reason
    assert "relay stuck" in reason
    assert door.loop.state.mode is (DoorMode.LOCKED_DOWN if name == "lockdown" else DoorMode.LOCKED)


def test_a_relay_that_lets_itself_be_driven_again_is_shown_as_it_is(door, stuck_relay):
    door.send(command("unlock", door))
    stuck_relay()
    door.send(command("lock", door))
    assert door.told.states["lock"] == "released"
    stuck_relay(False)
    door.lock.secure()  # as the lock's own keeper does a moment later, behind the loop's back
    door.turn()
    assert door.told.states["lock"] == "secured"


def test_a_relay_that_cannot_be_driven_is_an_answer_and_an_event(door, stuck_relay):
    stuck_relay()
    door.send(command("unlock", door))
    assert not door.lock.released
    _, ok, reason = door.told.results[-1]
    assert not ok
    assert "relay stuck" in reason
    assert door.kinds("lock.") == ["lock.fault"]


def test_a_fob_that_is_reported_stolen_while_its_holder_waits_for_a_second_look_opens_nothing(door):
    stranger_in_view(door)
    door.read(OWNER_FOB)
    door.send(NewRules(replace(rules(state="stolen"), version=2)))
    owner_in_view(door)
    assert door.decisions() == [(False, ["credential_stolen"])]
    assert not door.lock.released


def test_every_event_carries_the_wall_time_of_the_controller(door):
    door.read(UNKNOWN_FOB)
    assert door.journal.flush(5.0)
    assert all(pending.event.at >= START for pending in door.journal.pending())


def test_noise_that_was_only_counted_is_told_when_the_program_ends(door):
    for _ in range(30):
        door.send(ReadFault(reader="front", fault="parity", bits="1" * 26, at_s=door.clock.now_s))
    door.loop.say_goodbye()
    told = [data for kind, data in door.events if kind in ("reader.noise", "door.stopped")]
    assert len(door.kinds("reader.fault")) == 10
    assert told == [{"reader": "front", "faults": 20}, {"mode": "Locked"}]


def test_the_way_out_stays_free_for_as_long_as_a_sensor_sees_somebody_and_that_is_told_once(door):
    door.press("rex", True)
    for _ in range(40):
        door.after(0.5)
        assert door.loop.state.leaving_until_s > door.clock.now_s
    assert door.kinds("rex.") == ["rex.pressed", "rex.held"]
    door.press("rex", False)
    door.after(5.1)
    assert not door.lock.released
    door.press("rex", True)
    assert door.kinds("rex.") == ["rex.pressed", "rex.held", "rex.pressed"]


def test_a_button_that_was_let_go_is_not_pressed_again_by_the_door(door):
    door.press("rex", True)
    door.press("rex", False)
    door.after(5.1)
    assert not door.lock.released
    assert door.kinds("rex.") == ["rex.pressed"]


@pytest.mark.parametrize("name", ["hold_unlocked", "lock_open"])
def test_a_lobbys_door_is_not_made_to_stand_free_while_the_other_one_is_open(door, name):
    door.press("interlock", True)
    door.send(command(name, door))
    assert door.told.results[-1][1:] == (False, "the other door of this lobby stands open")
    assert not door.lock.released
