"""Keys of a door that its board keeps: where they are found, what a person is told, and what is never said."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.config import Config, parse_config
from agent.errors import ConfigError
from agent.identity.credentials import KeyPlace, keys_of, with_credentials
from agent.identity.sealing import BY, Tools, drop_in, how_kept, sealed_by, sealed_copy, sentence, why_not
from agent.records.keys import door_private, make_door_keys


def config_in(folder: Path, **live: str) -> Config:
    return parse_config({
        "site": "hq", "door": "front", "records": {"door_key": str(folder / "door.key")},
        "link": {"ca_file": str(folder / "ca.crt"), "cert_file": str(folder / "link/door.crt"), "key_file": str(folder / "link/door.key")},
        "live": live,
    })  # fmt: skip


def by_name(config: Config) -> dict[str, KeyPlace]:
    return {key.name: key for key in keys_of(config)}


# -- which key counts ----------------------------------------------------------------------------------------------------------------


def test_a_sealed_key_is_found_without_a_change_of_the_configuration(tmp_path: Path) -> None:
    opened = tmp_path / "credentials"
    opened.mkdir()
    (opened / "doorward.link_key").write_text("a key")
    found = with_credentials(config_in(tmp_path), str(opened))
    assert found.link.key_file == str(opened / "doorward.link_key")
    assert found.records.door_key == str(tmp_path / "door.key")


def test_a_file_that_is_there_counts_before_a_sealed_copy(tmp_path: Path) -> None:
    """A door that is paired anew has its new keys as files, until they are sealed."""
    opened = tmp_path / "credentials"
    opened.mkdir()
    (opened / "doorward.door_key").write_text("an old key")
    make_door_keys(tmp_path)
    assert with_credentials(config_in(tmp_path), str(opened)).records.door_key == str(tmp_path / "door.key")


def test_a_program_that_systemd_hands_nothing_reads_files(tmp_path: Path) -> None:
    assert with_credentials(config_in(tmp_path), "") == config_in(tmp_path)


def test_a_key_from_systemd_is_read_although_its_rights_look_wider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd 252 grants a unit's user its credentials by an access list, which `stat` shows as rights of the group."""
    make_door_keys(tmp_path)
    (tmp_path / "door.key").chmod(0o440)
    with pytest.raises(ConfigError, match="chmod 600"):
        door_private(tmp_path / "door.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert bytes(door_private(tmp_path / "door.key"))


# -- which program needs which ---------------------------------------------------------------------------------------------------------


def test_each_program_is_handed_its_own_keys_and_no_others(tmp_path: Path) -> None:
    config = config_in(tmp_path, cert_file=str(tmp_path / "link/media.crt"), key_file=str(tmp_path / "link/media.key"))
    door, media = (drop_in(unit, keys_of(config)) for unit in ("doorward-door", "doorward-media"))
    assert f"LoadCredentialEncrypted=doorward.link_key:{tmp_path}/link/sealed/doorward.link_key\n" in door
    assert "doorward.door_key" in door
    assert "doorward.live_key" in door  # it renews the certificates of both
    assert [line.partition(":")[0] for line in media.splitlines()[3:]] == ["LoadCredentialEncrypted=doorward.live_key"]


def test_a_live_view_without_a_certificate_of_its_own_needs_the_doors(tmp_path: Path) -> None:
    assert by_name(config_in(tmp_path))["link_key"].units == ("doorward-door", "doorward-media")


# -- what is said ------------------------------------------------------------------------------------------------------------------


def sealed(kind: str) -> bytes:
    begins = next(begins for begins, kept in BY.items() if kept == kind)
    return base64.b64encode(begins + bytes(80))


@pytest.mark.parametrize(
    ("kind", "says"), [("tpm", "whoever takes the card has nothing of it"), ("host", "whoever takes the card has it")]
)
def test_what_is_said_of_a_sealed_key_is_what_it_is_worth(tmp_path: Path, kind: str, says: str) -> None:
    key = by_name(config_in(tmp_path))["door_key"]
    sealed_copy(key).parent.mkdir()
    sealed_copy(key).write_bytes(sealed(kind))
    assert sentence(how_kept(key)).endswith(says)


def test_of_a_file_it_is_said_that_whoever_takes_the_card_has_it(tmp_path: Path) -> None:
    make_door_keys(tmp_path)
    assert sentence(how_kept(by_name(config_in(tmp_path))["door_key"])) == (
        f"{tmp_path}/door.key: a file that only root and doorward can read: whoever takes the card has it"
    )


def test_a_file_beside_a_sealed_copy_is_told(tmp_path: Path) -> None:
    make_door_keys(tmp_path)
    key = by_name(config_in(tmp_path))["door_key"]
    sealed_copy(key).parent.mkdir()
    sealed_copy(key).write_bytes(sealed("tpm"))
    seen = how_kept(key)
    assert (seen.kept, seen.beside) == ("file", str(sealed_copy(key)))
    assert "does not count" in sentence(seen)


def test_what_sealing_left_aside_when_the_power_went_is_told(tmp_path: Path) -> None:
    key = by_name(config_in(tmp_path))["door_key"]
    sealed_copy(key).parent.mkdir()
    sealed_copy(key).write_bytes(sealed("tpm"))
    (tmp_path / "door.key.before-sealing").write_text("the key")
    assert "still lies in" in sentence(how_kept(key))


def test_who_may_not_look_is_told_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = by_name(config_in(tmp_path))["door_key"]

    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", closed)  # tests may run as root, who may look everywhere
    assert sentence(how_kept(key)).endswith("sudo doorward identity show")


def test_a_copy_that_is_none_is_called_neither_safe_nor_unsafe() -> None:
    assert {sealed_by(raw) for raw in (b"", b"\xff\xfe", b"!!", b"AAAA" * 20)} == {"sealed"}


@pytest.mark.skipif(shutil.which("systemd-creds") is None or os.geteuid() != 0, reason="systemd-creds, as root")
def test_what_systemd_itself_encrypts_with_a_file_of_the_disk_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a key")
    words = [
        "systemd-creds",
        "encrypt",
        "--with-key=host",
        "--name=doorward.door_key",
        str(tmp_path / "key"),
        str(tmp_path / "copy"),
    ]
    subprocess.run(words, check=True, capture_output=True)
    assert sealed_by((tmp_path / "copy").read_bytes()) == "host"


# -- where it cannot be done -----------------------------------------------------------------------------------------------------------


def board(says: bytes) -> Tools:
    """A machine whose systemd says this of its TPM."""

    def run(words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["printf", "%s", says.decode()], capture_output=True, check=False)

    return Tools(run=run)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone is told more")
@pytest.mark.parametrize(
    ("says", "fit"),
    [(b"no\n-firmware\n-driver\n+system\n", False), (b"partial\n-firmware\n+driver\n+system\n+subsystem\n", True)],
)
def test_a_board_without_a_tpm_is_told_and_nothing_is_pretended(says: bytes, fit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.identity.sealing.shutil.which", lambda tool: f"/usr/bin/{tool}")
    reason = why_not(board(says))
    assert (reason == "") is fit
    assert fit or "stay files" in reason
