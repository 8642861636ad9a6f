"""Hours of the week, special days, and the moment at which a schedule changes: against a minute-by-minute walk through zoneinfo."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.schedules import (
    LOOK_AHEAD,
    Calendar,
    Hours,
    Interval,
    Schedule,
    Span,
    SpecialDays,
    faults_of_schedule,
    is_open,
    span_at,
)

UTC = timezone.utc
BERLIN = ZoneInfo("Europe/Berlin")
ALL_DAYS = tuple(range(7))
WORKDAYS = (0, 1, 2, 3, 4)
PUBLIC = Calendar(id="public", days=frozenset({date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)}))
HALF = Calendar(id="half", days=frozenset({date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 31)}))
CALENDARS = {"public": PUBLIC, "half": HALF}
SHOP = Schedule(
    id="shop",
    zone="Europe/Berlin",
    intervals=(Interval(days=WORKDAYS, from_min=9 * 60, until_min=18 * 60),),
    special_days=(
        SpecialDays(calendar="public"),
        SpecialDays(calendar="half", hours=(Hours(from_min=9 * 60, until_min=12 * 60),)),
    ),
)
ALWAYS = Schedule(id="always", zone="Europe/Berlin", intervals=(Interval(days=ALL_DAYS, from_min=0, until_min=1440),))


def berlin(day: int, hour: int, minute: int = 0, month: int = 12, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN)


def night(from_min: int, until_min: int, zone: str = "Europe/Berlin") -> Schedule:
    return Schedule(id="night", zone=zone, intervals=(Interval(days=ALL_DAYS, from_min=from_min, until_min=until_min),))


# -- special days --------------------------------------------------------------------------------------------------------------


def test_a_holiday_without_hours_of_its_own_is_closed_all_day():
    assert not any(is_open(SHOP, berlin(25, hour), CALENDARS) for hour in range(24))


def test_a_half_day_has_its_own_hours_instead_of_the_weekdays():
    """24 December 2026 is a Thursday."""
    assert [hour for hour in range(24) if is_open(SHOP, berlin(24, hour), CALENDARS)] == [9, 10, 11]


def test_a_day_in_two_calendars_follows_the_one_that_the_schedule_names_first():
    """25 December is in both: closed by the first, half a day by the second."""
    assert not is_open(SHOP, berlin(25, 10), CALENDARS)
    other = msgspec.structs.replace(SHOP, special_days=SHOP.special_days[::-1])
    assert is_open(other, berlin(25, 10), CALENDARS)


def test_a_special_day_may_open_on_a_weekday_that_is_closed():
    sunday_sale = Calendar(id="sale", days=frozenset({date(2026, 12, 6)}))
    sale = msgspec.structs.replace(
        SHOP, special_days=(SpecialDays(calendar="sale", hours=(Hours(from_min=780, until_min=1080),)),)
    )
    assert is_open(sale, berlin(6, 13), {"sale": sunday_sale})
    assert not is_open(sale, berlin(13, 13), {"sale": sunday_sale})


def test_a_schedule_holds_from_its_first_local_day_to_its_last():
    works = msgspec.structs.replace(ALWAYS, first_day=date(2026, 12, 2), last_day=date(2026, 12, 3))
    assert [day for day in range(1, 6) if is_open(works, berlin(day, 0))] == [2, 3]
    assert is_open(works, berlin(3, 23, 59))
    assert span_at(works, berlin(3, 12)).until == berlin(4, 0)


# -- the next change -----------------------------------------------------------------------------------------------------------


def test_the_next_change_of_an_open_shop_is_its_closing_time_and_of_a_closed_one_its_opening():
    assert span_at(SHOP, berlin(23, 12), CALENDARS) == Span(True, berlin(23, 18).astimezone(UTC))
    assert span_at(SHOP, berlin(23, 18), CALENDARS) == Span(False, berlin(24, 9).astimezone(UTC))
    assert span_at(SHOP, berlin(24, 12), CALENDARS).until == berlin(28, 9), "Christmas, and a week-end"


def test_hours_that_meet_at_midnight_are_one_stretch():
    around = Schedule(id="n", zone="Europe/Berlin", intervals=(Interval(days=ALL_DAYS, from_min=1320, until_min=1440),
                                                               Interval(days=ALL_DAYS, from_min=0, until_min=360)))  # fmt: skip
    assert span_at(around, berlin(3, 23)).until == berlin(4, 6)


def test_what_never_changes_is_to_be_asked_again_when_the_look_ahead_is_over():
    assert span_at(ALWAYS, berlin(3, 12)) == Span(True, berlin(3, 12).astimezone(UTC) + LOOK_AHEAD)
    never = msgspec.structs.replace(ALWAYS, intervals=())
    assert span_at(never, berlin(3, 12), look_ahead=timedelta(minutes=1)).until == berlin(3, 12, 1)


def test_the_hour_that_comes_twice_is_open_twice_and_the_change_back_is_a_change():
    """Berlin, 25 October 2026: 02:00-03:00 comes twice. 01:30-02:30 is open, shut at 02:30, open again when it is 02:00 again."""
    early = night(90, 150)
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    assert span_at(early, start) == Span(True, datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert span_at(early, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) == Span(False, datetime(2026, 10, 25, 1, 0, tzinfo=UTC))
    assert span_at(early, datetime(2026, 10, 25, 1, 0, tzinfo=UTC)) == Span(True, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_hours_that_begin_in_the_hour_that_never_comes_begin_when_it_is_skipped():
    """Berlin, 29 March 2026: after 01:59 comes 03:00. 02:30-04:00 is open from then on."""
    assert span_at(night(150, 240), datetime(2026, 3, 29, 0, 59, tzinfo=UTC)) == Span(
        False, datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    )
    assert span_at(night(90, 150), datetime(2026, 3, 29, 0, 45, tzinfo=UTC)) == Span(
        True, datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    )


def test_hours_that_lie_wholly_in_the_hour_that_never_comes_do_not_come_that_day():
    span = span_at(night(130, 170), datetime(2026, 3, 29, 0, 0, tzinfo=UTC))
    assert span == Span(False, datetime(2026, 3, 30, 0, 10, tzinfo=UTC))


def test_a_day_that_begins_at_one_o_clock_is_that_day():
    """Beirut goes forward at midnight: 29 March 2026 begins at 01:00."""
    sunday = Schedule(id="s", zone="Asia/Beirut", intervals=(Interval(days=(6,), from_min=0, until_min=1440),))
    assert span_at(sunday, datetime(2026, 3, 28, 21, 30, tzinfo=UTC)) == Span(False, datetime(2026, 3, 28, 22, 0, tzinfo=UTC))


minutes = st.integers(0, 1440)
hours = st.tuples(minutes, minutes).map(sorted).filter(lambda pair: pair[0] < pair[1])
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Beirut", "America/St_Johns", "UTC"]
"""Lord Howe goes back by half an hour, Beirut changes at midnight, Kathmandu and St John's are not on whole hours."""
WEEKS = [datetime(2026, 3, 7), datetime(2026, 3, 27), datetime(2026, 4, 4), datetime(2026, 10, 3), datetime(2026, 10, 23),
         datetime(2026, 10, 31), datetime(2026, 7, 1)]  # fmt: skip
