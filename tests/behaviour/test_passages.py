"""More people went in than were let in: told within two seconds, and of nobody who had a read, came out, or was only lost for a moment."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.behaviour.ground import FloorPoint, assumed_ground
from agent.behaviour.openings import OpeningSettings
from agent.behaviour.passages import Passages, PassageSettings, Subject, head_height_m
from agent.core.conduct import DoorNews
from agent.core.evidence import KINDS, sentence
from tests.behaviour.doorstep import (
    Doorstep,
    Person,
    comes_out,
    first_told,
    kinds,
    opening,
    reads_and_goes_in,
    said,
    walks_in,
)

UNTIL_S = 24.0


def tailgaters(step: Doorstep, until_s: float = UNTIL_S) -> float:
    """The most that was told at any time."""
    return max((each.value for _, now in step.run(until_s, 4.0) for each in now if each.kind == "tailgating"), default=0.0)


def told_of(step: Doorstep) -> str:
    found = first_told(step.run(UNTIL_S, 4.0), "tailgating")
    assert found is not None
    return found[1].detail


# -- who is told of --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behind_s", [0.5, 1.0, 1.5, 2.5, 6.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_second_body_on_one_read_is_told_within_two_seconds_of_its_crossing(behind_s: float, seed: int) -> None:
    holder = reads_and_goes_in(10.0, lost_m=0.4 + 0.1 * seed)
    second = walks_in(holder.crosses_s() + behind_s, lost_m=0.4 + 0.1 * seed)
    step = Doorstep([holder, second], opening(10.6, 11.2, second.crosses_s() + 1.5), seed=seed)

    found = first_told(step.run(UNTIL_S, 4.0), "tailgating")

    assert found is not None
    assert found[1].value == 1.0
    assert found[0] - second.crosses_s() < 2.0


def test_close_behind_is_told_apart_from_a_door_that_was_held() -> None:
    holder = reads_and_goes_in(10.0)
    close, held = walks_in(holder.crosses_s() + 1.0), walks_in(holder.crosses_s() + 6.0)

    detail = told_of(Doorstep([holder, close], opening(10.6, 11.2, 16.0)))
    assert "s behind somebody let in" in detail
    assert float(detail.split()[0]) == pytest.approx(1.0, abs=0.5)
    assert "the door was held open for" in told_of(Doorstep([holder, held], opening(10.6, 11.2, 20.0)))


def test_four_who_go_in_on_two_reads_are_two_too_many() -> None:
    group = [reads_and_goes_in(10 + 0.4 * i, 1.5 + 0.6 * i, at_m=0.9 + 0.45 * (i // 2), x_m=(-0.3, 0.3)[i % 2]) for i in range(4)]
    assert tailgaters(Doorstep(group, opening(10.6, 11.0, 17.0, "a", "b"))) == 2.0


def test_who_slips_in_as_somebody_leaves_is_told() -> None:
    news = [said(9.7, "leaving"), said(9.9, "opened"), said(14.0, "closed")]
    step = Doorstep([comes_out(10.0), walks_in(12.2, x_m=-0.3)], news)
    assert told_of(step) == "went in while somebody left, 1 went through, 0 let in"


def test_who_goes_in_while_the_one_that_was_compared_stays_outside_is_told() -> None:
    holder = Person(((6.0, -0.5, 4.5), (9.0, -0.4, 1.0), (18.0, -0.45, 1.1), (21.0, -1.5, 3.0)), face=7)
    news = [said(10.6, "granted", "a", face=7), said(11.0, "opened"), said(16.0, "closed")]
    assert "stayed outside" in told_of(Doorstep([holder, walks_in(12.5, x_m=0.3)], news))


def test_through_a_forced_door_everybody_is_one_too_many() -> None:
    news = [said(11.0, "forced"), said(15.0, "closed")]
    assert "forced" in told_of(Doorstep([reads_and_goes_in(10.0)], news))


def test_without_a_door_contact_a_pulse_stands_for_it_and_it_is_less_sure() -> None:
    holder = reads_and_goes_in(10.0)
    step = Doorstep([holder, walks_in(holder.crosses_s() + 1.0)], [said(10.9, "granted", "a")])
    found = first_told(step.run(UNTIL_S, 4.0), "tailgating")
    assert found is not None
    assert found[1].confidence < 0.7


# -- who is not ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_two_friends_with_a_read_each_are_no_alarm(seed: int) -> None:
    friends = [reads_and_goes_in(10.0, x_m=-0.25), reads_and_goes_in(10.3, 2.5, x_m=0.3)]
    assert tailgaters(Doorstep(friends, opening(10.8, 11.2, 16.0, "a", "b"), seed=seed)) == 0


@pytest.mark.parametrize("late_s", [-0.5, 0.0, 0.5, 1.0])
def test_nor_when_the_second_read_comes_while_the_door_still_stands_open(late_s: float) -> None:
    friends = [reads_and_goes_in(10.0, x_m=-0.25), reads_and_goes_in(10.3, 2.5, x_m=0.3)]
    news = [*opening(10.8, 11.2, 16.0), said(friends[1].crosses_s() + late_s, "granted", "b")]
    assert tailgaters(Doorstep(friends, news)) == 0


def test_the_same_credential_read_twice_lets_in_once() -> None:
    friends = [reads_and_goes_in(10.0, x_m=-0.25), reads_and_goes_in(10.3, 2.5, x_m=0.3)]
    assert tailgaters(Doorstep(friends, opening(10.8, 11.2, 16.0, "a", "a"))) == 1


def test_a_pair_is_let_in_by_its_second_read() -> None:
    pair = [reads_and_goes_in(10.0, x_m=-0.25), reads_and_goes_in(10.3, 2.5, x_m=0.3)]
    news = [said(10.3, "first_of_two", "a"), said(10.9, "granted", "b"), said(11.2, "opened"), said(16.0, "closed")]
    assert tailgaters(Doorstep(pair, news)) == 0


@pytest.mark.parametrize("seed", range(6))
def test_somebody_who_comes_out_is_nobody_who_goes_in(seed: int) -> None:
    news = [said(9.7, "leaving"), said(9.9, "opened"), said(13.0, "closed")]
    waits = Person(((6.0, 0.4, 4.5), (9.0, 0.5, 1.5), (13.0, 0.6, 1.5), (16.0, 1.5, 3.0)))
    assert tailgaters(Doorstep([comes_out(10.0), waits], news, seed=seed)) == 0


@pytest.mark.parametrize("seed", range(6))
def test_somebody_may_come_out_while_the_holder_of_a_read_goes_in(seed: int) -> None:
    news = [said(10.7, "leaving"), said(10.9, "opened"), said(11.6, "granted", "a"), said(15.0, "closed")]
    assert tailgaters(Doorstep([reads_and_goes_in(10.0, 2.2, x_m=-0.35), comes_out(11.0)], news, seed=seed)) == 0


def test_a_door_that_stands_free_counts_nobody() -> None:
    people = [walks_in(10.0), walks_in(12.0), walks_in(14.0)]
    assert tailgaters(Doorstep(people, [said(5.0, "released"), said(9.0, "opened"), said(16.0, "closed")])) == 0
    assert tailgaters(Doorstep(people, [said(9.0, "opened"), said(16.0, "closed")])) == 0


def test_a_child_beside_its_mother_is_told_and_no_tailgater_unless_the_site_counts_children() -> None:
    family = [reads_and_goes_in(10.0, x_m=-0.25, height_m=1.7), reads_and_goes_in(10.2, 1.8, x_m=0.3, height_m=1.05)]
    step = Doorstep(family, opening(10.8, 11.2, 16.0))

    assert "with_child" in kinds(step.run(UNTIL_S, 4.0))
    assert tailgaters(step) == 0
    assert tailgaters(replace(step, settings=PassageSettings(children="counted"))) == 1


def test_two_children_alone_on_no_read_are_counted() -> None:
    children = [walks_in(12.0, x_m=-0.3, height_m=1.1), walks_in(12.4, x_m=0.3, height_m=1.1)]
    assert tailgaters(Doorstep(children, [said(9.7, "leaving"), said(9.9, "opened"), said(15.0, "closed")])) == 2


@pytest.mark.parametrize("seed", range(6))
def test_who_waits_behind_a_holder_that_the_search_has_just_lost_pays_with_a_read_of_their_own(seed: int) -> None:
    """The read is the nearer one's, and opens for no later opening."""
    holder = reads_and_goes_in(10.0, 2.5, breaks_s=((11.6, 12.1),))
    waits = reads_and_goes_in(10.5, 8.0, at_m=1.5, x_m=-0.3)
    first = [said(12.0, "granted", "a"), said(12.4, "opened"), said(15.0, "closed")]
    own = [said(17.8, "granted", "b"), said(18.2, "opened"), said(22.0, "closed")]

    assert tailgaters(Doorstep([holder, waits], [*first, *own], seed=seed)) == 0
    assert tailgaters(Doorstep([holder, waits], [*first, said(17.8, "leaving"), *own[1:]], seed=seed)) == 1


