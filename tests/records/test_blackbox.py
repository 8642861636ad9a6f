"""The flight recorder: what was put survives, what was torn is recognised, what is not committed is never overwritten."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import JournalError
from agent.records.blackbox import ROOM_BYTES, SLOT_BYTES, SLOTS, BlackBox


def payloads(box: BlackBox) -> list[bytes]:
    return [record.payload for record in box.found]


def test_what_was_put_is_found_again_in_order(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "box")
    told = [b"", b"a" * 300, b"b" * ROOM_BYTES, b"c" * (3 * ROOM_BYTES + 1)]
    assert all(box.put(payload) for payload in told)
    box.close()
    again = BlackBox(tmp_path / "box")
    assert payloads(again) == told
    assert again.torn == 0
    assert again.free_slots == SLOTS - 7


def test_what_was_freed_is_gone(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "box")
    first = box.put(b"x" * 9000)
    box.put(b"stays")
    box.free(first)
    box.close()
    assert payloads(BlackBox(tmp_path / "box")) == [b"stays"]


def test_a_full_ring_refuses_rather_than_overwrites(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "box")
    told = [str(number).encode() for number in range(SLOTS)]
    assert all(box.put(payload) for payload in told)
    assert box.put(b"one too many") == ()
    box.close()
    assert payloads(BlackBox(tmp_path / "box")) == told


def test_a_torn_slot_is_recognised_and_the_rest_is_read(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "box")
    box.put(b"before")
    torn = box.put(b"t" * 1000)
    box.put(b"after")
    box.close()
    with (tmp_path / "box").open("r+b") as file:
        file.seek(torn[0] * SLOT_BYTES + 500)
        file.write(b"\0" * 200)
    again = BlackBox(tmp_path / "box")
    assert payloads(again) == [b"before", b"after"]
    assert again.torn == 1
    again.close()
    assert BlackBox(tmp_path / "box").torn == 0


def test_a_record_whose_second_part_was_never_written_is_torn(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "box")
    slots = box.put(b"l" * (2 * ROOM_BYTES))
    box.close()
    with (tmp_path / "box").open("r+b") as file:
        file.seek(slots[1] * SLOT_BYTES)
        file.write(b"\0" * SLOT_BYTES)
    again = BlackBox(tmp_path / "box")
    assert (payloads(again), again.torn, again.free_slots) == ([], 1, SLOTS)


def test_the_mark_that_was_set_last_is_found_and_a_torn_one_gives_way_to_the_one_before(tmp_path: Path) -> None:
    box = BlackBox(tmp_path / "box")
    assert box.mark == b""
    for number in range(1, 8):
        box.set_mark(b"number %d" % number)
    box.close()
    assert BlackBox(tmp_path / "box").mark == b"number 7"
    raw = (tmp_path / "box").read_bytes()
    (tmp_path / "box").write_bytes(raw.replace(b"number 7", b"number 9"))
    assert BlackBox(tmp_path / "box").mark == b"number 6"


@pytest.mark.parametrize("size", [0, 1, 4095, (SLOTS + 1) * SLOT_BYTES - 1, (SLOTS + 1) * SLOT_BYTES + 1])
def test_a_file_of_a_wrong_size_gives_way_to_a_new_one(tmp_path: Path, size: int) -> None:
    (tmp_path / "box").write_bytes(b"\xff" * size)
    box = BlackBox(tmp_path / "box")
    assert (box.was_replaced, box.found, box.free_slots) == (True, [], SLOTS)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="nowhere"):
        BlackBox(tmp_path / "nowhere" / "box")


@given(flips=st.lists(st.tuples(st.integers(0, 4 * SLOT_BYTES - 1), st.integers(1, 255)), min_size=1, max_size=40))
def test_flipped_bytes_never_raise_and_never_invent_a_record(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("flips") / "box"
    box = BlackBox(path)
    told = [b"a" * 100, b"b" * (ROOM_BYTES + 5), b"c" * 2000]
    for payload in told:
        box.put(payload)
    box.close()
    raw = bytearray(path.read_bytes())
    for place, change in flips:
        raw[place] ^= change
    path.write_bytes(raw)
    again = BlackBox(path)
    assert set(payloads(again)) <= set(told)
    assert again.put(b"goes on")
    again.close()


CHILD = """
import sys
from pathlib import Path
from agent.records.blackbox import BlackBox
box = BlackBox(Path(sys.argv[1]))
for number in range(200):
    box.put(b"event %d" % number)
    print(number, flush=True)
sys.stdin.read()
"""


def test_what_was_put_survives_sigkill(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "box")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = 0
    for line in child.stdout:
        told = int(line) + 1
        if told == 137:
            child.send_signal(signal.SIGKILL)
            break
    told += len(child.stdout.read().split())
    child.wait()
    found = payloads(BlackBox(tmp_path / "box"))
    assert found[:told] == [b"event %d" % number for number in range(told)]
