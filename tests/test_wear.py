"""What is written to a card is counted, over restarts, without a calendar and without writing much for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wear import HOUR_S, LEAST_S, MOST_HOURS, Counters, Figures, Wear, count, figures, life_used
from agent.wear_watch import FILE, Place, Programs, WearWatch, disk_of, load

MB = 1_000_000


def at(up_s: float, disk_b: int | None, boot: str = "first") -> Counters:
    return Counters(boot=boot, up_s=up_s, disk_b=disk_b)


def test_what_was_written_before_the_door_started_counts_too():
    wear = count(Wear(), at(60, 5 * MB), 1 * MB)
    assert (wear.disk_b, wear.programs_b, wear.s) == (5 * MB, 1 * MB, 60)


def test_a_program_that_is_started_again_goes_on_where_the_machine_is():
    wear = count(count(Wear(), at(60, 5 * MB), 0), at(120, 7 * MB), 0)
    assert (wear.disk_b, wear.s) == (7 * MB, 120)


def test_a_machine_that_is_started_again_counts_from_nothing_and_its_count_is_added():
    wear = count(count(Wear(), at(6000, 50 * MB), 0), at(60, 2 * MB, boot="second"), 0)
    assert (wear.disk_b, wear.s) == (52 * MB, 6060)


def test_a_day_is_the_last_24_hours_of_running_time():
    wear = Wear()
    for hour in range(1, 101):
        wear = count(wear, at(hour * HOUR_S, hour * 10 * MB if hour <= 50 else (500 + hour - 50) * MB), 1 * MB)
    told = figures(wear, 32_000 * MB, None)
    assert (told.disk_b_a_day, told.programs_b_a_day, told.hours) == (24 * MB, 24 * MB, 100)
    assert told.rewrites_a_year == round(24 * 365 / 32_000, 2)
    assert len(wear.hours) == MOST_HOURS + 1


def test_nothing_is_told_of_a_day_after_a_minute():
    assert figures(count(Wear(), at(60, MB), 0), MB, None).disk_b_a_day is None
    assert figures(count(Wear(), at(LEAST_S, MB), 0), MB, None).disk_b_a_day == round(MB * 86400 / LEAST_S)


def test_where_the_records_lie_in_memory_there_is_no_disk_to_wear():
    told = figures(count(Wear(), at(HOUR_S, None), MB), None, None)
    assert (told.disk_b_a_day, told.programs_b_a_day, told.rewrites_a_year) == (None, 24 * MB, None)


looks = st.lists(
    st.tuples(st.sampled_from("ab"), st.floats(0, 1e6), st.none() | st.integers(0, 10**12), st.integers(0, 10**9)), max_size=60
)


@given(looks)
def test_whatever_the_kernel_says_a_count_never_runs_backwards(seen):
    wear = Wear()
    for boot, up_s, disk_b, programs_b in seen:
        more = count(wear, at(up_s, disk_b, boot), programs_b)
        assert (more.disk_b >= wear.disk_b, more.programs_b >= wear.programs_b, more.s >= wear.s) == (True, True, True)
        assert len(more.hours) <= MOST_HOURS + 1
        wear = more
    assert isinstance(figures(wear, 10**10, 10), Figures)


@pytest.mark.parametrize(
    ("text", "percent"),
    [("0x01 0x03", 30), ("0x00 0x00", None), ("0x0b 0x01", 110), ("", None), ("0x0c 0x01", None), ("soon", None)],
)
def test_what_an_emmc_says_of_its_life(text, percent):
    assert life_used(text) == percent


# -- the kernel's files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """A card of 32 GB with a partition, on which everything lies."""
    root = tmp_path / "sys"
    disk = root / "devices/mmc0/block/mmcblk0"
    (disk / "mmcblk0p2").mkdir(parents=True)
    (disk / "mmcblk0p2/partition").write_text("2\n")
    (disk / "size").write_text("62333952\n")
    (disk / "stat").write_text(
        "     978      155   429608       85      495    48799   394152     8387        0      792     8597\n"
    )
    (disk / "device").mkdir()
    (disk / "device/life_time").write_text("0x02 0x01\n")
    number = tmp_path.stat().st_dev
    (root / "dev/block").mkdir(parents=True)
    (root / f"dev/block/{os.major(number)}:{os.minor(number)}").symlink_to(disk / "mmcblk0p2")
    return root


def test_a_folder_on_a_partition_is_counted_by_its_whole_disk(sys, tmp_path):
    place = disk_of(tmp_path, sys)
    assert (place.written_b, place.capacity_b, place.life_used) == (394152 * 512, 62333952 * 512, 20)


def test_a_folder_that_lies_on_no_disk_has_none(tmp_path):
    place = disk_of(tmp_path, tmp_path / "no-sys")
    assert (place.disk, place.written_b, place.capacity_b, place.life_used) == (None, None, None, None)


def process(proc: Path, number: int, written: int, started: int = 5, name: str = "doorward (x)") -> None:
    (proc / str(number)).mkdir(parents=True, exist_ok=True)
    (proc / str(number) / "stat").write_text(f"{number} ({name}) S {' '.join('0' for _ in range(18))} {started} 0 0")
    (proc / str(number) / "io").write_text(f"rchar: 1\nwrite_bytes: {written}\ncancelled_write_bytes: 0\n")


def test_all_our_programs_are_counted_and_those_of_before_only_from_now_on(tmp_path):
    own = os.getpid()
    process(tmp_path, own, 100)
    process(tmp_path, own + 1, 5000)
    (tmp_path / "meminfo").write_text("")
    programs = Programs(tmp_path)
    assert programs.look() == 100
    process(tmp_path, own + 1, 5040)
    process(tmp_path, own + 2, 7)
    assert programs.look() == 47
    process(tmp_path, own + 1, 3, started=9)
    assert programs.look() == 3, "another process that was given the number of one that ended"


def test_other_peoples_programs_are_not_ours(tmp_path):
    process(tmp_path, os.getpid(), 100)
    assert Programs(tmp_path, uid=os.getuid() + 1).look() == 0


def test_this_process_writes_and_is_counted(tmp_path):
    if disk_of(tmp_path).disk is None:
        pytest.skip("the folder of tests is no disk here")
    programs = Programs()
    programs.look()
    with (tmp_path / "much").open("wb") as file:
        file.write(bytes(3 * MB))
        file.flush()
        os.fsync(file.fileno())
    assert programs.look() >= 3 * MB


# -- over restarts ---------------------------------------------------------------------------------------------------------------


class Uptime:
    """Only the test moves it."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def watch(folder: Path, place: Place, uptime: Uptime) -> WearWatch:
    process(folder / "proc", os.getpid(), 0)
    return WearWatch(folder, uptime, Programs(folder / "proc"), place)


