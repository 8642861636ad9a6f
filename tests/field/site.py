"""The centre of the door in the virtual machine: authority, Mosquitto with its certificates, historian; on this computer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from agent.core.messages import Event
from central.database.engine import StoreError
from central.database.opening import opened_to_read
from central.history.events import EventStore
from tests.system.brokers import Process, free_port, wait_until

SEEN_FROM_INSIDE = "10.0.2.2"
"""This computer's loopback, as QEMU's user network shows it to the machine."""


def program(*words: object) -> list[str]:
    return [sys.executable, "-m", "agent.cli", *map(str, words)]


def must(*words: object) -> str:
    done = subprocess.run(program(*words), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "site"
        self.database = self.root / "central.db"
        ports = [word for name in ("doors", "people", "centre") for word in (f"--{name}-port", free_port())]
        must("central", "init", self.root, "--site", "hq", "--host", SEEN_FROM_INSIDE, "--also", "127.0.0.1", "--bind", "127.0.0.1",
             "--data-folder", self.root, "--pid-file", self.root / "pid", "--database-url", f"sqlite:///{self.database}",
             *ports, *(("--broker-user", "root") if os.geteuid() == 0 else ()))  # fmt: skip
        config = self.root / "central.toml"
        with config.open("a") as file:
            file.write(f"\n[gateway]\nport = {free_port()}\n")
        must("central", "enrol-door", self.root, "hq", "front", "--out", folder)
        self.keys = folder / "front.doorward"
        mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
        assert mosquitto is not None, "apt-get install mosquitto"
        self.broker = Process([mosquitto, "-c", str(self.root / "broker" / "mosquitto.conf")], folder / "broker.log")
        self.centre = Process(program("central", "run", "--config", config), folder / "centre.log")

    def start(self) -> None:
        self.broker.start()
        wait_until((self.root / "pid").exists, 30, "Mosquitto does not start")
        self.centre.start()

    def close(self) -> None:
        self.centre.kill()
        self.broker.kill()

    def sequences(self) -> dict[str, list[int]]:
        """What the historian has committed: the numbers of each journal's events."""
        found: dict[str, list[int]] = {}
        for told in self._events():
            found.setdefault(told.journal, []).append(told.sequence)
        return found

    def kinds(self) -> list[str]:
        return [event.kind for event in self._events()]

    def _events(self) -> list[Event]:
        try:
            with opened_to_read(self.database) as engine:
                return [kept.told.event for kept in EventStore(engine).events()]
        except StoreError:  # not made yet
            return []


def lacks(counted: dict[str, int], held: dict[str, list[int]]) -> list[str]:
    """What the historian lacks or has twice, of the numbers that the door has given."""
    return [
        f"journal {journal}: the door counted to {highest}, the historian holds {len(held.get(journal, []))}"
        for journal, highest in counted.items()
        if sorted(held.get(journal, [])) != list(range(1, highest + 1))
    ]


def counted(text: str) -> dict[str, int]:
    return {str(journal): int(highest) for journal, highest in json.loads(text).items()}
