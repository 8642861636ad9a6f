"""Who is inside, on disk: whole or forgotten, never half, and never in the way of a door."""

from __future__ import annotations

import stat
import threading
import zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.desk import Kept
from agent.errors import JournalError
from agent.records.passback import PassbackKeeper, load_kept, save_kept

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
KEPT = Kept(inside={"cardholder-1": NOON, "cardholder-2": NOON + timedelta(seconds=1)}, begun_until=NOON + timedelta(hours=6))


def test_what_was_saved_is_loaded_and_nobody_else_may_read_it(tmp_path):
    save_kept(tmp_path / "passback", "hq", "front", KEPT)
    assert load_kept(tmp_path / "passback", "hq", "front") == (KEPT, "")
    assert stat.S_IMODE((tmp_path / "passback").stat().st_mode) == 0o600


def test_a_door_that_never_saved_anything_knows_nobody_and_has_nothing_to_tell(tmp_path):
    assert load_kept(tmp_path / "passback", "hq", "front") == (Kept(), "")


def test_another_doors_file_is_forgotten_and_told(tmp_path):
    save_kept(tmp_path / "passback", "hq", "back", KEPT)
    kept, told = load_kept(tmp_path / "passback", "hq", "front")
    assert kept == Kept()
    assert "is of hq/back, this is hq/front" in told


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    (tmp_path / "passback").mkdir()
    kept, told = load_kept(tmp_path / "passback", "hq", "front")
    assert kept == Kept()
    assert "cannot be read" in told


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("records") / "passback"
    save_kept(path, "hq", "front", KEPT)
    return path, path.read_bytes()


@given(st.data())
def test_one_wrong_bit_anywhere_forgets_everybody_and_tells(whole, data):
    path, raw = whole
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    broken = bytearray(raw)
    broken[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(broken))
    kept, told = load_kept(path, "hq", "front")
    assert kept == Kept()
    assert told.startswith(f"{path}: ")


@given(st.data())
def test_a_file_that_was_cut_short_forgets_everybody_and_tells(whole, data):
    path, raw = whole
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    kept, told = load_kept(path, "hq", "front")
    assert kept == Kept()
    assert told


@given(st.binary(max_size=200))
def test_no_bytes_whatsoever_keep_a_door_from_starting(whole, raw):
    path, _ = whole
    path.write_bytes(raw)
    assert load_kept(path, "hq", "front")[0] == Kept()


def test_a_moment_without_a_time_zone_is_not_believed(tmp_path):
    """Comparing it with now would raise in the middle of a read."""
    body = b'{"site":"hq","door":"front","kept":{"inside":{"cardholder-1":"2026-03-02T12:00:00"}}}'
    (tmp_path / "passback").write_bytes(b"doorward passback 1\n%08x\n%s" % (zlib.crc32(body), body))
    kept, told = load_kept(tmp_path / "passback", "hq", "front")
    assert kept == Kept()
    assert "cannot be understood" in told


def test_what_cannot_be_saved_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(JournalError, match="nowhere/passback: who is inside cannot be saved"):
        save_kept(tmp_path / "nowhere" / "passback", "hq", "front", KEPT)


# -- the thread ----------------------------------------------------------------------------------------------------------------


def numbered(number: int) -> Kept:
    return Kept(inside={f"cardholder-{number}": NOON})


def test_of_many_changes_the_newest_is_saved_and_closing_loses_none(tmp_path):
    keeper = PassbackKeeper(tmp_path / "passback", "hq", "front", print, every_s=60.0)
    for number in range(50):
        keeper.save(numbered(number))
    keeper.close()
    assert load_kept(tmp_path / "passback", "hq", "front") == (numbered(49), "")


def test_a_disk_that_fails_is_told_and_the_next_change_is_tried_again(tmp_path):
    folder, faults, told = tmp_path / "later", [], threading.Event()

    def on_fault(text: str) -> None:
        faults.append(text)
        told.set()

    keeper = PassbackKeeper(folder / "passback", "hq", "front", on_fault, every_s=0.0)
    keeper.save(numbered(1))
    assert told.wait(5)
    folder.mkdir()
    keeper.save(numbered(2))
    keeper.close()
    assert "cannot be saved" in faults[0]
    assert load_kept(folder / "passback", "hq", "front") == (numbered(2), "")


def test_closing_without_anything_to_save_writes_nothing(tmp_path):
    PassbackKeeper(tmp_path / "passback", "hq", "front", print).close()
    assert list(tmp_path.iterdir()) == []
