"""What a door shows, hears and says: signals to the person, alarms to the guards, and the health of everything that is wired to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.core.feedback import Meaning
from agent.core.messages import CredentialRead, ReaderStatus, ReadFault, VisionHealth
from agent.door_items import InputEdge, InputFault
from tests.core.frames import flipped
from tests.core.people import STRANGER, face, view_of
from tests.door_under_test import DOOR_RULES, OWNER_FOB, DoorUnderTest, policy_with
from tests.house import FOB_ALONE, PIN, fob, house_rules, last, order, walk_in

Make = Callable[..., DoorUnderTest]
TWO_WAYS = {"front": "in", "inner": "out"}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A door of the house that is shut."""
    made: list[DoorUnderTest] = []

    def build(policy: Any = FOB_ALONE, access: Any = None, **how: Any) -> DoorUnderTest:
        made.append(DoorUnderTest(tmp_path, policy, access or house_rules(), leads=TWO_WAYS, **how))
        made[-1].press("contact", False)
        return made[-1]

    yield build
    for door in made:
        door.close()


@pytest.fixture
def owners(tmp_path: Path) -> Iterator[DoorUnderTest]:
    """A door that asks for the owner's face."""
    door = DoorUnderTest(tmp_path)
    yield door
    door.close()


def step_s(door: DoorUnderTest, seconds: float) -> None:
    """Time goes by, a second at a time."""
    for _ in range(int(seconds)):
        door.after(1.0)


# -- what the person sees and hears --------------------------------------------------------------------------------------------------


def test_a_door_at_rest_shows_that_it_is_ready(make):
    assert make().shown is Meaning.READY


def test_whoever_is_let_in_is_shown_so_for_as_long_as_the_lock_lets_go(make):
    door = make()
    door.read(fob("bob"))
    assert door.signals.current.meaning is Meaning.GRANTED
    assert door.signals.current.lasts_s == FOB_ALONE.extended_pulse_s


@pytest.mark.parametrize("who", ["nobody", "early", "endless"])
def test_a_stranger_and_a_visitor_at_the_wrong_time_are_shown_the_same(make, who):
    door = make()
    door.read(fob(who))
    assert door.shown is Meaning.DENIED


def test_whoever_is_waited_for_is_asked_to_look_at_the_camera_once(owners):
    owners.see(view_of(taken_s=owners.clock.now_s))
    owners.read(OWNER_FOB)
    for _ in range(3):
        owners.clock.now_s += 0.2
        owners.see(view_of(taken_s=owners.clock.now_s))
    assert owners.meanings == [Meaning.LOOK_AT_CAMERA]


def test_nobody_in_view_is_asked_to_try_again_and_a_stranger_is_told_no(owners):
    owners.see(view_of(taken_s=owners.clock.now_s))
    owners.read(OWNER_FOB)
    for _ in range(4):
        owners.clock.now_s += 0.4
        owners.see(view_of(taken_s=owners.clock.now_s))
    assert owners.decisions()[-1] == (False, ["no_face_in_view"])
    assert owners.shown is Meaning.TRY_AGAIN
    owners.read(OWNER_FOB)
    for _ in range(4):
        owners.clock.now_s += 0.4
        now_s = owners.clock.now_s
        owners.see(view_of(face(STRANGER, embedded_s=now_s), taken_s=now_s))
    assert owners.decisions()[-1] == (False, ["face_mismatch"])
    assert owners.shown is Meaning.DENIED


def test_without_vision_the_door_says_that_it_is_out_of_order(owners):
    owners.read(OWNER_FOB)
    assert owners.shown is Meaning.LOOK_AT_CAMERA
    owners.after(0.6)
    assert owners.shown is Meaning.OUT_OF_ORDER


@pytest.mark.parametrize("name", ["lockdown", "block"])
def test_a_door_that_is_kept_shut_rests_as_out_of_order_until_it_is_released(make, name):
    door = make()
    order(door, name)
    assert door.shown is Meaning.OUT_OF_ORDER
    order(door, "release")
    assert door.shown is Meaning.READY


def test_a_refusal_says_only_as_much_as_a_stranger_may_know(make):
    """A lost fob, an unknown one and one that is inside already look and sound alike."""
    door = make(access=house_rules(passback="hard"))
    walk_in(door, "ann")
    shown = []
    for who in ("ann", "nobody", "endless"):
        walk_in(door, who)
        shown.append(door.signals.noted[-1])
    assert shown == [shown[0]] * 3


