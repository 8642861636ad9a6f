"""Every event reaches the historian's database once, whoever is killed on the way."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.config import Config, parse_config
from agent.core.commands import Command, Refusal
from agent.link.mqtt import Link
from agent.link.session import Address, Say
from agent.records.journal import Journal
from central.commands import Commander
from central.database.opening import open_to_write, opened_to_read
from central.history.events import EventStore
from central.history.historian import Historian
from tests.system.brokers import KINDS, Broker, Process, running, wait_until

pytestmark = pytest.mark.system

CLOCK = SystemClock()


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    return Broker(request.param, tmp_path)


def config_for(broker: Broker, **link: Any) -> Config:
    return parse_config({"site": "hq", "door": "front", "link": {"port": broker.port, "ack_timeout_s": 0.5, **link}})


def central_process(broker: Broker, folder: Path) -> Process:
    command = [
        sys.executable,
        "-m",
        "agent.cli",
        "central",
        "run",
        "--port",
        str(broker.port),
        "--database",
        str(folder / "central.db"),
    ]
    return Process(command, folder / "central.log")


def append(journal: Journal, number: int) -> tuple[str, int, str]:
    event = journal.append("access.granted", {"number": number}, CLOCK.wall(), CLOCK.mono_s())
    return event.journal, event.sequence, event.id


def stored(folder: Path) -> list[tuple[str, int, str]]:
    with opened_to_read(folder / "central.db") as engine:
        events = [kept.told.event for kept in EventStore(engine).events()]
    return [(event.journal, event.sequence, event.id) for event in events]


def is_empty(journal: Journal) -> bool:
    return journal.flush(0.1) and not journal.pending(0, 1)


def test_broker_and_historian_are_killed_again_and_again_and_no_event_is_lost_or_doubled(broker: Broker, tmp_path: Path) -> None:
    central, dice, told = central_process(broker, tmp_path), random.Random(), []
    with running(broker, central):
        journal = Journal(tmp_path / "door", CLOCK)
        link = Link(config_for(broker), journal, lambda command: None)
        link.start()
        for round_number in range(6):
            for number in range(150):
                told.append(append(journal, number))
                time.sleep(dice.uniform(0, 0.002))
            victim = broker if round_number % 2 else central
            victim.kill()
            told += [append(journal, number) for number in range(20)]
            victim.start()
        wait_until(lambda: is_empty(journal), 30, f"the journal still holds events: {link.health()}")
        link.close()
        journal.close()
    found = stored(tmp_path)
    assert len(found) == len(set(found))
    assert set(found) == set(told)
    with opened_to_read(tmp_path / "central.db") as engine:
        assert EventStore(engine).gaps() == []
        assert EventStore(engine).conflicts() == []


def test_the_door_program_is_killed_too_and_every_event_it_told_of_arrives(broker: Broker, tmp_path: Path) -> None:
    central, dice, told = central_process(broker, tmp_path), random.Random(), set()
    script = Path(__file__).with_name("journal_door.py")
    with running(broker, central):
        for round_number in range(6):
            door = Process([sys.executable, "-m", f"tests.system.{script.stem}", str(tmp_path / "door"), str(broker.port), "0.001"],
                           tmp_path / f"door-{round_number}.out")  # fmt: skip
            door.start()
            wait_until(lambda door=door: door.log.stat().st_size > 0, 10, "the door does not start")  # type: ignore[misc]
            time.sleep(dice.uniform(0.0, 0.5))
            if round_number % 3 == 1:
                broker.kill()
            door.kill()
            if round_number % 3 == 1:
                broker.start()
            told |= told_by(door)
        journal = Journal(tmp_path / "door", CLOCK)
        link = Link(config_for(broker), journal, lambda command: None)
        link.start()
        wait_until(lambda: is_empty(journal), 30, f"the journal still holds events: {link.health()}")
        link.close()
        journal.close()
    found = stored(tmp_path)
    assert len({(journal_id, sequence) for journal_id, sequence, _ in found}) == len(found)
    assert told <= set(found)
    assert len(found) - len(told) <= 6  # an event that was on record when the program died before it could say so


def told_by(door: Process) -> set[tuple[str, int, str]]:
    whole_lines = door.log.read_text("utf-8", "replace").split("\n")[:-1]
    fields = [line.split() for line in whole_lines]
    return {(words[0], int(words[1]), words[2]) for words in fields if len(words) == 3 and words[1].isdigit()}


class ForgetfulHistorian(Historian):
    """Commits, and loses its first acknowledgements on the way out."""

    lost = 0

    def turn(self, say: Say, now_s: float) -> float:
        if self._acks and self.lost < 5:
            self._acks.clear()
            self.lost += 1
        return super().turn(say, now_s)


def test_lost_acknowledgements_make_repetitions_and_no_second_row(broker: Broker, tmp_path: Path) -> None:
    with running(broker):
        historian = ForgetfulHistorian(Address(port=broker.port), open_to_write(tmp_path / "central.db"), CLOCK)
        historian.start()
        journal = Journal(tmp_path / "door", CLOCK)
        link = Link(config_for(broker, ack_timeout_s=0.2), journal, lambda command: None)
        link.start()
        told = [append(journal, number) for number in range(60)]
        wait_until(lambda: is_empty(journal), 20, f"the journal still holds events: {link.health()}")
        wait_until(lambda: historian.lost > 0, 1, "nothing was lost, so nothing was tried")
        link.close()
        journal.close()
        historian.stop()
    assert stored(tmp_path) == told
    assert historian.totals.repeated > 0


def test_a_door_that_dies_is_reported_offline_by_the_broker(broker: Broker, tmp_path: Path) -> None:
    watched: dict[str, bytes] = {}
    with running(broker):
        door = Process([sys.executable, "-m", "tests.system.journal_door", str(tmp_path / "door"), str(broker.port), "0.05"],
                       tmp_path / "door.out")  # fmt: skip
        watcher = Watcher(broker, watched)
        door.start()
        wait_until(lambda: watched.get("doorward/hq/front/online") == b"true", 10, f"the door is not online: {watched}")
        door.kill()
        wait_until(lambda: watched.get("doorward/hq/front/online") == b"false", 10, f"no last will: {watched}")
        watcher.stop()
        late: dict[str, bytes] = {}
        watcher = Watcher(broker, late)
        wait_until(lambda: late.get("doorward/hq/front/online") == b"false", 5, "the last will was not retained")
        watcher.stop()


class Watcher:
    """Subscribes to everything and keeps the newest message of each topic."""

    def __init__(self, broker: Broker, seen: dict[str, bytes]) -> None:
        from agent.link.session import Session

        self.seen = seen
        self._session = Session(Address(port=broker.port), "watcher", self)
        self._session.start()
        self.stop = self._session.stop
        wait_until(lambda: self._session.is_connected, 10, "the watcher cannot connect")

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/#")

    def turn(self, say: Say, now_s: float) -> float:
        return 1.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        self.seen[topic] = payload

    def leaving(self, say: Say) -> None:
        pass


def test_states_are_retained_and_said_again_after_the_broker_lost_them(broker: Broker, tmp_path: Path) -> None:
    with running(broker):
        journal = Journal(tmp_path / "door", CLOCK)
        link = Link(config_for(broker), journal, lambda command: None)
        link.start()
        link.publish_state("mode", "LockedDown")
        for attempt in range(2):
            seen: dict[str, bytes] = {}
            wait_until(lambda: link.health()["connected"], 10, "the door does not come back")
            watcher = Watcher(broker, seen)
            wait_until(lambda seen=seen: b"LockedDown" in seen.get("doorward/hq/front/state/mode", b""), 5, f"{seen}")  # type: ignore[misc]
            watcher.stop()
            if attempt == 0:
                broker.kill()
                wait_until(lambda: not link.health()["connected"], 5, "the door does not notice")
                broker.start()
        link.close()
        journal.close()


class Guarded:
    """A door that obeys every command that is admitted."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.taken: list[Command | Refusal] = []
        self.journal = Journal(folder / "door", CLOCK)
        self.link = Link(config_for(broker), self.journal, self.take)
        self.link.start()
        wait_until(lambda: bool(self.link.health()["connected"]), 10, "the door does not connect")

    def take(self, command: Command | Refusal) -> None:
        self.taken.append(command)
        if isinstance(command, Command):
            self.link.result(command.id, True, "done", command.user)
        else:
            self.link.result(command.id, False, command.reason, command.user)

    def close(self) -> None:
        self.link.close()
        self.journal.close()


