"""A switch counts once it has stood still."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.core.debounce import Debounce

STILL_S = 0.03


def settled(*edges: tuple[bool, float]) -> list[tuple[bool, float]]:
    """What is confirmed when the loop asks at each edge and at each time that is due."""
    switch, out = Debounce(STILL_S), []
    for active, at_s in edges:
        out.append(switch.settle(at_s))
        switch.edge(active, at_s)
    out.append(switch.settle(1e6))
    assert switch.due_s is None
    return [change for change in out if change is not None]


def test_nothing_is_known_before_the_first_level_has_stood_still():
    switch = Debounce(STILL_S)
    assert (switch.due_s, switch.settle(1e9)) == (None, None)
    switch.edge(False, 1.0)
    assert switch.due_s == 1.0 + STILL_S
    assert switch.settle(1.0 + STILL_S - 1e-6) is None
    assert switch.settle(1.0 + STILL_S) == (False, 1.0)
    assert switch.settle(2.0) is None


def test_a_door_is_told_to_have_opened_when_it_did_not_when_it_was_confirmed():
    assert settled((False, 1.0), (True, 2.0)) == [(False, 1.0), (True, 2.0)]


def test_a_pulse_shorter_than_the_debounce_time_leaves_nothing_behind():
    assert settled((False, 1.0), (True, 2.0), (False, 2.01)) == [(False, 1.0)]


def test_a_bouncing_contact_is_one_change():
    bounces = [(n % 2 == 0, 2.0 + n * 0.002) for n in range(9)]
    assert settled((False, 1.0), *bounces) == [(False, 1.0), (True, 2.016)]


def test_each_bounce_restarts_the_wait():
    switch = Debounce(STILL_S)
    for active, at_s in [(False, 1.0), (True, 1.02), (False, 1.04)]:
        switch.edge(active, at_s)
        assert switch.settle(at_s + 0.019) is None
    assert switch.settle(1.04 + STILL_S) is not None


def test_the_same_level_again_changes_nothing():
    assert settled((True, 1.0), (True, 1.02), (True, 5.0)) == [(True, 1.0)]


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0001, 0.1)), max_size=60))
def test_levels_alternate_and_the_last_one_that_stood_still_is_the_one_reported(steps):
    at_s, edges = 1.0, []
    for active, gap_s in steps:
        at_s += gap_s
        edges.append((active, at_s))
    changes = settled(*edges)
    assert all(one[0] != two[0] for one, two in pairwise(changes))
    assert [change for change in changes if change not in edges] == [], "each time is that of an edge towards that level"
    if edges:
        assert changes[-1][0] == edges[-1][0]


def test_a_level_that_was_looked_at_before_an_edge_does_not_undo_it():
    switch = Debounce(STILL_S)
    switch.edge(True, 2.0)
    switch.edge(False, 1.999)
    assert switch.settle(3.0) == (True, 2.0)
