"""The rules of a door, at the door: who is let in after a PIN, under duress, twice, in twos, through a lobby, and who may always leave."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.core.feedback import Meaning
from agent.core.messages import DoorMode, KeyPressed
from agent.core.people import Credential, Roll
from agent.core.pins import PinRules
from agent.door_items import Edge, EdgesLost, NewRules
from tests.core.frames import flipped
from tests.core.people import MODEL, OWNER
from tests.door_under_test import DOOR_RULES, DoorUnderTest
from tests.house import CARDS, DURESS_PIN, FOB_ALONE, HOLDERS, PIN, WRONG_PIN, fob, house_rules, last, order, walk_in

Make = Callable[..., DoorUnderTest]
TWO_WAYS = {"front": "in", "inner": "out"}
TWO_IN = {"front": "in", "side": "in"}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A door of the house whose rules are the given ones; it is shut."""
    made: list[DoorUnderTest] = []

    def build(leads: Any = TWO_WAYS, policy: Any = FOB_ALONE, how: Any = None, **entry: Any) -> DoorUnderTest:
        made.append(DoorUnderTest(tmp_path, policy, house_rules(**entry), leads=leads, **(how or {})))
        made[-1].press("contact", False)
        return made[-1]

    yield build
    for door in made:
        door.close()


# -- PIN -------------------------------------------------------------------------------------------------------------------------


def test_the_right_pin_after_the_fob_opens(make):
    door = make()
    door.read(fob("vera"))
    assert (door.decisions(), door.shown) == ([], Meaning.ENTER_PIN)
    door.type(PIN + "#")
    assert door.decisions() == [(True, ["fob_alone_no_template"])]
    assert door.lock.released
    assert door.shown is Meaning.GRANTED


def test_a_wrong_pin_opens_nothing_and_asks_for_another_try(make):
    door = make()
    door.read(fob("vera"))
    door.type(WRONG_PIN + "#")
    assert door.decisions() == [(False, ["pin_wrong"])]
    assert not door.lock.released
    assert door.shown is Meaning.TRY_AGAIN


def test_a_pin_that_is_begun_anew_counts_from_its_new_beginning(make):
    door = make()
    door.read(fob("vera"))
    door.type("99*" + PIN + "#")
    assert door.decisions() == [(True, ["fob_alone_no_template"])]


def test_without_a_pin_the_answer_is_no_after_the_policys_time(make):
    door = make()
    door.read(fob("vera"))
    door.type(PIN)  # and no '#'
    door.after(12.0)
    assert door.decisions() == []
    door.after(1.1)
    assert door.decisions() == [(False, ["pin_not_entered"])]
    assert door.shown is Meaning.TRY_AGAIN


def test_a_pin_without_a_fob_is_nobodys(make):
    door = make()
    door.type(PIN + "#")
    door.read(fob("vera"))
    assert door.decisions() == []
    assert not door.lock.released


def test_a_pin_that_was_half_typed_before_the_fob_is_forgotten_with_it(make):
    door = make()
    door.type(PIN[:2])
    door.read(fob("vera"))
    door.type(PIN[2:] + "#")
    assert door.decisions() == [(False, ["pin_wrong"])]


def test_a_pin_typed_at_another_reader_belongs_to_nobody_there(make):
    door = make(leads=TWO_IN)
    door.read(fob("vera"), "front")
    door.type(PIN + "#", "side")
    assert door.decisions() == []
    door.type(PIN + "#", "front")
    assert door.decisions() == [(True, ["fob_alone_no_template"])]


def test_whoever_has_no_pin_set_where_one_is_asked_for_is_not_let_in(make):
    door = make()
    door.read(fob("paul"))
    assert door.decisions() == [(False, ["pin_not_set"])]


