"""What a door remembers from one read to the next, as its loop asks for it: reads, PINs, openings, restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.core.access import AccessProfile, AccessRules, DoorAccess, may_pass
from agent.core.decide import Case, Decision, Wait, carried, decide, view_at
from agent.core.desk import Desk, Kept, Wiring
from agent.core.messages import CredentialRead, DoorMode
from agent.core.people import Cardholder, Credential, Roll
from agent.core.pins import PinRules
from agent.core.reasons import Reason
from agent.core.schedules import Interval, Schedule
from tests.core.test_decide import LENIENT

START = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
DAILY = tuple(range(7))
SCHEDULES = {
    "always": Schedule(id="always", zone="UTC", intervals=(Interval(days=DAILY, from_min=0, until_min=1440),)),
    "opening": Schedule(id="opening", zone="UTC", intervals=(Interval(days=DAILY, from_min=480, until_min=1080),)),
    "late": Schedule(id="late", zone="UTC", intervals=(Interval(days=DAILY, from_min=1200, until_min=1440),)),
}
PROFILES = {
    "staff": AccessProfile(id="staff", doors=("front",), schedule="always"),
    "vault": AccessProfile(id="vault", doors=("front",), schedule="always", factors="credential_and_pin"),
    "keys": AccessProfile(id="keys", doors=("front",), schedule="always", begins_unlock=True),
}
HOLDERS = [
    Cardholder(id="ann", profiles=("staff",)),
    Cardholder(id="bob", profiles=("staff",), extended_opening=True),
    Cardholder(id="chief", profiles=("keys",), free_of_passback=True),
    Cardholder(id="vera", profiles=("vault",), pin="4711", duress_pin="4712"),
    Cardholder(id="paul", profiles=("vault",)),
]
"""Cardholders of these tests, without faces: what the door itself remembers is the question here."""
FOBS = {"ann": 1, "bob": 2, "chief": 3, "vera": 4, "paul": 5, "ann again": 6, "nobody": 99}
PEOPLE = Roll(HOLDERS, [Credential(key=f"H10301:1:{FOBS[who]}", cardholder=who.split()[0]) for who in FOBS if who != "nobody"])
KEYS = [f"H10301:1:{number}" for number in FOBS.values()]
TWO_WAYS = Wiring(leads={"front": "in", "inner": "out"}, keypads=frozenset({"front"}), has_contact=True)
PLAIN = DoorAccess()
HARD, SOFT = DoorAccess(passback="hard"), DoorAccess(passback="soft")
TWO = DoorAccess(two_person="always", two_person_within_s=10.0)


def rules(entry: DoorAccess, people: Roll = PEOPLE) -> AccessRules:
    return AccessRules(version=1, site="hq", door="front", people=people, profiles=PROFILES, schedules=SCHEDULES, entry=entry)


class Door:
    """A desk with a clock, asked as the loop asks it. Fobs pass without a face."""

    def __init__(self, entry: DoorAccess = PLAIN, wiring: Wiring = TWO_WAYS, kept: Kept | None = None) -> None:
        self.now_s, self.open, self.other_open, self.mode = 100.0, False, False, DoorMode.LOCKED
        self.wiring, self.rules = wiring, rules(entry)
        self.desk = Desk(wiring, self.rules, PinRules(tries=3, lockout_s=300.0), kept)
        self.waiting: list[Case] = []
        self.answers: list[Decision] = []

    @property
    def wall(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def read(self, who: str, reader: str = "front") -> Decision | None:
        read = CredentialRead(reader=reader, format="H10301", facility=1, card=FOBS[who], bits="", read_s=self.now_s)
        self.waiting.append(self.desk.open(read, self.now_s, self.wall))
        return self.ask()

    def pin(self, digits: str, reader: str = "front") -> Decision | None:
        self.waiting = self.desk.enter_pin(self.waiting, reader, digits, self.now_s)
        return self.ask()

    def ask(self) -> Decision | None:
        """What the newest case was told, if it was."""
        still, last = [], None
        for waiting in self.waiting:
            case = self.desk.stand(waiting, self.now_s, self.wall, self.other_open)
            answer = decide(case, view_at(None, self.now_s), self.mode, LENIENT, self.now_s)
            if isinstance(answer, Wait):
                still.append(carried(case, answer))
                continue
            self.desk.decided(case, answer, self.now_s, self.wall, self.open)
            self.answers.append(last := answer)
        self.waiting = still
        return last

    def after(self, seconds: float) -> Door:
        self.now_s += seconds
        self.ask()
        return self

    def opens(self) -> None:
        self.desk.opened(self.now_s, self.wall)

    def comes_in(self, who: str) -> Decision | None:
        answer = self.after(1).read(who)
        self.after(1).opens()
        return answer

    def restarts(self) -> Door:
        """What another process makes of the bytes that were kept."""
        kept = msgspec.json.decode(msgspec.json.encode(self.desk.kept), type=Kept)
        again = Door(self.rules.entry, self.wiring, kept)
        again.now_s = self.now_s + 60
        return again


def why(answer: Decision | None) -> tuple[Reason, ...]:
    assert answer is not None, "it still waits"
    return answer.reasons


def entered(answer: Decision | None) -> bool:
    assert answer is not None, "it still waits"
    return answer.granted


# -- passback ------------------------------------------------------------------------------------------------------------------


def test_whoever_came_in_does_not_come_in_again_before_having_left():
    door = Door(HARD)
    assert entered(door.comes_in("ann"))
    assert why(door.comes_in("ann")) == (Reason.ALREADY_INSIDE,)
    assert entered(door.after(1).read("ann", "inner"))
    door.opens()
    assert entered(door.comes_in("ann"))


def test_a_second_fob_of_the_same_person_is_the_same_person():
    door = Door(HARD)
    door.comes_in("ann")
    assert why(door.comes_in("ann again")) == (Reason.ALREADY_INSIDE,)


def test_whoever_was_let_in_and_did_not_walk_in_is_not_locked_out():
    door = Door(HARD)
    assert entered(door.read("ann"))
    assert entered(door.after(20).read("ann"))


def test_a_door_that_opens_after_the_time_was_over_let_in_nobody_who_was_granted():
    door = Door(HARD)
    door.read("ann")
    door.after(LENIENT.pulse_s + 1).opens()
    assert entered(door.read("ann"))


def test_a_leaf_that_is_moving_when_the_lock_holds_again_still_counts():
    door = Door(HARD)
    door.read("ann")
    door.after(LENIENT.pulse_s + 0.4).opens()
    assert why(door.read("ann")) == (Reason.ALREADY_INSIDE,)


def test_one_opening_is_one_passage():
    """Ann goes in; the next opening is a request to exit or a guard's, and moves nobody."""
    door = Door(HARD)
    door.comes_in("ann")
    door.read("ann", "inner")
    door.opens()
    door.opens()
    assert entered(door.comes_in("ann"))