@pytest.mark.parametrize("kind", ["parity", "overrun", "framing", "lost", "checksum"])
def test_a_fob_that_was_misread_asks_for_another_try(make, kind):
    door = make()
    door.send(ReadFault(reader="front", fault=kind, bits="1" * 26, at_s=door.clock.now_s))
    assert door.shown is Meaning.TRY_AGAIN


def test_noise_and_fobs_of_another_kind_show_nothing(make):
    door = make()
    door.send(ReadFault(reader="front", fault="length", bits="101", at_s=door.clock.now_s))
    assert door.meanings == []


# -- a door that stands open ---------------------------------------------------------------------------------------------------------


def leave_open(door: DoorUnderTest) -> None:
    door.read(fob("ann"))
    door.press("contact", True)


def test_a_door_left_open_reminds_then_alarms_then_was_propped_and_all_of_it_ends_when_it_shuts(make):
    door = make(door_rules=replace(DOOR_RULES, propped_s=120.0))
    leave_open(door)
    step_s(door, 19)
    assert (door.told.states["alarm"], door.shown) == ("none", Meaning.GRANTED)
    step_s(door, 2)
    assert (door.told.states["alarm"], door.shown) == ("none", Meaning.CLOSE_THE_DOOR)
    step_s(door, 10)
    assert door.told.states["alarm"] == "held"
    step_s(door, 90)
    assert door.told.states["alarm"] == "propped"
    door.press("contact", False)
    assert (door.told.states["alarm"], door.shown) == ("none", Meaning.READY)
    assert door.kinds("door.") == ["door.closed", "door.opened", "door.warned", "door.held", "door.propped", "door.closed"]
    assert [value for name, value in door.told.said if name == "alarm"][-3:] == ["held", "propped", "none"]


def test_whoever_closes_in_time_is_reminded_of_nothing(make):
    door = make()
    leave_open(door)
    step_s(door, 15)
    door.press("contact", False)
    step_s(door, 60)
    assert door.meanings == [Meaning.GRANTED]


def test_a_fob_held_out_at_an_open_door_does_not_end_the_reminder(make):
    door = make()
    leave_open(door)
    step_s(door, 25)
    assert door.shown is Meaning.CLOSE_THE_DOOR
    door.read(fob("nobody"))
    assert door.shown is Meaning.DENIED
    door.signals.rest_now()  # as when the refusal was shown for long enough
    assert door.shown is Meaning.CLOSE_THE_DOOR
    door.press("contact", False)
    assert door.shown is Meaning.READY


def test_a_reminder_ends_at_a_door_that_is_kept_shut_as_out_of_order(make):
    door = make()
    leave_open(door)
    step_s(door, 25)
    order(door, "lockdown")
    assert door.shown is Meaning.CLOSE_THE_DOOR
    door.press("contact", False)
    assert door.shown is Meaning.OUT_OF_ORDER


def test_somebody_who_needs_longer_is_reminded_later(make):
    door = make(door_rules=replace(DOOR_RULES, extended_held_open_s=60.0))
    door.read(fob("bob"))
    door.press("contact", True)
    step_s(door, 45)
    assert "door.warned" not in door.kinds()
    step_s(door, 10)
    assert "door.warned" in door.kinds()


def test_a_forced_door_is_an_alarm_until_it_is_shut(make):
    door = make()
    door.press("contact", True)
    assert door.told.states["alarm"] == "forced"
    door.press("contact", False)
    assert door.told.states["alarm"] == "none"
    assert last(door, "door.closed")["was_forced"]


# -- the second relay ----------------------------------------------------------------------------------------------------------------


def test_an_alarm_relay_has_power_while_the_door_is_forced_or_held(make):
    door = make(second_role="alarm")
    door.press("contact", True)
    assert door.second_relay
    door.press("contact", False)
    assert not door.second_relay
    leave_open(door)
    step_s(door, 28)
    assert not door.second_relay
    step_s(door, 4)
    assert door.second_relay
    door.press("contact", False)
    assert not door.second_relay


def test_an_alarm_relay_is_silent_at_a_door_that_stands_free(make):
    door = make(second_role="alarm")
    order(door, "hold_unlocked")
    door.press("contact", True)
    step_s(door, 60)
    assert not door.second_relay


def test_a_shunt_bridges_the_burglar_alarm_while_an_opening_is_legitimate(make):
    door = make(second_role="shunt")
    assert not door.second_relay
    door.read(fob("ann"))
    assert door.second_relay
    door.press("contact", True)
    assert door.second_relay
    door.press("contact", False)
    assert not door.second_relay


