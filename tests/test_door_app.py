"""The door program as a whole, with a simulated far end of its pins: start, second start, failed start, and a log that nobody reads."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.records.keys import make_centre_keys, make_door_keys
from hw.rig import Rig

RELAY, REX = 22, 24
SAFE = 'kind = "maglock"\nfail = "safe"\nhardware_release = true'
REST = {17: True, 27: True, 23: False, REX: True}
"""Both data lines high, door closed, nobody at the exit button."""

Start = Callable[..., "subprocess.Popen[bytes]"]


def until(true: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not true() and time.monotonic() < deadline_s:
        time.sleep(0.005)
    return true()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(str(tmp_path / "rig.sock"), REST)
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    make_centre_keys(tmp_path)
    make_door_keys(tmp_path)
    return tmp_path


@pytest.fixture
def start(site: Path, rig: Rig) -> Iterator[Start]:
    """Starts `doorward door` with the given [lock]; `ready` waits until it listens to its inputs."""
    running: list[subprocess.Popen[bytes]] = []

    def build(lock: str = "pulse_s = 3.0", ready: bool = True, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        config = site / "door.toml"
        config.write_text(
            f'site = "hq"\ndoor = "front"\nrun_folder = "{site}"\n[board]\npins = "sim"\nrig = "{site}/rig.sock"\n[lock]\n{lock}\n'
            f'[records]\nfolder = "{site}/records"\nbundle = "{site}/access.bundle"\ncentre_key = "{site}/centre.pub"\n'
            f'door_key = "{site}/door.key"\n[link]\nport = 9\n'
        )
        supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        supervisor.bind(str(site / f"notify-{len(running)}"))
        supervisor.settimeout(30.0)
        command = [sys.executable, "-m", "agent.cli", "door", "--config", str(config)]
        env = {**os.environ, "NOTIFY_SOCKET": str(site / f"notify-{len(running)}")}
        running.append(subprocess.Popen(command, stderr=stderr, env=env))
        if ready:
            assert supervisor.recv(100) == b"READY=1"
        supervisor.close()
        return running[-1]

    yield build
    for process in running:
        process.kill()
        process.wait()


def press_exit(rig: Rig) -> None:
    rig.set(REX, False)
    time.sleep(0.1)
    rig.set(REX, True)


def driven(rig: Rig) -> list[bool | None]:
    return [level.high for level in rig.outputs if level.pin == RELAY]


def test_a_second_door_program_ends_with_a_clear_word_and_touches_no_pin_of_the_first(start, rig):
    first = start()
    press_exit(rig)
    assert until(lambda: rig.level(RELAY) is True)
    before = driven(rig)
    second = start(ready=False, stderr=subprocess.PIPE)
    assert second.wait(30) == 2
    assert second.stderr is not None
    assert b"another door program runs here" in second.stderr.read()
    second.stderr.close()
    assert driven(rig) == before, "the pulse of the first goes on"
    assert first.poll() is None


def test_a_door_that_cannot_start_holds_nobody_in(start, rig, site):
    (site / "door.key").unlink()
    process = start(SAFE, ready=False, stderr=subprocess.PIPE)
    assert process.wait(30) == 2
    assert process.stderr is not None
    assert b"door.key" in process.stderr.read()
    process.stderr.close()
    assert until(lambda: bool(rig.outputs) and rig.outputs[-1].high is None)
    assert True not in driven(rig), "a maglock that holds has power"


def test_a_maglock_holds_while_its_door_is_guarded_and_no_longer(start, rig):
    process = start(SAFE)
    assert rig.level(RELAY) is True
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert until(lambda: rig.level(RELAY) is None)
    assert driven(rig)[-2:] == [False, None]


def test_a_log_that_nobody_reads_keeps_nobody_in(start, rig, site):
    """The pipe is full and stays so: journald stopped, a disk behind it full, a supervisor that has died."""
    read_end, write_end = os.pipe()
    start(stderr=write_end)
    os.close(write_end)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.settimeout(3.0)
        for _ in range(1500):  # each is a line in the log, and a pipe holds 64 kB
            wire.sendto(b"garbage", str(site / "door.sock"))
    press_exit(rig)
    assert until(lambda: rig.level(RELAY) is True, 3.0)
    os.close(read_end)


def test_an_input_pin_that_this_board_does_not_have_is_named(start):
    process = start("pulse_s = 3.0\n[inputs]\nfire_pin = 53", ready=False, stderr=subprocess.PIPE)
    assert process.wait(30) == 1
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert b"inputs.fire_pin" in said
    assert b"Traceback" not in said