def test_a_second_opening_within_the_same_grant_moves_nobody_again():
    door = Door(HARD)
    door.comes_in("ann")
    door.desk.forgive("ann")
    door.opens()
    assert entered(door.read("ann"))


def test_two_who_were_let_in_and_open_once_are_both_in():
    door = Door(HARD)
    door.read("ann")
    door.after(0.5).read("bob")
    door.after(0.5).opens()
    assert [why(door.read(who)) for who in ("ann", "bob")] == [(Reason.ALREADY_INSIDE,)] * 2


@pytest.mark.parametrize("case", ["no contact", "open already"])
def test_where_no_opening_can_be_seen_a_grant_counts(case):
    door = Door(HARD, replace(TWO_WAYS, has_contact=case != "no contact"))
    door.open = case == "open already"
    door.read("ann")
    assert why(door.after(1).read("ann")) == (Reason.ALREADY_INSIDE,)


def test_soft_passback_lets_in_and_tells():
    door = Door(SOFT)
    door.comes_in("ann")
    assert why(door.comes_in("ann")) == (Reason.FOB_ALONE_NO_TEMPLATE, Reason.PASSBACK_TOLD)


def test_whoever_is_free_of_passback_comes_and_goes():
    door = Door(HARD)
    assert [entered(door.comes_in("chief")) for _ in range(3)] == [True] * 3


