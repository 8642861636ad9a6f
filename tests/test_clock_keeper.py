"""The door's clock: never earlier than it can be, and remembered from one start of its program to the next."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from agent.clock_keeper import WRITTEN, ClockKeeper
from agent.clock_kernel import boot_id, kernel_clock
from agent.core.clock_watch import EPOCH, ClockNews, Reading, to_us

TRUE_US = to_us(datetime(2031, 3, 2, 8, 0, tzinfo=timezone.utc))
BOOT, NEXT_BOOT = "0a" * 16, "0b" * 16


class Clocks:
    """A controller's clocks as a test sets them."""

    def __init__(self, offset_us: int, synchronised: bool | None = False) -> None:
        self.mono_us, self.offset_us, self.synchronised = 60_000_000, offset_us, synchronised

    def __call__(self) -> Reading:
        self.mono_us += 1_000_000
        return Reading(self.mono_us, self.mono_us + self.offset_us, self.synchronised)


def keeper(
    folder: Path, clocks: Clocks, told: list[ClockNews] | None = None, boot: str = BOOT, *not_before: datetime
) -> ClockKeeper:
    return ClockKeeper(folder / "clock", ([] if told is None else told).append, not_before, read=clocks, boot=boot)


def test_a_clock_in_1970_is_no_earlier_than_this_program(tmp_path: Path) -> None:
    assert keeper(tmp_path, Clocks(0)).wall() >= WRITTEN


def test_nor_than_the_certificates_of_this_door(tmp_path: Path) -> None:
    issued = datetime(2041, 1, 1, tzinfo=timezone.utc)
    assert issued <= keeper(tmp_path, Clocks(0), None, BOOT, issued).wall() < issued + timedelta(minutes=5)


def test_nor_than_a_time_that_was_right_once(tmp_path: Path) -> None:
    keeper(tmp_path, Clocks(TRUE_US, synchronised=True))
    after_a_power_cut = keeper(tmp_path, Clocks(0), None, NEXT_BOOT)
    assert after_a_power_cut.wall() >= EPOCH + timedelta(microseconds=TRUE_US)
    assert not after_a_power_cut.is_sure()


def test_a_time_that_was_never_checked_is_not_remembered(tmp_path: Path) -> None:
    """A clock that stood in 2090 by mistake would hold the door there for ever."""
    keeper(tmp_path, Clocks(to_us(datetime(2090, 1, 1, tzinfo=timezone.utc)), synchronised=False))
    assert not (tmp_path / "clock").exists()


def test_events_are_marked_with_the_start_of_the_machine_and_how_sure_the_time_is(tmp_path: Path) -> None:
    clocks = Clocks(0)
    clock = keeper(tmp_path, clocks)
    assert clock.mark() == (BOOT, "unsure")
    clocks.offset_us, clocks.synchronised = TRUE_US, True
    clock.look()
    assert clock.mark() == (BOOT, "synchronised")


def test_a_program_that_starts_again_tells_nothing_twice_and_still_knows(tmp_path: Path) -> None:
    told: list[ClockNews] = []
    first = keeper(tmp_path, Clocks(TRUE_US, synchronised=True), told)
    first.start()
    first.close()
    second = keeper(tmp_path, Clocks(TRUE_US, synchronised=False), told)
    second.start()
    second.close()
    assert [news.kind for news in told] == ["clock.synchronised"]
    assert second.mark() == (BOOT, "held")


def test_another_start_of_the_machine_is_told_of_anew(tmp_path: Path) -> None:
    told: list[ClockNews] = []
    for boot in (BOOT, NEXT_BOOT):
        clock = keeper(tmp_path, Clocks(TRUE_US, synchronised=True), told, boot)
        clock.start()
        clock.close()
    assert [news.kind for news in told] == ["clock.synchronised"] * 2


@pytest.mark.parametrize("rest", [b"", b"\xff", b"{}", b'{"boot":"x","offset_us":1e400,"known_us":0}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "clock").write_bytes(rest)
    assert keeper(tmp_path, Clocks(0)).wall() >= WRITTEN


def test_a_disk_that_cannot_be_written_stops_no_door(tmp_path: Path) -> None:
    clock = ClockKeeper(tmp_path / "missing" / "clock", lambda news: None, read=Clocks(TRUE_US, synchronised=True), boot=BOOT)
    assert clock.mark() == (BOOT, "synchronised")


def test_the_kernel_is_asked_as_it_is() -> None:
    assert len(boot_id()) == 32
    synchronised, error_s = kernel_clock()
    assert (synchronised is None) == (error_s is None)


@pytest.mark.parametrize("unit", ["door", "media"])
def test_the_programs_that_ask_may_ask_and_cannot_set_the_clock(unit: str) -> None:
    """glibc's adjtimex() is the system call clock_adjtime: a virtual machine showed that the first name alone is not enough."""
    lines = (Path(__file__).parents[1] / "systemd" / f"doorward-{unit}.service").read_text().splitlines()
    filters = [line for line in lines if line.startswith("SystemCallFilter=")]
    assert filters[-1] == "SystemCallFilter=adjtimex clock_adjtime"
    assert "@clock" in filters[-2]
    assert {"ProtectClock=no", "CapabilityBoundingSet="} <= set(lines)
