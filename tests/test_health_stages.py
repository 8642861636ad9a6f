"""What keeps WATCHDOG=1 back, so that a program is ended and started anew, and what does not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from gpiozero import OutputDevice
from gpiozero.pins.mock import MockFactory

from agent.dead_man import DeadMan
from agent.door_items import Fault, Item
from agent.health_beat import Beat
from agent.health_stages import TELL_AFTER, Stages, waits_in_kernel
from agent.inbox import Inbox
from agent.link.session import HUNG_S, Address, Session
from agent.records.journal import SLOW_S, Journal
from agent.vision.eyes import STUCK_S, Eyes
from hw.inputs_gpio import GpioInputs
from hw.lock_gpio import LATE_S, RelayLock
from hw.lock_second import BothLocks
from hw.reader_serial import open_serial_reader
from tests.system.brokers import wait_until


class HandClock:
    """Only the test moves it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def mono_s(self) -> float:
        return self.now_s

    def wall(self) -> Any:
        raise NotImplementedError


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What a program says to systemd."""
    path = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(path))
        ear.setblocking(False)
        yield ear


def heard(ear: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(ear.recv(4096).decode())
        except BlockingIOError:
            return words


class Hand:
    """A dead man's hand that is there."""

    alive = True


def beat_with(check: Callable[[], str], clock: HandClock) -> tuple[Beat, Inbox[Item]]:
    inbox: Inbox[Item] = Inbox()
    return Beat(cast(Any, clock), cast(DeadMan, Hand()), inbox, lambda: None, {"reader front": check}), inbox


def test_the_supervisor_hears_once_a_second_that_all_is_alive(supervisor):
    clock = HandClock()
    beat, _ = beat_with(lambda: "", clock)
    for _ in range(10):
        beat()
        clock.now_s += 0.25
    assert heard(supervisor) == ["WATCHDOG=1"] * 3


def test_a_stage_that_hangs_keeps_the_heartbeat_back_and_why_is_put_on_record_once(supervisor):
    clock, words = HandClock(), ""
    beat, inbox = beat_with(lambda: words, clock)
    beat()
    assert heard(supervisor) == ["WATCHDOG=1"]
    words = "edges wait on its lines for 3 s"
    for _ in range(5):
        clock.now_s += 1
        beat()
    assert heard(supervisor) == []
    assert beat.hung() == ("reader front: edges wait on its lines for 3 s",)
    (fault,) = inbox.drain()
    assert isinstance(fault, Fault)
    assert "reader front: edges wait" in fault.text


def test_a_moment_of_standing_still_is_no_fault_and_the_heart_goes_on(supervisor):
    clock, words = HandClock(), "edges wait on its lines for 3 s"
    beat, inbox = beat_with(lambda: words, clock)
    beat()
    words = ""
    clock.now_s += 1
    beat()
    assert heard(supervisor) == ["WATCHDOG=1"]
    assert inbox.drain() == []


def test_a_program_that_waits_inside_the_kernel_is_not_killed_it_would_keep_its_pins():
    told: list[str] = []
    stages = Stages({"link": lambda: "has not moved for 11 min"}, told.append, in_kernel=lambda: True)
    assert [stages.look() for _ in range(TELL_AFTER)] == [True] * TELL_AFTER
    assert told == ["link: has not moved for 11 min"]


@pytest.mark.parametrize(("letters", "waits"), [("SS", False), ("SDS", True), ("R", False), ("", False)])
def test_a_thread_in_an_uninterruptible_sleep_is_seen_whatever_its_name(tmp_path, letters, waits):
    for number, letter in enumerate(letters):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "stat").write_text(f"{number} (a) D (b) {letter} 1 2 3")
    assert waits_in_kernel(tmp_path) is waits


def test_this_process_which_only_computes_does_not_wait_there():
    wait_until(lambda: not waits_in_kernel(), 10, "a test that computes is in the kernel for good")


# -- each stage ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def relay():
    factory = MockFactory()
    yield OutputDevice(22, pin_factory=factory)
    factory.close()


def test_a_lock_whose_pulse_nobody_ends_is_not_alive(relay, monkeypatch):
    """The thread that ends pulses stands still: the lock would stay open."""
    stand, clock = threading.Event(), HandClock()
    lock = RelayLock(relay, "secure", lambda text: None, clock.mono_s)
    monkeypatch.setattr(lock, "_end_pulse", lambda: stand.wait(30) and "")
    lock.pulse(3.0)
    assert lock.hung() == ""
    clock.now_s += 3.0 + LATE_S + 1
    assert "longer than it was asked to" in lock.hung()
    assert "longer" in BothLocks(lock, lock, lambda text: None).hung()
    stand.set()
    lock.close()
    assert lock.hung() == ""