def test_a_command_is_carried_out_and_answered(broker: Broker, tmp_path: Path) -> None:
    with running(broker):
        door = Guarded(broker, tmp_path)
        commander = Commander(Address(port=broker.port), CLOCK, "guard")
        answer = commander.give("hq", "front", "guard-1", "unlock", "parcel")
        assert (answer.ok, answer.reason, answer.user) == (True, "done", "guard-1")
        answer = commander.give("hq", "front", "guard-1", "unlock", valid_s=50.0)
        assert (answer.ok, answer.reason) == (False, "too_long_lived")
        commander.close()
        door.close()
    assert [type(taken) for taken in door.taken] == [Command, Refusal]


def test_random_bytes_on_every_topic_of_a_door_leave_it_working(broker: Broker, tmp_path: Path) -> None:
    dice = random.Random(7)
    with running(broker):
        door = Guarded(broker, tmp_path)
        commander = Commander(Address(port=broker.port), CLOCK, "guard")
        wait_until(lambda: commander.is_connected, 10, "the commander does not connect")
        for _ in range(50):
            for topic in ("ack", "cmd/guard-1/unlock", "cmd/guard-1/nonsense", "evt", "result/abcdefgh"):
                Vandal(commander).publish(f"doorward/hq/front/{topic}", dice.randbytes(dice.randint(0, 200)))
        answer = commander.give("hq", "front", "guard-1", "lockdown")
        assert answer.ok
        commander.close()
        door.close()
    assert sum(isinstance(taken, Refusal) for taken in door.taken) == 100
    assert door.link.health()["unreadable"] == 50