# -- tracks ----------------------------------------------------------------------------------------------------------------------


def test_who_is_lost_while_reading_and_found_before_a_door_that_is_still_shut_has_not_gone_in() -> None:
    holder = reads_and_goes_in(10.0, 3.0, lost_m=0.5, breaks_s=((9.5, 10.75),))
    assert tailgaters(Doorstep([holder], opening(10.3, 11.5, 16.0))) == 0


@settings(max_examples=40, deadline=None)
@given(st.floats(8.5, 11.5), st.floats(0.3, 3.0), st.floats(10.4, 11.8), st.integers(0, 99), st.floats(0.3, 0.85))
def test_a_track_that_breaks_at_the_threshold_never_counts_twice(
    breaks_s: float, for_s: float, opens_s: float, seed: int, lost_m: float
) -> None:
    holder = reads_and_goes_in(10.0, 3.0, lost_m=lost_m, breaks_s=((breaks_s, breaks_s + for_s),))
    assert tailgaters(Doorstep([holder], opening(10.3, opens_s, 16.0), seed=seed)) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_never_more_tailgaters_than_bodies_that_went_in_less_those_that_were_let_in(seed: int) -> None:
    chance = Random(seed)
    people = [
        reads_and_goes_in(
            8 + chance.uniform(0, 6), chance.uniform(0.3, 4), x_m=chance.uniform(-0.5, 0.5), lost_m=chance.uniform(0.3, 1.0)
        )
        for _ in range(chance.randint(0, 4))
    ]
    others = [comes_out(chance.uniform(9, 14)) for _ in range(chance.randint(0, 2))]
    reads = [said(chance.uniform(9, 10.4), "granted", name) for name in "abcd"[: chance.randint(1, 4)]]
    news = [*reads, said(10.5, "opened"), said(22.0, "closed")]

    most = max(0, len(people) - len(reads))
    assert tailgaters(Doorstep([*people, *others], news, seed=seed), 26.0) <= most


