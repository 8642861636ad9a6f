"""Who may pass which door at which hour, before anyone looks at a face."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.access import (
    AccessProfile,
    AccessRules,
    DoorAccess,
    Interval,
    Schedule,
    faults_of,
    is_open,
    may_pass,
    no_rules,
)
from agent.core.people import Cardholder, Credential, Roll
from agent.core.reasons import SENTENCES, Reason

BERLIN = ZoneInfo("Europe/Berlin")
WORKDAYS = (0, 1, 2, 3, 4)
ALL_DAYS = tuple(range(7))
FOB = "H10301:1:5283"
WEDNESDAY_NOON = datetime(2026, 7, 15, 12, 0, tzinfo=BERLIN)

OFFICE = Schedule(
    id="office",
    zone="Europe/Berlin",
    intervals=(Interval(days=WORKDAYS, from_min=8 * 60, until_min=18 * 60),),
    holidays=(date(2026, 12, 25),),
)
NIGHT = Schedule(
    id="night",
    zone="Europe/Berlin",
    intervals=(Interval(days=ALL_DAYS, from_min=22 * 60, until_min=1440), Interval(days=ALL_DAYS, from_min=0, until_min=6 * 60)),
)


def rules(
    credential: Credential | None = None,
    holder: Cardholder | None = None,
    doors: tuple[str, ...] = ("front",),
    schedules: tuple[Schedule, ...] = (OFFICE, NIGHT),
) -> AccessRules:
    credential = credential or Credential(key=FOB, cardholder="holder-1")
    holder = holder or Cardholder(id="holder-1", profiles=("staff",))
    staff = AccessProfile(id="staff", doors=doors, schedule="office")
    cleaner = AccessProfile(id="cleaner", doors=("front", "back"), schedule="night")
    return AccessRules(
        version=3,
        site="hq",
        door="front",
        people=Roll([holder], [credential]),
        profiles={p.id: p for p in (staff, cleaner)},
        schedules={s.id: s for s in schedules},
    )


def refused(known: AccessRules, now: datetime = WEDNESDAY_NOON, key: str = FOB) -> Reason | None:
    return may_pass(known, key, now).refused


def credential(**changes: object) -> Credential:
    return msgspec.structs.replace(Credential(key=FOB, cardholder="holder-1"), **changes)


# -- who -----------------------------------------------------------------------------------------------------------------------


def test_a_cardholder_passes_during_office_hours_and_the_answer_says_by_which_rule():
    answer = may_pass(rules(), FOB, WEDNESDAY_NOON)
    assert (answer.refused, answer.profile, answer.schedule) == (None, "staff", "office")
    assert answer.cardholder is not None
    assert answer.cardholder.id == "holder-1"


def test_a_fob_nobody_issued_is_unknown():
    answer = may_pass(rules(), "H10301:1:5284", WEDNESDAY_NOON)
    assert (answer.refused, answer.cardholder) == (Reason.UNKNOWN_CREDENTIAL, None)


def test_the_same_number_in_another_format_is_another_fob():
    assert refused(rules(), key="H10306:1:5283") is Reason.UNKNOWN_CREDENTIAL


def test_before_its_first_bundle_a_door_lets_nobody_in():
    assert refused(no_rules("hq", "front")) is Reason.UNKNOWN_CREDENTIAL


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("lost", Reason.CREDENTIAL_LOST),
        ("stolen", Reason.CREDENTIAL_STOLEN),
        ("revoked", Reason.CREDENTIAL_REVOKED),
    ],
)
def test_a_fob_that_was_taken_out_of_use_is_refused_by_name(state, reason):
    answer = may_pass(rules(credential(state=state)), FOB, WEDNESDAY_NOON)
    assert answer.refused is reason
    assert answer.cardholder is not None, "the guard must learn whose fob it was"


def test_a_stolen_fob_is_called_stolen_even_when_it_has_expired_too():
    assert refused(rules(credential(state="stolen", valid_until=WEDNESDAY_NOON))) is Reason.CREDENTIAL_STOLEN


def test_a_suspended_cardholder_does_not_pass():
    assert refused(rules(holder=Cardholder(id="holder-1", profiles=("staff",), suspended=True))) is Reason.CARDHOLDER_SUSPENDED


def test_validity_begins_with_its_first_moment_and_ends_before_its_last():
    window = rules(credential(valid_from=WEDNESDAY_NOON, valid_until=WEDNESDAY_NOON + timedelta(hours=1)))
    instant = timedelta(microseconds=1)
    assert refused(window, WEDNESDAY_NOON - instant) is Reason.CREDENTIAL_NOT_YET_VALID
    assert refused(window, WEDNESDAY_NOON) is None
    assert refused(window, WEDNESDAY_NOON + timedelta(hours=1) - instant) is None
    assert refused(window, WEDNESDAY_NOON + timedelta(hours=1)) is Reason.CREDENTIAL_EXPIRED


def test_validity_is_a_moment_whatever_zone_it_is_written_in():
    window = rules(credential(valid_until=datetime(2026, 7, 15, 10, 0, tzinfo=timezone.utc)))
    assert refused(window, WEDNESDAY_NOON - timedelta(seconds=1)) is None
    assert refused(window, WEDNESDAY_NOON) is Reason.CREDENTIAL_EXPIRED


NOON_PLUS = timedelta(hours=1)


def held(**changes: object) -> Cardholder:
    return msgspec.structs.replace(Cardholder(id="holder-1", profiles=("staff",)), **changes)


@pytest.mark.parametrize(
    ("visitor", "before", "after"),
    [
        (False, Reason.CARDHOLDER_NOT_YET_VALID, Reason.CARDHOLDER_EXPIRED),
        (True, Reason.VISIT_NOT_BEGUN, Reason.VISIT_OVER),
    ],
)
def test_a_contract_and_a_visit_begin_and_end_by_themselves(visitor, before, after):
    window = rules(holder=held(visitor=visitor, valid_from=WEDNESDAY_NOON, valid_until=WEDNESDAY_NOON + NOON_PLUS))
    instant = timedelta(microseconds=1)
    assert refused(window, WEDNESDAY_NOON - instant) is before
    assert refused(window, WEDNESDAY_NOON) is None
    assert refused(window, WEDNESDAY_NOON + NOON_PLUS - instant) is None
    assert refused(window, WEDNESDAY_NOON + NOON_PLUS) is after


def test_a_visitor_of_whom_nobody_said_until_when_passes_nowhere():
    assert refused(rules(holder=held(visitor=True))) is Reason.VISIT_WITHOUT_END
    badge = credential(valid_until=WEDNESDAY_NOON + NOON_PLUS)
    assert refused(rules(badge, held(visitor=True))) is None, "the badge says until when"


def test_the_fob_is_asked_before_its_holder_and_suspension_before_the_calendar():
    over = held(suspended=True, valid_until=WEDNESDAY_NOON)
    assert refused(rules(credential(state="lost"), over)) is Reason.CREDENTIAL_LOST
    assert refused(rules(holder=over)) is Reason.CARDHOLDER_SUSPENDED


@pytest.mark.parametrize("state", ["active", "stolen"])
def test_a_duress_fob_is_known_as_one_whatever_else_is_said_of_it(state):
    assert may_pass(rules(credential(duress=True, state=state)), FOB, WEDNESDAY_NOON).duress


def with_profiles(*profiles: AccessProfile, holder: Cardholder | None = None, **more: object) -> AccessRules:
    known = rules(holder=holder or held(profiles=tuple(p.id for p in profiles)))
    return msgspec.structs.replace(known, profiles={p.id: p for p in profiles}, **more)


ASKS = AccessProfile(id="asks", doors=("front",), schedule="office", factors="credential_and_pin")
TRUSTS = AccessProfile(id="trusts", doors=("front",), schedule="office")
BEGINS = AccessProfile(id="begins", doors=("front",), schedule="office", begins_unlock=True)
NIGHTLY = AccessProfile(id="nightly", doors=("front",), schedule="night", begins_unlock=True)


@pytest.mark.parametrize(
    ("profiles", "chosen"),
    [
        ((ASKS, TRUSTS), "trusts"),
        ((TRUSTS, ASKS), "trusts"),
        ((TRUSTS, BEGINS), "begins"),
        ((ASKS, NIGHTLY), "asks"),
        ((ASKS,), "asks"),
    ],
)
def test_of_several_open_profiles_the_one_that_asks_for_least_counts(profiles, chosen):
    answer = may_pass(with_profiles(*profiles), FOB, WEDNESDAY_NOON)
    by_id = {profile.id: profile for profile in profiles}
    assert (answer.profile, answer.factors, answer.begins_unlock) == (
        chosen, by_id[chosen].factors, by_id[chosen].begins_unlock,
    )  # fmt: skip


# -- where ---------------------------------------------------------------------------------------------------------------------


def test_a_profile_of_another_door_opens_nothing_here():
    assert refused(rules(doors=("back",))) is Reason.NO_PROFILE_FOR_DOOR


def test_a_cardholder_without_a_profile_does_not_pass():
    assert refused(rules(holder=Cardholder(id="holder-1", profiles=()))) is Reason.NO_PROFILE_FOR_DOOR


def test_a_profile_that_the_bundle_does_not_hold_opens_nothing():
    assert refused(rules(holder=Cardholder(id="holder-1", profiles=("directors",)))) is Reason.NO_PROFILE_FOR_DOOR


def test_one_of_several_profiles_is_enough():
    both = rules(holder=Cardholder(id="holder-1", profiles=("staff", "cleaner")))
    assert may_pass(both, FOB, WEDNESDAY_NOON).profile == "staff"
    assert may_pass(both, FOB, WEDNESDAY_NOON.replace(hour=23)).profile == "cleaner"
    assert refused(both, WEDNESDAY_NOON.replace(hour=20)) is Reason.OUTSIDE_SCHEDULE


def test_a_profile_whose_schedule_is_missing_opens_nothing():
    assert refused(rules(schedules=(NIGHT,))) is Reason.OUTSIDE_SCHEDULE


# -- when ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "minute", "second", "passes"),
    [(7, 59, 59, False), (8, 0, 0, True), (17, 59, 59, True), (18, 0, 0, False)],
)
def test_office_hours_begin_and_end_to_the_minute(hour, minute, second, passes):
    assert is_open(OFFICE, datetime(2026, 7, 15, hour, minute, second, tzinfo=BERLIN)) is passes


def test_the_office_is_closed_on_saturday():
    assert not is_open(OFFICE, datetime(2026, 7, 18, 12, 0, tzinfo=BERLIN))


def test_a_holiday_closes_the_whole_local_day_and_no_other():
    assert not is_open(OFFICE, datetime(2026, 12, 25, 12, 0, tzinfo=BERLIN))
    assert is_open(OFFICE, datetime(2026, 12, 24, 12, 0, tzinfo=BERLIN))
    always = Schedule(id="a", zone="Pacific/Auckland", intervals=(Interval(days=ALL_DAYS, from_min=0, until_min=1440),),
                      holidays=(date(2026, 12, 25),))  # fmt: skip
    assert not is_open(always, datetime(2026, 12, 24, 11, 0, tzinfo=timezone.utc)), "it is Christmas in Auckland already"
    assert is_open(always, datetime(2026, 12, 25, 11, 0, tzinfo=timezone.utc))


@pytest.mark.parametrize(("day", "utc_hour"), [(date(2026, 3, 27), 7), (date(2026, 3, 30), 6), (date(2026, 10, 26), 7)])
def test_daylight_saving_moves_with_the_people(day, utc_hour):
    """Eight in Berlin is seven UTC in winter and six in summer; the clocks change on 29 March and 25 October 2026."""
    eight = datetime(day.year, day.month, day.day, utc_hour, 0, tzinfo=timezone.utc)
    assert is_open(OFFICE, eight)
    assert not is_open(OFFICE, eight - timedelta(seconds=1))


def test_the_hour_that_comes_twice_opens_twice_and_the_hour_that_never_comes_not_at_all():
    small_hours = Schedule(id="s", zone="Europe/Berlin", intervals=(Interval(days=ALL_DAYS, from_min=2 * 60, until_min=3 * 60),))
    autumn = [datetime(2026, 10, 25, 0, 0, tzinfo=timezone.utc) + timedelta(minutes=n) for n in range(180)]
    assert sum(is_open(small_hours, moment) for moment in autumn) == 120
    spring = [datetime(2026, 3, 29, 0, 0, tzinfo=timezone.utc) + timedelta(minutes=n) for n in range(180)]
    assert not any(is_open(small_hours, moment) for moment in spring)


def test_a_night_is_two_intervals_around_midnight():
    assert is_open(NIGHT, datetime(2026, 7, 15, 23, 59, 59, tzinfo=BERLIN))
    assert is_open(NIGHT, datetime(2026, 7, 16, 0, 0, tzinfo=BERLIN))
    assert not is_open(NIGHT, datetime(2026, 7, 16, 6, 0, tzinfo=BERLIN))


@given(
    st.datetimes(
        datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.sampled_from([timezone.utc, BERLIN, ZoneInfo("Asia/Tokyo")])
    )
)
def test_the_answer_depends_on_the_moment_not_on_the_zone_it_is_written_in(now):
    local = now.astimezone(BERLIN)
    expected = local.weekday() < 5 and 8 <= local.hour < 18 and local.date() != date(2026, 12, 25)
    assert is_open(OFFICE, now) is expected
    assert is_open(OFFICE, now.astimezone(timezone.utc)) is expected


# -- rules that may not be applied ---------------------------------------------------------------------------------------------


def test_consistent_rules_have_no_faults():
    assert faults_of(rules()) == []
    assert faults_of(no_rules("hq", "front")) == []


def test_a_missing_schedule_is_named():
    assert faults_of(rules(schedules=(NIGHT,))) == ["profile 'staff' follows schedule 'office', which is not in the bundle"]


def test_a_fob_whose_cardholder_is_missing_is_put_on_no_roll():
    with pytest.raises(ValueError, match="belongs to cardholder 'nobody'"):
        rules(credential(cardholder="nobody"))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (DoorAccess(unlock_schedule="x"), "unlock_schedule names schedule 'x', which is not in the bundle"),
        (DoorAccess(two_person="by_schedule"), "two_person_schedule names none"),
        (DoorAccess(two_person="by_schedule", two_person_schedule="x"), "two_person_schedule names schedule 'x'"),
        (DoorAccess(two_person="always", two_person_within_s=0), "more than 0, at most"),
        (DoorAccess(two_person="always", two_person_within_s=float("nan")), "more than 0, at most"),
        (DoorAccess(passback="hard", passback_forget_min=-1), "0 (never) or more"),
        (DoorAccess(first_card=True), "first_card waits for somebody"),
        (DoorAccess(interlock=True, unlock_schedule="office"), "would hold nobody back"),
    ],
)
def test_rules_of_the_door_that_cannot_work_as_meant_are_named(entry, words):
    (fault,) = faults_of(msgspec.structs.replace(rules(), entry=entry))
    assert fault.startswith("rules of door 'front': ")
    assert words in fault


def test_rules_of_the_door_that_can_work_have_no_faults():
    entry = DoorAccess(passback="hard", passback_forget_min=60, two_person="by_schedule", two_person_schedule="night",
                       unlock_schedule="office", first_card=True)  # fmt: skip
    assert faults_of(msgspec.structs.replace(rules(), entry=entry)) == []


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "a\0b"])
def test_a_time_zone_that_does_not_exist_is_named(zone):
    broken = rules(schedules=(msgspec.structs.replace(OFFICE, zone=zone), NIGHT))
    assert faults_of(broken) == [f"schedule 'office': {zone!r} is no IANA time zone known here"]


@pytest.mark.parametrize(
    "interval",
    [
        Interval(days=(0,), from_min=1320, until_min=360),
        Interval(days=(0,), from_min=480, until_min=480),
        Interval(days=(0,), from_min=-1, until_min=480),
        Interval(days=(0,), from_min=480, until_min=1441),
        Interval(days=(7,), from_min=480, until_min=1080),
        Interval(days=(), from_min=480, until_min=1080),
    ],
)
def test_an_interval_that_would_never_open_as_meant_is_named(interval):
    """Above all a night written as 22:00 until 06:00: it would keep the night shift out without a word."""
    (fault,) = faults_of(rules(schedules=(msgspec.structs.replace(OFFICE, intervals=(interval,)), NIGHT)))
    assert fault.startswith("schedule 'office': interval")
    assert "0 (Monday) to 6" in fault
    assert "until 1440" in fault


def test_a_moment_without_a_time_zone_is_refused_when_rules_are_read():
    """Comparing it with now would raise in the middle of a read."""
    raw = msgspec.json.encode(credential(valid_until=datetime(2026, 1, 1)))
    with pytest.raises(msgspec.ValidationError, match="timezone"):
        msgspec.json.decode(raw, type=Credential)


def test_every_reason_has_a_sentence_for_the_guard():
    assert set(SENTENCES) == set(Reason)
    assert all(SENTENCES.values())
