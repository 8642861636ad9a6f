"""A picture of the cardholder: what each policy makes of it, that a person in the flesh is not held up, and that nobody is kept in."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.decide import Case, Decision, DecisionPolicy, Wait, carried, decide, view_at
from agent.core.messages import DoorMode, FaceSeen, Liveness
from agent.core.presentation import LIFE_WAIT_S, choose, objection_to
from agent.core.reasons import Reason
from tests.core.people import OWNER, STRANGER, view_of
from tests.core.people import face as plain_face
from tests.core.test_decide import LENIENT, POLICY, START_S, asked, blind, case, cases, decided, modes, observations, policies

POLICIES = ("off", "alert", "deny_attack", "require_live")
JUDGED = ("live", "attack", "unsure", None)


def under(liveness: str, policy: DecisionPolicy = POLICY) -> DecisionPolicy:
    return msgspec.structs.replace(policy, liveness=liveness)


def face(verdict: str | None, embedding: bytes = OWNER, track: int = 1, **more) -> FaceSeen:
    judged = None if verdict is None else Liveness(verdict=verdict, score=0.5, reason="moves_as_a_plane", watched_s=2.0)
    return msgspec.structs.replace(plain_face(embedding, track=track, **more), liveness=judged)


# -- what each policy makes of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("liveness", POLICIES)
def test_the_owner_in_the_flesh_passes_at_once_under_every_policy(liveness):
    answer = decided(asked(0.0, face("live"), policy=under(liveness)))
    assert (answer.granted, answer.reasons, answer.waited_s) == (True, (Reason.FACE_MATCH,), 0.0)


def test_a_door_that_does_not_ask_opens_to_a_picture_and_says_nothing():
    assert decided(asked(0.0, face("attack"), policy=under("off"))).reasons == (Reason.FACE_MATCH,)


def test_a_door_that_alerts_opens_to_a_picture_and_tells_the_guard_with_what_vision_saw():
    answer = decided(asked(0.0, face("attack"), policy=under("alert")))
    assert (answer.granted, answer.reasons) == (True, (Reason.FACE_MATCH, Reason.PRESENTATION_ATTACK))
    assert answer.match is not None
    assert answer.match.liveness is not None
    assert answer.match.liveness.reason == "moves_as_a_plane"


@pytest.mark.parametrize("liveness", ["deny_attack", "require_live"])
def test_a_door_that_denies_attacks_gives_a_picture_a_second_look_and_then_no(liveness):
    wait = asked(0.1, face("attack"), policy=under(liveness))
    assert isinstance(wait, Wait)
    assert wait.until_s == START_S + POLICY.mismatch_wait_s
    answer = decided(asked(POLICY.mismatch_wait_s, face("attack"), policy=under(liveness)))
    assert (answer.granted, answer.reasons, answer.pulse_s) == (False, (Reason.PRESENTATION_ATTACK,), 0.0)
    assert answer.match is not None


@pytest.mark.parametrize(("liveness", "verdict"), [("off", "unsure"), ("off", None), ("alert", "unsure"), ("alert", None),
                                                   ("deny_attack", "unsure")])  # fmt: skip
def test_a_person_of_whom_nothing_can_be_said_is_not_held_up_unless_the_policy_requires_it(liveness, verdict):
    """They were watched for two seconds and hardly moved."""
    assert decided(asked(0.0, face(verdict), policy=under(liveness))).reasons == (Reason.FACE_MATCH,)


@pytest.mark.parametrize("verdict", ["unsure", None])
def test_a_door_that_requires_life_waits_for_it_as_long_as_for_a_face_and_then_denies(verdict):
    policy = under("require_live")
    wait = asked(0.0, face(verdict), policy=policy)
    assert isinstance(wait, Wait)
    assert wait.until_s == START_S + POLICY.face_wait_s
    assert decided(asked(1.2, face("live"), policy=policy)).granted
    answer = decided(asked(POLICY.face_wait_s, face(verdict), policy=policy))
    assert (answer.granted, answer.reasons) == (False, (Reason.LIVENESS_UNSURE,))


# -- a face that has just come -------------------------------------------------------------------------------------------------

DENY_ATTACK = under("deny_attack")


def just_come(
    seen_s: float, embedding: bytes = OWNER, track: int = 1, reason: str = "too_short", watched_s: float = 0.3
) -> FaceSeen:
    """A face that came into view at `START_S + seen_s`."""
    judged = Liveness(verdict="unsure", score=0.5, reason=reason, watched_s=watched_s)
    return msgspec.structs.replace(face(None, embedding, track), first_seen_s=START_S + seen_s, liveness=judged)


@pytest.mark.parametrize("not_judged", [just_come(-0.2), just_come(-0.2, reason="too_small"), face(None)])
def test_a_face_that_could_not_be_judged_yet_is_watched_for_a_second_before_it_opens_a_door_that_denies_attacks(not_judged):
    wait = asked(0.0, not_judged, policy=DENY_ATTACK)
    assert isinstance(wait, Wait)
    assert wait.until_s == START_S + LIFE_WAIT_S
    assert isinstance(asked(LIFE_WAIT_S - 0.01, not_judged, policy=DENY_ATTACK), Wait)
    assert decided(asked(LIFE_WAIT_S, not_judged, policy=DENY_ATTACK)).reasons == (Reason.FACE_MATCH,)


def test_a_face_that_came_too_late_to_be_judged_may_try_again_and_is_known_then():
    """Else a picture would only have to be held up half a second behind the fob, or jerked so often that no track grows old."""
    late = just_come(0.8)
    wait = asked(0.9, late, policy=DENY_ATTACK)
    assert isinstance(wait, Wait)
    assert wait.until_s == START_S + POLICY.face_wait_s
    answer = decided(asked(POLICY.face_wait_s, late, policy=DENY_ATTACK))
    assert (answer.granted, answer.reasons) == (False, (Reason.LIVENESS_UNSURE,))
    again = case(started_s=START_S + 2.5)
    assert decided(asked(2.5, face("unsure"), policy=DENY_ATTACK, the_case=again)).granted


def test_where_vision_cannot_judge_whoever_stood_there_at_the_read_passes_after_the_wait():
    """The stage has failed, or the camera gives too few frames: `deny_attack` refuses nobody for that."""
    assert decided(asked(LIFE_WAIT_S, face(None), policy=DENY_ATTACK)).granted


@pytest.mark.parametrize("verdict", ["live", "unsure"])
def test_a_person_passes_the_moment_that_vision_has_made_up_its_mind(verdict):
    the_case = after(asked(0.0, just_come(-0.5), policy=DENY_ATTACK))
    assert decided(asked(0.6, face(verdict), policy=DENY_ATTACK, the_case=the_case)).reasons == (Reason.FACE_MATCH,)


def test_a_print_held_up_with_the_fob_is_found_out_before_it_opens():
    """It used to pass in its first second, because nothing was known of it yet."""
    the_case = after(asked(0.0, just_come(-0.1), policy=DENY_ATTACK))
    the_case = after(asked(0.5, just_come(-0.1), policy=DENY_ATTACK, the_case=the_case))
    the_case = after(asked(0.7, face("attack"), policy=DENY_ATTACK, the_case=the_case))
    assert decided(asked(0.9, face("attack"), policy=DENY_ATTACK, the_case=the_case)).reasons == (Reason.PRESENTATION_ATTACK,)


def test_a_jerk_that_begins_a_new_track_does_not_wash_a_picture_clean():
    the_case = after(asked(0.1, face("attack"), policy=DENY_ATTACK))
    again = just_come(0.3, track=2)
    the_case = after(asked(0.4, again, policy=DENY_ATTACK, the_case=the_case))
    for seen in (again, face("unsure", track=2)):
        answer = decided(asked(POLICY.face_wait_s, seen, policy=DENY_ATTACK, the_case=the_case))
        assert (answer.granted, answer.reasons) == (False, (Reason.PRESENTATION_ATTACK,))
        assert answer.match is not None
        assert answer.match.track == 1, "the guard must see the face that was found to be a picture"


def test_a_second_picture_beside_the_first_opens_nothing():
    two = (face("attack", track=1), face("unsure", track=2))
    assert decided(asked(POLICY.face_wait_s, *two, policy=DENY_ATTACK)).reasons == (Reason.PRESENTATION_ATTACK,)


def test_whoever_has_shown_a_picture_and_is_then_found_alive_passes():
    the_case = after(asked(0.1, face("attack"), policy=DENY_ATTACK))
    the_case = after(asked(0.5, just_come(0.4, track=2), policy=DENY_ATTACK, the_case=the_case))
    answer = decided(asked(1.4, face("live", track=2), policy=DENY_ATTACK, the_case=the_case))
    assert answer.reasons == (Reason.FACE_MATCH,)


def test_a_picture_taken_away_before_ones_own_face_is_shown_is_told_with_the_mismatch():
    the_case = after(asked(0.1, face("attack"), policy=DENY_ATTACK))
    answer = decided(asked(1.5, face("live", STRANGER, track=2), policy=DENY_ATTACK, the_case=the_case))
    assert answer.reasons == (Reason.FACE_MISMATCH, Reason.PRESENTATION_ATTACK)


def test_a_picture_that_was_seen_and_a_camera_that_then_falls_silent_open_nothing():
    the_case = after(asked(0.1, face("attack"), policy=under("deny_attack", LENIENT)))
    the_case = after(asked(0.3, just_come(0.2, track=2), policy=under("deny_attack", LENIENT), the_case=the_case))
    answer = decided(blind(1.5, policy=under("deny_attack", LENIENT), the_case=the_case))
    assert (answer.granted, answer.reasons) == (False, (Reason.PRESENTATION_ATTACK, Reason.VISION_MISSING))


def test_a_door_that_only_alerts_is_not_slowed_down_and_tells_of_a_picture_it_has_seen_in_this_case():
    assert decided(asked(0.0, just_come(-0.1), policy=under("alert"))).granted
    two = (face("attack", track=1), face("unsure", track=2))
    assert decided(asked(0.0, *two, policy=under("alert"))).reasons == (Reason.FACE_MATCH, Reason.PRESENTATION_ATTACK)


def test_what_was_a_picture_for_one_fob_is_not_held_against_the_next():
    assert isinstance(asked(0.1, face("attack"), policy=DENY_ATTACK), Wait)
    assert decided(asked(0.1, face("unsure"), policy=DENY_ATTACK, the_case=case())).granted


def after(wait: Decision | Wait, the_case: Case | None = None) -> Case:
    """The case as it is asked next."""
    assert isinstance(wait, Wait), wait
    return carried(the_case or case(), wait)


# -- ways around it ------------------------------------------------------------------------------------------------------------


def test_a_picture_of_somebody_else_is_a_mismatch_and_no_attack_on_this_cardholder():
    answer = decided(asked(1.5, face("attack", STRANGER), policy=under("require_live")))
    assert answer.reasons == (Reason.FACE_MISMATCH,)


def test_an_owner_with_a_badge_on_the_chest_passes_without_an_alert():
    """Two faces match: the badge's even better. The one in the flesh counts."""
    badge, owner = face("attack", OWNER, track=1), face("live", OWNER, track=2)
    answer = decided(asked(0.0, badge, owner, policy=under("require_live")))
    assert answer.reasons == (Reason.FACE_MATCH,)
    assert answer.match is not None
    assert answer.match.track == 2


