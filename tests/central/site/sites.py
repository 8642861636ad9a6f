"""A site made by our own command, and the real Mosquitto or the real nats-server with the configuration that it wrote."""

from __future__ import annotations

import os
import shutil
import signal
import tarfile
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import TypeVar

import paho.mqtt.client as paho
import pytest
from msgspec.structs import replace
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from agent.link.session import Address
from central.site.accounts import add_person
from central.site.doors import enrol, revoke
from central.site.folder import Settings, Site
from central.site.init import Made, init
from central.site.joining import join
from central.site.mosquitto import Listeners
from central.site.people import BrokerRole
from central.site.running import centre_address
from tests.system.brokers import Process, free_port, wait_until

DATABASE = "sqlite:////tmp/central.db"
T = TypeVar("T")
_numbers = count(1)
PASSWORD = "correct horse battery staple"


def now() -> datetime:
    return datetime.now(timezone.utc)


def settings(folder: Path, site: str = "hq") -> Settings:
    listeners = Listeners(
        bind="127.0.0.1", doors_port=free_port(), people_port=free_port(), centre_port=free_port(), centre_bind="127.0.0.1"
    )
    return Settings(site=site, host="127.0.0.1", listeners=listeners, broker_user="root" if os.geteuid() == 0 else "",
                    data_folder=str(folder), pid_file=str(folder / "broker.pid"))  # fmt: skip


def made(folder: Path) -> Made:
    return init(folder / "site", settings(folder), now(), DATABASE)


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.fail(f"these tests need a real {name}: apt-get install {name}")
    return found


class GeneratedBroker(Process):
    """Mosquitto exactly as `doorward central init` configured it."""

    kind = "mosquitto"

    def __init__(self, folder: Path) -> None:
        made(folder)
        self.folder = folder
        self.site = Site.open(folder / "site")
        super().__init__([program("mosquitto"), "-c", str(self.site.broker / "mosquitto.conf")], folder / "mosquitto.log")

    def access_file(self) -> tuple[Path, str, str]:
        """Where it stands who may what; what a guard may say there, and what would be too much."""
        return self.site.broker / "acl", "cmd/broker-check/unlock", "cmd/+/+"

    def start(self) -> None:
        super().start()
        wait_until(lambda: Path(self.site.settings.pid_file).exists(), 10, "Mosquitto does not start")
        visitor = Visitor(self.centre(), "start")
        wait_until(visitor.try_again, 10, f"Mosquitto does not answer: {self.log.read_text()}")
        visitor.leave()

    def hang_up(self) -> None:
        os.kill(self.pid, signal.SIGHUP)

    def centre(self) -> Address:
        return centre_address(self.site)

    def enrol(self, door: str) -> Address:
        """Enrol a door, carry its archive there, unpack it; returns how the door finds the broker."""
        done = enrol(self.site, "hq", door, "", self.folder, now())
        with tarfile.open(done.archive) as archive:
            archive.extractall(self.folder / door)
        return self.door(door)

    def door(self, door: str, program: str = "door") -> Address:
        link = self.folder / door / "link"
        return Address(port=self.site.settings.listeners.doors_port, ca_file=str(link / "ca.crt"), cert_file=str(link / f"{program}.crt"),
                       key_file=str(link / f"{program}.key"))  # fmt: skip

    def revoke(self, door: str) -> bool:
        return revoke(self.site, "hq", door, now()).thrown_out

    def person(self, name: str, role: BrokerRole = "guard", password: str = PASSWORD) -> Address:
        """An account, and how its program finds the broker."""
        path = self.folder / f"{name}.password"
        path.write_text(PASSWORD)
        if name not in [person.name for person in self.site.people.all()]:
            add_person(self.site, name, role, "", path, now())
        path.write_text(password)
        return Address(port=self.site.settings.listeners.people_port, user=name, password_file=str(path),
                       ca_file=str(self.site.root / "ca.crt"))  # fmt: skip