"""Before each change of the clocks in these zones, and one without any."""
intervals = st.builds(lambda days, pair: Interval(days=tuple(sorted(days)), from_min=pair[0], until_min=pair[1]),
                      st.sets(st.sampled_from(ALL_DAYS), min_size=1), hours)  # fmt: skip
schedules = st.builds(
    lambda zone, parts, special: Schedule(id="s", zone=zone, intervals=tuple(parts), special_days=tuple(special)),
    st.sampled_from(ZONES),
    st.lists(intervals, max_size=3),
    st.lists(
        st.builds(lambda pair: SpecialDays(calendar="c", hours=(Hours(from_min=pair[0], until_min=pair[1]),)), hours), max_size=1
    ),
)


def walked(schedule: Schedule, calendars: dict[str, Calendar], start: datetime, minutes_ahead: int) -> list[bool]:
    """What zoneinfo and a wall clock say, minute by minute; written without a word of agent.core.schedules."""
    answers = []
    for number in range(minutes_ahead):
        local = (start + timedelta(minutes=number)).astimezone(ZoneInfo(schedule.zone))
        clock = local.hour * 60 + local.minute
        if schedule.special_days and local.date() in calendars["c"].days:
            spans = [(h.from_min, h.until_min) for h in schedule.special_days[0].hours]
        else:
            spans = [(i.from_min, i.until_min) for i in schedule.intervals if local.weekday() in i.days]
        answers.append(any(begin <= clock < end for begin, end in spans))
    return answers


@settings(max_examples=60, deadline=None)
@given(schedules, st.sampled_from(WEEKS), st.integers(0, 4 * 1440), st.integers(0, 5))
def test_spans_laid_end_to_end_are_what_a_wall_clock_shows(schedule, week, offset_min, special_day):
    start = week.replace(tzinfo=UTC) + timedelta(minutes=offset_min)
    calendars = {"c": Calendar(id="c", days=frozenset({(week + timedelta(days=special_day)).date()}))}
    expected, now, laid = walked(schedule, calendars, start, 2 * 1440), start, []
    while len(laid) < len(expected):
        span = span_at(schedule, now, calendars)
        assert span.open is is_open(schedule, now, calendars)
        laid += [span.open] * round((span.until - now).total_seconds() / 60)
        assert span.until > now
        now = span.until
    assert laid[: len(expected)] == expected


@settings(max_examples=60, deadline=None)
@given(schedules, st.sampled_from(WEEKS), st.integers(0, 7 * 86400), st.integers(1, 3 * 86400))
def test_looking_less_far_ahead_never_tells_another_change(schedule, week, offset_s, ahead_s):
    now, calendars = week.replace(tzinfo=UTC) + timedelta(seconds=offset_s), {"c": Calendar(id="c", days=frozenset())}
    near = span_at(schedule, now, calendars, timedelta(seconds=ahead_s))
    assert near.until == min(span_at(schedule, now, calendars).until, now + timedelta(seconds=ahead_s))


# -- schedules that may not be applied -----------------------------------------------------------------------------------------


def test_a_calendar_that_is_not_there_is_named():
    assert faults_of_schedule(SHOP, {"public": PUBLIC}) == ["schedule 'shop': calendar 'half' is not in the bundle"]
    assert faults_of_schedule(SHOP, CALENDARS) == []


def test_a_schedule_that_ends_before_it_begins_is_named():
    odd = msgspec.structs.replace(ALWAYS, first_day=date(2026, 2, 1), last_day=date(2026, 1, 1))
    assert "its last day 2026-01-01 is before its first" in faults_of_schedule(odd)[0]


@pytest.mark.parametrize(
    "special", [Hours(from_min=600, until_min=600), Hours(from_min=-1, until_min=5), Hours(from_min=0, until_min=1441)]
)
def test_hours_of_a_special_day_that_would_never_open_as_meant_are_named(special):
    odd = msgspec.structs.replace(SHOP, special_days=(SpecialDays(calendar="public", hours=(special,)),))
    assert "on days of calendar 'public'" in faults_of_schedule(odd, CALENDARS)[0]
