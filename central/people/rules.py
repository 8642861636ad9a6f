"""Which rules reach which door. Pure.

A profile at the centre names doors as `front` (the door of that name, of every site), `hq/front`, `hq/*` or `*`. A door is told of the
profiles that cover it and of nothing else: it need not know where else somebody may go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from agent.core.access import AccessProfile, AccessRules, DoorAccess, faults_of
from agent.core.people import Roll
from agent.core.schedules import Calendar, Schedule
from central.people.records import ID, ID_ALLOWED, DoorEntry

DOOR_WORD = re.compile(r"\*|[a-z0-9_-]{1,40}(/(\*|[a-z0-9_-]{1,40}))?")
MOST_RULES = 2000
MOST_SENTENCES = 5


class RuleBook(Struct, frozen=True, kw_only=True):
    """All rules of the centre, by id."""

    profiles: Mapping[str, AccessProfile] = {}
    schedules: Mapping[str, Schedule] = {}
    calendars: Mapping[str, Calendar] = {}
    doors: Sequence[DoorEntry] = ()

    def entry_of(self, site: str, door: str) -> DoorAccess:
        """What applies to everybody at that door."""
        return next((each.entry for each in self.doors if (each.site, each.door) == (site, door)), DoorAccess())


def covers(profile: AccessProfile, site: str, door: str) -> bool:
    return not {door, f"{site}/{door}", f"{site}/*", "*"}.isdisjoint(profile.doors)


def rules_for(book: RuleBook, site: str, door: str, version: int) -> AccessRules:
    """What that door needs: its profiles, the schedules that they and the door itself follow, and those schedules' calendars."""
    profiles = {each.id: replace(each, doors=(door,)) for each in book.profiles.values() if covers(each, site, door)}
    entry = book.entry_of(site, door)
    followed = {*(each.schedule for each in profiles.values()), entry.unlock_schedule, entry.two_person_schedule}
    schedules = {id: book.schedules[id] for id in sorted(followed) if id in book.schedules}
    named = {special.calendar for schedule in schedules.values() for special in schedule.special_days}
    calendars = {id: book.calendars[id] for id in sorted(named) if id in book.calendars}
    return AccessRules(version=version, site=site, door=door, people=Roll(), profiles=profiles, schedules=schedules,
                       calendars=calendars, entry=entry)  # fmt: skip


def faults_of_book(book: RuleBook) -> list[str]:
    """Why some door would refuse its rules, in words; also for doors that do not exist yet."""
    whole = AccessRules(version=0, site="", door="", people=Roll(), profiles=dict(book.profiles), schedules=dict(book.schedules),
                        calendars=dict(book.calendars))  # fmt: skip
    found = [*_faults_of_names(book), *faults_of(whole)]
    for each in book.doors:
        found += faults_of(rules_for(book, each.site, each.door, 0))
    return [fault.replace("which is not in the bundle", "which there is not").replace("is not in the bundle", "there is not")
            for fault in dict.fromkeys(found)][:MOST_SENTENCES]  # fmt: skip


_ABOUT = {
    "zone": r"IANA time zone", "last_day": r"its last day", "intervals": r": interval of days", "doors": r"names door",
    "special_days": r": (hours .* on days of )?calendar ", "schedule": r"follows schedule",
    "id": r"^(profile|schedule|calendar) '[^']*': 1 to",
}  # fmt: skip


def field_of(sentence: str) -> str:
    """Which field of a profile, a schedule or a calendar a sentence of `faults_of_book`, or of msgspec, is about; empty where none."""
    if told := re.search(r"`\$\.(\w+)", sentence):
        return told[1]
    return next((field for field, says in _ABOUT.items() if re.search(says, sentence)), "")


def _faults_of_names(book: RuleBook) -> Iterator[str]:
    for kind, rules in (("profile", book.profiles), ("schedule", book.schedules), ("calendar", book.calendars)):
        if len(rules) > MOST_RULES:
            yield f"{len(rules)} {kind}s; at most {MOST_RULES}"
        for id in rules:
            if not ID.fullmatch(id):
                yield f"{kind} {id[:80]!r}: {ID_ALLOWED}"
    for profile in book.profiles.values():
        for word in profile.doors:
            if not DOOR_WORD.fullmatch(word):
                yield f"profile {profile.id!r} names door {word[:90]!r}; allowed: DOOR, SITE/DOOR, SITE/* or *"