def test_a_pin_that_is_asked_for_at_a_reader_without_keys_is_the_doors_fault(make):
    door = make(how={"keyless": ("front",)})
    door.read(fob("vera"))
    assert door.decisions() == [(False, ["no_keypad"])]
    assert door.shown is Meaning.OUT_OF_ORDER


def test_a_fob_held_out_again_while_its_pin_is_awaited_is_the_same_case(make):
    door = make()
    door.read(fob("vera"))
    door.after(2.0)
    door.read(fob("vera"))
    door.type(PIN + "#")
    door.after(20.0)
    assert door.decisions() == [(True, ["fob_alone_no_template"])]


def test_after_too_many_wrong_pins_the_right_one_is_refused_for_a_while_and_nobody_elses(make):
    door, rules = make(), PinRules()
    for _ in range(rules.tries):
        door.read(fob("vera"))
        door.type(WRONG_PIN + "#")
    door.read(fob("vera"))
    assert door.decisions()[-1] == (False, ["pin_locked_out"])
    door.after(1.0)
    assert walk_in(door, "ann") == (True, ["fob_alone_no_template"])
    door.after(rules.lockout_s)
    door.read(fob("vera"))
    door.type(PIN + "#")
    assert door.decisions()[-1] == (True, ["fob_alone_no_template"])


def test_whoever_is_locked_out_still_leaves(make):
    door = make()
    for _ in range(PinRules().tries):
        door.read(fob("vera"))
        door.type(WRONG_PIN + "#")
    assert walk_in(door, "vera", "inner") == (True, ["leaving"])


def test_the_face_is_looked_for_from_the_pin_on(make):
    """No vision answers here: the wait for it begins with the PIN, not with the fob."""
    door = make()
    with_face = replace(next(holder for holder in HOLDERS if holder.id == "vera"), templates=(OWNER,), embedder_id=MODEL)
    people = Roll([with_face], [Credential(key=f"H10301:1:{CARDS['vera']}", cardholder="vera")])
    door.send(NewRules(replace(house_rules(), people=people)))
    door.read(fob("vera"))
    assert door.shown is Meaning.ENTER_PIN
    door.type(PIN)
    door.send(KeyPressed(reader="front", key="#", at_s=door.clock.now_s))
    assert door.shown is Meaning.LOOK_AT_CAMERA
    door.after(0.45)
    assert door.decisions() == []
    door.after(0.1)
    assert door.decisions() == [(False, ["vision_missing"])]
    assert door.meanings == [Meaning.ENTER_PIN, Meaning.LOOK_AT_CAMERA, Meaning.OUT_OF_ORDER]


def press_burst(door: DoorUnderTest, key: str) -> None:
    """A key as a burst of four bits on the data lines."""
    for bit in f"{'0123456789*#'.index(key):04b}":
        door.clock.now_s += 0.001
        door.inbox.put(Edge("front", int(bit), door.clock.now_s))
    door.turn()
    door.after(0.2)


def test_a_pin_comes_over_the_data_lines_as_bursts_of_four_bits(make):
    door = make(how={"keypad": "4-bit"})
    door.read(fob("vera"))
    door.after(0.2)
    for key in PIN + "#":
        press_burst(door, key)
    assert door.decisions() == [(True, ["fob_alone_no_template"])]


@pytest.mark.parametrize("pin", [PIN, DURESS_PIN, WRONG_PIN])
def test_the_digits_of_a_pin_stand_in_no_event_no_state_no_log_and_no_file(make, tmp_path, caplog, pin):
    caplog.set_level(logging.DEBUG)
    door = make(how={"keypad": "4-bit"})
    door.read(fob("vera"))
    door.after(0.2)
    for key in pin + "#":
        press_burst(door, key)
    door.after(6.0)
    assert len(door.decisions()) == 1
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"access." in written
    assert pin.encode() not in written
    for where in (door.events, door.told.said, caplog.text):
        assert pin not in str(where)
    assert "KeyPressed" not in str(door.events)
    assert not door.kinds("reader.")


