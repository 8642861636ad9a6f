"""Does this controller know what time it is? Readings of both clocks go in, news for people come out."""

from __future__ import annotations

from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from agent.core.clock_watch import STEP_US, ClockNews, ClockWatch, Reading, corrected, to_us

TRUE_US = to_us(datetime(2026, 3, 2, 8, 0, tzinfo=timezone.utc))
"""Wall minus monotonic time, of a right clock."""
SECOND_US = 1_000_000


def reading(mono_s: float, offset_us: int, synchronised: bool | None) -> Reading:
    mono_us = round(mono_s * SECOND_US)
    return Reading(mono_us, mono_us + offset_us, synchronised)


def test_a_door_that_starts_in_1970_is_unsure_until_a_time_server_answers() -> None:
    watch = ClockWatch()
    assert watch.take(reading(10, 0, False)) is None
    assert watch.standing == "unsure"
    news = watch.take(reading(11, TRUE_US, True))
    assert news == ClockNews("clock.synchronised", {"offset_s": TRUE_US / 1e6, "moved_s": TRUE_US / 1e6})
    assert watch.standing == "synchronised"


def test_the_offset_that_is_told_gives_everything_before_its_right_time() -> None:
    watch = ClockWatch()
    watch.take(reading(10, 0, False))
    news = watch.take(reading(11, TRUE_US, True))
    assert news is not None
    assert corrected(5.25, round(news.data["offset_s"] * 1e6)) == datetime(2026, 3, 2, 8, 0, 5, 250000, tzinfo=timezone.utc)


def test_a_clock_that_was_right_at_the_start_is_told_once() -> None:
    watch = ClockWatch()
    assert watch.take(reading(10, TRUE_US, True)) is not None
    assert [watch.take(reading(t, TRUE_US + 100, True)) for t in (11, 12, 13)] == [None] * 3


def test_a_program_that_starts_again_does_not_tell_what_the_one_before_told() -> None:
    watch = ClockWatch(told_us=TRUE_US)
    assert watch.take(reading(500, TRUE_US + 3, True)) is None
    assert watch.standing == "synchronised"


def test_a_time_server_that_goes_away_leaves_a_clock_that_still_holds() -> None:
    watch = ClockWatch()
    watch.take(reading(10, TRUE_US, True))
    assert watch.take(reading(40_000, TRUE_US, False)) is None
    assert watch.standing == "held"


def test_a_program_that_starts_again_without_a_time_server_knows_that_the_clock_was_right() -> None:
    watch = ClockWatch(told_us=TRUE_US)
    watch.take(reading(500, TRUE_US, False))
    assert watch.standing == "held"


def test_a_clock_that_is_set_by_hand_while_no_time_server_answers_is_told_and_not_believed() -> None:
    watch = ClockWatch()
    watch.take(reading(10, TRUE_US, True))
    watch.take(reading(20, TRUE_US, False))
    news = watch.take(reading(21, TRUE_US - 3600 * SECOND_US, False))
    assert news is not None
    assert (news.kind, news.data["moved_s"], watch.standing) == ("clock.jumped", -3600.0, "unsure")


def test_a_clock_that_jumps_although_it_is_synchronised_is_told() -> None:
    watch = ClockWatch()
    watch.take(reading(10, TRUE_US, True))
    news = watch.take(reading(11, TRUE_US + 3600 * SECOND_US, True))
    assert news == ClockNews("clock.jumped", {"offset_s": TRUE_US / 1e6 + 3600, "moved_s": 3600.0})


def test_small_steps_are_told_when_they_have_become_a_large_one() -> None:
    """As a time server does that leads a clock away a little at a time."""
    watch = ClockWatch()
    told = [watch.take(reading(10 + n, TRUE_US + n * 500_000, True)) for n in range(6)]
    assert [n for n, news in enumerate(told) if news] == [0, 4]


def test_where_nobody_says_anything_of_the_clock_nothing_is_claimed_but_a_jump_is_seen() -> None:
    watch = ClockWatch()
    assert watch.take(reading(10, TRUE_US, None)) is None
    assert watch.standing == ""
    news = watch.take(reading(11, TRUE_US + 10 * SECOND_US, None))
    assert news is not None
    assert news.kind == "clock.jumped"


@given(st.lists(st.tuples(st.integers(0, 10**16), st.booleans()), min_size=1, max_size=30))
def test_whatever_a_clock_does_each_move_is_told_once_and_the_last_offset_told_is_near_the_clocks(
    life: list[tuple[int, bool]],
) -> None:
    watch, last_us = ClockWatch(), None
    for second, (offset_us, synchronised) in enumerate(life):
        news = watch.take(reading(second, offset_us, synchronised))
        moved = last_us is not None and abs(offset_us - last_us) >= STEP_US
        assert (
            news is not None
            or not moved
            or (synchronised and watch.told_us is not None and abs(watch.told_us - offset_us) < STEP_US)
        )
        assert (watch.standing == "synchronised") is synchronised
        if watch.standing in ("synchronised", "held"):
            assert watch.told_us is not None
            assert abs(watch.told_us - offset_us) < STEP_US
        last_us = offset_us