class GeneratedCluster(GeneratedBroker):
    """A nats-server exactly as `doorward central cluster` configured it: one alone, soon ready, with the same rights as three."""

    kind = "nats"

    def __init__(self, folder: Path) -> None:
        made(folder)
        self.folder = folder
        told = {"nodes": [{"name": "n1", "host": "127.0.0.1"}], "port": free_port(), "client_port": free_port(),
                "monitor_port": free_port(), "data_folder": str(folder / "data"), "own_addresses": True,
                "user": "root" if os.geteuid() == 0 else "nats"}  # fmt: skip
        (folder / "data").mkdir()
        join(Site.open(folder / "site"), told, now())
        self.site = Site.open(folder / "site")
        node = folder / "site" / "nats" / "n1"
        Process.__init__(self, [program("nats-server"), "-c", "nats.conf"], folder / "nats.log", node)

    def start(self) -> None:
        Process.start(self)
        visitor = Visitor(self.centre(), "start")
        wait_until(visitor.try_again, 20, f"nats-server does not answer: {self.log.read_text()}")
        visitor.leave()

    def enrol(self, door: str) -> Address:
        return self._read_by_it(lambda: super(GeneratedCluster, self).enrol(door))

    def hang_up(self) -> None:
        self._read_by_it(super().hang_up)

    def _read_by_it(self, change: Callable[[], T]) -> T:
        """Nobody is let in before the server has read its list again, and says so."""
        before = self._reloads()
        result = change()
        if self.is_started:
            wait_until(lambda: self._reloads() > before, 10, "nats-server does not read its configuration again")
        return result

    def _reloads(self) -> int:
        return self.log.read_text().count("Reloaded server configuration") if self.log.exists() else 0

    def access_file(self) -> tuple[Path, str, str]:
        return self.site.root / "nats" / "n1" / "access.conf", "cmd.broker-check.unlock", "cmd.*.*"

    def door(self, door: str, program: str = "door") -> Address:
        link = self.folder / door / "link"
        return replace(
            self.centre(),
            ca_file=str(link / "ca.crt"),
            cert_file=str(link / f"{program}.crt"),
            key_file=str(link / f"{program}.key"),
        )

    def person(self, name: str, role: BrokerRole = "guard", password: str = PASSWORD) -> Address:
        if name not in [person.name for person in self.site.people.all()]:
            self._read_by_it(lambda: add_person(self.site, name, role, "", None, now(), self.folder))
        return replace(self.centre(), cert_file=str(self.folder / f"{name}.crt"), key_file=str(self.folder / f"{name}.key"))


BROKERS = (GeneratedBroker, GeneratedCluster)


def fresh_id() -> str:
    """No client id twice: for some seconds after a reload NATS holds the one of whoever has just left (docs/NATS.md)."""
    return f"program-{next(_numbers)}"


class Visitor:
    """Some program with a client of its own, which does not come back by itself."""

    def __init__(self, address: Address, client_id: str, *topics: str) -> None:
        self._address, self._topics = address, topics
        self.heard: list[tuple[str, bytes]] = []
        self.is_in, self.is_out = threading.Event(), threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv311,
                                  reconnect_on_failure=False)  # fmt: skip
        self.client.tls_set(address.ca_file, address.cert_file or None, address.key_file or None)
        if address.user:
            self.client.username_pw_set(address.user, Path(address.password_file).read_text().strip())
        self.client.on_connect = self._on_connect
        self.granted: list[bool] = []
        """Of each topic and of doorward/nothing: whether the broker lets us hear it, as it says."""
        self.client.on_subscribe = self._on_subscribe
        self.client.on_disconnect = lambda *_: self.is_out.set()
        self.client.on_message = lambda _client, _user, message: self.heard.append((message.topic, bytes(message.payload)))

    def _on_connect(self, client: paho.Client, _user: object, _flags: object, reason: ReasonCode, _properties: object) -> None:
        if reason.is_failure:
            self.is_out.set()
        else:
            client.subscribe([(topic, self._address.qos) for topic in (*self._topics, "doorward/nothing")])

    def _on_subscribe(
        self, _client: paho.Client, _user: object, _number: int, codes: list[ReasonCode], _properties: object
    ) -> None:
        self.granted = [not code.is_failure for code in codes]
        self.is_in.set()

    def try_again(self) -> bool:
        """Whether the broker answers by now."""
        try:
            return self.come_in()
        except OSError:
            return False

    def come_in(self) -> bool:
        """Whether the broker lets us in. Waits for its answer."""
        self.is_in.clear()
        self.is_out.clear()
        self.client.connect(self._address.host, self._address.port)
        self.client.loop_start()
        wait_until(lambda: self.is_in.is_set() or self.is_out.is_set(), 10, "the broker says neither yes nor no")
        return self.is_in.is_set()

    def says(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> None:
        """Returns when the broker has taken it, or seems to have."""
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def has_heard(self, topic: str, payload: bytes = b"x") -> bool:
        return (topic, payload) in self.heard

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
