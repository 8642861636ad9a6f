"""From an empty folder to a site, and again."""

from __future__ import annotations

import json
import os
import pwd
import tarfile
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from agent.cli import main
from agent.config import parse_config
from agent.errors import ConfigError
from agent.records.keys import centre_private, centre_public, door_private
from central.settings import load_settings
from central.site.doors import enrol
from central.site.folder import Site
from central.site.init import init
from tests.central.site.sites import DATABASE, made, now, settings

SECRETS = {"ca.key", "centre.key", "vapid.key", "probe.password", "people.json", "issued.json"}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_time_it_keeps_every_key_and_says_so(tmp_path: Path) -> None:
    first = made(tmp_path)
    before = contents(tmp_path / "site")
    site = Site.open(tmp_path / "site")
    second = init(site.root, site.settings, now(), DATABASE)
    after = contents(tmp_path / "site")
    assert {name for name in before if before[name] != after[name]} <= {"broker/crl.pem", "broker/passwords"}
    assert set(second.kept) == {what for what in first.made if "anew" not in what}
    assert not first.kept


def test_private_files_are_for_their_owner_alone_and_the_brokers_for_nobody_beside_it(tmp_path: Path) -> None:
    made(tmp_path)
    for path in (tmp_path / "site").rglob("*"):
        mode = path.stat().st_mode & 0o777
        if path.name in SECRETS:
            assert mode == 0o600, path
        if path.is_file() and path.parent.name == "broker":
            assert mode == 0o640, path
    assert {path.name for path in (tmp_path / "site").rglob("*")} >= SECRETS - {"people.json"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_made_by_root_the_brokers_files_belong_to_the_group_of_the_broker(tmp_path: Path) -> None:
    wanted = replace(settings(tmp_path), broker_user="nobody")
    init(tmp_path / "site", wanted, now(), DATABASE)
    assert (tmp_path / "site/broker/server.key").stat().st_gid == pwd.getpwnam("nobody").pw_gid
    assert (tmp_path / "site/broker").stat().st_mode & 0o777 == 0o750
    assert "user nobody\n" in (tmp_path / "site/broker/mosquitto.conf").read_text()
    assert (tmp_path / "site/ca/ca.key").stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_machine_without_mosquitto_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="apt-get install mosquitto"):
        init(tmp_path / "site", replace(settings(tmp_path), broker_user="no-such-user"), now(), DATABASE)


def test_a_new_name_of_the_broker_needs_a_new_certificate_and_nothing_else(tmp_path: Path) -> None:
    made(tmp_path)
    site = Site.open(tmp_path / "site")
    before = contents(site.root)
    again = init(site.root, replace(site.settings, also=("10.0.0.7",)), now(), DATABASE)
    assert any("10.0.0.7" in what for what in again.made)
    assert contents(site.root)["ca/ca.key"] == before["ca/ca.key"]
    assert contents(site.root)["broker/server.crt"] != before["broker/server.crt"]


def test_settings_which_may_hold_passwords_are_their_owners_alone(tmp_path: Path) -> None:
    init(tmp_path / "site", settings(tmp_path), now(), "postgresql+psycopg://doorward:secret@db/doorward")
    toml = tmp_path / "site" / "central.toml"
    assert "secret" in toml.read_text()
    assert toml.stat().st_mode & 0o777 == 0o600


def test_what_the_person_in_charge_has_changed_in_central_toml_stays(tmp_path: Path) -> None:
    made(tmp_path)
    toml = tmp_path / "site" / "central.toml"
    toml.write_text(toml.read_text() + "\n[gateway]\nport = 9999\n")
    init(tmp_path / "site", Site.open(tmp_path / "site").settings, now(), DATABASE)
    assert load_settings(toml).gateway.port == 9999


def test_the_centre_can_read_what_init_wrote_for_it(tmp_path: Path) -> None:
    made(tmp_path)
    read = load_settings(tmp_path / "site" / "central.toml")
    assert read.site == "hq"
    assert read.broker.port == Site.open(tmp_path / "site").settings.listeners.centre_port
    assert Path(read.broker.key_file).read_text().startswith("-----BEGIN PRIVATE KEY")
    keys = Path(read.keys.folder)
    assert bytes(centre_private(keys / "centre.key").verify_key) == bytes(centre_public(keys / "centre.pub"))


