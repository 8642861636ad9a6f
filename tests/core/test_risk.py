"""From evidence to a risk: what a guard may rely on, whatever was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.core.conduct import Conduct, Evidence, PersonConduct, Usual
from agent.core.evidence import KINDS
from agent.core.risk import BANDS, NOTHING, RiskTrack, assess, deviation_of, evidence_about, is_sound, lawful, whose
from agent.core.risk_policy import LOGGED, Response, RiskPolicy, Rule

POLICY = RiskPolicy()
DENYING = RiskPolicy(rules=(Rule(bands=("high", "critical"), response=Response(does=("deny",), tells=("guards",))),))
IN_WRITING = replace(DENYING, deny_on_behaviour_alone=True)
POLICIES = st.sampled_from([POLICY, DENYING, IN_WRITING])

HARD = sorted(name for name, kind in KINDS.items() if kind.hard)
EMOTIONAL = sorted(name for name, kind in KINDS.items() if kind.emotional)
SOFT = sorted(name for name, kind in KINDS.items() if not kind.hard)
MEASURED = sorted(name for name, kind in KINDS.items() if kind.tail != "fact")

SHARES = st.floats(0, 1)
ANY_FLOAT = st.floats(width=64)


def evidence_of(kinds: list[str]) -> st.SearchStrategy[Evidence]:
    return st.builds(Evidence, kind=st.sampled_from(kinds), value=st.floats(-1e6, 1e6), over_s=st.floats(0, 600),
                     confidence=SHARES, p=st.none() | SHARES, at_s=st.floats(0, 1e5))  # fmt: skip


ANY = evidence_of(sorted(KINDS))
MANY = st.lists(ANY, max_size=12)
HOSTILE = st.builds(Evidence, kind=st.sampled_from([*sorted(KINDS), "mind_reading", ""]), value=ANY_FLOAT, over_s=ANY_FLOAT,
                    confidence=ANY_FLOAT, p=st.none() | ANY_FLOAT, at_s=ANY_FLOAT)  # fmt: skip


@given(st.lists(HOSTILE, max_size=12), POLICIES)
def test_a_score_lies_between_nothing_and_one_whatever_was_sent(evidence, policy):
    risk = assess(evidence, policy)
    assert 0 <= risk.score <= 1
    assert all(0 <= item.deviation <= 1 and 0 <= item.points <= 1 for item in risk.items)


@given(MANY, POLICIES)
def test_of_nothing_follows_nothing(evidence, policy):
    assert assess([], policy) == NOTHING
    assert assess([], policy).score <= assess(evidence, policy).score


@given(MANY, st.randoms(use_true_random=False), POLICIES)
def test_the_order_in_which_evidence_comes_changes_nothing(evidence, random, policy):
    shuffled = random.sample(evidence, len(evidence))
    one, other = assess(evidence, policy), assess(shuffled, policy)
    assert (one.score, one.band, one.hard) == (other.score, other.band, other.hard)
    assert [item.evidence.kind for item in one.items] == [item.evidence.kind for item in other.items]


@given(MANY, ANY, POLICIES)
def test_one_more_item_never_makes_the_risk_less(evidence, more, policy):
    assert assess([*evidence, more], policy).score >= assess(evidence, policy).score
    assert assess([*evidence, more], policy).hard >= assess(evidence, policy).hard


@given(MANY, ANY, SHARES, SHARES, POLICIES)
def test_what_is_odder_or_better_measured_never_makes_the_risk_less(evidence, item, less_p, more_confidence, policy):
    p = None if item.p is None else min(item.p, less_p)
    odder = replace(item, p=p, confidence=max(item.confidence, more_confidence))
    assert assess([*evidence, odder], policy).score >= assess([*evidence, item], policy).score


@given(MANY, st.sampled_from(MEASURED), SHARES, POLICIES)
def test_what_could_not_be_measured_never_raises_the_risk(evidence, kind, confidence, policy):
    without = assess(evidence, policy).score
    assert assess([*evidence, Evidence(kind=kind, value=9.0, confidence=confidence, p=None)], policy).score == without
    assert assess([*evidence, Evidence(kind=kind, value=9.0, confidence=0.0, p=1e-9)], policy).score == without


@given(MANY, ANY, POLICIES)
def test_a_kind_that_is_told_twice_counts_once_and_as_its_strongest(evidence, item, policy):
    weaker = replace(item, confidence=item.confidence / 2)
    assert assess([*evidence, item, weaker, item], policy) == assess([*evidence, item], policy)
    assert len({weighed.evidence.kind for weighed in assess(evidence, policy).items}) == len(assess(evidence, policy).items)


@given(st.lists(evidence_of(EMOTIONAL), max_size=12), POLICIES)
def test_expressions_alone_never_reach_high(evidence, policy):
    assert assess(evidence, policy).score <= policy.emotional_at_most
    assert assess(evidence, policy).band in ("ordinary", "raised")


@given(st.lists(evidence_of(SOFT), max_size=20))
def test_behaviour_alone_never_reaches_a_band_that_keeps_people_out(evidence):
    assert assess(evidence, DENYING).band in ("ordinary", "raised")
    assert assess(evidence, POLICY).band != "critical"
    assert not assess(evidence, DENYING).may_keep_out(DENYING)


def test_behaviour_alone_keeps_people_out_where_the_site_says_so_in_writing():
    everything = [Evidence(kind=kind, value=9.0, p=1e-6) for kind in SOFT]
    assert assess(everything, IN_WRITING).band == "critical"
    assert assess(everything, IN_WRITING).may_keep_out(IN_WRITING)


@given(st.lists(evidence_of(SOFT), max_size=12), evidence_of(HARD))
def test_a_risk_may_keep_out_exactly_when_its_harder_facts_weigh_enough(soft, hard):
    risk = assess([*soft, hard], DENYING)
    assert risk.may_keep_out(DENYING) == (hard.confidence * KINDS[hard.kind].weight >= DENYING.least_hard)


def test_guards_hear_of_a_lingerer_by_behaviour_alone():
    paces = [Evidence(kind="dwell", value=240.0, p=0.001), Evidence(kind="pacing", value=6.0, p=0.001),
             Evidence(kind="came_again", value=4.0, p=0.001)]  # fmt: skip
    risk = assess(paces, POLICY)
    assert risk.band == "high"
    assert risk.score == pytest.approx(1 - 0.7 * 0.65 * 0.8)


def test_a_stolen_fob_in_nervous_hands_is_critical_and_the_heaviest_reason_comes_first():
    usual = Usual(median=0, low=0, high=1, visits=200, of="door")
    risk = assess([Evidence(kind="abruptness", value=14.0, over_s=6.0, p=0.001),
                   Evidence(kind="glances", value=5.0, over_s=8.0, p=0.001, usual=usual),
                   Evidence(kind="face_mismatch", value=0.05)], POLICY)  # fmt: skip
    assert risk.band == "critical"
    assert risk.score == pytest.approx(1 - 0.4 * 0.65 * 0.75)
    assert risk.sentences[:2] == ("the face is not the cardholder's", "looked away 5 times in 8 s, usual here 0 to 1")


@given(SHARES)
def test_deviation_is_nothing_up_to_one_visit_in_twenty_and_whole_from_one_in_a_thousand(p):
    deviation = deviation_of(Evidence(kind="glances", value=1.0, p=p))
    assert (deviation == 0) == (p >= 0.05)
    assert (deviation == 1) == (p <= 0.001)


def test_one_visit_in_a_hundred_is_two_fifths_of_the_way():
    assert deviation_of(Evidence(kind="glances", value=1.0, p=0.01)) == pytest.approx(math.log10(5) / math.log10(50))


def test_a_fact_needs_no_norm():
    assert deviation_of(Evidence(kind="tailgating", value=1.0)) == 1.0


def test_what_was_cut_by_a_cap_says_so():
    risk = assess([Evidence(kind=kind, value=1.0, p=1e-6) for kind in EMOTIONAL], POLICY)
    assert {item.evidence.kind for item in risk.items if item.capped} == {"aggression_signs", "panic_signs", "stress_signs"}


# -- over time -----------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0.01, 5), st.sampled_from(BANDS)), min_size=1, max_size=30))
def test_a_band_is_raised_at_once_and_lowered_only_after_its_time(steps):
    track, now_s, seen = RiskTrack(10.0), 0.0, []
    for pause_s, band in steps:
        now_s += pause_s
        seen.append((now_s, BANDS.index(band)))
        in_force = BANDS.index(track.take(now_s, band))
        assert in_force == max(index for at_s, index in seen if now_s - at_s < 10.0)


def test_a_band_is_over_when_nothing_more_is_seen():
    track = RiskTrack(10.0)
    track.take(100.0, "high")
    assert (track.band(109.9), track.band(110.0)) == ("high", "ordinary")


# -- whose conduct -------------------------------------------------------------------------------------------------------------


@dataclass
class Who:
    """Somebody in view."""

    face: int | None
    at_m: tuple[float, float] | None


def conduct_of(*people: Who) -> Conduct:
    return Conduct(at_s=1.0, persons=tuple(PersonConduct(body=number, face=who.face, since_s=0.0, at_m=who.at_m)
                                           for number, who in enumerate(people)))  # fmt: skip


@pytest.mark.parametrize(
    ("people", "face", "body"),
    [
        ([Who(1, (0.0, 0.5)), Who(2, (0.0, 4.0))], 2, 1),  # whoever was compared, wherever they stand
        ([Who(1, (0.0, 3.0)), Who(2, (0.5, 0.6))], None, 1),  # nobody was: the nearest
        ([Who(1, (0.0, 3.0)), Who(2, (0.5, 0.6))], 9, 1),
        ([Who(1, None)], None, 0),  # one person alone, without metres
        ([Who(1, None), Who(2, None)], None, None),  # two: a guess
        ([Who(1, (0.0, 5.0))], None, None),  # somebody far away held nothing to this reader
        ([], 1, None),
    ],
)
def test_a_decision_is_about_who_was_compared_else_about_who_stands_at_the_door(people, face, body):
    found = whose(conduct_of(*people), face)
    assert (found.body if found else None) == body


def test_what_the_place_tells_of_somebody_else_is_not_held_against_whoever_comes_next():
    person = PersonConduct(body=4, face=1, since_s=0.0, evidence=(Evidence(kind="dwell", value=3.0),))
    place = [Evidence(kind="object_left", value=60.0), Evidence(kind="tailgating", value=1.0, track=9),
             Evidence(kind="denied_reads", value=3.0, face=1), Evidence(kind="blocked", value=8.0, track=4)]  # fmt: skip
    assert [each.kind for each in evidence_about(person, place)] == ["dwell", "object_left", "denied_reads", "blocked"]
    assert [each.kind for each in evidence_about(None, place)] == ["object_left"]


# -- what may be known ---------------------------------------------------------------------------------------------------------


@given(st.lists(HOSTILE, max_size=8), st.lists(HOSTILE, max_size=8), st.booleans())
def test_what_the_deployment_forbids_and_what_cannot_be_true_is_gone_before_anything_looks_at_it(ours, scene, allowed):
    conduct = Conduct(
        at_s=1.0, persons=(PersonConduct(body=1, face=None, since_s=0.0, evidence=tuple(ours)),), scene=tuple(scene)
    )
    clean, unsound, forbidden = lawful(conduct, allowed)
    left = [*clean.scene, *clean.persons[0].evidence]
    assert all(is_sound(each) for each in left)
    assert allowed or not {each.kind for each in left} & set(EMOTIONAL)
    assert len(left) + unsound + forbidden == len(ours) + len(scene)
    assert not (allowed and forbidden)


def test_rules_that_nobody_wrote_are_only_a_log():
    assert LOGGED.does == ("log",)
