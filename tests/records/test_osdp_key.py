"""Keys of OSDP readers: sealed for this door, bound to their reader, never lost while they are changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import ConfigError
from agent.records.keys import make_door_keys
from agent.records.osdp_key import OsdpKey, accept_pending, load_osdp_key, make_key, pending_path, save_osdp_key

KEY, NEWER = bytes(range(16)), bytes(range(16, 32))


@pytest.fixture
def door(tmp_path: Path) -> Path:
    make_door_keys(tmp_path)
    return tmp_path / "door.key"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "osdp-front.key"


def test_a_kept_key_comes_back_and_cannot_be_read_without_the_doors(door, file):
    save_osdp_key(file, "front", KEY, door)
    assert load_osdp_key(file, "front", door) == KEY
    assert file.stat().st_mode & 0o777 == 0o600
    assert KEY.hex() not in file.read_text()
    assert KEY not in bytes.fromhex(file.read_text())


def test_keys_are_16_random_bytes():
    keys = {make_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {16}


def test_a_key_of_another_door_is_refused(door, file, tmp_path):
    (tmp_path / "other").mkdir()
    make_door_keys(tmp_path / "other")
    save_osdp_key(file, "front", KEY, tmp_path / "other" / "door.key")
    with pytest.raises(ConfigError, match="sealed for another door"):
        load_osdp_key(file, "front", door)


def test_a_key_of_another_reader_is_refused(door, file):
    save_osdp_key(file, "back", KEY, door)
    with pytest.raises(ConfigError, match="of reader 'back', not of 'front'"):
        load_osdp_key(file, "front", door)


def test_a_missing_key_names_the_command_that_makes_one(door, file):
    with pytest.raises(ConfigError, match=r"doorward osdp set-key"):
        load_osdp_key(file, "front", door)


def test_a_key_that_others_can_read_is_refused_with_the_mend(door, file):
    save_osdp_key(file, "front", KEY, door)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_osdp_key(file, "front", door)


def test_a_key_with_any_flipped_bit_is_refused(door, file):
    save_osdp_key(file, "front", KEY, door)
    sealed = bytes.fromhex(file.read_text())
    for at in range(len(sealed)):
        file.write_text((sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]).hex())
        with pytest.raises(ConfigError, match="damaged"):
            load_osdp_key(file, "front", door)


@pytest.mark.parametrize("raw", [b"", b"zz", b"\xff\xfe", b"00" * 10])
def test_a_file_that_is_no_key_is_refused(door, file, raw):
    file.write_bytes(raw)
    file.chmod(0o600)
    with pytest.raises(ConfigError):
        load_osdp_key(file, "front", door)


def test_while_a_key_is_being_changed_the_door_tries_both(door, file):
    save_osdp_key(file, "front", KEY, door)
    key = OsdpKey(file, "front", door)
    assert [key(), key()] == [KEY, KEY]
    save_osdp_key(pending_path(file), "front", NEWER, door)
    assert {key(), key()} == {KEY, NEWER}
    accept_pending(file)
    assert [key(), key()] == [NEWER, NEWER]


def test_a_folder_that_cannot_be_written_is_named(door, tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        save_osdp_key(tmp_path / "none" / "k", "front", KEY, door)
