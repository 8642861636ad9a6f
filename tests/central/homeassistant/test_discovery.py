"""Home Assistant's account at a site's broker is told of doors, and may work a lock only where the site says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import asdict

from agent.clock import SystemClock
from agent.config import parse_config
from agent.core.commands import Command, Refusal
from agent.core.messages import Event
from agent.link.cloudevents import Told
from agent.link.mqtt import Link
from agent.records.journal import Journal
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook
from central.gateway.door_rows import Facts
from central.history.events import EventStore
from central.homeassistant.discovery import Discovery
from central.settings import HomeAssistant
from tests.central.gateway.house import database
from tests.central.site.sites import GeneratedBroker, Visitor, now
from tests.system.brokers import running, wait_until

pytestmark = pytest.mark.system

CLOCK = SystemClock()
FACTS = Facts(
    name=lambda site, door: door.title(), zone=lambda site, door: "Lobby", doors=lambda: [("hq", "front"), ("hq", "back")]
)
LOCK = "homeassistant/lock/doorward/hqXfrontXlock/config"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeneratedBroker]:
    made = GeneratedBroker(tmp_path_factory.mktemp("site"))
    with running(made):
        yield made


class House:
    """The centre's part, and Home Assistant's own connection."""

    def __init__(self, broker: GeneratedBroker, folder: Path, settings: HomeAssistant) -> None:
        self.engine = database(folder)
        self.book = DoorBook(broker.centre(), CLOCK)
        self.audit = AuditLog(self.engine, CLOCK)
        self.discovery = Discovery(broker.centre(), settings, self.engine, CLOCK, self.audit, self.book, FACTS)
        self.assistant = Visitor(
            broker.person("hass", "home-assistant"), "x", "homeassistant/#", "doorward/+/+/state/#", "doorward/+/+/evt"
        )

    def entities(self) -> set[str]:
        """Topics of the entities that are told now."""
        newest = {topic: payload for topic, payload in self.assistant.heard if topic.endswith("/config")}
        return {topic for topic, payload in newest.items() if payload}

    def told(self, topic: str) -> list[object]:
        return [json.loads(payload) for heard, payload in self.assistant.heard if heard == topic and payload]


@contextmanager
def house(broker: GeneratedBroker, folder: Path, settings: HomeAssistant) -> Iterator[House]:
    made = House(broker, folder, settings)
    made.book.start()
    made.discovery.start()
    try:
        assert made.assistant.come_in()
        yield made
    finally:
        made.assistant.leave()
        made.discovery.stop()
        made.book.stop()
        made.engine.dispose()


def test_it_sees_every_door_and_what_no_longer_is_to_be_seen_goes(broker: GeneratedBroker, tmp_path: Path) -> None:
    with house(broker, tmp_path, HomeAssistant(enabled=True, commands=("lock",))) as all_of_it:
        of_both = re.compile("/hqX(front|back)X[a-z]+/")
        wait_until(
            lambda: sum(1 for topic in all_of_it.entities() if of_both.search(topic)) == 16, 10, "not every entity is told"
        )
        assert LOCK in all_of_it.entities()
    with house(broker, tmp_path, HomeAssistant(enabled=True, doors=("hq/back",))) as one:
        wait_until(lambda: len(one.entities()) == 7, 10, "what is not to be seen is told still")
        assert all("hqXback" in topic for topic in one.entities())


def test_it_is_told_of_problems_and_events_and_of_nobody_who_passed(broker: GeneratedBroker, tmp_path: Path) -> None:
    front = Visitor(broker.enrol("front"), "x")
    assert front.come_in()
    with house(broker, tmp_path, HomeAssistant(enabled=True)) as here:
        front.says(
            "doorward/hq/front/state/health", b'{"value": {"vision": "missing"}, "at": "2026-03-02T08:30:00Z"}', retain=True
        )
        problem = "homeassistant/doorward/hq/front/problem"
        wait_until(
            lambda: {"state": "ON", "faults": ["vision does not tell what it sees"]} in here.told(problem), 10, "no problem"
        )
        event = Event(
            sequence=1, journal="aa", id="id-1", kind="access.granted", at=now(), mono_s=1.0, data={"cardholder": "holder-1"}
        )
        EventStore(here.engine).commit([Told("hq", "front", event)], [], now())
        here.discovery.wake()
        topic = "homeassistant/doorward/hq/front/event"
        wait_until(lambda: here.told(topic) == [{"event_type": "access.granted"}], 10, "no event")
        front.says("doorward/hq/front/evt", b"holder-1")
        front.says("doorward/hq/front/state/mode", b'{"value": "Locked"}')
        wait_until(lambda: here.assistant.has_heard("doorward/hq/front/state/mode", b'{"value": "Locked"}'), 10, "no state")
        assert not any(b"holder-1" in payload for _, payload in here.assistant.heard)
    front.leave()


def test_a_lock_is_worked_by_the_door_itself_and_is_on_record(broker: GeneratedBroker, tmp_path: Path) -> None:
    taken: list[str] = []
    address = broker.enrol("vault")
    journal = Journal(tmp_path / "door", CLOCK)

    def obey(command: Command | Refusal) -> None:
        assert isinstance(command, Command)
        taken.append(f"{command.user} {command.name}")
        link.result(command.id, True, "done", command.user)

    link = Link(parse_config({"site": "hq", "door": "vault", "link": asdict(address)}), journal, obey)
    link.start()
    wait_until(lambda: bool(link.health()["connected"]), 10, "the door cannot connect")
    with house(broker, tmp_path, HomeAssistant(enabled=True, commands=("lock",))) as here:
        wait_until(lambda: any("lock/doorward/hqXvault" in topic for topic in here.entities()), 10, "the door is not told of")
        topic = "homeassistant/doorward/hq/vault/lock"
        here.assistant.says(topic, b"UNLOCK")
        here.assistant.says("homeassistant/doorward/hq/nowhere/lock/more", b"LOCK")
        here.assistant.says("doorward/hq/vault/cmd/hass/lock", b"{}")
        here.assistant.says(topic, b"LOCK")
        wait_until(lambda: taken == ["home-assistant lock"], 10, f"{taken}")
        wait_until(lambda: any(row.what == "door.command" for row in here.audit.rows()), 10, "it is not on record")
    link.close()
    journal.close()