def test_a_shunt_ends_with_the_time_of_a_grant_that_nobody_used(make):
    door = make(second_role="shunt")
    door.read(fob("ann"))
    step_s(door, FOB_ALONE.pulse_s + 2)
    assert not door.second_relay


def test_a_shunt_bridges_nothing_at_a_forced_door_and_no_more_at_one_that_is_held_open(make):
    door = make(second_role="shunt")
    door.press("contact", True)
    assert not door.second_relay
    door.press("contact", False)
    leave_open(door)
    assert door.second_relay
    step_s(door, 32)
    assert not door.second_relay


def test_a_shunt_bridges_whoever_leaves_by_the_exit_button(make):
    door = make(second_role="shunt")
    door.press("rex", True)
    assert door.second_relay


# -- the lock's own contact ----------------------------------------------------------------------------------------------------------


def test_a_lock_that_does_not_let_go_is_told_and_shown_as_jammed_until_it_obeys(make):
    door = make(check_lock=True)
    door.press("bolt", False)
    door.read(fob("ann"))
    door.after(0.9)
    assert door.told.states["lock"] == "released"
    door.after(0.2)
    assert door.kinds("lock.")[-1] == "lock.does_not_let_go"
    assert door.told.states["lock"] == "jammed"
    door.press("bolt", True)
    door.after(1.0)
    assert door.kinds("lock.")[-1] == "lock.obeys_again"
    assert door.told.states["lock"] == "released"


def test_a_lock_that_does_not_hold_is_told_and_shown_as_jammed_until_it_does(make):
    door = make(check_lock=True)
    door.press("bolt", True)
    door.after(1.1)
    assert door.kinds("lock.") == ["lock.does_not_hold"]
    assert door.told.states["lock"] == "jammed"
    door.press("bolt", False)
    door.after(1.0)
    assert door.told.states["lock"] == "secured"


def test_a_lock_that_follows_in_its_time_is_told_nothing_of(make):
    door = make(check_lock=True)
    door.press("bolt", False)
    door.read(fob("ann"))
    door.after(0.3)
    door.press("bolt", True)
    door.press("contact", True)
    step_s(door, 5)  # the leaf stands open: nothing can be held
    door.press("bolt", False)
    door.press("contact", False)
    step_s(door, 5)
    assert not [kind for kind in door.kinds("lock.") if kind != "lock.secured"]


def test_a_door_without_such_a_contact_blames_no_lock(make):
    door = make()
    door.read(fob("ann"))
    step_s(door, 3)
    assert door.told.states["lock"] == "released"


# -- camera --------------------------------------------------------------------------------------------------------------------------


def camera_says(door: DoorUnderTest, *tamper: str) -> None:
    door.see(VisionHealth(at_s=door.clock.now_s, ok=True, camera="sim", engine="cpu", frames_per_s=15.0, tamper=tamper))


def test_a_camera_that_is_covered_is_told_once_stands_in_health_and_its_end_is_told(make):
    door = make()
    camera_says(door)
    for _ in range(3):
        camera_says(door, "covered")
    step_s(door, 6)
    assert last(door, "camera.tamper")["signs"] == ["covered"]
    assert door.told.states["health"]["camera_tamper"] == ["covered"]
    camera_says(door, "covered", "moved")
    camera_says(door)
    step_s(door, 6)
    assert door.kinds("camera.") == ["camera.tamper", "camera.tamper", "camera.clear"]
    assert door.told.states["health"]["camera_tamper"] == []


def test_a_vision_program_that_falls_silent_does_not_clear_the_camera(make):
    door = make()
    camera_says(door, "covered")
    step_s(door, 20)
    assert door.kinds("camera.") == ["camera.tamper"]
    assert door.told.states["health"]["camera_tamper"] == ["covered"]


# -- inputs --------------------------------------------------------------------------------------------------------------------------


def test_a_wire_that_is_cut_or_shorted_is_told_and_stands_in_health_until_it_is_sound(make):
    door = make()
    door.send(InputFault("contact", "cut", door.clock.now_s))
    door.send(InputFault("rex", "shorted", door.clock.now_s))
    step_s(door, 6)
    assert door.told.states["health"]["input_faults"] == {"contact": "cut", "rex": "shorted"}
    door.send(InputFault("contact", "", door.clock.now_s))
    step_s(door, 6)
    assert door.told.states["health"]["input_faults"] == {"rex": "shorted"}
    told = [(kind, data["input"], data["fault"]) for kind, data in door.events if kind.startswith("input.")]
    assert told == [("input.fault", "contact", "cut"), ("input.fault", "rex", "shorted"), ("input.ok", "contact", "")]


