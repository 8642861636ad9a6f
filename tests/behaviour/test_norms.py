"""What is usual at a door, and how odd a value is beside it."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.behaviour import norms as at_a_door
from agent.behaviour.norms import (
    FROM_FLOOR,
    JUDGED_BY,
    MOST_CARDHOLDERS,
    NOT_FROM_FLOOR,
    SIMILAR_WORTH,
    SUPPOSED_WORTH,
    Moment,
    Norms,
    NormsError,
    measures,
)
from agent.behaviour.sketch import Sketch, Sparse, scale_of
from agent.core.evidence import KINDS
from tests.behaviour.ordinary import MONDAY, ZONE, moments, shown

NOW = Moment(MONDAY)
ALL = sorted(measures(emotional=True))
VALUES = st.one_of(st.floats(0, 1e4), st.integers(0, 40).map(float))


def taught(count: int, *, seed: int = 1, like: dict[str, float] | None = None, **settings_: Any) -> Norms:
    """A door after so many ordinary visits."""
    norms, chance = Norms(**settings_), random.Random(seed)
    for at in islice(moments(seed), count):
        norms.learn(shown(chance, **(like or {})), Moment(at))
    return norms


def p_of(norms: Norms, kind: str, value: float, moment: Moment = NOW) -> float:
    p = norms.judge(kind, value, moment)[1]
    assert p is not None
    return p


def whose(norms: Norms, kind: str = "dwell", moment: Moment = NOW) -> str:
    usual = norms.judge(kind, 1.0, moment)[0]
    assert usual is not None
    return usual.of


# -- a door that knows nothing yet ---------------------------------------------------------------------------------------------


@given(st.sampled_from(ALL), VALUES)
def test_a_new_door_supposes_and_finds_nothing_odder_than_one_in_fifty_one(kind: str, value: float) -> None:
    usual, p = Norms(emotional=True).judge(kind, value, NOW)
    assert usual is not None
    assert p is not None
    assert (usual.of, usual.visits) == ("nothing_yet", 0.0)
    assert 1 / (1 + SUPPOSED_WORTH) - 1e-9 <= p <= 1.0


@pytest.mark.parametrize("kind", ALL)
def test_what_is_supposed_is_what_the_row_of_evidence_says(kind: str) -> None:
    usual, _ = Norms(emotional=True).judge(kind, 0.0, NOW)
    supposed = KINDS[kind].supposed
    assert usual is not None
    assert supposed is not None
    told = (usual.median, usual.high if KINDS[kind].tail == "high" else usual.low)
    step = 0.12 if not scale_of(KINDS[kind].unit).counts else 0.0
    for got, want in zip(told, supposed, strict=True):
        assert abs(got - want) <= max(step * want, 0.02)


def test_what_a_fact_is_never_usual_and_has_no_norm() -> None:
    norms = Norms()
    for kind in ("tailgating", "no_linger", "a kind that nobody knows"):
        assert norms.judge(kind, 3.0, NOW) == (None, None)
    norms.learn({"tailgating": 3.0, "unheard of": 1.0}, NOW)
    assert norms.judge("tailgating", 3.0, NOW) == (None, None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_neither_judged_nor_learned(value: float) -> None:
    norms = taught(30)
    before = norms.judge("dwell", 5.0, NOW)
    assert norms.judge("dwell", value, NOW) == (None, None)
    norms.learn({"dwell": value}, NOW)
    assert norms.judge("dwell", 5.0, NOW) == before


# -- what p may be -------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["dwell", "glances", "following", "away_share"]), st.lists(VALUES, max_size=60), VALUES, VALUES)
def test_the_odder_value_has_never_the_greater_p(kind: str, learned: list[float], one: float, other: float) -> None:
    norms = Norms()
    for value in learned:
        norms.learn({kind: value}, NOW)
    usual, odd = sorted((one, other), reverse=KINDS[kind].tail == "low")
    assert p_of(norms, kind, odd) <= p_of(norms, kind, usual)
    assert 1 / (1 + SUPPOSED_WORTH + len(learned)) - 1e-9 <= p_of(norms, kind, odd) <= 1.0


def test_no_p_is_smaller_than_one_in_all_visits_that_there_were() -> None:
    norms = taught(1500)
    assert p_of(norms, "dwell", 3000.0) >= 1 / (1501 + SUPPOSED_WORTH)
    assert p_of(norms, "dwell", 3000.0) < 1 / (1 + JUDGED_BY)


LIKE = {
    "as supposed": {},
    "a quick door": {"dwell_s": 2.0, "spread": 0.4, "glances": 0.15},
    "a door where people wait": {"dwell_s": 15.0, "spread": 0.5, "glances": 1.5},
}


@pytest.mark.parametrize("like", LIKE)
@pytest.mark.parametrize(("learned", "doors"), [(200, 15), (2000, 2)])
def test_of_ordinary_visits_no_more_than_a_share_p_shows_so_small_a_p(like: str, learned: int, doors: int) -> None:
    found: dict[str, list[float]] = {"dwell": [], "glances": []}
    for door in range(doors):  # what is true of many doors need not be of each: one learns from what it happens to see
        chance, norms = random.Random(door + 100), taught(learned, seed=door, like=LIKE[like])
        for at in islice(moments(door + 50, start=MONDAY + timedelta(days=learned // 120)), 3000 // doors):
            values = shown(chance, **LIKE[like])
            for kind, p in found.items():
                p.append(p_of(norms, kind, values[kind], Moment(at)))
    for p in found.values():
        for share in (0.05, 0.01, 0.001):
            assert sum(each <= share for each in p) <= share * len(p) + 3 * math.sqrt(share * len(p))


def test_a_norm_that_was_learned_finds_one_in_twenty_not_none() -> None:
    chance, norms = random.Random(5), taught(2000)
    found = [p_of(norms, "dwell", shown(chance)["dwell"], Moment(at)) for at in islice(moments(7), 1500)]
    assert sum(p <= 0.05 for p in found) / len(found) > 0.025


def test_a_new_door_unlike_all_suppositions_calls_nobody_very_odd_and_has_learned_within_two_days() -> None:
    like, chance, norms = LIKE["a door where people wait"], random.Random(5), Norms()
    found = []
    for at in islice(moments(8), 400):
        values = shown(chance, **like)
        found.append(p_of(norms, "dwell", values["dwell"], Moment(at)))
        norms.learn(values, Moment(at))
    assert min(found[:100]) > 0.005
    assert sum(p <= 0.05 for p in found[200:]) / 200 <= 0.1


# -- hours ---------------------------------------------------------------------------------------------------------------------


def test_what_is_usual_in_the_night_is_told_apart_from_the_day() -> None:
    norms, chance = Norms(), random.Random(2)
    for day in range(60):
        for visit in range(12):
            norms.learn(shown(chance), Moment(MONDAY + timedelta(days=day, hours=3, minutes=visit)))
        for visit in range(12):
            norms.learn(shown(chance, dwell_s=60.0, spread=0.3), Moment(MONDAY + timedelta(days=day, hours=16, minutes=visit)))
    day_, night = Moment(MONDAY + timedelta(hours=3)), Moment(MONDAY + timedelta(hours=16))
    assert p_of(norms, "dwell", 60.0, night) > 0.2
    assert p_of(norms, "dwell", 60.0, day_) < 0.01
    assert whose(norms, moment=day_) == whose(norms, moment=night) == "hour"


def test_an_hour_that_nobody_ever_came_in_is_judged_by_its_neighbours_and_the_door() -> None:
    norms = taught(1000)
    sunday_night = Moment(MONDAY + timedelta(days=6, hours=-5))
    usual, p = norms.judge("dwell", 4.0, sunday_night)
    assert usual is not None
    assert usual.of == "door"
    assert p == pytest.approx(0.5, abs=0.12)


# -- drift ---------------------------------------------------------------------------------------------------------------------


def test_when_a_door_becomes_slow_its_norms_follow_within_a_half_life() -> None:
    norms, chance = taught(3000), random.Random(3)
    slow = MONDAY + timedelta(days=40)
    assert p_of(norms, "dwell", 15.0, Moment(slow)) < 0.05
    for at in islice(moments(4, start=slow), 3600):
        norms.learn(shown(chance, dwell_s=12.0), Moment(at))
    assert p_of(norms, "dwell", 15.0, Moment(at)) > 0.2


def test_a_visit_of_six_weeks_ago_weighs_half_of_one_of_today() -> None:
    norms = Norms()
    norms.learn({"dwell": 3.0}, Moment(MONDAY))
    for day in range(1, 43):
        norms.learn({"glances": 0.0}, Moment(MONDAY + timedelta(days=day)))
    usual, _ = norms.judge("dwell", 3.0, Moment(MONDAY + timedelta(days=42)))
    assert usual is not None
    assert usual.visits == pytest.approx(0.5, abs=0.01)


def test_years_of_visits_stay_within_what_single_precision_counts() -> None:
    norms = Norms()
    for week in range(6 * 52):
        norms.learn({"dwell": 3.0}, Moment(MONDAY + timedelta(weeks=week)))
    usual, p = norms.judge("dwell", 3.0, Moment(MONDAY + timedelta(weeks=week)))
    assert usual is not None
    assert usual.visits == pytest.approx(1 / (1 - 2 ** (-1 / 6)), rel=0.01)
    assert p is not None
    assert 0.0 < p <= 1.0


# -- who would teach a door that the odd is usual ------------------------------------------------------------------------------


ODD = {"dwell": 90.0, "glances": 9.0}


def test_one_person_who_comes_500_times_a_day_weighs_as_much_as_seven() -> None:
    norms = taught(2000)
    before, at = p_of(norms, "dwell", 90.0), MONDAY + timedelta(days=20)
    for visit in range(500):
        norms.learn(ODD, Moment(at + timedelta(minutes=visit)), "the same")
    assert before < 0.002
    assert p_of(norms, "dwell", 90.0, Moment(at)) < 0.03


def test_an_hour_of_strange_visits_makes_nothing_usual() -> None:
    norms, at = taught(2000), MONDAY + timedelta(days=21)
    for visit in range(500):
        norms.learn(ODD, Moment(at + timedelta(seconds=6 * visit)))
    for kind, value in ODD.items():
        assert p_of(norms, kind, value, Moment(at)) < 0.05


def test_odd_visits_are_learned_at_three_times_the_rate_of_ordinary_doors_and_no_faster() -> None:
    norms, chance = taught(2000), random.Random(9)
    start = MONDAY + timedelta(days=20)
    for number, at in enumerate(islice(moments(9, start=start), 1000)):
        norms.learn(ODD if number % 10 == 0 else shown(chance), Moment(at))
    assert p_of(norms, "dwell", 90.0, Moment(at)) < 0.05


# -- the camera moves ----------------------------------------------------------------------------------------------------------


def test_every_kind_with_a_norm_says_whether_it_rests_on_the_floor() -> None:
    assert set(ALL) <= FROM_FLOOR | NOT_FROM_FLOOR
    assert not FROM_FLOOR & NOT_FROM_FLOOR


def test_when_the_camera_moves_metres_are_forgotten_and_glances_are_not() -> None:
    norms = taught(200, place="view 1")
    glances = norms.judge("glances", 3.0, NOW)
    assert norms.moved("view 2")
    assert whose(norms) == "nothing_yet"
    assert norms.judge("glances", 3.0, NOW) == glances
    assert norms.edition == "view 2/200"


def test_a_camera_that_stays_where_it_is_forgets_nothing() -> None:
    norms = taught(200, place="view 1")
    dwell = norms.judge("dwell", 5.0, NOW)
    assert not norms.moved("view 1")
    assert norms.judge("dwell", 5.0, NOW) == dwell


def test_a_cardholders_metres_are_forgotten_with_the_doors() -> None:
    norms = Norms("view 1", cardholders=True)
    for _ in range(60):
        norms.learn({"dwell": 5.0, "glances": 1.0}, Moment(MONDAY, "ann"))
    norms.moved("view 2")
    assert whose(norms, "dwell", Moment(MONDAY, "ann")) == "nothing_yet"
    assert whose(norms, "glances", Moment(MONDAY, "ann")) == "cardholder"


# -- clocks --------------------------------------------------------------------------------------------------------------------


def visits_known(norms: Norms, moment: Moment) -> float:
    usual, _ = norms.judge("dwell", 1.0, moment)
    assert usual is not None
    return usual.visits


def test_a_clock_that_leaps_ten_years_ahead_and_back_costs_a_week_of_age() -> None:
    norms = Norms()
    for visit in range(100):
        norms.learn({"dwell": 3.0}, Moment(MONDAY + timedelta(minutes=2 * visit)))
    norms.learn({"dwell": 3.0}, Moment(MONDAY + timedelta(days=3650)))
    norms.learn({"dwell": 3.0}, Moment(MONDAY + timedelta(minutes=220)))
    assert visits_known(norms, NOW) == pytest.approx(2 + 100 * 2 ** (-1 / 6), abs=0.3)


def test_a_clock_that_goes_to_and_fro_by_hours_makes_nothing_older() -> None:
    norms = Norms()
    for visit in range(200):
        norms.learn({"dwell": 3.0}, Moment(MONDAY + timedelta(hours=8 * (visit % 2))))
    assert visits_known(norms, NOW) == pytest.approx(200.0, abs=2.0)


def test_a_clock_that_was_put_back_makes_nothing_younger() -> None:
    norms = Norms()
    for _ in range(10):
        norms.learn({"dwell": 3.0}, Moment(MONDAY))
    norms.learn({"dwell": 3.0}, Moment(MONDAY - timedelta(days=400)))
    assert visits_known(norms, NOW) == pytest.approx(11.0)


@pytest.mark.parametrize(
    "wrong", [MONDAY + timedelta(days=100, hours=9), MONDAY - timedelta(hours=4), datetime(1970, 1, 1, 12, tzinfo=timezone.utc)]
)
def test_a_visit_of_a_clock_that_cannot_be_believed_counts_for_the_door_and_for_no_hour(wrong: datetime) -> None:
    norms = Norms()
    for _ in range(40):
        norms.learn({"dwell": 3.0}, Moment(MONDAY))
    known = visits_known(norms, Moment(wrong))
    norms.learn({"dwell": 3.0}, Moment(wrong))
    assert visits_known(norms, Moment(wrong)) > 0.88 * known + 0.9
    rows = norms._grids["dwell"]
    assert sum(rows[: len(rows) // 169]) > sum(rows[len(rows) // 169 :]) + 0.9


def test_an_hour_is_an_hour_of_the_clock_on_the_wall_in_summer_and_winter() -> None:
    norms = Norms()
    for week in range(12):  # summer time begins at the end of March
        for minute in range(20):
            norms.learn({"dwell": 30.0}, Moment(MONDAY + timedelta(weeks=week, hours=1, minutes=minute)))
    summer = MONDAY + timedelta(weeks=12, hours=1)
    assert summer.utcoffset() != MONDAY.utcoffset()
    assert whose(norms, moment=Moment(summer)) == "hour"


def test_the_hour_that_there_is_twice_in_autumn_is_no_leap_of_the_clock() -> None:
    norms = Norms()
    early, late = (datetime(2026, 10, 25, 2, 30, tzinfo=ZONE, fold=fold) for fold in (0, 1))
    for _ in range(60):
        norms.learn({"dwell": 3.0}, Moment(early))
    norms.learn({"dwell": 3.0}, Moment(late))
    assert visits_known(norms, Moment(late)) == pytest.approx(1 + 60 * 2 ** (-1 / 24 / 42), rel=0.3)
    assert whose(norms, moment=Moment(late)) == "hour"


def test_a_moment_without_a_zone_is_refused() -> None:
    naive = Moment(datetime(2026, 3, 2, 8, 0))
    with pytest.raises(ValueError, match="needs a time zone"):
        Norms().judge("dwell", 1.0, naive)
    with pytest.raises(ValueError, match="needs a time zone"):
        Norms().learn({"dwell": 1.0}, naive)


# -- cardholders ---------------------------------------------------------------------------------------------------------------


def with_a_slow_cardholder(**settings_: Any) -> Norms:
    norms, chance = taught(1500, **settings_), random.Random(4)
    for day in range(20, 70):
        norms.learn(shown(chance, dwell_s=40.0, spread=0.2), Moment(MONDAY + timedelta(days=day), "slow"), "slow")
    return norms


def test_a_cardholder_who_agreed_is_judged_by_their_own_visits_first() -> None:
    norms = with_a_slow_cardholder(cardholders=True)
    later = MONDAY + timedelta(days=70)
    assert p_of(norms, "dwell", 40.0, Moment(later, "slow")) > 2 * p_of(norms, "dwell", 40.0, Moment(later))


def test_a_door_that_keeps_no_cardholders_keeps_none() -> None:
    norms = with_a_slow_cardholder()
    assert norms.cardholders == ()
    assert norms.judge("dwell", 40.0, Moment(MONDAY, "slow")) == norms.judge("dwell", 40.0, NOW)


def test_a_cardholder_who_withdraws_is_forgotten_at_once_and_not_in_the_file() -> None:
    norms = with_a_slow_cardholder(cardholders=True)
    assert norms.forget("slow")
    assert not norms.forget("slow")
    assert norms.judge("dwell", 40.0, Moment(MONDAY, "slow")) == norms.judge("dwell", 40.0, NOW)
    assert Norms.decode(norms.encode(), cardholders=True).cardholders == ()


def test_of_too_many_cardholders_whoever_was_not_here_for_longest_is_forgotten() -> None:
    norms = Norms(cardholders=True)
    for number in range(MOST_CARDHOLDERS):
        norms.learn({"dwell": 3.0}, Moment(MONDAY, f"key-{number}"))
    norms.learn({"dwell": 3.0}, Moment(MONDAY, "key-0"))
    norms.learn({"dwell": 3.0}, Moment(MONDAY, "one more"))
    assert len(norms.cardholders) == MOST_CARDHOLDERS
    assert "key-0" in norms.cardholders
    assert "key-1" not in norms.cardholders


def test_the_file_does_not_say_which_of_two_cardholders_came_last_on_a_day() -> None:
    files = []
    for order in (("ann", "bob"), ("bob", "ann")):
        norms = Norms(cardholders=True)
        for minute, key in enumerate(order):
            norms.learn({"dwell": 3.0}, Moment(MONDAY + timedelta(minutes=minute), key))
        files.append(at_a_door._read(norms.encode()).own)
    ages = [{key: age_s for key, (age_s, _) in own.items()} for own in files]
    assert ages[0] == ages[1]
    assert [list(own) for own in files] == [["ann", "bob"]] * 2


def test_a_cardholder_who_stays_away_for_half_a_year_is_forgotten() -> None:
    norms = Norms(cardholders=True)
    norms.learn({"dwell": 3.0}, Moment(MONDAY, "left"))
    for day in range(185):
        norms.learn({"dwell": 3.0}, Moment(MONDAY + timedelta(days=day)))
    assert norms.cardholders == ()


# -- other doors ---------------------------------------------------------------------------------------------------------------


def test_a_new_door_takes_what_doors_like_it_show_before_what_is_supposed() -> None:
    norms = Norms()
    norms.prior(taught(1000, like=LIKE["a door where people wait"]).export())
    assert whose(norms) == "similar_doors"
    assert p_of(norms, "dwell", 15.0) > 0.3
    assert p_of(norms, "dwell", 1000.0) >= 1 / (1 + SIMILAR_WORTH + SUPPOSED_WORTH)


def test_what_other_doors_show_no_longer_counts_where_a_door_knows_itself() -> None:
    norms = taught(600)
    before = norms.judge("dwell", 15.0, NOW)
    norms.prior(taught(1000, like=LIKE["a door where people wait"]).export())
    assert norms.judge("dwell", 15.0, NOW) == before


def test_nothing_of_cardholders_and_nothing_emotional_leaves_a_door() -> None:
    norms = Norms(emotional=True, cardholders=True)
    norms.learn({"dwell": 3.0, "stress_signs": 0.4}, Moment(MONDAY, "ann"))
    assert set(norms.export()) == {"dwell"}


@pytest.mark.parametrize("sparse", [
    Sparse(scale_of("s"), 0, (math.nan,)), Sparse(scale_of("s"), -5, (1.0,)), Sparse(scale_of("s"), 0, (1.0,) * 500),
])  # fmt: skip
def test_a_prior_that_is_none_is_refused_and_the_last_one_stays(sparse: Sparse) -> None:
    norms = Norms()
    norms.prior(taught(1000).export())
    before = norms.judge("dwell", 5.0, NOW)
    with pytest.raises(NormsError, match="dwell"):
        norms.prior({"dwell": sparse})
    assert norms.judge("dwell", 5.0, NOW) == before


def test_a_prior_that_was_counted_otherwise_is_left_out() -> None:
    norms = Norms()
    norms.prior(
        {
            "dwell": Sketch.of_unit("m/s").encode(),
            "speed": Sparse(scale_of("m/s"), 3, (5.0,)),
            "unheard of": Sparse(scale_of("s"), 0, ()),
        }
    )
    assert (whose(norms, "dwell"), whose(norms, "speed")) == ("nothing_yet", "nothing_yet")
    assert norms.judge("speed", 1.0, NOW)[0].visits == 5.0  # type: ignore[union-attr]


# -- keeping -------------------------------------------------------------------------------------------------------------------


def test_norms_that_were_kept_judge_as_before() -> None:
    norms = with_a_slow_cardholder(cardholders=True, place="view 1")
    norms.prior(taught(300, seed=7).export())
    again = Norms.decode(norms.encode(), cardholders=True)
    assert (again.edition, again.cardholders, again.changes) == (norms.edition, norms.cardholders, 0)
    for value in (0.0, 1.0, 3.0, 10.0, 50.0):
        for moment in (NOW, Moment(MONDAY, "slow"), Moment(MONDAY + timedelta(hours=40))):
            for kind in ("dwell", "glances", "speed"):
                assert again.judge(kind, value, moment) == norms.judge(kind, value, moment)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_that_is_not_whole_to_the_last_bit_is_refused(data: st.DataObject) -> None:
    raw = bytearray(SMALL)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(NormsError, match="damaged"):
        Norms.decode(bytes(raw))
    with pytest.raises(NormsError, match="damaged"):
        Norms.decode(SMALL[:at])


SMALL = taught(20).encode()


@given(st.binary(max_size=300))
def test_bytes_that_are_no_norms_are_refused(raw: bytes) -> None:
    with pytest.raises(NormsError):
        Norms.decode(raw)
    with pytest.raises(NormsError):
        Norms.decode(at_a_door.MAGIC + at_a_door._digest(raw) + raw)


def test_where_the_profile_allows_nothing_emotional_none_is_read_and_the_file_is_to_be_written_anew() -> None:
    norms = Norms(emotional=True)
    for _ in range(100):
        norms.learn({"stress_signs": 0.3, "dwell": 3.0}, NOW)
    again = Norms.decode(norms.encode())
    assert again.judge("stress_signs", 0.3, NOW) == (None, None)
    assert b"stress" not in at_a_door._read(again.encode()).kinds
    assert again.changes == 1
    assert whose(again) != "nothing_yet"


def test_where_cardholders_are_no_longer_kept_they_are_left_out_of_what_is_read() -> None:
    again = Norms.decode(with_a_slow_cardholder(cardholders=True).encode())
    assert again.cardholders == ()
    assert again.changes == 1


def test_a_door_that_is_not_to_learn_learns_nothing() -> None:
    norms = Norms(learns=False)
    norms.learn({"dwell": 3.0}, NOW)
    assert (norms.visits, norms.changes, whose(norms)) == (0, 0, "nothing_yet")


def test_a_full_door_with_all_its_cardholders_takes_less_than_five_megabytes() -> None:
    norms, chance = Norms(emotional=True, cardholders=True), random.Random(1)
    for measure in norms._measures.values():  # every hour and every cardholder with weight everywhere: worse than any year
        norms._grids[measure.name] = type(norms._grids[measure.name])("f", [chance.random() for _ in norms._grids[measure.name]])
    for number in range(MOST_CARDHOLDERS):
        own = norms._own_of(f"{number:032x}")
        own.weights = type(own.weights)("f", [chance.random() for _ in own.weights])
    assert len(norms.encode()) < 5_000_000
