"""A stage that fails costs its own answer, is told of, and is left out when it keeps failing."""

from __future__ import annotations

import logging

import pytest

from agent.vision.guard import MOST_IN_ROW, REST_S, THE_FRAME, Guard


def broken() -> str:
    raise ValueError("odd numbers")


def test_what_a_stage_gives_is_passed_on():
    assert Guard("gaze").run(lambda: "seen", 0.0) == "seen"
    assert Guard("gaze").fault == ""


def test_one_failure_is_told_and_a_good_run_after_it_takes_it_back():
    guard = Guard("gaze")
    assert guard.run(broken, 0.0) is None
    assert guard.failed()
    assert guard.fault == "gaze: ValueError: odd numbers"
    assert guard.run(lambda: "seen", 0.1) == "seen"
    assert (guard.fault, guard.failures, guard.failed()) == ("", 1, False)


def fail_for_good(guard: Guard, now_s: float = 0.0, of: int = THE_FRAME) -> None:
    for _ in range(MOST_IN_ROW):
        guard.run(broken, now_s, of)


def test_a_stage_that_keeps_failing_is_left_out_and_that_is_told(caplog):
    guard, calls = Guard("gaze"), []
    with caplog.at_level(logging.ERROR):
        fail_for_good(guard)
        assert guard.off(0.0)
        assert guard.run(lambda: calls.append(1), 0.0) is None
    assert calls == []
    assert "left out and tried again after 60 s" in guard.fault
    assert len(caplog.records) == 4, "failures 1, 2, 4 and the last: a stage that fails in each frame must not fill the log"


def test_a_stage_that_was_left_out_is_tried_again_after_a_minute():
    guard = Guard("gaze")
    fail_for_good(guard, now_s=100.0)
    assert guard.run(lambda: "seen", 100.0 + REST_S - 0.1) is None
    assert guard.run(lambda: "seen", 100.0 + REST_S) == "seen"
    assert guard.fault == ""


def test_a_stage_that_is_still_broken_costs_one_failure_a_minute():
    guard, calls = Guard("gaze"), []

    def odd() -> None:
        calls.append(1)
        raise ValueError("odd")

    for frame in range(15 * 600):
        guard.run(odd, frame / 15)
    assert len(calls) == MOST_IN_ROW + 9


def test_failures_apart_do_not_add_up():
    guard = Guard("gaze")
    for n in range(10 * MOST_IN_ROW):
        guard.run(broken, float(n))
        guard.run(lambda: "seen", float(n))
    assert not guard.off(0.0)


def test_one_odd_face_takes_a_stage_from_nobody_else():
    guard = Guard("liveness")
    fail_for_good(guard, of=7)
    assert guard.off(0.0, of=7)
    assert not guard.off(0.0, of=8)
    assert guard.run(lambda: "seen", 0.0, of=8) == "seen"
    assert "left out" in guard.fault, "it is told as long as that face is there, whoever else is seen well"


def test_an_odd_face_that_has_gone_is_forgotten_and_a_stage_that_failed_last_is_still_named():
    guard = Guard("liveness")
    fail_for_good(guard, of=7)
    guard.forget({8})
    assert guard.fault == "liveness: ValueError: odd numbers"
    guard.run(lambda: "seen", 1.0, of=8)
    assert guard.fault == ""


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_program_is_no_failure_of_a_stage(end):
    def ends() -> None:
        raise end

    with pytest.raises(end):
        Guard("gaze").run(ends, 0.0)
