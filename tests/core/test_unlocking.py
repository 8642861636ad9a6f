"""Doors that stand unlocked by a schedule, and those that wait for the first person of the day."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from agent.core.access import DoorAccess
from agent.core.schedules import Interval, Schedule, is_open
from agent.core.unlocking import ASK_AT_LEAST_EVERY, begun, ended, unlocking

OPENING = Schedule(id="opening", zone="UTC", intervals=(Interval(days=(0, 1, 2, 3, 4), from_min=480, until_min=1080),))
SCHEDULES = {"opening": OPENING}
PLAIN = DoorAccess(unlock_schedule="opening")
FIRST = DoorAccess(unlock_schedule="opening", first_card=True)


def monday(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=timezone.utc)


def test_a_door_without_a_schedule_is_never_unlocked_by_one():
    assert not unlocking(DoorAccess(), SCHEDULES, {}, None, monday(12)).unlocked
    assert begun(DoorAccess(), SCHEDULES, {}, monday(12)) is None


def test_a_plain_schedule_unlocks_by_the_clock():
    assert [unlocking(PLAIN, SCHEDULES, {}, None, monday(hour)).unlocked for hour in (7, 8, 17, 18)] == [False, True, True, False]


def test_a_door_that_waits_for_a_first_card_says_so_and_stays_locked():
    answer = unlocking(FIRST, SCHEDULES, {}, None, monday(9))
    assert (answer.unlocked, answer.awaits_first_card) == (False, True)
    assert not unlocking(FIRST, SCHEDULES, {}, None, monday(7)).awaits_first_card


def test_a_first_card_unlocks_until_closing_time_and_not_the_next_morning():
    until = begun(FIRST, SCHEDULES, {}, monday(9))
    assert until == monday(18)
    assert unlocking(FIRST, SCHEDULES, {}, until, monday(17, 59)).unlocked
    assert not unlocking(FIRST, SCHEDULES, {}, until, monday(18)).unlocked
    assert not unlocking(FIRST, SCHEDULES, {}, until, monday(9) + timedelta(days=1)).unlocked


def test_whoever_comes_before_opening_time_begins_nothing():
    assert begun(FIRST, SCHEDULES, {}, monday(7, 59)) is None


def test_a_beginning_that_a_wrong_clock_put_into_the_far_future_counts_for_nothing():
    assert not unlocking(FIRST, SCHEDULES, {}, monday(18) + timedelta(days=3650), monday(9)).unlocked


def test_hours_that_a_person_ended_are_over_and_the_next_ones_begin():
    until = ended(PLAIN, SCHEDULES, {}, monday(9))
    assert until == monday(18)
    assert not unlocking(PLAIN, SCHEDULES, {}, None, monday(17, 59), until).unlocked
    assert unlocking(PLAIN, SCHEDULES, {}, None, monday(9) + timedelta(days=1), until).unlocked


def test_outside_the_hours_and_where_a_first_card_is_asked_for_there_is_nothing_to_end():
    assert ended(PLAIN, SCHEDULES, {}, monday(7)) is None
    assert ended(FIRST, SCHEDULES, {}, monday(9)) is None
    assert ended(DoorAccess(), SCHEDULES, {}, monday(9)) is None


def test_an_end_that_a_wrong_clock_put_into_the_far_future_counts_for_nothing():
    assert unlocking(PLAIN, SCHEDULES, {}, None, monday(9), monday(18) + timedelta(days=3650)).unlocked


def test_the_next_question_is_due_at_the_change_and_at_least_every_minute():
    assert unlocking(PLAIN, SCHEDULES, {}, None, monday(7, 59) + timedelta(seconds=30)).ask_again == monday(8)
    assert unlocking(PLAIN, SCHEDULES, {}, None, monday(12)).ask_again == monday(12) + ASK_AT_LEAST_EVERY


@given(st.integers(0, 14 * 86400), st.none() | st.integers(0, 14 * 86400), st.booleans())
def test_a_first_card_never_unlocks_a_door_outside_its_schedule(at_s, until_s, first_card):
    now = monday(0) + timedelta(seconds=at_s)
    until = None if until_s is None else monday(0) + timedelta(seconds=until_s)
    answer = unlocking(FIRST if first_card else PLAIN, SCHEDULES, {}, until, now)
    assert now < answer.ask_again <= now + ASK_AT_LEAST_EVERY
    if answer.unlocked:
        assert is_open(OPENING, now)