def test_a_count_is_kept_over_a_restart_and_its_file_is_written_once_an_hour(sys, tmp_path):
    uptime, place = Uptime(), disk_of(tmp_path, sys)
    first = watch(tmp_path, place, uptime)
    written = set()
    for minute in range(1, 121):
        uptime.now_s = minute * 60.0
        first.look()
        if (tmp_path / FILE).exists():
            written.add((tmp_path / FILE).read_bytes())
    assert len(written) == 2
    again = watch(tmp_path, place, uptime)
    assert again.told().disk_b_a_day == first.told().disk_b_a_day
    assert again.told().hours == 2


def test_what_is_published_changes_with_the_hour_and_not_with_each_look(sys, tmp_path):
    uptime, place = Uptime(), disk_of(tmp_path, sys)
    counted = watch(tmp_path, place, uptime)
    told = set()
    for minute in range(1, 60 * 30):
        uptime.now_s = minute * 60.0
        (place.disk / "stat").write_text(f"0 0 0 0 0 0 {minute * minute}")
        counted.look()
        told.add(counted.told().disk_b_a_day)
    assert 25 <= len(told) <= 31


@pytest.mark.parametrize("raw", [b"", b"{", b'{"s": -1}', b'{"disk_b": "much"}', b"\xff" * 100_000, b'{"hours": [{"s": -5}]}'])
def test_a_damaged_count_begins_anew_and_stops_no_door(sys, tmp_path, raw):
    (tmp_path / FILE).write_bytes(raw)
    assert load(tmp_path / FILE) == Wear()
    watch(tmp_path, disk_of(tmp_path, sys), Uptime()).look()


def test_a_card_that_takes_nothing_stops_no_door(sys, tmp_path, caplog):
    counted = watch(tmp_path, disk_of(tmp_path, sys), Uptime())
    (tmp_path / FILE).mkdir()
    counted.save()
    assert "wear not saved" in caplog.text


def test_the_file_is_small(sys, tmp_path):
    uptime = Uptime()
    counted = watch(tmp_path, disk_of(tmp_path, sys), uptime)
    for hour in range(100):
        uptime.now_s = hour * HOUR_S
        counted.look()
    counted.save()
    assert (tmp_path / FILE).stat().st_size < 4096
    assert json.loads((tmp_path / FILE).read_text())["s"] > 0
