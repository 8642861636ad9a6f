"""The centre as one program: from `central init` to a page, to a door's rules, and out again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from paho.mqtt import subscribe
from paho.mqtt.client import MQTTMessage

from tests.system.brokers import Broker, Process, free_port, running, wait_until

pytestmark = pytest.mark.system

PASSWORD = "vier alte Lampen leuchten gelb"


def doorward(*words: str, expect: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "agent.cli", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == expect, done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's folder made by its own commands, with one door and one account."""
    folder = tmp_path / "site"
    doorward("central", "init", str(folder), "--site", "hq", "--host", "127.0.0.1",
             "--database-url", f"sqlite:///{tmp_path}/central.db")  # fmt: skip
    doorward("central", "enrol-door", str(folder), "hq", "front", "--out", str(tmp_path))
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text(PASSWORD + "\n")
    doorward("central", "account", "add", "ada", "--role", "manager", "--config", str(folder / "central.toml"),
             "--password-file", str(password))  # fmt: skip
    return folder


def settings(site: Path, broker_port: int, gateway_port: int) -> Path:
    """As made, but at a broker without certificates: those are tested where the broker's configuration is."""
    path = site / "central.toml"
    kept = [
        line
        for line in path.read_text().splitlines()
        if line.split(" ")[0] not in ("host", "port", "ca_file", "cert_file", "key_file")
    ]
    text = "\n".join(kept).replace("[broker]", f"[broker]\nport = {broker_port}\n#")
    path.write_text(f"{text}\n\n[gateway]\nport = {gateway_port}\n")
    return path


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/session", timeout=1.0).status_code == 401
    except httpx.HTTPError:
        return False


def test_from_an_empty_folder_to_somebody_who_sees_the_door_and_the_door_has_its_rules(site: Path, tmp_path: Path) -> None:
    broker, port = Broker("mosquitto", tmp_path), free_port()
    config, url = settings(site, broker.port, port), f"http://127.0.0.1:{port}"
    central = Process([sys.executable, "-m", "agent.cli", "central", "run", "--config", str(config)], tmp_path / "central.log")
    with running(broker, central):
        wait_until(lambda: answers(url), 30, "the dashboard does not answer")
        with httpx.Client(base_url=url, timeout=10) as browser:
            signed_in = browser.post("/api/session", json={"account": "ada", "password": PASSWORD}).json()
            (door,) = browser.get("/api/doors").json()
            assert (door["site"], door["door"], door["online"]) == ("hq", "front", False)
            csrf = {"x-doorward-csrf": signed_in["csrf"]}
            added = browser.post("/api/people", json={"id": "holder-1", "name": "Ada Lovelace"}, headers=csrf)
            assert added.status_code == 200, added.text
            assert browser.get("/api/people").json()[0]["name"] == "Ada Lovelace"
        offer = subscribe.simple("doorward/hq/front/access/version", hostname="127.0.0.1", port=broker.port)
        assert isinstance(offer, MQTTMessage)
        assert json.loads(offer.payload)["word"]
        assert central.terminate() == 0
    assert "it agrees with" in doorward("central", "verify-audit", "--config", str(config))


def test_a_centre_that_cannot_have_its_port_says_so_and_does_not_begin(site: Path, tmp_path: Path) -> None:
    config = settings(site, free_port(), 1)
    config.write_text(config.read_text().replace("[gateway]\nport = 1", '[gateway]\nhost = "192.0.2.1"'))
    said = doorward("central", "run", "--config", str(config), expect=2)
    assert "gateway" in said
    assert "certificate" in said or "cert_file" in said
