"""Files that a power cut finds whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.files import replacing, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "bundle"
    for content in (b"old" * 1000, b"new"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_only_its_owner_may_read_it_even_where_a_power_cut_left_an_open_one(tmp_path):
    (tmp_path / ".bundle.part").write_bytes(b"half")
    (tmp_path / ".bundle.part").chmod(0o666)
    write_whole(tmp_path / "bundle", b"whole")
    assert (tmp_path / "bundle").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_refuses_leaves_the_old_file(tmp_path, monkeypatch):
    write_whole(tmp_path / "bundle", b"old")

    def refuse(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "bundle", b"new")
    assert (tmp_path / "bundle").read_bytes() == b"old"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "absent" / "bundle", b"x")


def test_what_fails_half_way_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "rules"
    write_whole(path, b"old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
