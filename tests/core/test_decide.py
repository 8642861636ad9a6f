"""Grant, deny or wait: every case ends in time, and nothing opens without a reason that allows it."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.access import Access, Cardholder
from agent.core.decide import Case, Decision, DecisionPolicy, View, Wait, decide, view_at
from agent.core.messages import TABLE, CredentialRead, DoorMode, FaceSeen, Observation
from agent.core.reasons import Reason
from tests.core.people import MODEL, OWNER, RULES, STRANGER, at_cosine, face, view_of

START_S = 10.0
POLICY = DecisionPolicy(
    face=RULES,
    face_wait_s=1.5,
    mismatch_wait_s=0.8,
    vision_wait_s=0.5,
    without_vision="deny",
    without_template="deny",
    pulse_s=3.0,
    extended_pulse_s=10.0,
)
LENIENT = msgspec.structs.replace(POLICY, without_vision="fob_alone", without_template="fob_alone")
HOLDER = Cardholder(id="holder-1", profiles=("staff",), templates=(OWNER,), embedder_id=MODEL)
FOB_REASONS = [
    Reason.UNKNOWN_CREDENTIAL,
    Reason.CREDENTIAL_LOST,
    Reason.CREDENTIAL_STOLEN,
    Reason.CREDENTIAL_REVOKED,
    Reason.CREDENTIAL_NOT_YET_VALID,
    Reason.CREDENTIAL_EXPIRED,
    Reason.CARDHOLDER_SUSPENDED,
    Reason.CARDHOLDER_NOT_YET_VALID,
    Reason.CARDHOLDER_EXPIRED,
    Reason.VISIT_NOT_BEGUN,
    Reason.VISIT_OVER,
    Reason.VISIT_WITHOUT_END,
    Reason.NO_PROFILE_FOR_DOOR,
    Reason.OUTSIDE_SCHEDULE,
]


def case(holder: Cardholder | None = HOLDER, refused: Reason | None = None, started_s: float = START_S) -> Case:
    read = CredentialRead(reader="front", format="H10301", facility=1, card=5283, bits="0" * 26, read_s=started_s)
    return Case(
        read=read, access=Access(refused=refused, cardholder=holder, profile="staff", schedule="office"), started_s=started_s
    )


def asked(
    at_s: float,
    *faces: FaceSeen,
    seen_s: float | None = None,
    policy: DecisionPolicy = POLICY,
    mode: DoorMode = DoorMode.LOCKED,
    the_case: Case | None = None,
) -> Decision | Wait:
    """Ask at `START_S + at_s`, with a frame just taken unless `seen_s` says otherwise."""
    now_s = START_S + at_s
    taken_s = now_s - 0.03 if seen_s is None else seen_s
    fresh = [msgspec.structs.replace(f, embedded_s=taken_s) for f in faces]
    return decide(the_case or case(), view_at(view_of(*fresh, taken_s=taken_s), now_s), mode, policy, now_s)


def blind(
    at_s: float, observation: Observation | None = None, policy: DecisionPolicy = POLICY, the_case: Case | None = None
) -> Decision | Wait:
    now_s = START_S + at_s
    return decide(the_case or case(), view_at(observation, now_s), DoorMode.LOCKED, policy, now_s)


def decided(answer: Decision | Wait) -> Decision:
    assert isinstance(answer, Decision), answer
    return answer


# -- the owner, the thief and the empty doorway --------------------------------------------------------------------------------


def test_the_owner_in_view_passes_at_once():
    answer = decided(asked(0.0, face(OWNER)))
    assert (answer.granted, answer.reasons, answer.pulse_s, answer.waited_s) == (True, (Reason.FACE_MATCH,), 3.0, 0.0)
    assert answer.match is not None
    assert answer.match.score == pytest.approx(1.0)
    assert (answer.seen.status, answer.seen.faces, answer.seen.at_door) == ("fresh", 1, 1)
    assert (answer.cardholder, answer.profile, answer.schedule) == ("holder-1", "staff", "office")


def test_an_owner_who_steps_into_view_passes_the_moment_they_are_seen():
    assert asked(0.9) == Wait(until_s=START_S + 1.5)
    answer = decided(asked(1.2, face(OWNER)))
    assert answer.granted
    assert answer.waited_s == pytest.approx(1.2)


def test_somebody_elses_face_is_given_time_to_become_clear_and_then_refused():
    wait = asked(0.1, face(STRANGER))
    assert isinstance(wait, Wait)
    assert wait.until_s == START_S + 0.8
    answer = decided(asked(0.8, face(STRANGER)))
    assert (answer.granted, answer.reasons, answer.pulse_s) == (False, (Reason.FACE_MISMATCH,), 0.0)
    assert answer.match is not None, "the guard must see how far off it was"
    assert answer.match.score == pytest.approx(0.05, abs=1e-6)


def test_an_owner_who_looks_up_late_and_badly_lit_gets_the_same_second_look():
    came_into_view_s = START_S + 0.7
    unclear = msgspec.structs.replace(face(STRANGER), first_seen_s=came_into_view_s)
    wait = asked(0.8, unclear)
    assert isinstance(wait, Wait)
    assert wait.until_s == pytest.approx(came_into_view_s + 0.8)
    assert decided(asked(1.2, face(OWNER))).granted


def test_whoever_makes_vision_stall_does_not_get_past_a_face_that_was_anothers():
    wait = asked(0.1, face(STRANGER), policy=LENIENT)
    assert isinstance(wait, Wait)
    seen_before = msgspec.structs.replace(case(), rejected=wait.rejected)
    answer = decided(blind(1.0, policy=LENIENT, the_case=seen_before))
    assert not answer.granted
    assert answer.reasons == (Reason.FACE_MISMATCH, Reason.VISION_MISSING)


def test_nobody_in_view_is_waited_for_and_then_refused():
    assert asked(0.8) == Wait(until_s=START_S + 1.5)
    assert decided(asked(1.5)).reasons == (Reason.NO_FACE_IN_VIEW,)


def test_a_face_too_small_to_compare_is_refused_by_that_name():
    assert decided(asked(1.5, face(OWNER, width_px=30))).reasons == (Reason.FACE_NOT_CLEAR,)


def test_the_owner_far_behind_a_thief_does_not_open_for_the_thief():
    answer = decided(asked(0.8, face(STRANGER, width_px=150, track=1), face(OWNER, width_px=60, track=2)))
    assert (answer.granted, answer.reasons) == (False, (Reason.FACE_MISMATCH,))


def test_a_cardholder_with_extended_opening_gets_the_longer_pulse_and_a_refused_one_none():
    slow = case(msgspec.structs.replace(HOLDER, extended_opening=True))
    assert decided(asked(0.0, face(OWNER), the_case=slow)).pulse_s == 10.0
    assert decided(asked(0.8, face(STRANGER), the_case=slow)).pulse_s == 0.0


# -- denials that no face can change -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", FOB_REASONS)
def test_a_fob_that_may_not_pass_is_refused_at_once_even_with_the_owners_face(reason):
    answer = decided(asked(0.0, face(OWNER), the_case=case(refused=reason)))
    assert (answer.granted, answer.reasons, answer.match) == (False, (reason,), None)


@pytest.mark.parametrize(
    ("mode", "reason"), [(DoorMode.LOCKED_DOWN, Reason.LOCKED_DOWN), (DoorMode.BLOCKED, Reason.DOOR_BLOCKED)]
)
def test_a_door_that_is_locked_down_or_blocked_lets_nobody_in(mode, reason):
    answer = decided(asked(0.0, face(OWNER), mode=mode))
    assert (answer.granted, answer.reasons) == (False, (reason,))


def test_a_lock_down_that_comes_while_a_fob_waits_ends_the_wait():
    assert isinstance(asked(0.3), Wait)
    assert decided(asked(0.4, mode=DoorMode.LOCKED_DOWN)).reasons == (Reason.LOCKED_DOWN,)


def test_access_without_a_cardholder_is_no_access():
    assert decided(asked(0.0, face(OWNER), the_case=case(holder=None))).reasons == (Reason.UNKNOWN_CREDENTIAL,)


def test_templates_of_another_network_are_not_compared():
    old = case(msgspec.structs.replace(HOLDER, embedder_id="embedder-0"))
    assert decided(asked(0.0, face(OWNER), the_case=old)).reasons == (Reason.TEMPLATE_OF_OTHER_MODEL,)


def test_faces_of_another_network_are_not_compared():
    observation = view_of(face(OWNER), embedder_id="embedder-2")
    assert decided(blind(0.1, observation)).reasons == (Reason.VISION_OF_OTHER_MODEL,)


@pytest.mark.parametrize(
    ("policy", "granted", "reason"), [(POLICY, False, Reason.NO_TEMPLATE), (LENIENT, True, Reason.FOB_ALONE_NO_TEMPLATE)]
)
def test_without_a_template_the_policy_decides_at_once(policy, granted, reason):
    bare = case(msgspec.structs.replace(HOLDER, templates=()))
    answer = decided(asked(0.0, policy=policy, the_case=bare))
    assert (answer.granted, answer.reasons) == (granted, (reason,))


# -- vision that does not answer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observation", "why"),
    [(None, Reason.VISION_MISSING), (view_of(face(OWNER), taken_s=START_S - 5), Reason.VISION_STALE)],
    ids=["never answered", "stopped answering"],
)
def test_without_vision_the_policy_decides_after_its_wait(observation, why):
    assert blind(0.0, observation) == Wait(until_s=START_S + 0.5)
    strict, lenient = decided(blind(0.5, observation)), decided(blind(0.5, observation, LENIENT))
    assert (strict.granted, strict.reasons, strict.match) == (False, (why,), None)
    assert (lenient.granted, lenient.reasons, lenient.match) == (True, (Reason.FOB_ALONE_NO_VISION, why), None)


def test_an_old_picture_of_the_owner_is_no_picture_of_the_owner():
    age_s = TABLE[Observation].max_age_s
    assert decided(asked(1.0, face(OWNER), seen_s=START_S + 1.0 - age_s + 0.001)).granted
    assert not decided(asked(1.0, face(OWNER), seen_s=START_S + 1.0 - age_s - 0.001)).granted


@pytest.mark.parametrize("ahead_s", [0.2, 3600.0, math.inf, math.nan])
def test_a_picture_from_the_future_or_from_no_time_is_not_believed(ahead_s):
    """Else one wrong time stamp would keep a face in view for an hour."""
    view = view_at(view_of(face(OWNER), taken_s=START_S + ahead_s), START_S)
    assert view.status == "stale"
    assert not decided(blind(0.5, view_of(face(OWNER, embedded_s=START_S), taken_s=START_S + 0.5 + ahead_s))).granted


def test_a_view_says_how_old_it_is():
    assert view_at(None, 5.0) == View(status="missing")
    assert view_at(view_of(taken_s=4.9), 5.0).age_s == pytest.approx(0.1)


# -- whatever happens ----------------------------------------------------------------------------------------------------------

faces = st.builds(
    face,
    st.sampled_from([OWNER, STRANGER, b"", b"odd", at_cosine(0.39), at_cosine(0.41)]),
    width_px=st.sampled_from([0.0, 30.0, 41.0, 100.0, 300.0, math.nan]),
    quality=st.sampled_from([0.0, 0.5, 1.0, math.nan]),
    embedded_s=st.floats(8.0, 13.0) | st.sampled_from([math.nan, math.inf]),
)
observations = st.none() | st.builds(
    lambda seen, taken_s, model: view_of(*seen, taken_s=taken_s, embedder_id=model),
    st.lists(faces, max_size=3),
    st.floats(8.0, 13.0) | st.sampled_from([math.nan, math.inf, -math.inf]),
    st.sampled_from([MODEL, MODEL, MODEL, "other"]),
)
policies = st.builds(
    lambda waits, no_vision, no_template: msgspec.structs.replace(
        POLICY,
        face_wait_s=waits[2],
        mismatch_wait_s=waits[0],
        vision_wait_s=waits[1],
        without_vision=no_vision,
        without_template=no_template,
    ),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 3)),
    st.sampled_from(["deny", "fob_alone"]),
    st.sampled_from(["deny", "fob_alone"]),
)
cases = st.builds(
    case,
    st.sampled_from(
        [HOLDER, None, msgspec.structs.replace(HOLDER, templates=()), msgspec.structs.replace(HOLDER, embedder_id="x")]
    ),
    st.sampled_from([None, None, None, *FOB_REASONS]),
)
modes = st.sampled_from(DoorMode)


def longest_wait_s(policy: DecisionPolicy) -> float:
    return max(policy.face_wait_s, policy.mismatch_wait_s, policy.vision_wait_s)


@given(cases, observations, modes, policies, st.floats(0, 5))
def test_every_case_ends_within_the_waits_of_the_policy(the_case, observation, mode, policy, late_s):
    end_s = the_case.started_s + longest_wait_s(policy)
    now_s = end_s + late_s
    assert isinstance(decide(the_case, view_at(observation, now_s), mode, policy, now_s), Decision)


@given(cases, st.lists(observations, max_size=12), modes, policies, st.lists(st.floats(0, 0.3), min_size=12, max_size=12))
def test_asking_again_when_told_to_ends_every_case_in_a_few_turns(the_case, seen, mode, policy, steps_s):
    """As the loop does it: at each new view, and at the time that the answer named. The named time always moves on."""
    now_s, asked_often = the_case.started_s, 0
    for observation, step_s in [*zip(seen, steps_s, strict=False), *[(None, math.inf)] * 4]:
        answer = decide(the_case, view_at(observation, now_s), mode, policy, now_s)
        if isinstance(answer, Decision):
            break
        asked_often += 1
        assert now_s < answer.until_s <= the_case.started_s + longest_wait_s(policy)
        now_s = min(answer.until_s, now_s + step_s)
    assert isinstance(answer, Decision)
    assert asked_often <= len(seen) + 3
    assert answer.waited_s <= longest_wait_s(policy) + 1e-9


@given(cases, observations, modes, policies, st.floats(0, 4))
def test_nothing_opens_without_a_reason_that_allows_it(the_case, observation, mode, policy, after_s):
    now_s = START_S + after_s
    answer = decide(the_case, view_at(observation, now_s), mode, policy, now_s)
    if isinstance(answer, Wait):
        return
    allowing = {Reason.FACE_MATCH, Reason.FOB_ALONE_NO_VISION, Reason.FOB_ALONE_NO_TEMPLATE}
    assert answer.granted is bool(allowing & set(answer.reasons))
    assert (answer.pulse_s > 0) is answer.granted
    if not answer.granted:
        return
    assert the_case.access.refused is None
    assert mode not in (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED)
    if Reason.FACE_MATCH in answer.reasons:
        assert answer.match is not None
        assert answer.match.score >= RULES.threshold
        assert answer.seen.age_s is not None
        assert answer.seen.age_s <= TABLE[Observation].max_age_s
    if Reason.FOB_ALONE_NO_VISION in answer.reasons:
        assert policy.without_vision == "fob_alone"
        assert answer.waited_s >= policy.vision_wait_s - 1e-9
    if Reason.FOB_ALONE_NO_TEMPLATE in answer.reasons:
        assert policy.without_template == "fob_alone"


@given(st.lists(faces, max_size=3), st.floats(0, 4), policies)
def test_a_clear_owner_in_front_passes_at_once_whoever_else_is_there(others, after_s, policy):
    now_s = START_S + after_s
    sound = [f for f in others if not math.isnan(f.box_px[2])]
    owner = face(OWNER, width_px=300.0, quality=1.0, embedded_s=now_s - 0.05)
    answer = decide(case(), view_at(view_of(*sound, owner, taken_s=now_s - 0.05), now_s), DoorMode.LOCKED, policy, now_s)
    assert decided(answer).reasons == (Reason.FACE_MATCH,)
