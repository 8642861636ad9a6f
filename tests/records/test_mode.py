"""A lock-down survives a restart, a power cut and somebody who writes to its file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.core.messages import DoorMode
from agent.errors import JournalError
from agent.records.mode import ModeKeeper, load_mode, save_mode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mode"


def test_a_door_that_never_saved_its_mode_is_locked(path):
    assert load_mode(path) is DoorMode.LOCKED


@pytest.mark.parametrize("mode", list(DoorMode))
def test_lock_downs_and_blocks_last_and_nothing_that_opens_does(path, mode):
    save_mode(path, mode)
    lasting = mode in (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED)
    assert load_mode(path) is (mode if lasting else DoorMode.LOCKED)
    assert [file.name for file in path.parent.iterdir()] == ["mode"]


def test_a_released_door_starts_locked(path):
    save_mode(path, DoorMode.LOCKED_DOWN)
    save_mode(path, DoorMode.LOCKED)
    assert load_mode(path) is DoorMode.LOCKED


@pytest.mark.parametrize("raw", [b"", b"Unlocked", b"LockedOpen", b"locked", b"\xff\xfe", b"LockedDow"])
def test_a_file_that_says_anything_else_is_a_lock_down(path, raw):
    path.write_bytes(raw)
    assert load_mode(path) is DoorMode.LOCKED_DOWN


def test_a_file_that_cannot_be_read_is_a_lock_down(path):
    path.mkdir()
    assert load_mode(path) is DoorMode.LOCKED_DOWN


def test_half_a_write_leaves_the_old_mode(path):
    save_mode(path, DoorMode.LOCKED_DOWN)
    path.with_name(f".{path.name}.part").write_text("Lo")  # the power went in the middle of the next one
    assert load_mode(path) is DoorMode.LOCKED_DOWN
    save_mode(path, DoorMode.LOCKED)
    assert load_mode(path) is DoorMode.LOCKED


def test_a_mode_that_cannot_be_saved_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(JournalError, match=r"absent/mode.*cannot be saved"):
        save_mode(tmp_path / "absent" / "mode", DoorMode.LOCKED_DOWN)


def test_a_mode_that_is_kept_is_on_the_disk_when_the_guard_gets_the_answer(path):
    keeper = ModeKeeper(path, print)
    keeper.save(DoorMode.LOCKED_DOWN, wait_s=10.0)
    assert load_mode(path) is DoorMode.LOCKED_DOWN


def test_a_disk_that_does_not_answer_holds_up_no_door_and_modes_keep_their_order(path):
    freed, saved = threading.Event(), []

    def stuck(where: Path, mode: DoorMode) -> None:
        freed.wait(10.0)
        saved.append(mode)

    keeper = ModeKeeper(path, print, stuck)
    for mode in (DoorMode.LOCKED_DOWN, DoorMode.LOCKED):
        with pytest.raises(JournalError, match="still being saved"):
            keeper.save(mode, wait_s=0.01)
    freed.set()
    keeper.save(DoorMode.LOCKED_DOWN, wait_s=10.0)
    assert saved == [DoorMode.LOCKED_DOWN, DoorMode.LOCKED, DoorMode.LOCKED_DOWN]


def test_a_mode_that_could_not_be_saved_is_the_answer_and_a_fault(tmp_path):
    faults: list[str] = []
    keeper = ModeKeeper(tmp_path / "absent" / "mode", faults.append)
    with pytest.raises(JournalError, match="cannot be saved"):
        keeper.save(DoorMode.LOCKED_DOWN, wait_s=10.0)
    assert len(faults) == 1
