"""The rules of the door in a decision: their order, what each of them tells, and that none of them opens what the others keep shut."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.core.decide import Case, Decision, DecisionPolicy, Wait, carried, decide, view_at
from agent.core.messages import DoorMode, FaceSeen, Liveness
from agent.core.reasons import SENTENCES, Reason
from tests.core.people import OWNER, STRANGER, face, view_of
from tests.core.test_decide import (
    FOB_REASONS,
    HOLDER,
    LENIENT,
    POLICY,
    START_S,
    asked,
    blind,
    case,
    cases,
    decided,
    modes,
    observations,
    policies,
)  # fmt: skip

NAMED = msgspec.structs.replace(HOLDER, passes_lockdown=True)
SLOW = msgspec.structs.replace(HOLDER, extended_opening=True)
BARE = msgspec.structs.replace(HOLDER, templates=())


def with_rules(the_case: Case | None = None, **changes: object) -> Case:
    return replace(the_case or case(), **changes)


def reasons(answer: Decision | Wait) -> tuple[Reason, ...]:
    return decided(answer).reasons


# -- lock-down -----------------------------------------------------------------------------------------------------------------


def test_the_few_who_are_named_pass_a_lock_down_with_their_face_and_are_told_of():
    answer = decided(asked(0, face(OWNER), mode=DoorMode.LOCKED_DOWN, the_case=case(NAMED)))
    assert (answer.granted, answer.reasons) == (True, (Reason.FACE_MATCH, Reason.PASSES_LOCKDOWN))


def test_somebody_else_with_the_fob_of_one_of_the_few_does_not_pass():
    assert reasons(asked(2, face(STRANGER), mode=DoorMode.LOCKED_DOWN, the_case=case(NAMED))) == (Reason.FACE_MISMATCH,)


def test_being_named_for_lock_downs_opens_no_blocked_door_and_needs_a_fob_that_is_good():
    assert reasons(asked(0, face(OWNER), mode=DoorMode.BLOCKED, the_case=case(NAMED))) == (Reason.DOOR_BLOCKED,)
    stolen = case(NAMED, refused=Reason.CREDENTIAL_STOLEN)
    assert reasons(asked(0, face(OWNER), mode=DoorMode.LOCKED_DOWN, the_case=stolen)) == (Reason.CREDENTIAL_STOLEN,)


# -- passback and interlock ----------------------------------------------------------------------------------------------------


def test_hard_passback_refuses_at_once_whatever_face_is_there():
    assert reasons(asked(0, face(OWNER), the_case=with_rules(passback="refused"))) == (Reason.ALREADY_INSIDE,)


def test_soft_passback_lets_in_and_tells():
    answer = decided(asked(0, face(OWNER), the_case=with_rules(passback="told")))
    assert (answer.granted, answer.reasons) == (True, (Reason.FACE_MATCH, Reason.PASSBACK_TOLD))


def test_soft_passback_is_not_told_of_somebody_who_is_refused_anyway():
    assert reasons(asked(2, face(STRANGER), the_case=with_rules(passback="told"))) == (Reason.FACE_MISMATCH,)


def test_while_the_other_door_of_the_lobby_is_open_nobody_is_let_in_and_may_try_again():
    assert reasons(asked(0, face(OWNER), the_case=with_rules(other_door_open=True))) == (Reason.OTHER_DOOR_OPEN,)
    assert "try again" in SENTENCES[Reason.OTHER_DOOR_OPEN]


def test_a_lobby_door_that_opens_while_a_face_is_waited_for_counts():
    waits = asked(0.5, face(STRANGER))
    assert isinstance(waits, Wait)
    then = with_rules(carried(case(), waits), other_door_open=True)
    assert reasons(asked(0.6, face(OWNER), the_case=then)) == (Reason.OTHER_DOOR_OPEN,)


# -- the PIN -------------------------------------------------------------------------------------------------------------------

AWAITS = with_rules(pin="awaited")


def test_a_face_does_not_replace_the_pin_and_time_for_it_is_limited():
    wait = asked(0.0, face(OWNER), the_case=AWAITS)
    assert isinstance(wait, Wait)
    assert wait.until_s == START_S + POLICY.pin_wait_s
    assert reasons(asked(POLICY.pin_wait_s, face(OWNER), the_case=AWAITS)) == (Reason.PIN_NOT_ENTERED,)


@pytest.mark.parametrize(
    ("pin", "reason"),
    [
        ("wrong", Reason.PIN_WRONG),
        ("locked_out", Reason.PIN_LOCKED_OUT),
        ("not_set", Reason.PIN_NOT_SET),
        ("no_keypad", Reason.NO_KEYPAD),
    ],
)
def test_without_the_right_pin_no_face_opens(pin, reason):
    assert reasons(asked(1, face(OWNER), the_case=with_rules(pin=pin, pin_s=START_S + 1))) == (reason,)


def test_the_right_pin_and_the_right_face_open_at_once():
    answer = decided(asked(7, face(OWNER), the_case=with_rules(pin="right", pin_s=START_S + 7)))
    assert (answer.granted, answer.reasons, answer.waited_s) == (True, (Reason.FACE_MATCH,), 7.0)


def test_the_right_pin_does_not_replace_the_face_and_the_wait_for_it_begins_with_the_pin():
    entered = with_rules(pin="right", pin_s=START_S + 7)
    wait = asked(7.0, the_case=entered)
    assert isinstance(wait, Wait)
    assert wait.until_s == START_S + 7 + POLICY.face_wait_s
    assert reasons(asked(7 + POLICY.face_wait_s, the_case=entered)) == (Reason.NO_FACE_IN_VIEW,)
    assert reasons(asked(7 + POLICY.mismatch_wait_s, face(STRANGER), the_case=entered)) == (Reason.FACE_MISMATCH,)
    blinded = blind(7 + POLICY.vision_wait_s, the_case=entered)
    assert reasons(blinded) == (Reason.VISION_MISSING,)


def test_a_picture_that_is_held_up_while_the_pin_is_entered_is_remembered():
    flat = Liveness(verdict="attack", score=0.1, reason="moves_as_a_plane", watched_s=2.0)
    policy = replace(POLICY, liveness="deny_attack")
    wait = asked(3, replace(face(OWNER), liveness=flat), the_case=AWAITS, policy=policy)
    assert isinstance(wait, Wait)
    entered = with_rules(carried(AWAITS, wait), pin="right", pin_s=START_S + 5)
    unsure = replace(face(OWNER), liveness=replace(flat, verdict="unsure", reason="not_enough_motion"))
    assert reasons(asked(6.5, unsure, the_case=entered, policy=policy)) == (Reason.PRESENTATION_ATTACK,)
    assert reasons(asked(POLICY.pin_wait_s, the_case=carried(AWAITS, wait), policy=policy)) == (
        Reason.PIN_NOT_ENTERED, Reason.PRESENTATION_ATTACK,
    )  # fmt: skip


def test_whoever_was_seen_with_a_picture_at_the_keypad_gains_nothing_by_a_camera_that_falls_silent():
    flat = Liveness(verdict="attack", score=0.1, reason="moves_as_a_plane", watched_s=2.0)
    policy = replace(LENIENT, liveness="deny_attack")
    wait = asked(3, replace(face(OWNER), liveness=flat), the_case=AWAITS, policy=policy)
    assert isinstance(wait, Wait)
    entered = with_rules(carried(AWAITS, wait), pin="right", pin_s=START_S + 5)
    assert reasons(blind(6, the_case=entered, policy=policy)) == (Reason.PRESENTATION_ATTACK, Reason.VISION_MISSING)


# -- the order -----------------------------------------------------------------------------------------------------------------


def test_of_several_reasons_to_refuse_the_first_is_the_answer():
    """All at once, then one after the other mended."""
    bad = with_rules(case(refused=Reason.CREDENTIAL_LOST), passback="refused", other_door_open=True, pin="wrong", pin_s=START_S)
    good = replace(bad, access=replace(bad.access, refused=None))
    asked_of = [
        (bad, DoorMode.LOCKED_DOWN, Reason.LOCKED_DOWN),
        (bad, DoorMode.BLOCKED, Reason.DOOR_BLOCKED),
        (bad, DoorMode.LOCKED, Reason.CREDENTIAL_LOST),
        (good, DoorMode.LOCKED, Reason.ALREADY_INSIDE),
        (replace(good, passback="clear"), DoorMode.LOCKED, Reason.OTHER_DOOR_OPEN),
        (replace(good, passback="clear", other_door_open=False), DoorMode.LOCKED, Reason.PIN_WRONG),
        (replace(good, passback="clear", other_door_open=False, pin="right"), DoorMode.LOCKED, Reason.FACE_MISMATCH),
    ]
    for the_case, mode, reason in asked_of:
        assert reasons(asked(2, face(STRANGER), the_case=the_case, mode=mode)) == (reason,)


# -- two people ----------------------------------------------------------------------------------------------------------------


def test_the_first_of_two_is_checked_and_not_let_in():
    answer = decided(asked(0, face(OWNER), the_case=with_rules(pair="first")))
    assert (answer.granted, answer.outcome, answer.reasons, answer.pulse_s) == (
        False, "first_of_two", (Reason.SECOND_PERSON_NEEDED,), 0.0,
    )  # fmt: skip
    assert answer.match is not None


def test_somebody_else_with_the_first_fob_is_no_first_of_two():
    assert decided(asked(2, face(STRANGER), the_case=with_rules(pair="first"))).outcome == "denied"


def test_the_second_of_two_opens_for_both_as_long_as_either_needs():
    both = with_rules(pair="second", partner="holder-2", partner_extended=True)
    answer = decided(asked(0, face(OWNER), the_case=both))
    assert (answer.outcome, answer.reasons) == ("granted", (Reason.FACE_MATCH, Reason.SECOND_OF_TWO))
    assert (answer.partner, answer.pulse_s) == ("holder-2", POLICY.extended_pulse_s)


def test_whoever_needs_longer_is_given_longer():
    answer = decided(asked(0, face(OWNER), the_case=case(replace(SLOW))))
    assert (answer.pulse_s, answer.extended) == (POLICY.extended_pulse_s, True)


# -- duress --------------------------------------------------------------------------------------------------------------------


def under_duress(the_case: Case, by: str) -> Case:
    if by == "fob":
        return replace(the_case, access=replace(the_case.access, duress=True))
    return replace(the_case, pin="duress", pin_s=the_case.started_s)


@pytest.mark.parametrize("by", ["fob", "pin"])
def test_under_duress_the_door_opens_and_guards_are_told(by):
    answer = decided(asked(0, face(OWNER), the_case=under_duress(case(), by)))
    assert (answer.granted, answer.duress, answer.reasons) == (True, True, (Reason.FACE_MATCH, Reason.DURESS))


def test_guards_are_told_of_duress_that_was_refused_as_well():
    answer = decided(asked(2, face(STRANGER), the_case=under_duress(case(), "fob")))
    assert (answer.granted, answer.duress, answer.reasons) == (False, True, (Reason.FACE_MISMATCH, Reason.DURESS))


# -- whatever happens ----------------------------------------------------------------------------------------------------------

RULES_OF_THE_DOOR = st.fixed_dictionaries({
    "passback": st.sampled_from(["clear", "clear", "told", "refused"]),
    "other_door_open": st.sampled_from([False, False, True]),
    "pin": st.sampled_from(["not_asked", "not_asked", "awaited", "right", "duress", "wrong", "not_set", "no_keypad", "locked_out"]),
    "pair": st.sampled_from(["not_asked", "not_asked", "first", "second"]),
    "partner": st.sampled_from(["", "holder-2"]),
})  # fmt: skip
ruled = st.builds(
    lambda the_case, rules, pin_after_s, named, duress: with_rules(
        the_case,
        **rules,
        pin_s=the_case.started_s + pin_after_s if rules["pin"] in ("right", "duress", "wrong") else None,
        access=replace(
            the_case.access, duress=duress,
            cardholder=the_case.access.cardholder and replace(the_case.access.cardholder, passes_lockdown=named),
        ),
    ),
    cases, RULES_OF_THE_DOOR, st.floats(0, 5), st.booleans(), st.booleans(),
)  # fmt: skip
LIVENESS = st.sampled_from(["off", "alert", "deny_attack", "require_live"])
anything = (ruled, observations, modes, policies, LIVENESS, st.floats(0, 3) | st.floats(0, 20))


def base_of(the_case: Case) -> Case:
    """The same credential and cardholder at a door without rules of its own."""
    return Case(read=the_case.read, access=the_case.access, started_s=the_case.started_s)


@given(*anything)
def test_no_rule_of_the_door_ever_opens_what_the_base_keeps_shut(the_case, observation, mode, policy, liveness, after_s):
    now_s, policy = START_S + after_s, replace(policy, liveness=liveness)
    answer = decide(the_case, view_at(observation, now_s), mode, policy, now_s)
    if not isinstance(answer, Decision) or not answer.granted:
        return
    base = decide(base_of(the_case), view_at(observation, now_s), DoorMode.LOCKED, policy, now_s)
    assert isinstance(base, Decision)
    assert base.granted
    assert answer.reasons[0] is base.reasons[0]


@given(*anything)
def test_whoever_leaves_is_let_out_at_once_whatever_is_known_and_whatever_the_mode(
    the_case, observation, mode, policy, liveness, after_s
):
    now_s = START_S + after_s
    leaving, policy = replace(the_case, leaving=True), replace(policy, liveness=liveness)
    answer = decide(leaving, view_at(observation, now_s), mode, policy, now_s)
    assert isinstance(answer, Decision)
    assert answer.granted
    assert answer.leaving
    assert answer.reasons[0] is Reason.LEAVING
    assert answer.pulse_s > 0


def test_what_would_have_kept_somebody_out_is_told_when_they_leave():
    leaving = with_rules(case(refused=Reason.CREDENTIAL_STOLEN), leaving=True)
    assert reasons(asked(0, the_case=leaving)) == (Reason.LEAVING, Reason.CREDENTIAL_STOLEN)
    unknown = with_rules(case(None, refused=Reason.UNKNOWN_CREDENTIAL), leaving=True)
    assert reasons(asked(0, the_case=unknown, mode=DoorMode.BLOCKED)) == (Reason.LEAVING, Reason.DOOR_BLOCKED)
    assert reasons(asked(0, the_case=with_rules(leaving=True))) == (Reason.LEAVING,)


@given(*anything)
def test_duress_changes_nothing_that_can_be_seen_at_the_door(the_case, observation, mode, policy, liveness, after_s):
    """The same answer at the same moment for the same time; only guards are told more."""
    now_s, policy, view = START_S + after_s, replace(policy, liveness=liveness), view_at(observation, START_S + after_s)
    plain = replace(
        the_case, access=replace(the_case.access, duress=False), pin={"duress": "right"}.get(the_case.pin, the_case.pin)
    )
    forced = replace(plain, access=replace(plain.access, duress=True))
    by_pin = replace(plain, pin={"right": "duress"}.get(plain.pin, plain.pin))
    calm, *others = (decide(each, view, mode, policy, now_s) for each in (plain, forced, by_pin))
    for other in others:
        if isinstance(other, Wait):
            assert other == calm
        else:
            assert isinstance(calm, Decision)
            assert replace(other, duress=False, reasons=tuple(r for r in other.reasons if r is not Reason.DURESS)) == calm


@given(*anything)
def test_refusals_come_in_their_order_and_those_that_no_face_can_change_at_once(
    the_case, observation, mode, policy, liveness, after_s
):
    now_s, holder = START_S + after_s, the_case.access.cardholder
    answer = decide(the_case, view_at(observation, now_s), mode, replace(policy, liveness=liveness), now_s)
    pin = {
        "wrong": Reason.PIN_WRONG,
        "locked_out": Reason.PIN_LOCKED_OUT,
        "not_set": Reason.PIN_NOT_SET,
        "no_keypad": Reason.NO_KEYPAD,
    }
    in_order = [
        (mode is DoorMode.LOCKED_DOWN and not (holder and holder.passes_lockdown), Reason.LOCKED_DOWN),
        (mode is DoorMode.BLOCKED, Reason.DOOR_BLOCKED),
        (the_case.access.refused is not None, the_case.access.refused),
        (holder is None, Reason.UNKNOWN_CREDENTIAL),
        (the_case.passback == "refused", Reason.ALREADY_INSIDE),
        (the_case.other_door_open, Reason.OTHER_DOOR_OPEN),
        (the_case.pin in pin, pin.get(the_case.pin)),
    ]
    first = next((reason for applies, reason in in_order if applies), None)
    if first is not None:
        assert isinstance(answer, Decision), "no face can change it"
        assert (answer.granted, answer.reasons[0]) == (False, first)
    elif isinstance(answer, Decision):
        assert answer.reasons[0] not in [reason for _, reason in in_order[:4]]


@given(*anything)
def test_every_case_ends_within_the_waits_for_a_pin_and_for_a_face(the_case, observation, mode, policy, liveness, late_s):
    policy = replace(policy, liveness=liveness)
    looked_s = the_case.pin_s or the_case.started_s
    end_s = max(the_case.started_s + policy.pin_wait_s if the_case.pin == "awaited" else 0,
                looked_s + max(policy.face_wait_s, policy.mismatch_wait_s, policy.vision_wait_s))  # fmt: skip
    assert isinstance(decide(the_case, view_at(observation, end_s + late_s), mode, policy, end_s + late_s), Decision)


def shown_flat(verdict: str) -> FaceSeen:
    return replace(face(OWNER), liveness=Liveness(verdict=verdict, score=0.5, reason="x", watched_s=2.0))


def strict(liveness: str) -> DecisionPolicy:
    return replace(POLICY, liveness=liveness)


def test_every_reason_can_be_reached():
    stale = view_of(taken_s=START_S - 5)
    answers = [
        asked(0, face(OWNER)),
        asked(2, face(STRANGER)),
        asked(2),
        asked(2, face(b"")),
        asked(0, the_case=case(BARE)),
        asked(0, the_case=case(BARE), policy=LENIENT),
        asked(0, the_case=case(replace(HOLDER, embedder_id="x"))),
        asked(0, mode=DoorMode.LOCKED_DOWN),
        asked(0, mode=DoorMode.BLOCKED),
        asked(0, face(OWNER), mode=DoorMode.LOCKED_DOWN, the_case=case(NAMED)),
        blind(1),
        blind(1, stale),
        blind(1, stale, LENIENT),
        blind(0.1, view_of(face(OWNER), embedder_id="embedder-2")),
        *(asked(2, shown_flat(verdict), policy=strict("require_live")) for verdict in ("unsure", "attack")),
        *(asked(0, the_case=case(refused=reason)) for reason in FOB_REASONS),
        *(asked(20, the_case=with_rules(pin=pin)) for pin in ("awaited", "wrong", "locked_out", "not_set", "no_keypad")),
        *(asked(0, face(OWNER), the_case=with_rules(pair=pair, partner="holder-2")) for pair in ("first", "second")),
        *(asked(0, face(OWNER), the_case=with_rules(passback=passback)) for passback in ("told", "refused")),
        asked(0, the_case=with_rules(other_door_open=True)),
        asked(0, the_case=with_rules(leaving=True)),
        asked(0, face(OWNER), the_case=under_duress(case(), "pin")),
    ]
    of_the_risk = {
        Reason.HELD_FOR_GUARD,
        Reason.GUARD_LET_IN,
        Reason.RISK_TOO_HIGH,
        Reason.GUARD_DENIED,
        Reason.NO_GUARD_ANSWERED,
    }
    of_the_clock = {Reason.TIME_UNKNOWN}  # tests/core/test_without_time.py
    assert {reason for answer in answers for reason in decided(answer).reasons} == set(Reason) - of_the_risk - of_the_clock