def test_a_living_stranger_beside_a_picture_of_the_owner_does_not_lend_it_their_life():
    answer = decided(asked(1.5, face("attack", OWNER, track=1), face("live", STRANGER, track=2), policy=under("deny_attack")))
    assert answer.reasons == (Reason.PRESENTATION_ATTACK,)


@pytest.mark.parametrize(("verdict", "reason"), [("attack", Reason.PRESENTATION_ATTACK), ("unsure", Reason.LIVENESS_UNSURE)])
def test_whoever_makes_vision_stall_does_not_get_past_a_picture_that_was_seen(verdict, reason):
    policy = under("require_live", LENIENT)
    wait = asked(0.1, face(verdict), policy=policy)
    assert isinstance(wait, Wait)
    answer = decided(blind(1.0, policy=policy, the_case=after(wait)))
    assert (answer.granted, answer.reasons) == (False, (reason, Reason.VISION_MISSING))


def test_a_picture_that_was_shown_and_taken_away_was_shown():
    policy = under("deny_attack")
    wait = asked(0.1, face("attack"), policy=policy)
    assert isinstance(wait, Wait)
    answer = decided(asked(1.5, policy=policy, the_case=after(wait)))
    assert answer.reasons == (Reason.NO_FACE_IN_VIEW, Reason.PRESENTATION_ATTACK)
    assert answer.match is not None, "the guard must see what it was"