def test_leaving_by_a_reader_is_never_refused_not_even_to_whoever_never_came_in():
    door = Door(HARD)
    assert entered(door.read("ann", "inner"))
    door.mode = DoorMode.LOCKED_DOWN
    assert entered(door.read("nobody", "inner"))


def test_whoever_leaves_is_not_told_to_be_inside():
    door = Door(replace(HARD, two_person="always"))
    door.read("ann")
    door.read("bob")
    door.after(1).opens()
    door.other_open = True
    assert why(door.read("ann", "inner")) == (Reason.LEAVING,)


def test_passback_that_cannot_work_is_told_and_not_applied():
    """Without a way out that is read, everybody would come in once and never again."""
    one_way = replace(TWO_WAYS, leads={"front": "in"})
    door = Door(HARD, one_way)
    assert "no reader leads out" in door.desk.faults[0]
    door.comes_in("ann")
    assert entered(door.comes_in("ann"))
    timed = Door(DoorAccess(passback="hard", passback_forget_min=10), one_way)
    assert timed.desk.faults == []
    timed.comes_in("ann")
    assert not entered(timed.comes_in("ann"))
    assert entered(timed.after(600).read("ann"))


def test_a_guard_forgives_one_or_all():
    door = Door(HARD)
    door.comes_in("ann")
    door.comes_in("bob")
    assert door.desk.forgive("ann") == 1
    assert entered(door.read("ann"))
    assert not entered(door.read("bob"))
    assert door.desk.forgive() == 1
    assert entered(door.read("bob"))


def test_an_opening_that_was_taken_back_took_nobody_in():
    door = Door(HARD)
    door.read("ann")
    door.desk.called_off()
    door.after(0.5).opens()
    assert entered(door.read("ann"))


def test_a_restart_forgets_nobody():
    door = Door(HARD)
    door.comes_in("ann")
    again = door.restarts()
    assert why(again.read("ann")) == (Reason.ALREADY_INSIDE,)
    assert entered(again.read("bob"))


def test_what_is_to_be_saved_is_another_object_only_when_something_changed():
    door = Door(HARD)
    before = door.desk.kept
    door.read("ann")
    assert door.desk.kept is before, "ann has not walked in yet"
    door.opens()
    after = door.desk.kept
    assert after is not before
    door.opens()
    door.read("ann")
    assert door.desk.kept is after


def test_a_door_without_passback_keeps_no_record_of_who_is_where():
    door = Door()
    door.comes_in("ann")
    assert door.desk.kept == Kept()


def test_rules_without_passback_forget_who_is_inside_at_the_next_passage():
    door = Door(HARD)
    door.comes_in("ann")
    door.desk.take_rules(rules(DoorAccess()))
    assert entered(door.comes_in("ann"))


# -- two people ----------------------------------------------------------------------------------------------------------------


def test_two_different_people_one_soon_after_the_other_open_the_door():
    door = Door(TWO)
    assert door.read("ann").outcome == "first_of_two"
    answer = door.after(9.9).read("bob")
    assert why(answer) == (Reason.FOB_ALONE_NO_TEMPLATE, Reason.SECOND_OF_TWO)
    assert answer.partner == "ann"


def test_twice_the_same_person_is_one_person_whatever_fobs_they_hold():
    door = Door(TWO)
    assert [door.after(1).read(who).outcome for who in ("ann", "ann again", "ann")] == ["first_of_two"] * 3


