"""People near each other at a door: a crowd, a follower, somebody who cannot get away; friends who talk are none of that."""

from __future__ import annotations

import pytest

from tests.behaviour.doorstep import Doorstep, Person, first_told, kinds, walks_in


def stands(x_m: float, y_m: float, from_s: float = 5.0, until_s: float = 20.0) -> Person:
    """Somebody who comes, stands and talks, swaying a little, and goes."""
    sway = [
        (from_s + 3 + 0.8 * i, x_m + 0.05 * (-1) ** i, y_m + 0.04 * (-1) ** (i // 2))
        for i in range(int((until_s - from_s - 3) / 0.8))
    ]
    return Person(((from_s, x_m, 4.5), *sway, (until_s + 3, x_m * 2, 4.8)), lost_m=0.5)


def test_three_who_stand_at_the_door_are_a_crowd_and_two_are_not() -> None:
    three = [stands(-0.5, 1.2), stands(0.0, 1.7), stands(0.6, 1.4)]
    found = first_told(Doorstep(three).run(20.0, 4.0), "crowding")
    assert found is not None
    assert found[1].value == 3.0
    assert "crowding" not in kinds(Doorstep(three[:2]).run(20.0, 4.0))


def test_people_who_walk_past_each_other_are_no_crowd() -> None:
    people = [walks_in(9.0 + 0.7 * i, x_m=0.3 * (i - 1)) for i in range(4)]
    assert "crowding" not in kinds(Doorstep(people, hidden=False).run(20.0, 4.0))


def test_somebody_close_behind_a_stranger_follows() -> None:
    told = Doorstep([walks_in(10.0), walks_in(10.6, x_m=0.1, from_m=2.6)], hidden=False).run(20.0, 4.0)
    found = first_told(told, "following")
    assert found is not None
    assert found[1].value == pytest.approx(0.8, abs=0.35)
    assert found[1].detail.endswith("s behind at the door")


def test_two_who_come_side_by_side_follow_nobody() -> None:
    assert "following" not in kinds(Doorstep([walks_in(10.0, x_m=-0.3), walks_in(10.1, x_m=0.3)]).run(20.0, 4.0))


def held(tries: int) -> list[Person]:
    """Somebody who sets out to get away, with another at their side each time, and is brought back."""
    path, beside = [(5.0, -0.2, 4.5), (8.0, -0.2, 1.0)], [(5.2, 0.25, 4.5), (8.2, 0.25, 1.0)]
    for i in range(tries):
        for steps, shift in ((path, 0.0), (beside, 0.15)):
            at_s, x_m = 9.5 + 3 * i + shift, steps[0][1]
            steps += [(at_s, x_m, 1.0), (at_s + 0.6, x_m, 1.45), (at_s + 1.0, x_m, 1.45), (at_s + 1.6, x_m, 1.0)]
    return [Person((*path, (24.0, -0.2, 1.0)), lost_m=0.5), Person((*beside, (24.0, 0.25, 1.0)), lost_m=0.5)]


def test_somebody_who_sets_out_again_and_again_and_is_brought_back_is_told_with_what_was_measured() -> None:
    found = first_told(Doorstep(held(3), hidden=False).run(22.0, 4.0), "blocked")
    assert found is not None
    assert "set out to get away" in found[1].detail
    assert found[1].confidence <= 0.6


@pytest.mark.parametrize("seed", range(5))
def test_friends_who_talk_at_the_door_and_leave_together_are_not(seed: int) -> None:
    friends = [stands(-0.2, 1.0), stands(0.3, 1.05)]
    assert "blocked" not in kinds(Doorstep(friends, seed=seed, hidden=False).run(24.0, 4.0))


def test_positions_that_are_too_unsure_say_nothing_of_half_a_metre() -> None:
    assert "blocked" not in kinds(Doorstep(held(3), hidden=False, sigma_m=0.6).run(22.0, 4.0))
