"""A command from a browser to a door and back, over a real broker."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from agent.clock import SystemClock
from agent.link.session import Address, Say, Session
from central.commands import Commander
from tests.central.gateway.house import House
from tests.system.brokers import Broker, running, wait_until

pytestmark = pytest.mark.system


class Door:
    """Answers commands as a door does: it obeys `unlock`, refuses `lock`, and is silent at `release`."""

    def __init__(self, answers_as: str = "front") -> None:
        self.heard: list[tuple[str, str]] = []
        self._base = f"doorward/hq/{answers_as}"
        self._answers: list[tuple[str, bytes]] = []
        self._session: Session | None = None

    def start(self, address: Address) -> Session:
        self._session = Session(address, "doorward-hq-front", self)
        self._session.start()
        return self._session

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/hq/front/cmd/+/+")
        say.publish("doorward/hq/front/online", b"true", retain=True)
        say.publish("doorward/hq/front/state/lock", b'{"value": "secured"}', retain=True)

    def turn(self, say: Say, now_s: float) -> float:
        answers, self._answers = self._answers, []
        for topic, payload in answers:
            say.publish(topic, payload)
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        _, _, _, _, user, name = topic.split("/")
        self.heard.append((user, name))
        order = msgspec.json.decode(payload)
        answer = {"id": order["id"], "ok": name == "unlock", "reason": "" if name == "unlock" else "stale", "user": user}
        if name != "release":
            self._answers.append((f"{self._base}/result/{order['id']}", msgspec.json.encode(answer)))
        assert self._session is not None
        self._session.wake()

    def leaving(self, say: Say) -> None:
        say.publish("doorward/hq/front/online", b"false", retain=True)


def test_a_command_is_shown_as_done_only_when_the_door_says_so(tmp_path: Path) -> None:
    broker = Broker("mosquitto", tmp_path)
    with running(broker):
        house, door = House(tmp_path, Address(port=broker.port)), Door()
        session = door.start(Address(port=broker.port))
        house.book.start()
        with house.open(), house.signed_in("charles", "guard") as browser:
            wait_until(
                lambda: house.commander.is_connected and any(each.online for each in house.book.snapshot()),
                20,
                "no door is heard",
            )
            give = lambda name: browser.post("/api/doors/hq/front/commands", json={"command": name, "why": "parcel"}).json()  # noqa: E731
            assert (give("unlock")["ok"], door.heard) == (True, [("charles", "unlock")])
            refused = give("lock")
            assert (refused["ok"], refused["reason"], refused["sentence"]) == (False, "stale", "the command has expired")
            silent = give("release")
            assert (silent["ok"], silent["reason"]) == (False, "no_answer")
            assert "not known" in silent["sentence"]
            assert [(each.what, each.about) for each in house.audit.rows(limit=2)] == [
                ("command.answered", "hq/front"), ("command.release", "hq/front")]  # fmt: skip
            session.stop()
            wait_until(
                lambda: browser.get("/api/doors").json()[0]["online"] is False, 20, "a door that left is still shown as there"
            )
            broker.kill()
            wait_until(lambda: not house.book.is_connected, 20, "a broker that died is not noticed")
            assert "lost its broker" in browser.get("/api/doors").json()[0]["health"]["faults"][0]
        house.book.stop()


def test_another_door_cannot_answer_for_the_one_that_was_asked(tmp_path: Path) -> None:
    broker = Broker("mosquitto", tmp_path)
    with running(broker):
        address, liar = Address(port=broker.port), Door(answers_as="back")
        session, commander = liar.start(address), Commander(address, SystemClock(), "test-commands")
        try:
            wait_until(lambda: commander.is_connected and session.is_connected, 20, "the broker is not reached")
            answer = commander.give("hq", "front", "charles", "unlock", valid_s=2.0)
            assert (answer.ok, answer.reason, liar.heard) == (False, "no_answer", [("charles", "unlock")])
        finally:
            commander.close()
            session.stop()


def test_a_guard_is_let_give_a_command_while_somebody_holds_the_database(tmp_path: Path) -> None:
    """As an import of a quarter of a million people does, or a disk that is full."""
    broker = Broker("mosquitto", tmp_path)
    with running(broker):
        house, door = House(tmp_path, Address(port=broker.port)), Door()
        session = door.start(Address(port=broker.port))
        house.book.start()
        with house.open(), house.signed_in("charles", "guard") as browser:
            wait_until(lambda: house.commander.is_connected and bool(house.book.snapshot()), 20, "no door is heard")
            house.clock.turn(120)  # their session's use is to be written down
            thief = sqlite3.connect(tmp_path / "central.db", isolation_level=None)
            thief.execute("BEGIN IMMEDIATE")
            try:
                answer = browser.post("/api/doors/hq/front/commands", json={"command": "unlock"})
                assert (answer.status_code, answer.json()["ok"]) == (200, True)
            finally:
                thief.execute("ROLLBACK")
                thief.close()
            wait_until(
                lambda: {"command.unlock", "command.answered"} <= {row.what for row in house.audit.rows()},
                40,
                "it is on no record",
            )
        session.stop()
        house.book.stop()
