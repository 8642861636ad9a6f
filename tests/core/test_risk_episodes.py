"""Risks over time: whatever is seen in whatever order, each episode begins, rises and ends, and is told few times."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from agent.core.conduct import Conduct, Evidence, PersonConduct
from agent.core.risk import BANDS
from agent.core.risk_episodes import MOST_AT_ONCE, Episodes, Turn
from agent.core.risk_policy import RiskPolicy

POLICY = RiskPolicy()
KINDS = ["glances", "dwell", "pacing", "came_again", "tailgating", "no_linger", "with_child"]
EVIDENCE = st.builds(Evidence, kind=st.sampled_from(KINDS), value=st.integers(1, 3).map(float), confidence=st.floats(0, 1),
                     p=st.sampled_from([None, 0.5, 0.02, 0.0001]))  # fmt: skip
PERSON = st.builds(PersonConduct, body=st.none() | st.integers(1, 3), face=st.none() | st.integers(1, 3), since_s=st.just(0.0),
                   evidence=st.lists(EVIDENCE, max_size=5).map(tuple))  # fmt: skip
CONDUCT = st.none() | st.builds(Conduct, at_s=st.just(0.0), persons=st.lists(PERSON, max_size=3).map(tuple),
                                scene=st.lists(EVIDENCE, max_size=3).map(tuple))  # fmt: skip
FILM = st.lists(st.tuples(st.floats(0.05, 15), CONDUCT), max_size=25)


def played(film: list[tuple[float, Conduct | None]]) -> tuple[Episodes, float, list[Turn]]:
    episodes, now_s, turns = Episodes(POLICY), 0.0, []
    for pause_s, conduct in film:
        now_s += pause_s
        turns += episodes.take(now_s, conduct)
    return episodes, now_s, turns


@given(FILM)
def test_an_episode_is_raised_first_and_rises_or_counts_one_more_and_is_cleared_last(film):
    told: dict[int, list[Turn]] = defaultdict(list)
    for turn in played(film)[2]:
        told[turn.number].append(turn)
    for turns in told.values():
        raised = [turn for turn in turns if turn.what == "raised"]
        assert [turn.what for turn in turns][: len(raised)] == ["raised"] * len(raised)
        assert len(turns) - len(raised) <= 1
        assert [turn.again for turn in raised] == [False] + [True] * (len(raised) - 1)
        assert all(turn.band != "ordinary" for turn in turns)
        assert len(raised) <= len(BANDS) - 1 + 3  # each band once, and each of three people that a fact may count


@given(FILM)
def test_all_is_over_when_nothing_more_is_seen(film):
    episodes, now_s, turns = played(film)
    turns += episodes.take(now_s + POLICY.lower_after_s + 0.01, None)
    raised = {turn.number for turn in turns if turn.what == "raised"}
    assert {turn.number for turn in turns if turn.what == "cleared"} == raised
    assert episodes.standing(now_s + POLICY.lower_after_s + 0.01).band == "ordinary"
    assert episodes.take(now_s + 100.0, None) == []


@given(FILM)
def test_what_stands_is_the_worst_that_was_told_and_is_not_over(film):
    episodes, now_s, turns = played(film)
    over = {turn.number for turn in turns if turn.what == "cleared"}
    standing = [BANDS.index(turn.band) for turn in turns if turn.what == "raised" and turn.number not in over]
    assert BANDS.index(episodes.standing(now_s).band) <= max(standing, default=0)
    assert (episodes.standing(now_s).band == "ordinary") == (not standing)


def test_what_there_is_no_room_for_is_counted():
    crowd = tuple(PersonConduct(body=number, face=None, since_s=0.0, evidence=(Evidence(kind="no_linger", value=9.0),))
                  for number in range(MOST_AT_ONCE + 5))  # fmt: skip
    episodes = Episodes(POLICY)
    assert len(episodes.take(1.0, Conduct(at_s=1.0, persons=crowd))) == MOST_AT_ONCE
    assert episodes.left_out == 5