def test_an_owner_who_first_looked_like_a_picture_passes_when_they_move():
    policy = under("deny_attack")
    wait = asked(0.1, face("attack"), policy=policy)
    assert isinstance(wait, Wait)
    assert decided(asked(0.5, face("live"), policy=policy, the_case=after(wait))).granted


# -- whatever happens ----------------------------------------------------------------------------------------------------------

judged_observations = st.builds(
    lambda seen, verdicts: (
        seen
        and msgspec.structs.replace(
            seen,
            faces=tuple(
                msgspec.structs.replace(each, liveness=face(verdict).liveness)
                for each, verdict in zip(seen.faces, verdicts, strict=False)
            ),
        )
    ),
    observations,
    st.lists(st.sampled_from(JUDGED), min_size=3, max_size=3),
)


@given(cases, judged_observations, modes, policies, st.floats(0, 4))
def test_a_stricter_policy_never_opens_where_a_milder_one_does_not(the_case, observation, mode, policy, after_s):
    now_s = START_S + after_s
    answers = [decide(the_case, view_at(observation, now_s), mode, under(liveness, policy), now_s) for liveness in POLICIES]
    opened = [isinstance(answer, Decision) and answer.granted for answer in answers]
    assert opened == sorted(opened, reverse=True)
    assert opened[0] == opened[1], "an alert alone keeps nobody out"


