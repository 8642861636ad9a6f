"""What Home Assistant is told of a door: by its own documentation's rules, and nothing of anybody who passed."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.event_words import SENTENCES
from central.homeassistant.entities import PREFIX, Place, event, messages, object_of, own_topic, place_in, problem

FRONT = Place("hq", "front", "Front door", "Lobby")
REQUIRED = {
    "lock": {"command_topic"},
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
}
CLASSES = {"binary_sensor": {"lock", "door", "problem"}, "sensor": {"enum"}}
LEVELS = st.from_regex(r"[a-z0-9_-]{1,40}", fullmatch=True)


def told(place: Place) -> dict[str, dict[str, object]]:
    return {topic: json.loads(raw) for topic, raw in messages(PREFIX, [place]).items()}


@pytest.mark.parametrize("commands", [False, True])
def test_every_entity_has_what_its_component_asks_for(commands: bool) -> None:
    place = Place("hq", "front", "Front door", "Lobby", commands)
    for topic, entity in told(place).items():
        found = re.fullmatch(r"homeassistant/([a-z_]+)/doorward/[a-zA-Z0-9_-]+/config", topic)
        assert found is not None
        component = found[1]
        assert REQUIRED[component] <= set(entity)
        assert entity.get("device_class") in {None, *CLASSES.get(component, ())}
        assert entity["availability_topic"] == "doorward/hq/front/online"
        if entity.get("device_class") == "enum":
            assert entity["options"]


def test_a_door_has_a_lock_only_where_the_site_lets_it_be_worked() -> None:
    components = {topic.split("/")[1] for topic in told(FRONT)}
    assert components == {"binary_sensor", "sensor", "event"}
    working = told(Place("hq", "front", "Front door", "", commands=True))
    assert any(topic.startswith("homeassistant/lock/") for topic in working)


def test_no_topic_of_events_that_name_people_is_given_away() -> None:
    for entity in told(FRONT).values():
        assert not any(str(value).endswith("/evt") for value in entity.values())
    assert json.loads(event("access.denied")) == {"event_type": "access.denied"}


def test_every_kind_of_event_is_one_that_home_assistant_expects() -> None:
    entity = next(entity for topic, entity in told(FRONT).items() if topic.startswith("homeassistant/event/"))
    assert entity["event_types"] == sorted(SENTENCES)


def test_a_problem_says_what_it_is() -> None:
    assert json.loads(problem([])) == {"state": "OFF", "faults": []}
    assert json.loads(problem(["the camera seems covered"]))["state"] == "ON"


@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=2, max_size=2, unique=True))
def test_no_two_doors_are_ever_told_as_one(doors: list[tuple[str, str]]) -> None:
    one, other = doors
    assert object_of(*one, "mode") != object_of(*other, "mode")
    first, second = messages(PREFIX, [Place(*one, "x")]), messages(PREFIX, [Place(*other, "x")])
    assert not set(first) & set(second)


@given(LEVELS, LEVELS)
def test_a_command_finds_its_door(site: str, door: str) -> None:
    assert place_in(PREFIX, own_topic(PREFIX, Place(site, door, ""), "lock")) == (site, door)
    assert place_in(PREFIX, own_topic(PREFIX, Place(site, door, ""), "event")) is None


@given(st.text(max_size=60))
def test_any_other_topic_is_no_door(topic: str) -> None:
    assert place_in(PREFIX, topic) is None