# -- duress ----------------------------------------------------------------------------------------------------------------------


def test_a_duress_fob_opens_like_any_other_and_only_the_event_tells(make):
    door = make()
    walk_in(door, "ann")
    door.after(30.0)
    walk_in(door, "ann forced")
    plain, forced = (data for kind, data in door.events if kind == "access.granted")
    assert (plain["duress"], forced["duress"]) == (False, True)
    assert forced["reasons"] == ["fob_alone_no_template", "duress"]
    assert forced["pulse_s"] == plain["pulse_s"]
    assert door.signals.noted[0] == door.signals.noted[1]
    assert door.meanings == [Meaning.GRANTED, Meaning.GRANTED]


def test_a_duress_pin_opens_like_the_right_one_and_only_the_event_tells(make):
    door = make()
    for pin in (PIN, DURESS_PIN):
        door.read(fob("vera"))
        door.type(pin + "#")
        assert door.lock.released
        door.press("contact", True)
        door.press("contact", False)
        door.after(30.0)
    plain, forced = (data for kind, data in door.events if kind == "access.granted")
    assert (plain["duress"], forced["duress"]) == (False, True)
    shown = door.signals.noted
    assert shown[:2] == shown[2:]


def test_no_state_that_a_bystander_could_read_tells_of_duress(make):
    door = make()
    walk_in(door, "ann forced")
    door.after(6.0)
    assert "duress" not in str(door.told.said)


def test_a_duress_fob_that_is_refused_tells_all_the_same(make):
    door = make(passback="hard")
    walk_in(door, "ann")
    walk_in(door, "ann forced")
    assert last(door, "access.denied")["reasons"] == ["already_inside", "duress"]
    assert last(door, "access.denied")["duress"]
    assert door.shown is Meaning.DENIED


# -- visitors --------------------------------------------------------------------------------------------------------------------


def test_a_visitor_passes_until_the_visit_is_over(make):
    door = make()
    assert walk_in(door, "guest") == (True, ["fob_alone_no_template"])
    door.after(3600.0)
    assert walk_in(door, "guest") == (False, ["visit_over"])


def test_a_visitor_whose_visit_is_over_still_gets_out(make):
    door = make()
    door.after(3600.0)
    assert walk_in(door, "guest", "inner") == (True, ["leaving", "visit_over"])


@pytest.mark.parametrize(("who", "why"), [("early", "visit_not_begun"), ("endless", "visit_without_end")])
def test_a_visitor_too_early_or_without_an_end_passes_nowhere(make, who, why):
    assert walk_in(make(), who) == (False, [why])


# -- two people ------------------------------------------------------------------------------------------------------------------


def test_the_first_of_two_waits_at_a_shut_door_and_the_second_opens_it_for_both(make):
    door = make(two_person="always", passback="hard")
    door.read(fob("ann"))
    assert not door.lock.released
    assert door.shown is Meaning.SECOND_PERSON
    assert door.kinds("access.") == ["access.first_of_two"]
    door.after(5.0)
    assert walk_in(door, "bob") == (True, ["fob_alone_no_template", "second_of_two"])
    granted = last(door, "access.granted")
    assert (granted["cardholder"], granted["partner"]) == ("bob", "ann")
    assert door.meanings[-1] is Meaning.GRANTED
    assert set(door.kept[-1].inside) == {"ann", "bob"}


def test_two_fobs_of_one_person_are_one_person(make):
    door = make(two_person="always")
    walk_in(door, "ann")
    assert walk_in(door, "ann again") == (False, ["second_person_needed"])


def test_a_second_person_who_comes_too_late_is_a_first_one(make):
    door = make(two_person="always", two_person_within_s=10.0)
    walk_in(door, "ann")
    door.after(10.0)
    assert walk_in(door, "bob") == (False, ["second_person_needed"])
    assert walk_in(door, "ann")[0]