def test_a_body_and_the_face_that_nobody_linked_to_it_are_one_person() -> None:
    passages, told = Passages(), []
    for frame in range(150):
        now_s = frame / 15
        point = FloorPoint(0.0, 4.0 - 0.5 * now_s, 0.1)
        both = [Subject(1, 1, None, point, "", 0.0, now_s), Subject(2, None, 5, point, "", 0.0, now_s)] if point.y_m > 0.7 else []
        news = [said(3.0, "granted", "a"), said(3.5, "opened")] if frame == 60 else []
        told.append((now_s, passages.take(now_s, both, news)))
    assert kinds(told) == set()


def test_who_vanishes_while_no_frames_come_is_not_counted() -> None:
    passages = Passages()
    for frame in range(60):
        now_s = frame / 15
        passages.take(
            now_s, [Subject(i, i, None, FloorPoint(0.6 * i - 0.9, 3.5 - 0.6 * now_s, 0.1), "", 0.0, now_s) for i in (1, 2)], ()
        )
    news = [said(3.0, "granted", "a"), said(3.5, "opened")]
    assert passages.take(9.0, [], news) == ()
    assert passages.take(9.5, [], ()) == ()


# -- the door's news -------------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 2.5]))
def test_in_which_order_news_arrives_within_a_third_of_a_second_does_not_matter(seed: int, behind_s: float) -> None:
    chance = Random(seed)
    holder = reads_and_goes_in(10.0)
    people = [holder, walks_in(holder.crosses_s() + behind_s), comes_out(18.0)]
    news = [*opening(10.6, 11.2, 16.0), said(17.5, "leaving"), said(17.7, "opened"), said(21.0, "closed")]
    late = {id(each): chance.uniform(0.0, 0.3) for each in news}
    twice = [*news, *chance.sample(news, 3)]

    at_once = tailgaters(Doorstep(people, news, seed=seed))
    mixed = tailgaters(Doorstep(people, twice, seed=seed, late_s=lambda each: late[id(each)]))

    assert mixed == at_once == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-1e6, 1e6),
            st.sampled_from(["granted", "denied", "first_of_two", "leaving", "released", "opened", "closed", "forced"]),
            st.sampled_from("abc"),
        ),
        max_size=40,
    )
)
def test_an_empty_door_tells_of_nobody(news: list[tuple[float, str, str]]) -> None:
    passages = Passages()
    for at_s, what, credential in news:
        told = passages.take(at_s, (), [said(at_s, what, credential)])
        assert {each.kind for each in told} <= {"denied_reads"}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1e5), st.lists(st.tuples(st.integers(0, 5), st.floats(-2, 2), st.floats(-0.5, 5)), max_size=6)),
        max_size=40,
    )
)
def test_whatever_subjects_and_clocks_do_what_is_told_has_a_kind_and_a_sentence(
    frames: list[tuple[float, list[tuple[int, float, float]]]],
) -> None:
    passages = Passages()
    for now_s, people in frames:
        subjects = [Subject(i, i, None, FloorPoint(x_m, y_m, 0.1), "", now_s, now_s) for i, x_m, y_m in people]
        for each in passages.take(now_s, subjects, [said(now_s, "granted", "a"), said(now_s, "opened")]):
            assert sentence(each)
            assert 0.0 <= each.confidence <= 1.0


