"""Nobody comes in twice without having left, as far as the door knows; where it does not know it lets people in."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from agent.core import passback
from agent.core.passback import MOST_INSIDE, PassbackRule, Places

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
HARD = PassbackRule(mode="hard")
SOFT = PassbackRule(mode="soft")
TIMED = PassbackRule(mode="hard", forget_after=timedelta(minutes=10))
IN = passback.passed(Places(), "holder-1", "in", NOW)


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_whoever_is_inside_is_refused_by_a_hard_rule_told_by_a_soft_one_and_unknown_to_none():
    assert passback.standing(IN, "holder-1", HARD, after(500)) == "refused"
    assert passback.standing(IN, "holder-1", SOFT, after(500)) == "told"
    assert passback.standing(IN, "holder-1", PassbackRule(), after(1)) == "clear"
    assert passback.standing(IN, "holder-2", HARD, after(1)) == "clear"


def test_whoever_has_left_may_come_in_again():
    left = passback.passed(IN, "holder-1", "out", after(1))
    assert passback.standing(left, "holder-1", HARD, after(2)) == "clear"


def test_a_timed_rule_forgets_to_the_second():
    assert passback.standing(IN, "holder-1", TIMED, after(10) - timedelta(seconds=1)) == "refused"
    assert passback.standing(IN, "holder-1", TIMED, after(10)) == "clear"


def test_a_passage_from_the_future_refuses_nobody():
    """The clock was wrong then, or is wrong now: after a power cut it may be years behind until the network has set it."""
    assert passback.standing(IN, "holder-1", HARD, after(-2)) == "clear"
    assert passback.standing(IN, "holder-1", HARD, after(-0.5)) == "refused", "clocks are set back by seconds all the time"


def test_one_is_forgiven_or_all_are():
    both = passback.passed(IN, "holder-2", "in", after(1))
    assert set(passback.forgiven(both, "holder-1").inside) == {"holder-2"}
    assert not passback.forgiven(both).inside


def test_what_the_rule_has_forgotten_is_not_kept_either():
    both = passback.passed(IN, "holder-2", "in", after(8))
    assert set(passback.still_known(both, TIMED, after(12)).inside) == {"holder-2"}
    assert passback.still_known(both, HARD, after(9999)) == both
    assert not passback.still_known(both, PassbackRule(), after(9)).inside, "no rule, no record of who is where"


def test_beyond_its_room_the_door_forgets_whoever_came_first():
    places = Places({f"holder-{n}": NOW for n in range(MOST_INSIDE)})
    places = passback.passed(places, "one-more", "in", after(1))
    assert len(places.inside) == MOST_INSIDE
    assert "holder-0" not in places.inside
    assert "one-more" in places.inside


moves = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["in", "out"]), st.floats(0, 30)), max_size=30)


@given(moves, st.floats(0, 30))
def test_only_whoever_came_in_last_and_not_too_long_ago_is_inside(walked, wait_min):
    places, now, last = Places(), NOW, {}
    for who, leads, minutes in walked:
        now += timedelta(minutes=minutes)
        places, last[who] = passback.passed(places, who, leads, now), (leads, now)
    now += timedelta(minutes=wait_min)
    for who in "abc":
        leads, since = last.get(who, ("out", NOW))
        assert (passback.standing(places, who, HARD, now) == "refused") is (leads == "in")
        assert (passback.standing(places, who, TIMED, now) == "refused") is (
            leads == "in" and now - since < timedelta(minutes=10)
        )
