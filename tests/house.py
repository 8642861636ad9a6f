"""The people of a house with every rule a door may have: for tests of whole doors. Nobody here has a face."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agent.core.access import AccessProfile, AccessRules, DoorAccess
from agent.core.commands import Command
from agent.core.people import Cardholder, Credential, Roll
from agent.core.schedules import Interval, Schedule
from tests.core.frames import BUILDERS
from tests.door_under_test import START, DoorUnderTest, policy_with

PIN, DURESS_PIN, WRONG_PIN = "86420975", "57902468", "11223344"
"""Long, so that they stand nowhere by chance."""

FOB_ALONE = policy_with(without_template="fob_alone")

DAILY = tuple(range(7))
SCHEDULES = {
    "always": Schedule(id="always", zone="UTC", intervals=(Interval(days=DAILY, from_min=0, until_min=1440),)),
    "opening": Schedule(id="opening", zone="UTC", intervals=(Interval(days=DAILY, from_min=570, until_min=630),)),
}
"""`opening` is from 9:30 to 10:30; a door under test starts at nine."""
PROFILES = {
    "staff": AccessProfile(id="staff", doors=("front",), schedule="always"),
    "vault": AccessProfile(id="vault", doors=("front",), schedule="always", factors="credential_and_pin"),
    "keys": AccessProfile(id="keys", doors=("front",), schedule="always", begins_unlock=True),
}
HOLDERS = (
    Cardholder(id="ann", profiles=("staff",)),
    Cardholder(id="bob", profiles=("staff",), extended_opening=True),
    Cardholder(id="keeper", profiles=("keys",)),
    Cardholder(id="vera", profiles=("vault",), pin=PIN, duress_pin=DURESS_PIN),
    Cardholder(id="paul", profiles=("vault",)),
    Cardholder(id="medic", profiles=("staff",), passes_lockdown=True),
    Cardholder(id="guest", profiles=("staff",), visitor=True, valid_until=START + timedelta(hours=1)),
    Cardholder(id="early", profiles=("staff",), visitor=True, valid_from=START + timedelta(hours=2), valid_until=START + timedelta(days=1)),
    Cardholder(id="endless", profiles=("staff",), visitor=True),
)  # fmt: skip
CARDS = {
    "ann": 1, "bob": 2, "keeper": 3, "vera": 4, "paul": 5, "medic": 6, "guest": 7, "early": 8, "endless": 9, "ann again": 10,
    "ann forced": 11, "medic forced": 12, "nobody": 999,
}  # fmt: skip
PEOPLE = Roll(HOLDERS, [Credential(key=f"H10301:1:{card}", cardholder=who.split()[0], duress=who.endswith("forced"))
                        for who, card in CARDS.items() if who != "nobody"])  # fmt: skip


def fob(who: str) -> str:
    """The bits of somebody's fob, as its reader sends them."""
    build = BUILDERS["H10301"][2]
    return str(build(1, CARDS[who]))


def house_rules(**entry: Any) -> AccessRules:
    """`entry` are fields of DoorAccess."""
    return AccessRules(version=1, site="hq", door="front", people=PEOPLE, profiles=PROFILES, schedules=SCHEDULES,
                       entry=DoorAccess(**entry))  # fmt: skip


def order(door: DoorUnderTest, name: str, user: str = "guard-1") -> tuple[bool, str]:
    """A person gives a command; the answer."""
    now = door.clock.wall()
    door.send(Command(id=f"command-{name}", user=user, name=name, issued=now, expires=now + timedelta(seconds=10)))
    _, ok, reason = door.told.results[-1]
    return ok, reason


def walk_in(door: DoorUnderTest, who: str, reader: str = "front") -> tuple[bool, list[str]]:
    """Hold out a fob and, if the lock lets go, go through and let the door fall shut. Returns what was decided."""
    door.read(fob(who), reader)
    decided = door.decisions()[-1]
    if decided[0]:
        door.press("contact", True)
        door.press("contact", False)
    door.after(1.0)
    return decided


def last(door: DoorUnderTest, kind: str) -> Mapping[str, Any]:
    """The data of the newest event of a kind."""
    return next(data for found, data in reversed(door.events) if found == kind)
