"""A real Home Assistant, 2024.3.3 from PyPI, makes entities of our doors. `make homeassistant` installs it into an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.core.messages import Event
from agent.link.cloudevents import Told
from agent.link.session import Address
from central.history.events import EventStore
from central.settings import HomeAssistant
from tests.central.homeassistant.test_discovery import house
from tests.central.site.sites import GeneratedBroker, Visitor, now
from tests.system.brokers import free_port, running, wait_until

PYTHON = os.environ.get("HOMEASSISTANT_PYTHON", ".venv-homeassistant/bin/python")
pytestmark = [pytest.mark.homeassistant, pytest.mark.skipif(not Path(PYTHON).exists(), reason="needs `make homeassistant`")]

PROGRAM = Path(__file__).with_name("real_house.py")
AT = '"at": "2026-03-02T08:30:00Z"'


STATES = {
    "lock": '"secured"', "contact": '"open"', "alarm": '"held"', "mode": '"Locked"', "health": "{}",
    "risk": '{"band": "high", "sentence": "somebody lingers", "zone": "approach"}',
}  # fmt: skip


class RealHouse:
    """The process, and what it has told of its entities."""

    def __init__(self, folder: Path, address: Address) -> None:
        entry = {"broker": address.host, "port": address.port, "username": address.user, "certificate": Path(address.ca_file).read_text(),
                 "tls_insecure": False,
                 "password": Path(address.password_file).read_text(), "discovery": True, "http_port": free_port()}  # fmt: skip
        self._log = folder / "home.log"
        self.states: dict[str, Any] = {}
        self._process = subprocess.Popen([PYTHON, str(PROGRAM), str(folder), json.dumps(entry)], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=self._log.open("wb"), text=True)  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            told = json.loads(line)
            self.states[told["entity"]] = told

    def state(self, entity: str) -> Any:
        assert self._process.poll() is None, self._log.read_text()
        return self.states.get(entity, {}).get("state")

    def call(self, words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def real_house(folder: Path, address: Address) -> Iterator[RealHouse]:
    folder.mkdir()
    made = RealHouse(folder, address)
    try:
        yield made
    finally:
        made.close()


def test_a_door_is_a_device_with_a_lock_a_contact_a_mode_a_risk_a_problem_and_events(tmp_path: Path) -> None:
    broker = GeneratedBroker(tmp_path)
    with running(broker), house(broker, tmp_path, HomeAssistant(enabled=True, commands=("lock", "unlock"))) as here:
        front = Visitor(broker.enrol("front"), "x", "doorward/hq/front/cmd/#")
        assert front.come_in()
        front.says("doorward/hq/front/online", b"true", retain=True)
        for name, value in STATES.items():
            front.says(f"doorward/hq/front/state/{name}", f'{{"value": {value}, {AT}}}'.encode(), retain=True)
        with real_house(tmp_path / "home", broker.person("assistant", "home-assistant")) as home:
            wanted = {"lock.front_lock": "locked", "binary_sensor.front_unlocked": "off", "binary_sensor.front_contact": "on",
                      "sensor.front_alarm": "held", "sensor.front_mode": "Locked", "sensor.front_risk": "high",
                      "binary_sensor.front_problem": "off", "event.front_event": "unknown"}  # fmt: skip

            def there() -> dict[str, Any]:
                return {entity: home.state(entity) for entity in wanted}

            wait_until(lambda: there() == wanted, 30, "the entities are not there")
            assert home.states["sensor.front_risk"]["attributes"]["sentence"] == "somebody lingers"
            assert home.state("sensor.back_mode") == "unavailable"

            event = Event(sequence=1, journal="aa", id="id-1", kind="access.denied", at=now(), mono_s=1.0, data={})
            EventStore(here.engine).commit([Told("hq", "front", event)], [], now())
            here.discovery.wake()
            wait_until(lambda: home.state("event.front_event") != "unknown", 10, "no event")
            assert home.states["event.front_event"]["attributes"]["event_type"] == "access.denied"

            front.says("doorward/hq/front/state/lock", f'{{"value": "jammed", {AT}}}'.encode(), retain=True)
            wait_until(lambda: home.state("lock.front_lock") == "jammed", 10, f"{home.states['lock.front_lock']}")
            home.call("lock unlock lock.front_lock")
            topic = "doorward/hq/front/cmd/home-assistant/unlock"
            wait_until(lambda: any(heard == topic for heard, _ in front.heard), 10, "the door gets no command")
        front.leave()