def test_memory_does_not_grow_with_the_news_of_a_long_day() -> None:
    passages = Passages(PassageSettings(openings=OpeningSettings(most_news=32)))
    for i in range(500):
        passages.take(
            float(i), (), [DoorNews(at_s=float(i), what="granted", credential=str(i)), DoorNews(at_s=i + 0.5, what="opened")]
        )
    assert len(passages._log.news) == 32
    assert len(passages._log.let_in) <= 32


def test_refusals_in_a_row_are_told_until_that_person_is_let_in() -> None:
    passages = Passages()
    assert passages.take(1.0, (), [said(1.0, "denied", "a", face=3)]) == ()
    (told,) = passages.take(5.0, (), [said(5.0, "denied", "b", face=3), said(5.0, "denied", "c", face=4)])
    assert (told.kind, told.value, told.over_s, told.face) == ("denied_reads", 2.0, 4.0, 3)
    assert passages.take(6.0, (), [said(6.0, "granted", "a", face=3)]) == ()


def test_nothing_is_told_for_ever() -> None:
    holder = reads_and_goes_in(10.0)
    told = Doorstep([holder, walks_in(holder.crosses_s() + 1.0)], opening(10.6, 11.2, 16.0)).run(60.0, 4.0)
    assert told[-1][1] == ()


# -- height ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height_m", [0.9, 1.2, 1.75])
def test_the_height_of_a_crown_follows_from_where_somebody_stands(height_m: float) -> None:
    ground = assumed_ground((1280, 720), 70.0, 2.2, 20.0)
    top = ground.to_px((0.2, 2.5), height_m)
    assert top is not None
    assert head_height_m(ground, (0.2, 2.5), top[1]) == pytest.approx(height_m, abs=0.01)


def test_every_kind_that_is_told_has_its_row() -> None:
    assert {"tailgating", "with_child", "crowding", "following", "blocked", "denied_reads"} <= set(KINDS)
