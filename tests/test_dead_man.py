"""The dead man's hand: it acts when its parent dies, and never otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.dead_man import DeadMan

PARENT = """
import signal, sys, time
from pathlib import Path
from agent.dead_man import DeadMan
dead_man = DeadMan.start(lambda: Path(sys.argv[1]).write_text("safe"))
print(dead_man._pid, flush=True)
signal.pause()
"""


def wait_for(true, timeout_s: float = 10.0) -> bool:
    until_s = time.monotonic() + timeout_s
    while not true() and time.monotonic() < until_s:
        time.sleep(0.005)
    return true()


@pytest.fixture
def parent(tmp_path: Path):
    """A parent process, its child's pid and the file that the child writes when it acts."""
    acted = tmp_path / "acted"
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(acted)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    yield process, child, acted
    if process.poll() is None:
        process.kill()
    process.wait()
    process.stdout.close()


def test_when_the_door_program_is_killed_the_lock_is_made_safe(parent):
    process, _, acted = parent
    process.send_signal(signal.SIGKILL)
    assert wait_for(acted.exists)


def test_a_signal_to_the_whole_group_does_not_end_the_hand_before_its_parent(parent):
    process, child, acted = parent
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT, signal.SIGQUIT):
        os.kill(child, number)
    assert not acted.exists()
    process.send_signal(signal.SIGKILL)
    assert wait_for(acted.exists)


def test_a_program_that_ends_in_good_order_needs_no_hand(tmp_path):
    acted = tmp_path / "acted"
    dead_man = DeadMan.start(lambda: acted.write_text("safe") and None)
    assert dead_man.alive
    dead_man.let_go()
    assert not dead_man.alive
    assert not acted.exists()


def test_a_hand_that_was_killed_is_noticed():
    dead_man = DeadMan.start(lambda: None)
    os.kill(dead_man._pid, signal.SIGKILL)
    assert wait_for(lambda: not dead_man.alive)
    dead_man.let_go()
