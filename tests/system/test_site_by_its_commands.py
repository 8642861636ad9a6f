"""A site from nothing by the commands that docs/BROKER.md and docs/PEOPLE.md print: from an empty folder to a door that opens over mTLS."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hw.rig import Rig
from tests.system.brokers import Process, free_port, wait_until
from tests.system.whole_door import CONTACT, D0, D1, OWNER_FOB, RELAY, REX, key_of

pytestmark = pytest.mark.system

PASSWORD = "four cats on a warm roof"
OPENING = {"id": "opening", "zone": "Europe/Berlin", "intervals": [{"days": list(range(7)), "from_min": 0, "until_min": 1440}]}
STAFF = {"id": "staff", "doors": ["front"], "schedule": "opening"}
GOOD = f"holder-1,Ada Lovelace,staff,{key_of(OWNER_FOB)}"
SHEET = f"id,name,profiles,credential\n{GOOD}\nholder-2,Mary Somerville,staff,H10301:1:70000\nholder-3,Charles Babbage,pilots,\n"


def doorward(*words: object) -> subprocess.CompletedProcess[str]:
    """As a person types it; what it says is for the test to judge."""
    return subprocess.run(program(*words), capture_output=True, text=True, timeout=60, check=False)


def program(*words: object) -> list[str]:
    return [sys.executable, "-m", "agent.cli", *map(str, words)]


class Site:
    """Everything is made by commands; programs are processes; simulated are the far ends of the door's pins."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.door_folder = folder, folder / "site", folder / "door"
        self.config, self.gateway = self.root / "central.toml", free_port()
        self.rig = Rig(str(folder / "rig.sock"), {D0: True, D1: True, CONTACT: False, REX: True})
        self._make()
        mosquitto = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert mosquitto is not None, "this test needs a real Mosquitto: apt-get install mosquitto"
        self.broker = Process([mosquitto, "-c", str(self.root / "broker" / "mosquitto.conf")], folder / "broker.log")
        self.centre = Process(program("central", "run", "--config", self.config), folder / "centre.log")
        self.door = Process(program("door", "--config", self.door_folder / "door.toml"), folder / "door.log")
        self.browser = httpx.Client(base_url=f"http://127.0.0.1:{self.gateway}/api", timeout=30)

    def must(self, *words: object) -> None:
        done = doorward(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}"

    def _make(self) -> None:
        ports = (word for name in ("doors", "people", "centre") for word in (f"--{name}-port", free_port()))
        self.must("central", "init", self.root, "--site", "hq", "--host", "127.0.0.1", "--bind", "127.0.0.1",
                  "--data-folder", self.root, "--pid-file", self.root / "pid", "--database-url", f"sqlite:///{self.root}/central.db",
                  *ports, *(("--broker-user", "root") if os.geteuid() == 0 else ()))  # fmt: skip
        with self.config.open("a") as file:
            file.write(f"\n[gateway]\nport = {self.gateway}\n")

    def comes_up(self) -> None:
        """Mosquitto, a manager, the centre."""
        self.broker.start()
        wait_until((self.root / "pid").exists, 15, "Mosquitto does not start")
        secret = self.file("password", PASSWORD)
        secret.chmod(0o600)
        self.must("central", "account", "add", "ada", "--role", "manager", "--config", self.config, "--password-file", secret)
        self.centre.start()
        wait_until(self._signed_in, 30, "nobody can sign in")

    def _signed_in(self) -> bool:
        try:
            answer = self.browser.post("/session", json={"account": "ada", "password": PASSWORD})
        except httpx.TransportError:
            return False
        self.browser.headers["X-Doorward-CSRF"] = answer.raise_for_status().json()["csrf"]
        return True

    def file(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def enrol_door(self) -> None:
        """What the archive's README says, in another folder than /etc/doorward, and a door that is wired to a rig."""
        self.must("central", "enrol-door", self.root, "hq", "front", "--name", "Front door", "--out", self.folder)
        with tarfile.open(self.folder / "front.doorward") as archive:
            archive.extractall(self.door_folder)
        here = f'folder = "{self.folder}/records"\nbundle = "{self.folder}/access.bundle"'
        link = (self.door_folder / "link.toml").read_text("utf-8").replace("/etc/doorward", str(self.door_folder))
        link = link.replace("[records]", f"[records]\n{here}").replace(
            'door = "front"', f'door = "front"\nrun_folder = "{self.folder}"'
        )
        wiring = WIRING.format(rig=self.folder / "rig.sock")
        (self.door_folder / "door.toml").write_text(link + wiring, "utf-8")

    def row(self) -> dict[str, Any]:
        """The one door, as the dashboard shows it; all None before the centre knows it."""
        found = self.browser.get("/doors").raise_for_status().json()
        return dict(found[0]) if found else dict.fromkeys(("name", "online", "lock", "access"))

    @property
    def rules(self) -> int:
        """The version of its people and hours that the door itself has confirmed."""
        return int((self.row()["access"] or {}).get("version") or 0)

    def events(self, kind: str) -> list[dict[str, Any]]:
        return list(self.browser.get("/events", params={"kind": kind}).raise_for_status().json()["events"])

    def order(self, command: str) -> dict[str, Any]:
        answer = self.browser.post("/doors/hq/front/commands", json={"command": command, "why": "a parcel"})
        return dict(answer.raise_for_status().json())

    def pulsed(self, since: int) -> bool:
        return self.rig.wait_for(lambda outputs: any(each.pin == RELAY and each.high for each in outputs[since:]), 15)


WIRING = f"""
[board]
pins = "sim"
rig = "{{rig}}"

[[readers]]
kind = "wiegand"
name = "front"
d0_pin = {D0}
d1_pin = {D1}

[lock]
relay_pin = {RELAY}
pulse_s = 0.5

[inputs]
contact_pin = {CONTACT}
rex_pin = {REX}

[policy]
without_template = "fob_alone"
liveness = "off"
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    try:
        yield made
    finally:
        made.browser.close()
        for each in (made.door, made.centre, made.broker):
            each.kill()
        made.rig.close()


def test_from_an_empty_folder_to_a_door_that_opens_and_is_stolen(site: Site) -> None:
    site.comes_up()
    site.enrol_door()
    wait_until(lambda: site.row()["name"] == "Front door", 15, "the centre does not know of the door that was enrolled")
    assert not site.row()["online"]
    site.door.start()
    wait_until(lambda: bool(site.row()["online"]), 30, f"the door is not online: {site.door.log.read_text()}")

    site.must("central", "schedule", "put", site.file("opening.json", json.dumps(OPENING)), "--config", site.config)
    site.must("central", "profile", "put", site.file("staff.json", json.dumps(STAFF)), "--config", site.config)
    sheet = site.file("people.csv", SHEET)
    bad = doorward("central", "people", "import", sheet, "--config", site.config)
    assert bad.returncode == 1
    assert "row 3, credential 'H10301:1:70000'" in bad.stderr
    assert "row 4, profiles 'pilots': there is no profile 'pilots'; allowed: staff" in bad.stderr
    wait_until(lambda: site.rules > 0, 30, f"the door has no rules: {site.row()}")
    before = site.rules
    sheet.write_text(SHEET.split("holder-2", maxsplit=1)[0], "utf-8")
    site.must("central", "people", "import", sheet, "--config", site.config)
    wait_until(lambda: site.rules > before, 30, f"the door does not know of the new people: {site.row()}")

    before = len(site.rig.outputs)
    site.rig.wiegand(OWNER_FOB, D0, D1)
    assert site.pulsed(before), site.door.log.read_text()
    wait_until(lambda: bool(site.events("access.granted")), 15, "the passage is not in the history")
    assert site.events("access.granted")[0]["person"] == "holder-1"

    wait_until(lambda: site.row()["lock"] == "secured", 15, f"the lock does not hold again: {site.row()}")
    before = len(site.rig.outputs)
    # A machine without a time server: what opens is obeyed when the connection has stood for some seconds
    wait_until(lambda: bool(site.order("unlock")["ok"]), 30, "the door does not obey")
    assert site.pulsed(before)

    before = site.rules
    site.must("central", "credential", "stolen", key_of(OWNER_FOB), "--config", site.config)
    wait_until(lambda: site.rules > before, 30, f"the door does not know of the stolen fob: {site.row()}")
    wait_until(lambda: site.row()["lock"] == "secured", 15, f"the lock does not hold again: {site.row()}")
    site.rig.wiegand(OWNER_FOB, D0, D1)
    wait_until(lambda: bool(site.events("access.denied")), 15, "the stolen fob was not refused")
    assert "credential_stolen" in site.events("access.denied")[0]["data"]["reasons"]

    site.must("central", "bundle", "status", "--config", site.config)
    site.must("central", "verify-audit", "--config", site.config)
    site.must("central", "revoke-door", site.root, "hq", "front")
    wait_until(lambda: not site.row()["online"], 15, f"a revoked door is still there: {site.row()}")
