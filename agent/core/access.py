"""Cardholders, access profiles and schedules: may this credential pass this door, at this moment?

Pure lookups on frozen data. The rules come whole from the centre as a signed bundle; nothing here changes them. What a door remembers of
earlier reads (who is inside, who waits for a second) is in agent.core.desk.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.core.people import Cardholder, Credential, Directory, Known, Roll
from agent.core.reasons import Reason
from agent.core.schedules import Calendar, Interval, Schedule, faults_of_schedule, is_always, is_open

__all__ = [
    "Access", "AccessProfile", "AccessRules", "DoorAccess", "Interval", "Schedule", "faults_of", "is_open", "may_pass", "no_rules",
]  # fmt: skip

Factors = Literal["credential", "credential_and_pin"]

MOST_WITHIN_S = 120.0
"""The second of two people may come this much later at most: whoever comes later still does not come together."""


class AccessProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where and when: the doors a profile opens, the schedule it follows, and what it asks for."""

    id: str
    doors: tuple[str, ...]
    schedule: str
    factors: Factors = "credential"
    """What has to be shown; the face comes on top, by the policy of the door."""
    begins_unlock: bool = False
    """Whoever comes in by it may begin a door's unlock schedule (first card)."""


class DoorAccess(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules of the door itself, for everybody who comes in by it. None of them is ever asked of somebody who leaves."""

    passback: Literal["off", "soft", "hard"] = "off"
    """Whoever is inside already: `soft` lets them in and tells, `hard` refuses."""
    passback_forget_min: int = 0
    """After this many minutes nobody is taken to be inside any more (timed); 0: only leaving counts."""
    two_person: Literal["off", "always", "by_schedule"] = "off"
    two_person_schedule: str = ""
    two_person_within_s: float = 15.0
    """So long after the first the second must have been let in."""
    unlock_schedule: str = ""
    """While it is open the door stands unlocked; empty: never."""
    first_card: bool = False
    """Only after somebody has come in whose profile begins it."""
    interlock: bool = False
    """Nobody is let in while the other door of the lobby is open."""


class AccessRules(Struct, frozen=True, kw_only=True):
    """Everything one door knows about people: one version, applied whole."""

    version: int
    site: str
    door: str
    people: Directory
    profiles: dict[str, AccessProfile]
    schedules: dict[str, Schedule]
    calendars: dict[str, Calendar] = {}
    entry: DoorAccess = DoorAccess()


def no_rules(site: str, door: str) -> AccessRules:
    """What a door knows before its first bundle: nobody may enter, everybody may leave."""
    return AccessRules(version=0, site=site, door=door, people=Roll(), profiles={}, schedules={})


class Access(Struct, frozen=True, kw_only=True):
    """The answer to 'may this credential pass here now?', without looking at anyone's face."""

    refused: Reason | None
    cardholder: Cardholder | None = None
    profile: str = ""
    schedule: str = ""
    factors: Factors = "credential"
    begins_unlock: bool = False
    duress: bool = False
    """The credential is one for being forced to open."""


def may_pass(rules: AccessRules, key: str, now: datetime, by_time: bool = True) -> Access:
    """Look a credential up; `now` is timezone-aware. The first reason to refuse is the answer.

    `by_time` False: nobody knows what time it is, and the site wants nothing judged by a guess. Then passes whom no date and no hour bounds.
    """
    known = rules.people.find(key)
    if known is None:
        return Access(refused=Reason.UNKNOWN_CREDENTIAL)
    if not by_time:
        return _without_time(rules, known, now)
    credential, holder = known.credential, known.cardholder
    refused = _credential_refusal(credential, now) or _cardholder_refusal(holder, credential, now)
    if refused is not None:
        return Access(refused=refused, cardholder=holder, duress=credential.duress)
    return _by_profile(rules, known, now)


def _without_time(rules: AccessRules, known: Known, now: datetime) -> Access:
    credential, holder = known.credential, known.cardholder
    if credential.state != "active" or holder.suspended:
        return Access(refused=_credential_refusal(credential, now) or _cardholder_refusal(holder, credential, now), cardholder=holder,
                      duress=credential.duress)  # fmt: skip
    bounds = (credential.valid_from, credential.valid_until, holder.valid_from, holder.valid_until)
    always = {name: schedule for name, schedule in rules.schedules.items() if is_always(schedule)}
    answer = _by_profile(replace(rules, schedules=always), known, now)
    if holder.visitor or any(bounds) or answer.refused is Reason.OUTSIDE_SCHEDULE:
        return Access(refused=Reason.TIME_UNKNOWN, cardholder=holder, duress=credential.duress)
    return answer


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


def _cardholder_refusal(holder: Cardholder, credential: Credential, now: datetime) -> Reason | None:
    if holder.suspended:
        return Reason.CARDHOLDER_SUSPENDED
    if holder.valid_from is not None and now < holder.valid_from:
        return Reason.VISIT_NOT_BEGUN if holder.visitor else Reason.CARDHOLDER_NOT_YET_VALID
    if holder.valid_until is not None and now >= holder.valid_until:
        return Reason.VISIT_OVER if holder.visitor else Reason.CARDHOLDER_EXPIRED
    if holder.visitor and holder.valid_until is None and credential.valid_until is None:
        return Reason.VISIT_WITHOUT_END
    return None


def _by_profile(rules: AccessRules, known: Known, now: datetime) -> Access:
    """Of several profiles that are open one that asks for less counts before one that asks for more."""
    holder, duress = known.cardholder, known.credential.duress
    here = [rules.profiles[p] for p in holder.profiles if p in rules.profiles and rules.door in rules.profiles[p].doors]
    open_now = [profile for profile in here if _is_open(rules, profile.schedule, now)]
    if not open_now:
        reason = Reason.OUTSIDE_SCHEDULE if here else Reason.NO_PROFILE_FOR_DOOR
        return Access(refused=reason, cardholder=holder, duress=duress)
    best = min(open_now, key=lambda profile: (profile.factors != "credential", not profile.begins_unlock))
    return Access(refused=None, cardholder=holder, profile=best.id, schedule=best.schedule, factors=best.factors,
                  begins_unlock=best.begins_unlock, duress=duress)  # fmt: skip


def _is_open(rules: AccessRules, schedule_id: str, now: datetime) -> bool:
    schedule = rules.schedules.get(schedule_id)
    return schedule is not None and is_open(schedule, now, rules.calendars)


def faults_of(rules: AccessRules) -> list[str]:
    """What is inconsistent in a set of rules, in words; an empty list means that it may be applied."""
    faults = [f"profile {p.id!r} follows schedule {p.schedule!r}, which is not in the bundle"
              for p in rules.profiles.values() if p.schedule not in rules.schedules]  # fmt: skip
    faults += [fault for schedule in rules.schedules.values() for fault in faults_of_schedule(schedule, rules.calendars)]
    return [*faults, *(f"rules of door {rules.door!r}: {fault}" for fault in _entry_faults(rules.entry, rules.schedules))]


def _entry_faults(entry: DoorAccess, schedules: dict[str, Schedule]) -> Iterator[str]:
    named = {"two_person_schedule": entry.two_person_schedule, "unlock_schedule": entry.unlock_schedule}
    for key, schedule in named.items():
        if schedule and schedule not in schedules:
            yield f"{key} names schedule {schedule!r}, which is not in the bundle"
    if entry.two_person == "by_schedule" and not entry.two_person_schedule:
        yield "two_person is 'by_schedule' and two_person_schedule names none"
    if not 0 < entry.two_person_within_s <= MOST_WITHIN_S:
        yield f"two_person_within_s is {entry.two_person_within_s}: more than 0, at most {MOST_WITHIN_S}"
    if entry.passback_forget_min < 0:
        yield f"passback_forget_min is {entry.passback_forget_min}: 0 (never) or more"
    if entry.first_card and not entry.unlock_schedule:
        yield "first_card waits for somebody to begin unlock_schedule, which names none"
    if entry.interlock and entry.unlock_schedule:
        yield "a door of an interlock may not have an unlock_schedule: standing unlocked it would hold nobody back"
