"""Cardholders, access profiles and schedules: may this credential pass this door, at this moment?

Pure lookups on frozen data. The rules come whole from the centre as a signed bundle; nothing here changes them.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from agent.core.people import Cardholder, Credential, Directory, Roll
from agent.core.reasons import Reason


class Interval(Struct, frozen=True, kw_only=True, gc=False):
    """Minutes of local time on some weekdays. `until_min` is exclusive; 1440 is the end of the day."""

    days: tuple[int, ...]
    """0 is Monday, as in datetime.weekday()."""
    from_min: int
    until_min: int


class Schedule(Struct, frozen=True, kw_only=True):
    """When a profile may pass, in the local time of the building (so daylight saving moves with the people)."""

    id: str
    zone: str
    """IANA time zone, e.g. Europe/Berlin."""
    intervals: tuple[Interval, ...]
    holidays: tuple[date, ...] = ()
    """Closed all day, whatever the intervals say."""


class AccessProfile(Struct, frozen=True, kw_only=True):
    """Where and when: the doors a profile opens and the schedule it follows."""

    id: str
    doors: tuple[str, ...]
    schedule: str


class AccessRules(Struct, frozen=True, kw_only=True):
    """Everything one door knows about people: one version, applied whole."""

    version: int
    site: str
    door: str
    people: Directory
    profiles: dict[str, AccessProfile]
    schedules: dict[str, Schedule]


def no_rules(site: str, door: str) -> AccessRules:
    """What a door knows before its first bundle: nobody may enter, everybody may leave."""
    return AccessRules(version=0, site=site, door=door, people=Roll(), profiles={}, schedules={})


class Access(Struct, frozen=True, kw_only=True):
    """The answer to 'may this credential pass here now?', without looking at anyone's face."""

    refused: Reason | None
    cardholder: Cardholder | None = None
    profile: str = ""
    schedule: str = ""


def may_pass(rules: AccessRules, key: str, now: datetime) -> Access:
    """Look a credential up; `now` is timezone-aware. The first reason to refuse is the answer."""
    known = rules.people.find(key)
    if known is None:
        return Access(refused=Reason.UNKNOWN_CREDENTIAL)
    credential, holder = known.credential, known.cardholder
    refused = _credential_refusal(credential, now)
    if refused is None and holder.suspended:
        refused = Reason.CARDHOLDER_SUSPENDED
    if refused is not None:
        return Access(refused=refused, cardholder=holder)
    return _by_profile(rules, holder, now)


_STATE_REFUSALS = {
    "lost": Reason.CREDENTIAL_LOST,
    "stolen": Reason.CREDENTIAL_STOLEN,
    "revoked": Reason.CREDENTIAL_REVOKED,
}


def _credential_refusal(credential: Credential, now: datetime) -> Reason | None:
    if credential.state != "active":
        return _STATE_REFUSALS[credential.state]
    if credential.valid_from is not None and now < credential.valid_from:
        return Reason.CREDENTIAL_NOT_YET_VALID
    if credential.valid_until is not None and now >= credential.valid_until:
        return Reason.CREDENTIAL_EXPIRED
    return None


def _by_profile(rules: AccessRules, holder: Cardholder, now: datetime) -> Access:
    here = [rules.profiles[p] for p in holder.profiles if p in rules.profiles and rules.door in rules.profiles[p].doors]
    for profile in here:
        schedule = rules.schedules.get(profile.schedule)
        if schedule is not None and is_open(schedule, now):
            return Access(refused=None, cardholder=holder, profile=profile.id, schedule=schedule.id)
    reason = Reason.OUTSIDE_SCHEDULE if here else Reason.NO_PROFILE_FOR_DOOR
    return Access(refused=reason, cardholder=holder)


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Whether local wall-clock time falls into an interval on a day that is no holiday."""
    local = now.astimezone(_zone(schedule.zone))
    if local.date() in schedule.holidays:
        return False
    minute, day = local.hour * 60 + local.minute, local.weekday()
    return any(day in i.days and i.from_min <= minute < i.until_min for i in schedule.intervals)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def faults_of(rules: AccessRules) -> list[str]:
    """What is inconsistent in a set of rules, in words; an empty list means that it may be applied."""
    faults = [f"profile {p.id!r} follows schedule {p.schedule!r}, which is not in the bundle"
              for p in rules.profiles.values() if p.schedule not in rules.schedules]  # fmt: skip
    return [*faults, *(fault for schedule in rules.schedules.values() for fault in _schedule_faults(schedule))]


def _schedule_faults(schedule: Schedule) -> list[str]:
    allowed = "days are 0 (Monday) to 6, minutes run from 0 until 1440 with from before until; a night is two intervals"
    faults = [f"schedule {schedule.id!r}: interval of days {i.days}, {i.from_min} until {i.until_min}: {allowed}"
              for i in schedule.intervals if not _is_sound(i)]  # fmt: skip
    try:
        _zone(schedule.zone)
    except (KeyError, ValueError, OSError):
        faults.append(f"schedule {schedule.id!r}: {schedule.zone!r} is no IANA time zone known here")
    return faults


def _is_sound(interval: Interval) -> bool:
    return bool(interval.days) and set(interval.days) <= set(range(7)) and 0 <= interval.from_min < interval.until_min <= 1440