def test_whoever_comes_too_late_is_a_first_of_two_again():
    door = Door(TWO)
    door.read("ann")
    assert door.after(10).read("bob").outcome == "first_of_two"
    assert entered(door.after(1).read("ann"))


def test_the_third_begins_anew():
    door = Door(TWO)
    assert [door.after(1).read(who).outcome for who in ("ann", "bob", "chief")] == ["first_of_two", "granted", "first_of_two"]


def test_somebody_who_is_refused_is_nobodys_second():
    door = Door(TWO)
    door.read("ann")
    assert why(door.read("nobody")) == (Reason.UNKNOWN_CREDENTIAL,)
    assert entered(door.read("bob"))


def test_who_needs_longer_gets_it_as_the_first_of_two_as_well():
    door = Door(TWO)
    door.read("bob")
    assert door.read("ann").pulse_s == LENIENT.extended_pulse_s


def test_both_of_two_are_inside_when_the_door_has_opened():
    door = Door(replace(TWO, passback="hard"))
    door.read("ann")
    door.read("bob")
    door.after(1).opens()
    assert why(door.read("ann")) == (Reason.ALREADY_INSIDE,)
    assert why(door.read("bob")) == (Reason.ALREADY_INSIDE,)


def test_two_are_needed_only_while_the_schedule_says_so():
    door = Door(DoorAccess(two_person="by_schedule", two_person_schedule="late"))
    assert entered(door.read("ann"))
    door.after(11 * 3600)
    assert door.read("ann").outcome == "first_of_two"


def test_leaving_takes_one():
    assert entered(Door(TWO).read("ann", "inner"))


# -- PIN -----------------------------------------------------------------------------------------------------------------------


def test_the_right_pin_opens_and_a_wrong_one_does_not():
    door = Door()
    assert door.read("vera") is None
    assert entered(door.after(3).pin("4711"))
    door.after(5).read("vera")
    assert why(door.pin("4710")) == (Reason.PIN_WRONG,)


def test_the_duress_pin_opens_and_tells():
    door = Door()
    door.read("vera")
    answer = door.pin("4712")
    assert (answer.granted, answer.duress, answer.reasons[-1]) == (True, True, Reason.DURESS)


def test_three_wrong_pins_shut_the_right_one_out_for_five_minutes():
    door = Door()
    for _ in range(3):
        door.after(1).read("vera")
        assert why(door.pin("0000")) == (Reason.PIN_WRONG,)
    assert why(door.read("vera")) == (Reason.PIN_LOCKED_OUT,)
    assert door.after(300).read("vera") is None
    assert entered(door.pin("4711"))


def test_a_pin_that_is_never_entered_is_refused_in_time():
    door = Door()
    door.read("vera")
    door.after(LENIENT.pin_wait_s)
    assert why(door.answers[-1]) == (Reason.PIN_NOT_ENTERED,)


def test_a_pin_belongs_to_the_newest_who_waits_for_one_at_that_reader():
    door = Door(wiring=replace(TWO_WAYS, leads={"front": "in", "side": "in"}, keypads=frozenset({"front", "side"})))
    door.read("vera", "side")
    door.after(1).read("vera")
    assert entered(door.pin("4711"))
    assert [case.read.reader for case in door.waiting] == ["side"]
    assert door.pin("4711") is None, "nobody waits at this reader any more"
    assert [case.pin for case in door.waiting] == ["awaited"]


def test_of_two_who_wait_at_one_reader_the_pin_is_the_later_ones():
    door = Door()
    door.read("vera")
    people = [*HOLDERS[:-1], Cardholder(id="paul", profiles=("vault",), pin="8888")]
    door.rules = rules(DoorAccess(), Roll(people, [known.credential for known in map(PEOPLE.find, KEYS) if known]))
    door.desk.take_rules(door.rules)
    door.after(1).read("paul")
    assert why(door.pin("4711")) == (Reason.PIN_WRONG,)
    assert [case.read.card for case in door.waiting] == [FOBS["vera"]]