def test_a_second_person_who_may_not_pass_opens_for_neither(make):
    door = make(two_person="always")
    walk_in(door, "ann")
    assert walk_in(door, "endless") == (False, ["visit_without_end"])
    assert not door.lock.released


def test_the_second_one_enters_a_pin_of_their_own(make):
    door = make(two_person="always")
    walk_in(door, "ann")
    door.read(fob("vera"))
    assert door.shown is Meaning.ENTER_PIN
    door.type(PIN + "#")
    assert door.decisions()[-1] == (True, ["fob_alone_no_template", "second_of_two"])


def test_of_two_the_one_who_needs_longer_gets_it_whoever_comes_first(make):
    door = make(two_person="always")
    walk_in(door, "bob")
    walk_in(door, "ann")
    assert last(door, "access.granted")["pulse_s"] == FOB_ALONE.extended_pulse_s


def test_leaving_takes_one(make):
    assert walk_in(make(two_person="always"), "ann", "inner") == (True, ["leaving"])


def test_two_people_by_the_hour(make):
    door = make(two_person="by_schedule", two_person_schedule="opening")
    assert walk_in(door, "ann")[0]
    door.after(1800.0)
    assert walk_in(door, "ann") == (False, ["second_person_needed"])


def test_a_restart_forgets_the_first_of_two(make):
    door = make(two_person="always")
    walk_in(door, "ann")
    again = door.restart()
    assert walk_in(again, "bob") == (False, ["second_person_needed"])
    again.close()


# -- passback --------------------------------------------------------------------------------------------------------------------


def test_whoever_is_inside_already_is_refused_until_they_leave(make):
    door = make(passback="hard")
    assert walk_in(door, "ann")[0]
    assert walk_in(door, "ann again") == (False, ["already_inside"])
    assert door.shown is Meaning.DENIED
    assert walk_in(door, "ann", "inner") == (True, ["leaving"])
    assert walk_in(door, "ann")[0]


def test_whoever_was_let_in_and_did_not_open_is_not_inside(make):
    door = make(passback="hard")
    door.read(fob("ann"))
    door.after(FOB_ALONE.pulse_s + 1.0)
    assert walk_in(door, "ann")[0]


def test_a_door_that_somebody_opens_after_the_grant_was_over_takes_nobody_in(make):
    door = make(passback="hard")
    door.read(fob("ann"))
    door.after(FOB_ALONE.pulse_s + 1.0)
    door.press("rex", True)
    door.press("contact", True)
    door.press("contact", False)
    assert walk_in(door, "ann")[0]


def test_a_door_that_is_forced_after_a_lock_down_took_the_grant_away_takes_nobody_in(make):
    door = make(passback="hard")
    door.read(fob("ann"))
    order(door, "lockdown")
    door.after(1.0)
    door.press("contact", True)
    assert door.told.states["alarm"] == "forced"
    door.press("contact", False)
    order(door, "release")
    assert walk_in(door, "ann")[0]


def test_a_contact_that_speaks_for_the_first_time_takes_nobody_in(tmp_path):
    door = DoorUnderTest(tmp_path, FOB_ALONE, house_rules(passback="hard"), leads=TWO_WAYS)
    door.read(fob("ann"))
    door.press("contact", True)
    door.press("contact", False)
    assert walk_in(door, "ann")[0]
    door.close()


def test_whoever_leaves_without_opening_is_still_inside(make):
    door = make(passback="hard")
    walk_in(door, "ann")
    door.read(fob("ann"), "inner")
    door.after(FOB_ALONE.pulse_s + 1.0)
    assert walk_in(door, "ann") == (False, ["already_inside"])


def test_two_who_were_let_in_and_opened_once_are_both_inside(make):
    door = make(passback="hard")
    door.read(fob("ann"))
    door.after(0.5)
    door.read(fob("bob"))
    door.press("contact", True)
    door.press("contact", False)
    assert walk_in(door, "ann") == (False, ["already_inside"])
    assert walk_in(door, "bob") == (False, ["already_inside"])