def test_an_opened_case_is_told_and_its_closing_too(make):
    door = make()
    door.press("tamper", True)
    door.press("tamper", False)
    assert door.kinds("tamper.")[-2:] == ["tamper.active", "tamper.cleared"]


@pytest.mark.parametrize(("active", "told"), [(True, "tamper.active"), (False, "tamper.cleared")])
def test_how_the_case_is_at_the_start_is_told_once(tmp_path, active, told):
    """While the program was down it may have been opened, or shut."""
    door = DoorUnderTest(tmp_path)
    door.press("tamper", active)
    step_s(door, 3)
    assert door.kinds("tamper.") == [told]
    door.close()


def test_a_contact_that_bounces_is_one_opening(make):
    door = make()
    door.read(fob("ann"))
    for n in range(8):
        door.inbox.put(InputEdge("contact", n % 2 == 0, door.clock.now_s + 0.002 * n))
    door.inbox.put(InputEdge("contact", True, door.clock.now_s + 0.02))
    door.turn()
    door.after(0.1)
    assert door.kinds("door.") == ["door.closed", "door.opened"]


# -- readers -------------------------------------------------------------------------------------------------------------------------


def test_how_a_reader_is_stands_on_record_and_in_health(make):
    door = make()
    door.send(ReaderStatus(reader="front", online=True, at_s=door.clock.now_s, secure=True, tamper=False))
    door.after(0.1)
    assert door.told.states["health"]["readers"]["front"] == {"online": True, "tamper": False, "secure": True}
    door.send(ReaderStatus(reader="front", online=False, at_s=door.clock.now_s, detail="its wire"))
    door.after(0.1)
    assert door.told.states["health"]["readers"]["front"]["online"] is False
    assert [data["online"] for kind, data in door.events if kind == "reader.status"] == [True, False]
    assert last(door, "reader.status")["detail"] == "its wire"


def test_of_a_storm_of_noise_the_first_ten_are_told_and_then_how_many(make):
    door = make()
    for _ in range(25):
        door.send(ReadFault(reader="front", fault="length", bits="101", at_s=door.clock.now_s))
        door.after(1.0)
    assert len([kind for kind in door.kinds() if kind == "reader.fault"]) == 10
    step_s(door, 40)
    assert last(door, "reader.noise") == {"reader": "front", "faults": 15}
    assert door.told.states["health"]["read_faults"] == 25


def test_noise_at_one_reader_hides_no_fault_of_the_other(make):
    door = make()
    for _ in range(20):
        door.send(ReadFault(reader="front", fault="length", bits="101", at_s=door.clock.now_s))
    door.read(flipped(fob("ann"), 3), "inner")
    assert last(door, "reader.fault")["reader"] == "inner"


def test_after_a_quiet_minute_noise_is_told_again(make):
    door = make()
    for _ in range(12):
        door.send(ReadFault(reader="front", fault="length", bits="101", at_s=door.clock.now_s))
    step_s(door, 61)
    door.send(ReadFault(reader="front", fault="length", bits="101", at_s=door.clock.now_s))
    assert door.kinds("reader.")[-2:] == ["reader.noise", "reader.fault"]


def test_noise_at_a_reader_lets_a_fob_through_all_the_same(make):
    door = make()
    for _ in range(30):
        door.send(ReadFault(reader="front", fault="length", bits="101", at_s=door.clock.now_s))
    assert walk_in(door, "ann")[0]


def test_a_reader_that_frames_for_itself_opens_as_one_on_two_wires_does(make):
    door = make()
    read = CredentialRead(reader="front", format="H10301", facility=1, card=1, bits=fob("ann"), read_s=door.clock.now_s)
    door.send(read)
    assert door.lock.released
    assert door.decisions() == [(True, ["fob_alone_no_template"])]


def test_a_pin_is_asked_for_and_taken_at_the_same_moment_as_other_news(make):
    door = make()
    door.read(fob("vera"))
    door.send(ReaderStatus(reader="inner", online=False, at_s=door.clock.now_s))
    door.send(InputFault("rex", "cut", door.clock.now_s))
    door.type(PIN + "#")
    assert door.decisions() == [(True, ["fob_alone_no_template"])]


def test_a_policy_that_denies_without_a_face_denies_and_says_why(make):
    door = make(policy_with(without_template="deny"))
    door.read(fob("ann"))
    assert door.decisions() == [(False, ["no_template"])]
    assert door.shown is Meaning.DENIED
