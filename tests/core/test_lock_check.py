"""A lock that does not do what it is told is told of, once, and again when it does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.lock_check import LockCheck, LockFinding

SETTLE_S = 1.0


@pytest.fixture
def held() -> LockCheck:
    """A lock that holds, and a monitor that says so."""
    check = LockCheck(SETTLE_S)
    check.ordered(False, 0.0)
    check.read(False, 0.1)
    return check


def test_a_lock_that_follows_its_orders_is_no_news(held):
    for at_s in (10.0, 20.0, 30.0):
        held.ordered(True, at_s)
        held.read(True, at_s + 0.3)
        held.ordered(False, at_s + 5.0)
        held.read(False, at_s + 5.9)
        assert held.settle(at_s + 9.0) is None
    assert held.due_s is None


def test_a_lock_that_is_told_to_let_go_and_does_not(held):
    held.ordered(True, 10.0)
    assert held.due_s == 11.0
    assert held.settle(10.99) is None, "it may take its time"
    assert held.settle(11.0) == LockFinding(finding="does_not_let_go", since_s=10.0)
    assert held.settle(12.0) is None, "once"


def test_a_lock_that_is_told_to_hold_and_does_not(held):
    held.ordered(True, 10.0)
    held.read(True, 10.2)
    held.ordered(False, 13.0)
    assert held.settle(14.0) == LockFinding(finding="does_not_hold", since_s=13.0)


def test_a_lock_that_lets_go_by_itself_is_a_fault_too(held):
    held.read(True, 50.0)
    assert held.settle(51.0) == LockFinding(finding="does_not_hold", since_s=50.0)


def test_when_it_obeys_again_that_is_told(held):
    held.ordered(True, 10.0)
    held.settle(11.0)
    held.read(True, 12.0)
    assert held.settle(12.5) is None, "a flutter is no recovery"
    assert held.settle(13.0) == LockFinding(finding="obeys_again", since_s=12.0)
    assert held.due_s is None


def test_while_the_leaf_stands_open_no_lock_is_blamed_for_not_holding_it(held):
    held.ordered(True, 10.0)
    held.read(True, 10.2)
    held.leaf(True, 11.0)
    held.ordered(False, 11.0)
    assert held.settle(60.0) is None
    held.leaf(False, 70.0)
    assert held.settle(70.9) is None, "the bolt falls in after the leaf"
    held.read(False, 70.95)
    assert held.settle(80.0) is None


def test_a_leaf_that_closed_without_being_caught_is_a_fault(held):
    held.read(True, 10.0)
    held.leaf(True, 10.0)
    held.leaf(False, 20.0)
    assert held.settle(21.0) == LockFinding(finding="does_not_hold", since_s=20.0)


def test_an_open_leaf_excuses_no_lock_that_does_not_let_go(held):
    held.leaf(True, 5.0)
    held.ordered(True, 10.0)
    assert held.settle(11.0) == LockFinding(finding="does_not_let_go", since_s=10.0)


def test_a_monitor_that_has_not_spoken_accuses_nobody():
    check = LockCheck(SETTLE_S)
    check.ordered(True, 0.0)
    assert check.settle(100.0) is None


ORDERS = st.lists(st.tuples(st.sampled_from(["ordered", "read", "leaf"]), st.booleans(), st.floats(0.01, 5.0)), max_size=30)


@given(ORDERS)
def test_findings_alternate_with_the_truth(steps):
    """Whatever happens in whatever order: nothing is told twice, and after a quiet while what was told last is true."""
    check, now_s, told, state = LockCheck(SETTLE_S), 0.0, ["obeys_again"], {"ordered": None, "read": None, "leaf": False}
    for what, value, wait_s in steps:
        getattr(check, what)(value, now_s)
        state[what] = value
        now_s += wait_s
        if (finding := check.settle(now_s)) is not None:
            told.append(finding.finding)
    if (finding := check.settle(now_s + SETTLE_S)) is not None:
        told.append(finding.finding)
    assert all(one != other for one, other in pairwise(told))
    if None not in (state["ordered"], state["read"]):
        assert (told[-1] == "does_not_let_go") == (state["ordered"] and not state["read"])
        assert (told[-1] == "does_not_hold") == (state["read"] and not state["ordered"] and not state["leaf"])
