"""`doorward central bundle …`: a bundle to be carried by hand, and which door has what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.records.bundle import take_bundle
from tests.central.access.a_site import CLOCK, Site
from tests.central.people.a_centre import FOB, KEY
from tests.system.brokers import Broker, running, wait_until

pytestmark = pytest.mark.system


def doorward(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", "central", *words], capture_output=True, text=True, timeout=60, check=False
    )


def configured(site: Site) -> str:
    vault = site.keys / "people.key"
    vault.write_text(KEY.hex() + "\n")
    vault.chmod(0o600)
    file = site.folder / "central.toml"
    file.write_text(
        f'[database]\nurl = "sqlite:///{site.folder}/central.db"\n[keys]\nfolder = "{site.keys}"\n[broker]\nport = {site.port}\n'
    )
    return str(file)


def test_a_bundle_is_carried_to_a_door_and_the_status_tells_who_is_behind(tmp_path: Path) -> None:
    broker = Broker("mosquitto", tmp_path)
    with running(broker):
        site = Site(tmp_path, broker.port)
        config = configured(site)
        door = site.door()
        site.centre.holder("holder-1", FOB)
        out = tmp_path / "carried"
        made = doorward("bundle", "make", "hq", "front", "--config", config, "--out", str(out))
        assert made.returncode == 0, made.stderr
        assert take_bundle(out, door.store.keys, CLOCK.wall()).refused == ""
        out.rename(door.store.path)
        door.wait_for(FOB, "")

        desk = site.desk()
        wait_until(lambda: bool(desk.offered()) and desk.behind("hq", "front") == 0, 15, "no word of the door")
        door.stop()
        site.centre.holder("holder-2", "H10301:2:2")
        revision = site.centre.people.revision
        wait_until(lambda: desk.offered()["hq", "front"].version == revision, 15, "no newer bundle")
        told = doorward("bundle", "status", "--config", config, "--json")
        assert told.returncode == 1
        (front,) = [each for each in map(json.loads, told.stdout.splitlines()) if each["door"] == "front"]
        assert (front["version"], front["offered"], front["behind"]) == (revision - 2, revision, True)
        assert "behind since" in told.stderr
        site.close()


def test_a_door_that_there_is_not_and_a_broker_that_is_away_are_named(tmp_path: Path) -> None:
    site = Site(tmp_path, 1)
    config = configured(site)
    unknown = doorward("bundle", "make", "hq", "cellar", "--config", config, "--out", str(tmp_path / "x"))
    assert unknown.returncode not in (0, 1)
    assert "hq/cellar" in unknown.stderr
    assert "hq/front" in unknown.stderr
    away = doorward("bundle", "status", "--config", config, "--wait-s", "0.5")
    assert "cannot be reached" in away.stderr
