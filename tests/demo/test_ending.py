"""Where a demo's files go, and that nothing of it is left when it ends."""

from __future__ import annotations

import os
import signal
import socket
from datetime import datetime

import pytest

from agent.errors import ConfigError
from agent.local_socket import VISION_SOCKET
from demo.ending import ENDS, ends_in_order, own_folder

NOW = datetime(2026, 3, 2, 8, 30)


def test_two_demos_of_one_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = {own_folder(None, NOW) for _ in range(3)}
    assert {folder.name for folder in folders} == {"20260302-083000", "20260302-083000-2", "20260302-083000-3"}


@pytest.mark.parametrize("made", [True, False])
def test_a_new_or_empty_folder_may_be_named(tmp_path, made):
    if made:
        (tmp_path / "out").mkdir()
    assert own_folder(tmp_path / "out", NOW).is_dir()


def test_a_folder_with_files_is_not_written_into(tmp_path):
    (tmp_path / "door.toml").write_text("the door of this house")
    with pytest.raises(ConfigError, match=r"--out: .* is not empty"):
        own_folder(tmp_path, NOW)
    assert [file.name for file in tmp_path.iterdir()] == ["door.toml"]


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/self/out"])
def test_a_place_that_can_be_no_folder_is_named_with_the_mend(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--out: .* cannot be used: .*; name a folder that you may write"):
        own_folder(tmp_path / place, NOW)


def test_a_path_that_leaves_no_room_for_a_socket_is_refused_before_anything_is_made(tmp_path):
    too_long = tmp_path / (107 * "x")
    with pytest.raises(ConfigError, match="at most 91"):
        own_folder(too_long, NOW)
    assert not too_long.exists()


def test_the_longest_path_that_is_allowed_has_room_for_a_socket(tmp_path):
    folder = own_folder(tmp_path / ((91 - len(os.fsencode(tmp_path)) - 1) * "x"), NOW)
    (folder / "run").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as longest:
        longest.bind(str(folder / "run" / VISION_SOCKET))


@pytest.mark.parametrize("number", ENDS)
def test_whatever_tells_a_demo_to_end_its_programs_are_stopped_and_are_not_disturbed(number):
    before = {end: signal.getsignal(end) for end in ENDS}
    done = []

    def close() -> None:
        os.kill(os.getpid(), number)
        done.append("closed")

    with pytest.raises(KeyboardInterrupt), ends_in_order(close):
        signal.raise_signal(number)
    assert done == ["closed"]
    assert {end: signal.getsignal(end) for end in ENDS} == before


def test_a_demo_that_was_told_to_ignore_a_closed_terminal_goes_on():
    """nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ends_in_order(lambda: None):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