def test_soft_passback_lets_in_and_tells(make):
    door = make(passback="soft")
    walk_in(door, "ann")
    assert walk_in(door, "ann") == (True, ["fob_alone_no_template", "passback_told"])
    assert door.meanings[-1] is Meaning.GRANTED


def test_timed_passback_forgets_after_its_minutes(make):
    door = make(leads={"front": "in"}, passback="hard", passback_forget_min=10)
    walk_in(door, "ann")
    door.after(595.0)
    assert walk_in(door, "ann") == (False, ["already_inside"])
    door.after(10.0)
    assert walk_in(door, "ann")[0]


@pytest.mark.parametrize("minutes", [0, 60])
def test_who_is_inside_survives_a_restart(make, minutes):
    door = make(passback="hard", passback_forget_min=minutes)
    walk_in(door, "ann")
    again = door.restart()
    again.press("contact", False)
    assert walk_in(again, "ann") == (False, ["already_inside"])
    assert walk_in(again, "bob")[0]
    assert walk_in(again, "ann", "inner")[0]
    assert walk_in(again, "ann")[0]
    again.close()


def test_the_forgive_command_lets_everybody_come_in_once_more_and_says_for_how_many(make):
    door = make(passback="hard")
    walk_in(door, "ann")
    walk_in(door, "bob")
    assert order(door, "forgive") == (True, "done: 2 forgiven")
    assert "command.done" in door.kinds()
    assert walk_in(door, "ann")[0]
    assert walk_in(door, "ann") == (False, ["already_inside"])


def test_what_was_forgiven_stays_so_after_a_restart(make):
    door = make(passback="hard")
    walk_in(door, "ann")
    order(door, "forgive")
    again = door.restart()
    assert walk_in(again, "ann")[0]
    again.close()


def test_passback_that_this_door_cannot_keep_is_told_and_refuses_nobody(make):
    door = make(leads={"front": "in"}, passback="hard")
    assert "no reader leads out" in last(door, "rules.not_applied")["error"]
    assert walk_in(door, "ann")[0]
    assert walk_in(door, "ann")[0]


def test_whoever_leaves_is_not_asked_whether_they_came_in(make):
    door = make(passback="hard")
    assert walk_in(door, "ann", "inner")[0]
    assert walk_in(door, "ann", "inner")[0]


# -- interlock -------------------------------------------------------------------------------------------------------------------


def test_while_the_lobbys_other_door_is_open_nobody_is_let_in(make):
    door = make(interlock=True)
    door.press("interlock", True)
    assert walk_in(door, "ann") == (False, ["other_door_open"])
    assert door.shown is Meaning.TRY_AGAIN
    assert order(door, "unlock") == (False, "the other door of this lobby stands open")
    assert not door.lock.released
    door.press("interlock", False)
    assert walk_in(door, "ann")[0]


def test_an_interlock_never_holds_the_exit_button(make):
    door = make(interlock=True)
    door.press("interlock", True)
    door.press("rex", True)
    assert door.lock.released


def test_an_interlock_never_holds_a_reader_that_leads_out(make):
    door = make(interlock=True)
    door.press("interlock", True)
    door.read(fob("ann"), "inner")
    assert door.lock.released
    assert door.decisions() == [(True, ["leaving"])]


def test_an_interlock_holds_whoever_waits_for_a_pin_when_the_other_door_opens(make):
    door = make(interlock=True)
    door.read(fob("vera"))
    door.press("interlock", True)
    assert door.decisions() == [(False, ["other_door_open"])]


