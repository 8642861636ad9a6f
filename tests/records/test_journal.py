"""The journal: nothing that was put on record is lost, no number is given twice, and no disk stops the door."""

from __future__ import annotations

import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.messages import Event
from agent.errors import JournalError
from agent.records.blackbox import ROOM_BYTES, SLOTS
from agent.records.journal import Journal

AT = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


class FixedClock:
    def mono_s(self) -> float:
        return 12.5

    def wall(self) -> datetime:
        return AT


Open = Callable[[], Journal]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the journal of one folder, closing the one before as a restart of the door does."""
    journals: list[Journal] = []

    def reopen() -> Journal:
        if journals:
            journals[-1].close()
        journals.append(Journal(tmp_path, FixedClock()))
        return journals[-1]

    yield reopen
    if journals:
        journals[-1].close()


def append(journal: Journal, kind: str = "access.granted", **data: Any) -> Event:
    return journal.append(kind, data, at=AT, mono_s=12.5)


def waiting(journal: Journal) -> list[Event]:
    assert journal.flush(10), journal.faults
    return [pending.event for pending in journal.pending(0, 1_000_000)]


def until(is_so: Callable[[], bool]) -> None:
    """The journal's thread works beside us: wait for what it does."""
    deadline_s = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_an_event_comes_back_as_it_was_put(opened: Open) -> None:
    journal = opened()
    event = append(journal, reasons=["face_match"], score=0.61)
    assert (event.sequence, event.journal, event.at) == (1, journal.id, AT)
    assert waiting(journal) == [event]
    assert journal.committed == 1
    assert waiting(opened()) == [event]


def test_the_count_goes_on_after_everything_was_acknowledged_and_the_door_restarted(opened: Open) -> None:
    journal = opened()
    for _ in range(5):
        append(journal)
    journal.flush(5)
    journal.acknowledge([(1, 5)])
    assert waiting(journal) == []
    again = opened()
    assert again.id == journal.id
    assert append(again).sequence == 6


def test_only_what_was_acknowledged_is_deleted(opened: Open) -> None:
    journal = opened()
    for _ in range(10):
        append(journal)
    journal.flush(5)
    journal.acknowledge([(2, 3), (7, 7), (50, 60)])
    assert [event.sequence for event in waiting(journal)] == [1, 4, 5, 6, 8, 9, 10]
    journal.acknowledge([(1, 1 << 39)], journal="abcdef01")
    assert len(waiting(journal)) == 7


def test_pending_goes_on_behind_a_position(opened: Open) -> None:
    journal = opened()
    for _ in range(7):
        append(journal)
    journal.flush(5)
    first = journal.pending(0, 3)
    rest = journal.pending(first[-1].position, 100)
    assert [pending.event.sequence for pending in first + rest] == [1, 2, 3, 4, 5, 6, 7]


def test_a_second_program_is_refused_and_told_why(opened: Open, tmp_path: Path) -> None:
    opened()
    with pytest.raises(JournalError, match="another door program"):
        Journal(tmp_path, FixedClock())


def test_what_json_cannot_carry_is_told_in_words_and_not_lost(opened: Open) -> None:
    journal = opened()
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    odd: list[dict[str, Any]] = [
        {"a": object()},
        {"b": float("nan")},
        {"c": b"\xff"},
        {"d": {1, 2}},
        {"e": "\ud800"},
        {"f": 10**400},
        loop,
    ]
    events = [journal.append("odd", data, AT, 1.0) for data in odd]
    assert waiting(journal) == events
    assert all(event.data for event in events)


def test_a_listener_is_told_of_every_commit(opened: Open) -> None:
    journal, told = opened(), []
    journal.listen(lambda: told.append(journal.committed))
    append(journal)
    journal.flush(5)
    until(lambda: told == [1])


