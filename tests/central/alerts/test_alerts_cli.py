"""`doorward central alerts` on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli import main
from tests.central.alerts.house import Centre, event
from tools.push_service import PushService


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "central.toml"
    path.write_text(
        f'[database]\nurl = "sqlite:///{tmp_path}/central.db"\n[keys]\nfolder = "{tmp_path}"\n[alerts]\npush_loopback = true\n'
    )
    return path


def test_a_list_of_what_is_open(tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    centre = Centre(tmp_path)
    assert main(["central", "alerts", "list", "--config", str(config)]) == 0
    centre.happens(event("door.forced"))
    assert main(["central", "alerts", "list", "--config", str(config), "--json"]) == 1
    told = capfd.readouterr()
    assert json.loads(told.out)["title"] == "Door forced open"
    assert "hq/front critical: Door forced open, open" in told.err


def test_a_test_of_somebodys_devices(tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    centre = Centre(tmp_path)
    command = ["central", "alerts", "test", "--config", str(config), "--account", "guard-1"]
    assert main(command) == 1
    with PushService().running() as service:
        centre.device("guard-1", "my-phone", service)
        assert main(command) == 0
        assert [got.told["tag"] for got in service.got] == ["test"]
    assert "my-phone (127.0.0.1): the push service has taken it" in capfd.readouterr().err


def test_apprise_without_an_address_says_what_is_missing(tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "alerts", "test", "--config", str(config), "--apprise"]) == 2
    assert "alerts.apprise" in capfd.readouterr().err