@given(cases, judged_observations, modes, policies, st.floats(0, 4))
def test_under_require_live_a_face_opens_only_when_it_is_alive(the_case, observation, mode, policy, after_s):
    now_s = START_S + after_s
    answer = decide(the_case, view_at(observation, now_s), mode, under("require_live", policy), now_s)
    if isinstance(answer, Decision) and Reason.FACE_MATCH in answer.reasons:
        assert answer.match is not None
        assert answer.match.liveness is not None
        assert answer.match.liveness.verdict == "live"


@given(cases, judged_observations, modes, policies, st.sampled_from(POLICIES), st.floats(0, 5))
def test_every_case_ends_within_the_waits_whatever_is_asked_of_life(the_case, observation, mode, policy, liveness, late_s):
    end_s = the_case.started_s + max(policy.face_wait_s, policy.mismatch_wait_s, policy.vision_wait_s)
    now_s = end_s + late_s
    assert isinstance(decide(the_case, view_at(observation, now_s), mode, under(liveness, policy), now_s), Decision)


@given(st.sampled_from(POLICIES), st.sampled_from(JUDGED), st.floats(0, 4))
def test_without_a_template_or_without_vision_life_is_no_question(liveness, verdict, after_s):
    """There it is the fob that passes, by a policy of its own."""
    bare = msgspec.structs.replace(case().access.cardholder, templates=())
    answers = [asked(after_s, face(verdict), policy=under(kind, LENIENT), the_case=case(bare)) for kind in ("off", liveness)]
    assert answers[0] == answers[1]
    assert blind(after_s, policy=under(liveness, LENIENT)) == blind(after_s, policy=LENIENT)


def test_a_verdict_without_a_number_decides_as_one_with():
    seen = face("attack")
    odd = msgspec.structs.replace(seen, liveness=Liveness(verdict="attack", score=math.nan, reason="", watched_s=math.nan))
    fresh = msgspec.structs.replace(odd, embedded_s=START_S + 1.4)
    view = view_at(view_of(fresh, taken_s=START_S + 1.4), START_S + 1.5)
    assert decided(decide(case(), view, DoorMode.LOCKED, under("deny_attack"), START_S + 1.5)).reasons == (
        Reason.PRESENTATION_ATTACK,
    )


@given(judged_observations, judged_observations, policies, st.floats(0, 2), st.floats(0, 2))
def test_after_a_picture_only_the_living_open_a_door_that_denies_attacks(first, second, policy, at_s, later_s):
    """Whatever is seen afterwards, as long as vision sees."""
    policy = under("deny_attack", policy)
    wait = decide(case(), view_at(first, START_S + at_s), DoorMode.LOCKED, policy, START_S + at_s)
    if isinstance(wait, Decision) or wait.attack is None:
        return
    now_s = START_S + at_s + later_s
    answer = decide(after(wait), view_at(second, now_s), DoorMode.LOCKED, policy, now_s)
    if isinstance(answer, Decision) and answer.granted:
        assert answer.match is not None
        assert answer.match.liveness is not None
        assert answer.match.liveness.verdict == "live"


@given(judged_observations, policies, st.sampled_from(POLICIES))
def test_a_face_that_opens_is_one_that_nothing_is_said_against(observation, policy, liveness):
    policy, now_s = under(liveness, policy), START_S + 3
    answer = decide(case(), view_at(observation, now_s), DoorMode.LOCKED, policy, now_s)
    if isinstance(answer, Decision) and Reason.FACE_MATCH in answer.reasons:
        assert answer.match is not None
        assert objection_to(answer.match, liveness) is None
        assert choose([answer.match], liveness) is answer.match
