"""What Home Assistant is told of a door, in its discovery form of one message for each entity (checked with 2024.3.3). Pure.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. Topics are PREFIX/COMPONENT/doorward/OBJECT/config; OBJECT is site, door and
entity with an X between, which no topic level of ours holds, so that no two doors can be told as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from agent import __version__
from agent.core.event_words import SENTENCES
from agent.core.messages import DoorMode

PREFIX = "homeassistant"
"""Its discovery prefix; the broker's access list is written for it."""
NODE = "doorward"
BANDS = ("ordinary", "raised", "high", "critical")
ALARMS = ("none", "forced", "held", "propped")
MODES = tuple(mode.value for mode in DoorMode)


class Place(Struct, frozen=True, order=True):
    """A door as Home Assistant is to know it."""

    site: str
    door: str
    name: str
    zone: str = ""
    commands: bool = False
    """Whether its lock may be worked from there."""


def object_of(site: str, door: str, entity: str) -> str:
    return f"{site}X{door}X{entity}"


def own_topic(prefix: str, place: Place, what: str) -> str:
    """Where the centre itself says, or hears, what is for Home Assistant only: `problem`, `event`, `lock`."""
    return f"{prefix}/{NODE}/{place.site}/{place.door}/{what}"


def place_in(prefix: str, topic: str) -> tuple[str, str] | None:
    """Site and door of a `lock` topic."""
    levels = topic.split("/")
    return (levels[2], levels[3]) if len(levels) == 5 and levels[:2] == [prefix, NODE] and levels[4] == "lock" else None


def config_topics(prefix: str) -> str:
    """A filter for every entity that was ever told."""
    return f"{prefix}/+/{NODE}/+/config"


def messages(prefix: str, places: Sequence[Place], qos: int = 1) -> dict[str, bytes]:
    """Payload by topic, all of them to be retained. `qos` is what Home Assistant is to ask of the broker."""
    return {
        f"{prefix}/{component}/{NODE}/{object_of(place.site, place.door, entity)}/config": msgspec.json.encode(
            {**told, **_common(place, entity), "qos": qos}
        )
        for place in places
        for component, entity, told in _entities(prefix, place)
    }


def _common(place: Place, entity: str) -> dict[str, Any]:
    device = {"identifiers": [f"{NODE}/{place.site}/{place.door}"], "name": place.name, "manufacturer": "Doorward", "model": "Door",
              **({"suggested_area": place.zone} if place.zone else {})}  # fmt: skip
    return {
        "unique_id": f"{NODE}/{place.site}/{place.door}/{entity}",
        "device": device,
        "origin": {"name": "Doorward", "sw_version": __version__},
        "availability_topic": f"doorward/{place.site}/{place.door}/online",
        "payload_available": "true",
        "payload_not_available": "false",
    }


def _entities(prefix: str, place: Place) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Component, entity and what is special about it."""
    base = f"doorward/{place.site}/{place.door}/state"
    if place.commands:
        yield "lock", "lock", {
            "name": "Lock", "state_topic": f"{base}/lock", "command_topic": own_topic(prefix, place, "lock"),
            "value_template": _one_of({"secured": "LOCKED", "released": "UNLOCKED", "jammed": "JAMMED"}), "optimistic": False,
        }  # fmt: skip
    yield "binary_sensor", "unlocked", {
        "name": "Unlocked", "device_class": "lock",
        "state_topic": f"{base}/lock", "value_template": _one_of({"secured": "OFF", "released": "ON"}),
    }  # fmt: skip
    yield "binary_sensor", "contact", {
        "name": "Contact", "device_class": "door",
        "state_topic": f"{base}/contact", "value_template": _one_of({"open": "ON", "closed": "OFF"}),
    }  # fmt: skip
    yield "binary_sensor", "problem", {
        "name": "Problem", "device_class": "problem", "entity_category": "diagnostic", "state_topic": own_topic(prefix, place, "problem"),
        "value_template": "{{ value_json.state }}", "json_attributes_topic": own_topic(prefix, place, "problem"),
    }  # fmt: skip
    yield "sensor", "mode", _enumerated("Mode", f"{base}/mode", "value_json.value", MODES)
    yield "sensor", "alarm", _enumerated("Alarm", f"{base}/alarm", "value_json.value", ALARMS)
    yield "sensor", "risk", {
        **_enumerated("Risk", f"{base}/risk", "value_json.value.band", BANDS),
        "json_attributes_topic": f"{base}/risk",
        "json_attributes_template": "{{ {'sentence': value_json.value.sentence, 'zone': value_json.value.zone} | tojson }}",
    }  # fmt: skip
    yield "event", "event", {"name": "Event", "state_topic": own_topic(prefix, place, "event"), "event_types": sorted(SENTENCES)}


def _one_of(words: Mapping[str, str]) -> str:
    """A template; what is not among the words is unknown, which Home Assistant calls None."""
    pairs = ", ".join(f"'{ours}': '{theirs}'" for ours, theirs in words.items())
    return "{{ {" + pairs + "}.get(value_json.value, 'None') }}"


def _enumerated(name: str, topic: str, value: str, options: Sequence[str]) -> dict[str, Any]:
    return {
        "name": name,
        "device_class": "enum",
        "options": list(options),
        "state_topic": topic,
        "value_template": "{{ " + value + " }}",
    }


def problem(faults: Sequence[str]) -> bytes:
    """Payload of `problem`: never what a door must keep to itself, only that it, or its wiring, needs somebody."""
    return msgspec.json.encode({"state": "ON" if faults else "OFF", "faults": list(faults)})


def event(kind: str) -> bytes:
    """Payload of `event`: that it happened. Whom it concerns stays here."""
    return msgspec.json.encode({"event_type": kind})
