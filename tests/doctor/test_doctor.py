"""`doorward doctor` on machines that lack much: it never fails itself, changes nothing, and says what to type."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from agent import cli
from agent.advice import advice
from agent.config import parse_config
from agent.doctor.checks import CHECKS, certificate_days, check_broker, check_models, check_pins_after_death, check_records
from agent.doctor.machine import Machine, Ran
from agent.doctor_cli import look


@pytest.fixture
def bare(tmp_path: Path) -> Machine:
    """A file system with nothing in it."""
    return Machine(tmp_path / "none.toml", tmp_path)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_no_check_fails_on_a_bare_machine(bare, check):
    for finding in look(check.run, bare):
        assert "failed itself" not in finding.what
        assert finding.level in ("well", "note") or (finding.why and finding.mend)


def test_a_check_that_breaks_is_a_finding_and_no_end(bare):
    def broken(machine: Machine) -> None:
        raise ZeroDivisionError("no such luck")

    found = look(broken, bare)
    assert [finding.level for finding in found] == ["bad"]
    assert "ZeroDivisionError: no such luck" in found[0].what


def test_it_changes_nothing(bare, tmp_path):
    for check in CHECKS:
        look(check.run, bare)
    assert list(tmp_path.iterdir()) == []


def test_by_script_it_is_one_object_a_finding_and_a_summary(tmp_path, capsys):
    path = tmp_path / "door.toml"
    path.write_text('site = "hq"\ndoor = "front"\n[policy]\nliveness = "alert"\n[vision]\nstages = []\n')
    assert cli.main(["doctor", "--json", "--only", "config,python", "--config", str(path)]) == 1
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert records[-1] == {"summary": {"well": 2, "note": 0, "warn": 1, "bad": 0}, "ok": False}
    assert "no picture of a face is ever told of" not in records[0]["what"]


def test_a_machine_with_nothing_to_mend_is_told_so(tmp_path, capsys):
    assert cli.main(["doctor", "--only", "python"]) == 0
    assert "Nothing to mend" in capsys.readouterr().err


def test_an_unknown_check_is_wrong_usage(capsys):
    assert cli.main(["doctor", "--only", "coffee"]) == 2
    assert "coffee" in capsys.readouterr().err


def test_liveness_alerts_without_the_stage_that_finds_pictures_are_told(bare):
    quiet = parse_config({"site": "hq", "door": "front", "policy": {"liveness": "alert"}, "vision": {"stages": []}})
    assert any('policy.liveness = "alert"' in sentence for sentence in advice(quiet))
    assert advice(parse_config({"site": "hq", "door": "front"})) == ()


def test_expression_networks_are_not_even_read_where_they_are_forbidden(bare, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("models_tflite.manifest.sha256_of", lambda path: opened.append(path.name) or "")
    list(check_models(bare))
    assert opened
    assert not [name for name in opened if "expression" in name]


@pytest.mark.parametrize(
    ("line", "level"), [("dtparam=strict_gpiod", "well"), ("dtparam=i2c_arm=on", "warn"), ("#dtparam=strict_gpiod", "warn")]
)
def test_a_raspberry_pi_that_keeps_dead_programs_pins_is_told_how_not_to(bare, tmp_path, line, level):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    (tmp_path / "boot/firmware").mkdir(parents=True)
    (tmp_path / "boot/firmware/config.txt").write_text(f"[all]\n{line}\n")
    assert [finding.level for finding in check_pins_after_death(bare)] == [level]


def test_a_journal_that_is_no_journal_is_told(tmp_path):
    config = tmp_path / "door.toml"
    config.write_text('site = "hq"\ndoor = "front"\n[records]\nfolder = "/records"\n')
    (tmp_path / "records").mkdir()
    (tmp_path / "records/journal.db").write_bytes(os.urandom(4096))
    assert "bad" in [finding.level for finding in check_records(Machine(config, tmp_path))]


def test_a_group_that_the_units_add_is_as_good_as_the_users_own(bare, monkeypatch):
    monkeypatch.setattr(bare, "run", lambda *command: Ran(0, "gpio dialout\n\nvideo plugdev render"))
    monkeypatch.setattr("agent.doctor.machine.SERVICE_USER", "root")
    assert {"gpio", "video"} <= bare.user().groups


def test_the_date_of_a_certificate_is_read(tmp_path):
    import subprocess

    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90", "-subj", "/CN=broker",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem"], check=True, capture_output=True,
    )  # fmt: skip
    days = certificate_days(Machine(tmp_path / "none.toml"), str(tmp_path / "ca.pem"))
    assert days is not None
    assert 89 < days <= 90
    assert certificate_days(Machine(tmp_path / "none.toml"), str(tmp_path / "key.pem")) is None


def test_of_a_clusters_nodes_one_that_is_away_is_a_warning_and_all_of_them_are_a_fault(tmp_path):
    config = tmp_path / "door.toml"
    with socket.create_server(("127.0.0.1", 0)) as node:
        link = f'host = "127.0.0.2"\nother_hosts = ["127.0.0.1"]\nport = {node.getsockname()[1]}\n'
        config.write_text(f'site = "hq"\ndoor = "front"\n[link]\n{link}')
        assert [finding.level for finding in check_broker(Machine(config, tmp_path))] == ["warn", "well", "note"]
    assert [finding.level for finding in check_broker(Machine(config, tmp_path))] == ["bad", "bad"]