def test_while_the_database_is_locked_events_wait_in_the_black_box_and_a_fault_is_reported(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    append(journal)
    journal.flush(5)
    thief = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    thief.execute("BEGIN EXCLUSIVE")
    events = [append(journal, number=number) for number in range(SLOTS + 40)]
    until(lambda: any("locked" in fault for fault in journal.faults))
    assert any("black box is full" in fault for fault in journal.faults)
    assert not journal.flush(0.01)
    thief.execute("ROLLBACK")
    thief.close()
    found = waiting(journal)
    assert [event.id for event in found if event.kind == "access.granted"][1:] == [event.id for event in events]
    until(lambda: journal.faults == ())
    kinds = [event.kind for event in waiting(journal)]
    assert kinds.count("journal.fault") == 1
    assert kinds.count("journal.recovered") == 1


FULL_DISK = """
import resource, sys, time
from pathlib import Path
from agent.clock import SystemClock
from agent.records.journal import Journal
clock = SystemClock()
journal = Journal(Path(sys.argv[1]), clock)
journal.append("before", {}, clock.wall(), 1.0)
assert journal.flush(5)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
for number in range(300):
    journal.append("meanwhile", {"number": number, "filling": "x" * 1000}, clock.wall(), 2.0)
until = time.monotonic() + 10
while not journal.faults and time.monotonic() < until:
    time.sleep(0.01)
assert journal.faults, "a full disk was not noticed"
print(journal.faults)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY if hard == resource.RLIM_INFINITY else hard, hard))
assert journal.flush(10), journal.faults
journal.close()
"""


def test_a_disk_that_fills_up_costs_no_event(tmp_path: Path, opened: Open) -> None:
    assert resource.RLIM_INFINITY in resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    numbers = [event.data["number"] for event in waiting(opened()) if event.kind == "meanwhile"]
    assert numbers == list(range(300))


def test_a_journal_that_cannot_be_opened_is_a_fault_and_the_door_lives(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    journal = Journal(tmp_path, FixedClock())
    event = append(journal)
    assert any("cannot be" in fault for fault in journal.faults)
    (tmp_path / "journal.db").rmdir()
    assert event in waiting(journal)
    journal.close()


def test_a_corrupt_journal_is_set_aside_reported_and_counted_anew(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    append(journal)
    journal.close()
    (tmp_path / "journal.db").write_bytes(b"this is no database, and it is longer than a header of one hundred bytes " * 60)
    (tmp_path / "journal.db-wal").unlink(missing_ok=True)
    again = opened()
    event = append(again)
    kinds = [found.kind for found in waiting(again)]
    assert kinds == ["journal.set_aside", "access.granted"]
    assert again.id != journal.id
    assert event.sequence == 2
    assert len(list(tmp_path.glob("journal.db.corrupt-20260302T083000Z"))) == 1


def test_what_can_still_be_read_of_a_damaged_journal_is_saved_under_its_old_numbers(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    events = [append(journal, filling="x" * 3000) for _ in range(40)]
    journal.flush(5)
    journal.close()
    with (tmp_path / "journal.db").open("r+b") as file:
        file.seek(30 * 4096 + 100)
        file.write(b"\xff" * 2000)
        file.seek(60)  # the schema's version: the file says that it is not ours
        file.write(b"\0\0\0\x09")
    again = opened()
    found = waiting(again)
    saved = [event for event in found if event.journal == journal.id]
    assert len(saved) > 10
    assert {event.id for event in saved} <= {event.id for event in events}
    notice = next(event for event in found if event.kind == "journal.set_aside")
    assert notice.data["events_saved"] == len(saved)
    again.acknowledge([(1, 40)], journal.id)
    assert {event.journal for event in waiting(again)} == {again.id}


def test_a_row_whose_bytes_changed_is_put_aside_and_reported(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    for _ in range(3):
        append(journal)
    journal.flush(5)
    with sqlite3.connect(tmp_path / "journal.db") as vandal:
        vandal.execute("UPDATE events SET body = replace(body, 'granted', 'gRanted') WHERE position = 2")
    vandal.close()
    assert [event.sequence for event in waiting(journal)] == [1, 3]
    until(lambda: [event.kind for event in waiting(journal)][-1] == "journal.row_damaged")
    with sqlite3.connect(tmp_path / "journal.db") as look:
        assert look.execute("SELECT position FROM damaged").fetchall() == [(2,)]
    look.close()


def test_a_changed_letter_in_a_columns_name_does_not_take_in_events_that_never_come_out(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    append(journal)
    journal.close()
    path = tmp_path / "journal.db"
    raw = path.read_bytes()
    assert raw.count(b"events (position") == 1
    path.write_bytes(raw.replace(b"events (position", b"events (positioA"))
    again = opened()
    new = append(again)
    found = waiting(again)
    assert new.id in {event.id for event in found}
    assert "journal.set_aside" in {event.kind for event in found}


@pytest.mark.parametrize("at", range(100))
def test_no_wrong_byte_in_the_header_stops_the_journal(tmp_path: Path, at: int) -> None:
    """Some of them make SQLite say 'readonly' or 'unsupported', as if the disk would get well again."""
    journal = Journal(tmp_path, FixedClock())
    append(journal)
    journal.close()
    path = tmp_path / "journal.db"
    raw = bytearray(path.read_bytes())
    raw[at] = (raw[at] + 100) % 256
    path.write_bytes(raw)
    again = Journal(tmp_path, FixedClock())
    new = append(again)
    assert again.flush(5), again.faults
    assert new.id in {pending.event.id for pending in again.pending(0, 1000)}
    again.close()


@settings(max_examples=40)
@given(data=st.data())
def test_flipped_bytes_in_the_files_never_raise_and_never_repeat_a_number(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flips")
    journal = Journal(folder, FixedClock())
    told = {append(journal, number=number).id for number in range(30)}
    journal.close()
    for name in ("journal.db", "journal.db-wal", "blackbox"):
        path = folder / name
        if path.exists():
            raw = bytearray(path.read_bytes())
            for _ in range(data.draw(st.integers(0, 30))):
                raw[data.draw(st.integers(0, min(len(raw), 40_000) - 1))] = data.draw(st.integers(0, 255))
            if raw and data.draw(st.booleans()):
                del raw[data.draw(st.integers(0, len(raw))) :]
            path.write_bytes(raw)
    again = Journal(folder, FixedClock())
    new = append(again)
    found = waiting(again)
    assert new.id in {event.id for event in found}
    assert len({(event.journal, event.sequence) for event in found}) == len(found)
    assert {event.id for event in found if event.kind == "access.granted"} <= told | {new.id}
    again.close()


def test_a_new_journal_behind_a_damaged_one_that_goes_bad_while_the_door_runs(opened: Open, tmp_path: Path) -> None:
    journal = opened()
    first = append(journal)
    journal.flush(5)
    with sqlite3.connect(tmp_path / "journal.db") as vandal:
        vandal.execute("DROP TABLE events")
    vandal.close()
    second = append(journal)
    until(lambda: any(event.kind == "journal.set_aside" for event in waiting(journal)))
    third = append(journal)
    found = waiting(journal)
    assert {second.id, third.id} <= {event.id for event in found}
    assert third.journal != first.journal
    positions = [pending.position for pending in journal.pending(0, 100)]
    assert positions == sorted(positions)
    assert waiting(opened()) == found


def test_a_torn_slot_is_reported(opened: Open, tmp_path: Path) -> None:
    opened().close()
    raw = bytearray((tmp_path / "blackbox").read_bytes())
    raw[:40] = b"DB" + bytes(range(38))
    (tmp_path / "blackbox").write_bytes(raw)
    notice = waiting(opened())[-1]
    assert (notice.kind, notice.data["slots"]) == ("journal.torn", 1)


CHILD = """
import sys, time
from pathlib import Path
from agent.clock import SystemClock
from agent.records.journal import Journal
clock = SystemClock()
journal = Journal(Path(sys.argv[1]), clock)
filling, pause_s = "x" * int(sys.argv[2]), float(sys.argv[3])
print("ready", flush=True)
while True:
    event = journal.append("access.granted", {"filling": filling}, clock.wall(), clock.mono_s())
    sys.stdout.write(f"{event.journal} {event.sequence} {event.id}\\n")
    sys.stdout.flush()
    if event.sequence % 7 == 0:
        journal.acknowledge([(event.sequence - 3, event.sequence - 3)])
    time.sleep(pause_s)
"""


def told_by_doors_that_were_killed(folder: Path, size: int, pause_s: float) -> list[tuple[str, ...]]:
    """Journal, sequence and id of every event that `append` returned before the door died, over eight lives."""
    dice, told = random.Random(), []
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(size), str(pause_s)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(dice.uniform(0, 0.08))
        child.send_signal(signal.SIGKILL)
        told += [tuple(line.split()) for line in child.stdout.read().split("\n")[:-1]]
        child.wait()
    return told


def found_after(folder: Path) -> list[tuple[str, ...]]:
    journal = Journal(folder, FixedClock())
    found: list[tuple[str, ...]] = [(event.journal, str(event.sequence), event.id) for event in waiting(journal)]
    journal.close()
    return found


@pytest.mark.parametrize("size", [200, ROOM_BYTES * 2])
def test_a_door_killed_at_random_moments_loses_no_event_and_gives_no_number_twice(tmp_path: Path, size: int) -> None:
    told = told_by_doors_that_were_killed(tmp_path, size, 0.001)
    found = found_after(tmp_path)
    acknowledged = {words for words in told if int(words[1]) % 7 == 4}
    assert set(told) - set(found) - acknowledged == set()
    assert len({words[:2] for words in told}) == len(told) > 50
    assert len({words[:2] for words in found}) == len(found)


def test_even_events_that_came_too_fast_for_the_disk_leave_a_gap_and_never_a_number_given_twice(tmp_path: Path) -> None:
    told = told_by_doors_that_were_killed(tmp_path, ROOM_BYTES * 2, 0.0)
    assert len({words[:2] for words in told + found_after(tmp_path)}) == len(set(told + found_after(tmp_path)))


def test_the_journal_of_another_version_is_set_aside(opened: Open, tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "journal.db")
    db.execute("PRAGMA user_version=9")
    db.close()
    assert [event.kind for event in waiting(opened())] == ["journal.set_aside"]