def test_digits_typed_without_a_fob_do_nothing():
    door = Door()
    assert door.pin("4711") is None
    assert door.waiting == []


def test_without_a_keypad_or_without_a_pin_the_profile_passes_nobody():
    bare = replace(TWO_WAYS, keypads=frozenset())
    door = Door(wiring=bare)
    assert why(door.read("vera")) == (Reason.NO_KEYPAD,)
    assert "no reader that leads in has a keypad" in door.desk.faults[0]
    assert why(Door().read("paul")) == (Reason.PIN_NOT_SET,)


def test_leaving_takes_no_pin():
    assert entered(Door().read("vera", "inner"))


@settings(max_examples=30)
@given(st.text("0123456789", min_size=1, max_size=8))
def test_no_digit_of_a_pin_is_in_a_case_or_a_decision(digits):
    door = Door()
    door.rules = rules(
        DoorAccess(), Roll([Cardholder(id="vera", profiles=("vault",), pin="97531")], [PEOPLE.find("H10301:1:4").credential])
    )
    door.desk.take_rules(door.rules)
    door.read("vera")
    door.pin("9" + digits + "9")
    raw = msgspec.json.encode([msgspec.to_builtins(answer) for answer in door.answers]).decode()
    assert "9" + digits + "9" not in raw.replace("97531", "")
    assert "97531" not in raw


# -- interlock -----------------------------------------------------------------------------------------------------------------


def test_nobody_is_let_in_while_the_other_door_is_open_and_everybody_is_let_out():
    door = Door(DoorAccess(interlock=True), replace(TWO_WAYS, has_other_door=True))
    assert door.desk.faults == []
    door.other_open = True
    assert why(door.read("ann")) == (Reason.OTHER_DOOR_OPEN,)
    assert entered(door.read("ann", "inner"))
    door.other_open = False
    assert entered(door.read("ann"))


def test_an_interlock_without_a_wire_is_told():
    assert "no input tells of the other door" in Door(DoorAccess(interlock=True)).desk.faults[0]


# -- unlock schedule -----------------------------------------------------------------------------------------------------------

FIRST = DoorAccess(unlock_schedule="opening", first_card=True)


def unlocked(door: Door) -> bool:
    return door.desk.unlocking(door.wall).unlocked


def test_a_first_card_unlocks_until_closing_time():
    door = Door(FIRST)
    assert not unlocked(door)
    door.read("ann")
    assert not unlocked(door), "her profile begins nothing"
    door.read("chief")
    assert unlocked(door)
    door.after(9 * 3600)
    assert not unlocked(door)
    door.after(14 * 3600)
    assert not unlocked(door), "the next morning waits for its own first card"


def test_a_first_card_that_was_refused_or_leads_out_unlocks_nothing():
    door = Door(FIRST)
    door.mode = DoorMode.BLOCKED
    door.read("chief")
    door.mode = DoorMode.LOCKED
    door.read("chief", "inner")
    assert not unlocked(door)


def test_a_person_who_locks_the_door_ends_it_until_another_first_card():
    door = Door(FIRST)
    door.read("chief")
    door.desk.end_unlock(door.wall)
    assert not unlocked(door)
    door.read("chief")
    assert unlocked(door)


def test_a_person_who_locks_the_door_ends_its_plain_hours_over_a_restart_too_until_they_are_resumed():
    door = Door(DoorAccess(unlock_schedule="opening"))
    assert unlocked(door)
    door.desk.end_unlock(door.wall)
    again = Door(DoorAccess(unlock_schedule="opening"), kept=door.desk.kept)
    assert not unlocked(again)
    again.desk.resume_unlock()
    assert unlocked(again)


def test_a_restart_in_opening_hours_leaves_the_shop_open_and_one_at_night_shut():
    door = Door(FIRST)
    door.read("chief")
    again = door.restarts()
    assert unlocked(again)
    again.after(10 * 3600)
    assert not unlocked(again)


