"""Which events a door says again, and when: time passed in, no network."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from agent.link.acks import Ack
from agent.link.flight import FIRST, MAX_PATIENCE, Flight

TIMEOUT_S = 5.0


def flown(count: int) -> Flight:
    flight = Flight(TIMEOUT_S)
    for number in range(1, count + 1):
        flight.put(number, "aa", number, b"")
    return flight


def said(flight: Flight, now_s: float) -> list[int]:
    return [sent.sequence for sent in flight.due(now_s)]


def test_a_centre_that_is_behind_and_answers_in_order_is_not_told_everything_again() -> None:
    flight = flown(100)
    assert said(flight, 0.0) == list(range(1, 101))
    for number in range(1, 101):
        assert said(flight, number * 1.0) == [], "it hears more of what it has already, and falls further behind"
        flight.take(Ack("aa", [(number, number)]))
    assert len(flight) == 0


def test_a_door_waits_twice_as_long_as_answers_take_before_it_repeats_anything() -> None:
    flight = flown(1)
    said(flight, 0.0)
    said(flight, 4.0)
    flight.take(Ack("aa", [(1, 1)]))
    assert said(flight, 4.0) == []
    flight.put(2, "aa", 2, b"")
    said(flight, 10.0)
    assert flight.wait_s(10.0) == 8.0
    assert (said(flight, 17.9), said(flight, 18.0)) == ([], [2])


def test_a_quick_answer_makes_repetitions_quick_again() -> None:
    flight = flown(2)
    for now_s in (0.0, 5.0, 15.0):
        assert said(flight, now_s)
    flight.take(Ack("aa", [(1, 2)]))
    said(flight, 20.0)
    flight.put(3, "aa", 3, b"")
    said(flight, 20.0)
    flight.take(Ack("aa", [(3, 3)]))
    said(flight, 20.1)
    flight.put(4, "aa", 4, b"")
    said(flight, 21.0)
    assert flight.wait_s(21.0) == TIMEOUT_S


def test_an_event_that_was_lost_on_the_way_is_said_again_however_many_later_ones_are_answered() -> None:
    flight = flown(1)
    said(flight, 0.0)
    repeated = []
    for number in range(2, 62):
        now_s = float(number)
        flight.put(number, "aa", number, b"")
        repeated += [sequence for sequence in said(flight, now_s) if sequence == 1]
        flight.take(Ack("aa", [(number, number)]))
    assert len(repeated) >= 2


def test_another_connection_says_everything_at_once_and_forgets_how_long_answers_took() -> None:
    flight = flown(2)
    for now_s in (0.0, 5.0, 15.0):
        said(flight, now_s)
    flight.again()
    assert said(flight, 16.0) == [1, 2]
    assert flight.wait_s(16.0) == TIMEOUT_S


def test_what_was_never_said_cannot_have_been_committed() -> None:
    flight = flown(3)
    assert flight.take(Ack("aa", [(1, 3)])) == []
    said(flight, 0.0)
    flight.again()
    assert [gone.sequence for gone in flight.take(Ack("aa", [(1, 2)]))] == [1, 2]


@given(st.lists(st.tuples(st.floats(0.01, 60.0), st.sets(st.integers(1, 12)), st.booleans()), max_size=40))
def test_nothing_waits_longer_than_eight_times_the_timeout_whatever_is_answered(
    turns: list[tuple[float, set[int], bool]],
) -> None:
    """A quiet historian is a reason to ask, later and later, and never to stop asking."""
    flight, now_s = flown(12), 0.0
    for pause_s, answered, is_new in turns:
        now_s += pause_s
        flight.due(now_s)
        flight.take(Ack("aa", [(number, number) for number in answered]))
        if is_new:
            flight.again()
    flight.due(now_s)
    assert flight.wait_s(now_s) <= MAX_PATIENCE * TIMEOUT_S + 1e-6 or len(flight) == 0


# -- how many at once -------------------------------------------------------------------------------------------------------------


def answered_after(flight: Flight, took_s: float, turns: int, most: int = 100) -> None:
    """A door with much to say; everything is answered so long after it was said."""
    now_s, number = 0.0, 0
    for _ in range(turns):
        first = number + 1
        for _ in range(flight.room(most)):
            number += 1
            flight.put(number, "aa", number, b"")
        said(flight, now_s)
        now_s += took_s
        flight.take(Ack("aa", [(first, number)]))
        said(flight, now_s)


def test_a_door_begins_with_a_few_and_soon_says_as_much_at_once_as_it_may() -> None:
    flight = Flight(TIMEOUT_S)
    assert flight.room(100) == FIRST
    answered_after(flight, 0.03, turns=4)
    assert flight.room(100) == 100


def test_a_long_way_to_the_centre_is_no_queue() -> None:
    flight = Flight(TIMEOUT_S)
    answered_after(flight, 0.7, turns=4)
    assert flight.room(100) == 100


def test_a_new_connection_begins_with_a_few_again() -> None:
    flight = Flight(TIMEOUT_S)
    answered_after(flight, 0.03, turns=4)
    flight.again()
    assert flight.room(100) == FIRST


def test_two_hundred_doors_with_full_journals_keep_the_centre_busy_and_no_door_waiting_for_long() -> None:
    """The centre takes 3,000 events a second, in the order in which they came."""
    tick_s, each_tick, ticks = 0.02, 60, 500
    doors, counts = [Flight(TIMEOUT_S) for _ in range(200)], [0] * 200
    queue: deque[tuple[int, int]] = deque()
    waits_s: list[float] = []
    for tick in range(ticks):
        now_s = tick * tick_s
        for which, flight in enumerate(doors):
            for _ in range(flight.room(100)):
                counts[which] += 1
                flight.put(counts[which], "aa", counts[which], b"")
            queue.extend((which, sent.sequence) for sent in flight.due(now_s) if sent.times == 1)
        waits_s.append(len(queue) / each_tick * tick_s)
        assert len(queue) >= each_tick, "the centre has nothing to do"
        for which, number in [queue.popleft() for _ in range(each_tick)]:
            doors[which].take(Ack("aa", [(number, number)]))
    assert max(waits_s[ticks // 2 :]) < 1.0, "of a hundred each it were 6.7"
