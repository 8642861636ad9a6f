"""A stage that fails costs its own answer, is told of, and is left out when it keeps failing."""

from __future__ import annotations

import logging

import pytest

from agent.vision.guard import MOST_IN_ROW, Guard


def broken() -> str:
    raise ValueError("odd numbers")


def test_what_a_stage_gives_is_passed_on():
    assert Guard("gaze").run(lambda: "seen") == "seen"
    assert Guard("gaze").fault == ""


def test_one_failure_is_told_and_a_good_run_after_it_takes_it_back():
    guard = Guard("gaze")
    assert guard.run(broken) is None
    assert guard.fault == "gaze: ValueError: odd numbers"
    assert guard.run(lambda: "seen") == "seen"
    assert (guard.fault, guard.failures) == ("", 1)


def test_a_stage_that_keeps_failing_is_left_out_and_that_is_told(caplog):
    guard, calls = Guard("gaze"), []
    with caplog.at_level(logging.ERROR):
        for _ in range(MOST_IN_ROW):
            guard.run(broken)
        assert guard.off
        assert guard.run(lambda: calls.append(1)) is None
    assert calls == []
    assert "left out until the program is started anew" in guard.fault
    assert len(caplog.records) == 2, "the first and the last failure: a stage that fails in each frame must not fill the log"


def test_failures_apart_do_not_add_up():
    guard = Guard("gaze")
    for _ in range(10 * MOST_IN_ROW):
        guard.run(broken)
        guard.run(lambda: "seen")
    assert not guard.off


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_program_is_no_failure_of_a_stage(end):
    def ends() -> None:
        raise end

    with pytest.raises(end):
        Guard("gaze").run(ends)