def test_the_first_of_two_begins_nothing_and_both_together_do():
    door = Door(replace(FIRST, two_person="always"))
    door.read("chief")
    assert not unlocked(door)
    door.read("ann")
    assert unlocked(door)


# -- new rules, and whatever happens -------------------------------------------------------------------------------------------


def test_new_rules_count_for_whoever_waits_already():
    door = Door()
    door.read("vera")
    stolen = Roll(HOLDERS, [Credential(key="H10301:1:4", cardholder="vera", state="stolen")])
    door.rules = rules(DoorAccess(), stolen)
    door.desk.take_rules(door.rules)
    door.waiting = [replace(case, access=may_pass(door.rules, case.read.key, door.wall)) for case in door.waiting]
    assert why(door.pin("4711")) == (Reason.CREDENTIAL_STOLEN,)


entries = st.builds(
    DoorAccess,
    passback=st.sampled_from(["off", "soft", "hard"]),
    passback_forget_min=st.sampled_from([0, 1]),
    two_person=st.sampled_from(["off", "always"]),
    unlock_schedule=st.sampled_from(["", "opening"]),
    first_card=st.booleans(),
)
happenings = st.lists(
    st.tuples(st.just("read"), st.sampled_from(sorted(FOBS)), st.sampled_from(["front", "inner"]))
    | st.tuples(st.just("pin"), st.sampled_from(["4711", "4712", "0"]), st.just("front"))
    | st.tuples(st.sampled_from(["opens", "restart", "lobby", "forgive"]), st.just(""), st.just(""))
    | st.tuples(st.just("after"), st.sampled_from(["1", "16", "400"]), st.just("")),
    max_size=25,
)


def happens(door: Door, story: Sequence[tuple[str, str, str]]) -> Door:
    for what, detail, reader in story:
        if what == "read":
            door.read(detail, reader)
        elif what == "pin":
            door.pin(detail, reader)
        elif what == "opens":
            door.opens()
        elif what == "restart":
            answers, door = door.answers, door.restarts()
            door.answers = answers
        elif what == "lobby":
            door.other_open = not door.other_open
        elif what == "forgive":
            door.desk.forgive()
        else:
            door.after(float(detail))
    return door


@settings(max_examples=150, deadline=None)
@given(entries, happenings)
def test_whatever_happens_nobody_is_let_in_whom_the_base_refuses_and_nobody_kept_in(entry, story):
    door = happens(Door(entry, replace(TWO_WAYS, has_other_door=True)), story)
    for answer in door.answers:
        access = may_pass(door.rules, answer.read.key, door.wall)
        if answer.read.reader == "inner":
            assert (answer.granted, answer.leaving) == (True, True)
        elif answer.granted:
            assert access.refused is None
            assert answer.cardholder != answer.partner
            assert entry.two_person == "off" or answer.partner


@settings(max_examples=150, deadline=None)
@given(entries, happenings)
def test_a_restart_changes_nothing_about_who_is_inside_or_whether_the_door_is_begun(entry, story):
    door = happens(Door(entry, replace(TWO_WAYS, has_other_door=True)), story)
    again = door.restarts()
    assert again.desk.kept == door.desk.kept
    calm = Door(entry, door.wiring, door.desk.kept)
    calm.now_s = again.now_s
    assert [why(again.read(who)) for who in ("ann", "bob")] == [why(calm.read(who)) for who in ("ann", "bob")]


def test_cases_are_asked_one_after_the_other_and_the_second_knows_of_the_first():
    """Two fobs within a moment, both waiting for their PIN or face: the first answer makes the second one the second of two."""
    door = Door(TWO)
    reads = [
        CredentialRead(reader="front", format="H10301", facility=1, card=FOBS[who], bits="", read_s=100.0)
        for who in ("ann", "bob")
    ]
    door.waiting = [door.desk.open(read, 100.0, door.wall) for read in reads]
    door.ask()
    assert [answer.outcome for answer in door.answers] == ["first_of_two", "granted"]
