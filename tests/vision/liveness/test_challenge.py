"""'Turn your head': what answers it, and what does not."""

from __future__ import annotations

import pytest

from agent.core.messages import HeadPose, Liveness
from agent.vision.liveness import Challenge, choose_side

LIVE = Liveness(verdict="live", score=0.9, reason="moves_as_a_head", watched_s=2.0)
PRINT = Liveness(verdict="attack", score=0.05, reason="moves_as_a_plane", watched_s=2.0)
NOT_YET = Liveness(verdict="unsure", score=0.5, reason="too_short", watched_s=0.4)


def pose(yaw_deg: float, confidence: float = 0.9) -> HeadPose:
    return HeadPose(yaw_deg=yaw_deg, pitch_deg=0.0, roll_deg=0.0, confidence=confidence)


def played(side, yaws, liveness=LIVE, step_s=0.1):
    """A challenge asked at 10 s, and a head that points to these angles from then on."""
    challenge = Challenge(side=side, asked_s=10.0)
    for number, yaw in enumerate(yaws):
        challenge = challenge.step(None if yaw is None else pose(yaw), liveness, 10.0 + number * step_s)
    return challenge


def test_a_head_that_turns_to_its_own_left_meets_the_question_for_the_left():
    assert played("left", [0, 2, 8, 17, 18, 18, 18]).state == "met"
    assert played("right", [3, 0, -8, -17, -18, -18, -18]).state == "met"


def test_a_turn_counts_from_where_the_head_was():
    assert played("left", [12, 12, 16, 20, 20, 20]).state == "asked"
    assert played("left", [-12, -8, 0, 6, 6, 6, 6]).state == "met"


def test_the_wrong_side_fails_at_once():
    settled = played("left", [0, -5, -16])
    assert (settled.state, settled.reason) == ("failed", "wrong_side")


def test_a_print_that_is_turned_fails_with_the_reason_of_its_movement():
    settled = played("left", [0, 8, 17, 18, 18, 18], PRINT)
    assert (settled.state, settled.reason) == ("failed", "moves_as_a_plane")


def test_while_it_is_not_known_what_moved_the_time_runs_on_and_then_is_over():
    assert played("left", [0, 8, 17, 18, 18, 18, 18], NOT_YET).state == "asked"
    settled = played("left", [0, 8] + [18] * 45, NOT_YET)
    assert (settled.state, settled.reason) == ("failed", "too_late")


def test_who_turns_before_anybody_could_have_seen_the_light_did_not_answer_it():
    assert played("left", [0, 30], step_s=0.1).reason == "too_soon"


def test_one_wrong_frame_is_no_answer():
    assert played("left", [0, 1, 2, 40, 2, 1, 0]).state == "asked"


def test_nobody_in_view_neither_answers_nor_fails_until_the_time_is_over():
    assert played("left", [None] * 20).state == "asked"
    assert played("left", [None] * 45).reason == "too_late"


def test_an_unsure_pose_is_not_believed():
    challenge = Challenge(side="left", asked_s=0.0).step(pose(0), LIVE, 0.1)
    for number in range(10):
        challenge = challenge.step(pose(25, confidence=0.1), LIVE, 0.3 + number / 10)
    assert challenge.state == "asked"


def test_a_settled_challenge_stays_settled():
    settled = played("left", [0, -16])
    assert settled.step(pose(30), LIVE, 12.0) is settled


def test_the_side_is_chosen_by_the_chance_that_is_passed_in():
    assert [choose_side(chance) for chance in (0.0, 0.49, 0.5, 0.99)] == ["left", "left", "right", "right"]
    with pytest.raises(ValueError, match="0 <= chance < 1"):
        choose_side(1.0)