def test_a_lock_that_is_free_for_a_day_because_its_pulse_is_renewed_is_alive(relay):
    clock = HandClock()
    lock = RelayLock(relay, "secure", lambda text: None, clock.mono_s)
    for _ in range(10):
        lock.pulse(4.0)
        clock.now_s += 2.0
        assert lock.hung() == ""
    lock.close()


def test_a_lock_that_could_not_be_told_to_hold_counts_from_that_moment(relay, monkeypatch):
    clock = HandClock()
    lock = RelayLock(relay, "secure", lambda text: None, clock.mono_s)
    lock.pulse(60.0)
    monkeypatch.setattr(lock, "_drive", lambda released: (_ for _ in ()).throw(OSError("busy")))
    with pytest.raises(OSError, match="busy"):
        lock.secure()
    assert lock.hung() == ""
    monkeypatch.undo()
    lock.close()


def test_a_serial_reader_whose_device_is_missing_is_offline_and_alive(tmp_path):
    reader = open_serial_reader("desk", str(tmp_path / "no-such-line"), "rdm6300")
    offline = threading.Event()
    reader.start(lambda news: offline.set())
    assert offline.wait(10)
    assert reader.hung() == ""
    reader.close()
    assert reader.hung() == ""


def test_a_serial_reader_whose_thread_has_ended_is_not_alive(tmp_path, monkeypatch):
    reader = open_serial_reader("desk", str(tmp_path / "line"), "rdm6300")
    monkeypatch.setattr(reader, "_run", lambda: None)
    reader.start(lambda news: None)
    wait_until(lambda: reader.hung() != "", 10, "nobody notices")
    reader.close()


def test_inputs_whose_edges_nobody_hands_on_are_not_alive():
    factory = MockFactory()
    inputs = GpioInputs({"rex": 24}, factory)
    assert inputs.hung() == ""
    factory.is_deaf = True
    assert "nobody listens" in inputs.hung()
    inputs.close()


def session() -> Session:
    return Session(Address(host="127.0.0.1", port=1), "doorward-hq-front", cast(Any, None))


def test_a_broker_that_is_not_there_for_hours_is_no_link_that_hangs(monkeypatch):
    """Every try to reach it counts as life: a fault of the network may cost nobody the door."""
    link = session()
    tried = threading.Semaphore(0)

    def refuse() -> None:
        tried.release()
        raise ConnectionRefusedError

    monkeypatch.setattr(link, "_visit", refuse)
    link.start()
    assert tried.acquire(timeout=10)
    link._turned_s = time.monotonic() - 2 * HUNG_S
    wait_until(lambda: link.hung() == "", 30, "its next try does not count")
    link.stop()


def test_a_link_that_does_not_come_round_any_more_is_not_alive(monkeypatch):
    link, stand, stands = session(), threading.Event(), threading.Event()

    def hang() -> None:
        stands.set()
        stand.wait(30)

    monkeypatch.setattr(link, "_visit", hang)
    link.start()
    assert stands.wait(10)
    assert link.hung() == ""
    link._turned_s = time.monotonic() - HUNG_S - 60
    assert link.hung() == "has not moved for 11 min"
    stand.set()
    link.stop()
    assert link.hung() == ""


def test_a_link_whose_thread_has_ended_is_not_alive(monkeypatch):
    monkeypatch.setattr(Session, "_run", lambda self: None)
    link = session()
    link.start()
    wait_until(lambda: link.hung() != "", 10, "nobody notices")
    link.stop()


def test_a_disk_that_takes_nothing_is_told_and_the_door_goes_on(tmp_path, monkeypatch):
    clock = HandClock()
    journal = Journal(tmp_path, cast(Any, clock))
    stand, stands = threading.Event(), threading.Event()

    def hang(*_: Any) -> bool:
        stands.set()
        stand.wait(30)
        return True

    monkeypatch.setattr(journal, "_commit", hang)
    journal.acknowledge([(1, 1)])
    assert stands.wait(10)
    assert journal.faults == ()
    clock.now_s += SLOW_S + 15
    assert journal.faults == ("journal: the disk has taken nothing for 45 s",)
    stand.set()
    wait_until(lambda: journal.faults == (), 10, "it is told though the disk writes again")
    journal.close()


def test_a_camera_that_is_gone_keeps_no_vision_from_living_and_a_driver_that_never_comes_back_does():
    clock, jobs = HandClock(), []
    eyes = Eyes("front", lambda: cast(Any, None), clock.mono_s, lambda s: None, beside=jobs.append)
    eyes.read(0.1)
    assert len(jobs) == 1
    clock.now_s += STUCK_S - 1
    assert eyes.hung() == ""
    clock.now_s += 2
    assert "has not come back for 61 s" in eyes.hung()