# -- leaving ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["lockdown", "block"])
@pytest.mark.parametrize("who", ["ann", "nobody", "endless"])
def test_a_reader_that_leads_out_opens_with_any_fob_in_any_mode_and_tells(make, mode, who):
    door = make()
    order(door, mode)
    door.read(fob(who), "inner")
    assert door.lock.released
    granted, reasons = door.decisions()[-1]
    assert granted
    assert reasons == ["leaving", "locked_down" if mode == "lockdown" else "door_blocked"]
    assert door.shown is Meaning.GRANTED


def test_an_unknown_fob_leaves_and_the_guards_are_told(make):
    door = make()
    door.read(fob("nobody"), "inner")
    assert door.lock.released
    assert last(door, "access.granted")["reasons"] == ["leaving", "unknown_credential"]


@pytest.mark.parametrize("mode", ["lockdown", "block"])
def test_a_mode_that_comes_while_somebody_is_leaving_does_not_hold_them(make, mode):
    door = make()
    door.read(fob("ann"), "inner")
    assert order(door, mode) == (True, "somebody is leaving: the lock holds when that is over")
    assert door.lock.released
    door.press("contact", True)
    assert not door.lock.released


FREES_IN_FIRE = replace(DOOR_RULES, fire_releases=True)


@pytest.mark.parametrize("mode", ["lock", "lockdown", "block"])
def test_a_fire_lets_go_in_any_mode_and_with_the_lobbys_other_door_open_until_it_is_over(make, mode):
    door = make(how={"door_rules": FREES_IN_FIRE}, interlock=True)
    order(door, mode)
    door.press("interlock", True)
    door.press("fire", True)
    for _ in range(5):
        assert door.lock.released
        door.after(2.0)
    assert order(door, "lockdown") == (True, "fire: the lock holds when that is over")
    assert door.lock.released
    door.press("fire", False)
    assert not door.lock.released
    assert [kind for kind in door.kinds() if kind.startswith("fire.")][-2:] == ["fire.active", "fire.cleared"]


def test_a_restart_in_a_fire_lets_go_again(make):
    door = make(how={"door_rules": FREES_IN_FIRE})
    order(door, "lockdown")
    door.press("fire", True)
    again = door.restart()
    assert not again.lock.released
    again.press("fire", True)
    assert again.lock.released
    again.close()


# -- lock-down -------------------------------------------------------------------------------------------------------------------


def test_one_of_the_few_whom_the_site_names_passes_a_lock_down_and_it_is_told(make):
    door = make()
    order(door, "lockdown")
    assert walk_in(door, "ann") == (False, ["locked_down"])
    door.read(fob("medic"))
    assert door.lock.released
    assert door.decisions()[-1] == (True, ["fob_alone_no_template", "passes_lockdown"])
    assert door.told.states["mode"] == "LockedDown"
    door.press("contact", True)
    assert not door.lock.released
    assert "door.forced" not in door.kinds()


def test_one_of_the_few_under_duress_passes_and_it_is_told_too(make):
    door = make()
    order(door, "lockdown")
    assert walk_in(door, "medic forced") == (True, ["fob_alone_no_template", "passes_lockdown", "duress"])


def test_nobody_passes_a_blocked_door(make):
    door = make()
    order(door, "block")
    assert walk_in(door, "medic") == (False, ["door_blocked"])


@pytest.mark.parametrize(("name", "mode"), [("lockdown", DoorMode.LOCKED_DOWN), ("block", DoorMode.BLOCKED)])
def test_a_lock_down_and_a_block_survive_a_restart(make, name, mode):
    door = make()
    order(door, name)
    again = door.restart()
    assert again.loop.state.mode is mode
    assert not walk_in(again, "ann")[0]
    assert order(again, "release") == (True, "done")
    assert walk_in(again, "ann")[0]
    again.close()


# -- two readers -----------------------------------------------------------------------------------------------------------------


