"""Nothing left out: a controller without keys is paired with a real centre, and every step is walked at a real broker. `make test-field`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from agent.commission.sealed_page import verify
from agent.records.keys import door_public
from tests.central.site.pairing_house import PairingHouse
from tests.central.site.sites import GeneratedBroker
from tests.commission.stage import Installer, Session, Stage
from tests.selftest.hands import Door, door_toml
from tests.system.brokers import running

pytestmark = pytest.mark.field


def test_a_controller_without_keys_is_handed_over_in_one_walk(tmp_path):
    house_folder, place = tmp_path / "house", tmp_path / "etc"
    for folder in (house_folder, place, tmp_path / "records"):
        folder.mkdir()
    broker, door = GeneratedBroker(house_folder), Door(tmp_path)
    stage = Stage(tmp_path / "camera")
    with running(broker), PairingHouse(house_folder).open() as house:
        house.clock.now = datetime.now(timezone.utc)  # else the door would put its own clock to the test's
        installer = Installer(door, stage, {"url": house.url, "code": house.code().code})
        walked = Session(installer, configured(tmp_path, place), "--yes", "--timeout", "20", "--hold", "0.4", "--scene", "15")
    stage.close()
    door.rig.close()
    assert walked.steps == ["who", "pair", "osdp", "aim", "floor", "test", "scene", "doctor", "report"], walked.said
    for step in ("who", "pair", "aim", "floor", "scene", "report"):
        assert walked.done(step)["status"] == "ok", walked.said
    broker_result = next(record for record in walked.records if record["event"] == "result" and record["step"] == "broker")
    assert "encrypted" in broker_result["said"], "over the certificate that came with the pairing"
    page = verify(Path(walked.records[-1]["files"][-1].removeprefix("report: ")).read_bytes())
    assert page.public == bytes(door_public(place / "door.pub"))
    assert {line["title"] for line in page.data["lines"]} >= {"Pairing with the centre", "Lock and relay", "Broker"}


def configured(folder: Path, place: Path) -> Path:
    """As flash.sh leaves it: which door it is, and how it is wired."""
    text = door_toml(folder, extra=f'[behaviour]\nfloor = "{place}/floor.toml"\n').read_text()
    path = place / "door.toml"
    path.write_text(text.replace(f'folder = "{folder}"', f'folder = "{folder}/records"\ndoor_key = "{place}/door.key"\n'
                                 f'centre_key = "{place}/centre.pub"'))  # fmt: skip
    return path