def test_a_folder_of_one_site_does_not_become_another(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(ConfigError, match="hq"):
        init(tmp_path / "site", settings(tmp_path, "annex"), now(), DATABASE)


@pytest.mark.parametrize("option", [["--host", "a b"], ["--host", "x\ny"], ["--site", "Hq"], ["--site", "centre"], ["--doors-port", "0"],
                                    ["--bind", "x\nallow_anonymous"], ["--pid-file", "a\nb"], ["--database-url", 'x"y']])  # fmt: skip
def test_what_would_spoil_the_configuration_is_refused_with_its_name(
    tmp_path: Path, option: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["central", "init", str(tmp_path / "site"), "--site", "hq", "--host", "127.0.0.1", *option]) != 0
    said = capfd.readouterr().err
    assert option[0].strip("-").split("-")[0] in said
    assert "regex" not in said, "nobody who types a name reads a pattern"
    assert not (tmp_path / "site" / "broker").exists()


def test_a_new_site_needs_a_name_and_a_host(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "init", str(tmp_path / "site")]) != 0
    assert "--site hq --host broker.example.org" in capfd.readouterr().err


def test_a_door_gets_what_its_configuration_asks_for_in_one_private_file(tmp_path: Path) -> None:
    made(tmp_path)
    site = Site.open(tmp_path / "site")
    done = enrol(site, "hq", "front", "Front door", tmp_path / "out", now())
    assert Path(done.archive).stat().st_mode & 0o777 == 0o600
    with tarfile.open(done.archive) as archive:
        archive.extractall(tmp_path / "door")
    unpacked = tmp_path / "door"
    told = (unpacked / "link.toml").read_text().replace("/etc/doorward", str(unpacked))
    config = parse_config(msgspec.toml.decode(told))
    assert (config.site, config.door) == ("hq", "front")
    for file in (config.link.ca_file, config.link.cert_file, config.link.key_file, config.live.cert_file, config.live.key_file):
        assert Path(file).read_text().startswith("-----BEGIN")
    own = door_private(Path(config.records.door_key))
    known = site.doors.door("hq", "front")
    assert known is not None
    assert (known.name, known.public_key) == ("Front door", bytes(own.public_key))
    assert bytes(centre_public(Path(config.records.centre_key))) == bytes(centre_public(site.keys / "centre.pub"))


def test_a_door_is_enrolled_once_and_its_archive_never_overwritten(tmp_path: Path) -> None:
    made(tmp_path)
    site = Site.open(tmp_path / "site")
    enrol(site, "hq", "front", "", tmp_path / "out", now())
    before = (tmp_path / "out/front.doorward").read_bytes()
    with pytest.raises(ConfigError, match="renew"):
        enrol(site, "hq", "front", "", tmp_path / "out", now())
    with pytest.raises(ConfigError, match="is there already"):
        enrol(site, "annex", "front", "", tmp_path / "out", now())
    assert site.doors.door("annex", "front") is None
    assert [line.name for line in site.authority.issued() if line.purpose == "door"] == ["hq/front", "hq/front/media"]
    assert (tmp_path / "out/front.doorward").read_bytes() == before


def test_a_person_who_runs_it_is_told_the_next_step_and_a_script_gets_an_object(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path)
    folder = str(tmp_path / "site")
    assert main(["central", "init", folder, "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["site"] == "hq"
    assert "broker-check" in err
    assert main(["central", "enrol-door", folder, "hq", "front", "--out", str(tmp_path), "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["reloaded"] is False
    assert "systemctl reload mosquitto" in err


def test_certificates_that_end_soon_are_a_finding(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made(tmp_path)
    folder = str(tmp_path / "site")
    assert main(["central", "certificates", folder]) == 0
    assert main(["central", "certificates", folder, "--within-days", "2000", "--json"]) == 1
    assert "broker" in capfd.readouterr().out


def test_an_account_is_made_with_a_password_that_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made(tmp_path)
    folder = str(tmp_path / "site")
    assert main(["central", "person-account", folder, "add", "ada", "--role", "guard"]) == 0
    password = capfd.readouterr().out.strip()
    assert len(password) >= 20
    assert main(["central", "person-account", folder, "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"name": "ada", "role": "guard", "site": ""}
    assert all(password.encode() not in raw for raw in contents(tmp_path / "site").values())
    assert main(["central", "person-account", folder, "remove", "ada"]) == 0
    assert main(["central", "person-account", folder, "remove", "ada"]) != 0


def test_a_folder_that_is_no_site_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "broker-check", str(tmp_path)]) != 0
    assert "doorward central init" in capfd.readouterr().err