def read_both(door: DoorUnderTest, **bits: str) -> None:
    """Fobs at several readers at once, their bits one after the other."""
    for pair in zip(*bits.values(), strict=True):
        for reader, bit in zip(bits, pair, strict=True):
            door.clock.now_s += 0.0005
            door.inbox.put(Edge(reader, int(bit), door.clock.now_s))
    door.turn()
    door.after(0.004)


def test_two_readers_whose_bits_come_mixed_are_each_read_whole(make):
    door = make()
    read_both(door, front=fob("ann"), inner=fob("bob"))
    told = [(data["read"]["reader"], data["cardholder"]) for kind, data in door.events if kind == "access.granted"]
    assert told == [("front", "ann"), ("inner", "bob")]
    assert not door.kinds("reader.")


def test_a_frame_that_is_broken_off_at_one_reader_harms_no_fob_at_the_other(make):
    door = make()
    for bit in fob("bob")[:11]:
        door.clock.now_s += 0.001
        door.inbox.put(Edge("inner", int(bit), door.clock.now_s))
    assert walk_in(door, "ann")[0]
    door.after(0.3)
    assert [(data["reader"], data["fault"]) for kind, data in door.events if kind == "reader.fault"] == [("inner", "length")]


def test_surplus_bits_at_another_reader_take_back_nothing(make):
    door = make(leads=TWO_IN)
    read_both(door, front=fob("ann"), side=fob("nobody"))
    assert door.decisions() == [(True, ["fob_alone_no_template"]), (False, ["unknown_credential"])]
    door.send(Edge("side", 1, door.clock.now_s + 0.003))
    assert door.lock.released


def test_surplus_bits_at_the_same_reader_take_the_opening_back_and_nobody_came_in(make):
    door = make(leads=TWO_IN, passback="hard", passback_forget_min=60)
    read_both(door, front=fob("ann"), side=fob("nobody"))
    door.send(Edge("front", 1, door.clock.now_s + 0.003))
    assert not door.lock.released
    door.after(0.3)
    door.press("rex", True)
    door.press("contact", True)
    door.press("contact", False)
    assert walk_in(door, "ann")[0]


def test_surplus_bits_take_nothing_back_from_somebody_who_leaves(make):
    door = make()
    door.read(fob("ann"), "inner")
    door.send(Edge("inner", 1, door.clock.now_s + 0.003))
    assert door.lock.released


def test_after_lost_edges_neither_the_frame_around_them_nor_the_next_is_believed(make):
    door = make()
    bits = fob("ann")
    for n, bit in enumerate(bits):
        door.clock.now_s += 0.001
        if n == 9:
            door.inbox.put(EdgesLost("front", door.clock.now_s))
        door.inbox.put(Edge("front", int(bit), door.clock.now_s))
    door.turn()
    for _ in range(2):
        door.after(0.3)
        door.read(bits)
    door.after(0.3)
    faults = [data["fault"] for kind, data in door.events if kind == "reader.fault"]
    assert faults[:2] == ["lost", "lost"]
    assert door.decisions() == [(True, ["fob_alone_no_template"])]


def test_edges_lost_at_one_reader_poison_no_other(make):
    door = make()
    door.inbox.put(EdgesLost("inner", door.clock.now_s))
    assert walk_in(door, "ann")[0]


def test_a_frame_with_a_bit_turned_over_opens_nothing_and_asks_for_another_try(make):
    door = make()
    door.read(flipped(fob("ann"), 5))
    assert door.decisions() == []
    assert last(door, "reader.fault")["fault"] == "parity"
    assert door.shown is Meaning.TRY_AGAIN


# -- rules that change -----------------------------------------------------------------------------------------------------------


def test_new_rules_begin_the_two_anew_and_count_at_once(make):
    door = make(two_person="always")
    walk_in(door, "ann")
    door.send(NewRules(house_rules(two_person="always")))
    assert walk_in(door, "bob") == (False, ["second_person_needed"])
    door.send(NewRules(house_rules()))
    assert walk_in(door, "ann") == (True, ["fob_alone_no_template"])