class Vandal:
    """Publishes through somebody's connection."""

    def __init__(self, commander: Commander) -> None:
        self._commander = commander

    def publish(self, topic: str, payload: bytes) -> None:
        from central.commands import Order

        self._commander._orders.append(Order(id="", topic=topic, answer_topic="", payload=payload))


def test_a_lock_down_given_while_the_door_is_away_arrives_with_the_connection(tmp_path: Path) -> None:
    broker = Broker("mosquitto", tmp_path)  # the embedded broker keeps no sessions: central/broker.py says so
    with running(broker):
        door = Guarded(broker, tmp_path)
        commander = Commander(Address(port=broker.port), CLOCK, "guard")
        wait_until(lambda: commander.is_connected, 10, "the commander does not connect")
        drop_connection(door.link)
        answer = commander.give("hq", "front", "guard-1", "lockdown")
        assert answer.ok
        commander.close()
        door.close()


def drop_connection(link: Link) -> None:
    """Cut the wire as a failing switch does."""
    import gc
    import socket

    import paho.mqtt.client as paho

    for client in [thing for thing in gc.get_objects() if isinstance(thing, paho.Client)]:
        sock: Any = client.socket()
        if sock is not None and client._client_id == b"doorward-hq-front":
            with socket.fromfd(sock.fileno(), socket.AF_INET, socket.SOCK_STREAM) as wire:
                wire.shutdown(socket.SHUT_RDWR)
