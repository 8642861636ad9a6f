"""A door as a dashboard shows it: its states in words, what is wrong with it, what happened last. Pure.

States are what a door sent, of whatever shape: nothing here fails for what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from agent.core.event_words import plain_sentence
from central.certificates import of_door
from central.gateway.door_book import DoorNow

BROKER_LOST = "the centre has lost its broker: this is how the door was known last"
NOT_STORED = "the centre cannot store what doors tell, and makes no alerts of it: look at its disk"
LONGEST_SENTENCE = 300


class Last(Struct, frozen=True):
    """What happened last at a door."""

    n: int
    kind: str
    at: datetime
    sentence: str


class DoorRisk(Struct, frozen=True):
    band: str
    sentence: str
    zone: str


class Health(Struct, frozen=True):
    ok: bool
    faults: tuple[str, ...]


class Access(Struct, frozen=True):
    """Which access rules are in force, and how many versions the centre is ahead; None where that is not known."""

    version: int
    behind: int | None


class DoorRow(Struct, frozen=True, kw_only=True):
    """What GET /doors tells of a door. None stands for what the door has not said."""

    site: str
    door: str
    name: str
    zone: str
    online: bool
    since: datetime | None
    mode: str | None
    lock: str | None
    contact: str | None
    alarm: str | None
    risk: DoorRisk | None
    people: Any
    health: Health
    access: Access | None
    last: Last | None


class Facts(Struct, frozen=True, kw_only=True):
    """What other rooms know of doors."""

    name: Callable[[str, str], str] = lambda site, door: door
    zone: Callable[[str, str], str] = lambda site, door: ""
    behind: Callable[[str, str], int | None] = lambda site, door: None
    doors: Callable[[], list[tuple[str, str]]] = list
    """Doors that there should be, heard or not."""
    stores: Callable[[], bool] = lambda: True
    """Whether what doors tell can be stored."""


def sentence_of(kind: str, data: Mapping[str, Any]) -> str:
    """What an event says, in one sentence that begins with a capital letter."""
    words = " ".join(plain_sentence(kind, data).split())[:LONGEST_SENTENCE]
    return words[:1].upper() + words[1:]


def row_of(now: DoorNow, last: Last | None, facts: Facts, *, broker: bool) -> DoorRow:
    """`broker`: whether the centre hears its broker. Where it does not, no door is known to be there."""
    states = now.states
    return DoorRow(
        site=now.site, door=now.door, name=facts.name(now.site, now.door), zone=facts.zone(now.site, now.door),
        online=now.online and broker, since=now.since, mode=_word(states, "mode"), lock=_word(states, "lock"),
        contact=_word(states, "contact"), alarm=_word(states, "alarm"), risk=_risk(states), people=states.get("people"),
        health=_health(_table(states, "health"), _centre_faults(facts, broker) + _certificate(now)),
        access=_access(states, facts.behind(now.site, now.door)), last=last,
    )  # fmt: skip


def unheard(site: str, door: str, at: datetime) -> DoorNow:
    """A door that there should be and that has never said anything."""
    return DoorNow(site=site, door=door, heard=at)


def _risk(states: Mapping[str, Any]) -> DoorRisk | None:
    risk = _table(states, "risk")
    return DoorRisk(_text(risk, "band"), _text(risk, "sentence"), _text(risk, "zone")) if risk else None


def _access(states: Mapping[str, Any], behind: int | None) -> Access | None:
    version = _table(states, "access").get("version", _table(states, "health").get("rules_version"))
    return Access(version, behind) if isinstance(version, int) and not isinstance(version, bool) else None


def _certificate(now: DoorNow) -> list[str]:
    """By the centre's clock when the door was heard."""
    ending = of_door(now.site, now.door, now.states)
    return [ending.sentence(now.heard)] if ending is not None and ending.step(now.heard) else []


def _centre_faults(facts: Facts, broker: bool) -> list[str]:
    """What is wrong here, and is told of every door: a centre that is deaf looks as calm as one where nothing happens."""
    return ([] if broker else [BROKER_LOST]) + ([] if facts.stores() else [NOT_STORED])


def _health(health: Mapping[str, Any], also: list[str]) -> Health:
    faults = tuple(also + list(_faults(health)))
    return Health(not faults, faults)


def _faults(health: Mapping[str, Any]) -> Iterator[str]:
    if health.get("vision") in ("stale", "missing"):
        yield "vision does not tell what it sees"
    yield from (f"vision: {each}" for each in _list(health, "vision_faults"))
    yield from (f"the camera seems {each}" for each in _list(health, "camera_tamper"))
    yield from (f"records: {each}" for each in _list(health, "journal_faults"))
    for name, reader in _table(health, "readers").items():
        yield from _of_reader(str(name)[:40], reader if isinstance(reader, Mapping) else {})
    for name, fault in _table(health, "input_faults").items():
        yield f"the wire of input {str(name)[:40]} is {str(fault)[:40]}"
    if health.get("awaits_first_card") is True:
        yield "the unlock schedule waits for the first card"
    if health.get("risk_faults"):
        yield "the risk could not always be looked at"


def _of_reader(name: str, reader: Mapping[str, Any]) -> Iterator[str]:
    if reader.get("online") is False:
        yield f"reader {name} does not answer"
    if reader.get("tamper") is True:
        yield f"reader {name} was opened"


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key)
    return [str(each)[:LONGEST_SENTENCE] for each in value[:20]] if isinstance(value, list) else []


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value[:LONGEST_SENTENCE] if isinstance(value, str) else ""


def _word(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    return value[:40] if isinstance(value, str) else None
