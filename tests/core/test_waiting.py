"""Waits that grow, and fobs that lie there."""

from __future__ import annotations

from agent.core.backoff import Backoff
from agent.core.presence import Presence


def test_waits_double_up_to_the_longest_and_begin_anew_when_it_worked():
    backoff = Backoff(0.25, 5.0)
    assert [backoff.wait_s() for _ in range(7)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.worked()
    assert backoff.wait_s() == 0.25


def test_who_stays_longer_than_anybody_came_back_for_is_still_the_same_visit():
    presence = Presence(1.0)
    assert presence.arrives("a", 0.0)
    assert not any(presence.arrives("a", at_s / 2) for at_s in range(1, 200))
    assert presence.arrives("a", 101.0)


def test_those_who_went_are_forgotten():
    presence = Presence(1.0)
    for number in range(1000):
        assert presence.arrives(str(number), number * 0.5)
    assert len(presence._seen_s) <= 3
