"""`doorward selftest` at a door with a second relay: a second leaf, a door operator, an alarm, a shunt, wired right and wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.conftest import eventually
from tests.selftest.hands import CONTACT, FIRE, OPEN, RELAY, SHUT, Door, Walk, door_toml

pytestmark = pytest.mark.system

SECOND = 12
QUICK = ("--hold", "0.4", "--timeout", "3", "--yes", "--only", "second")


class DoorWithTwo(Door):
    """What hangs on a second relay. An operator moves the leaf by itself once it is told and the lock lets it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.operator_pin = SECOND
        """The relay that the operator's wire really hangs on; 0: none."""
        self.pushes_on = False
        self.pushed_against_bolt = False

    def do(self, step: str, words: str) -> None:
        if "open by itself NOW" in words:
            self._wait_for_the_operator()
        elif "hut the door" in words or "door shut" in words:
            self.rig.set(CONTACT, OPEN if self.pushes_on else SHUT)
        elif step == "second" and words.startswith("Open the door"):
            self.rig.set(CONTACT, OPEN)
        elif step == "second":
            self.rig.wait_for(lambda _: self.rig.level(SECOND) is True, 1.0)
        else:
            super().do(step, words)

    def _wait_for_the_operator(self) -> None:
        until_s = time.monotonic() + 3.0
        while time.monotonic() < until_s:
            if self.rig.level(self.operator_pin):
                self.pushed_against_bolt = not self.free()
                self.rig.set(CONTACT, OPEN)
                return
            time.sleep(0.02)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DoorWithTwo]:
    made = DoorWithTwo(tmp_path)
    yield made
    made.rig.close()


def walk(door: Door, role: str, answers: str = "", *, lock: str = "") -> Walk:
    second = f'kind = "strike"\nsecond_pin = {SECOND}\nsecond_role = "{role}"\nopener_delay_s = 0.3\n{lock}'
    walked = Walk(door, door_toml(door.folder, lock=second), *QUICK, answers=answers)
    assert ends_safe(door, SECOND), walked.said
    return walked


def ends_safe(door: Door, pin: int) -> bool:
    return [output.high for output in door.rig.outputs if output.pin == pin][-2:] in ([], [False, None])


def times_on(door: Door, pin: int) -> int:
    return [output.high for output in door.rig.outputs if output.pin == pin].count(True)


# -- each role, wired right --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("lock", "the second lock lets go while it is switched, and holds afterwards"),
        ("alarm", "the alarm sounds while it is switched, and is silent afterwards"),
        ("shunt", "the burglar alarm's zone is bridged while it is switched, and sees the door again afterwards"),
    ],
)
def test_a_second_relay_that_does_its_work_is_well(door, role, words):
    walked = walk(door, role, "y\ny\n")
    assert walked.status == 0, walked.said
    assert walked.result("second")["said"] == words
    assert (times_on(door, SECOND), times_on(door, RELAY)) == (1, 0)


def test_an_operator_opens_the_door_by_itself_and_only_after_the_lock_let_go(door):
    walked = walk(door, "opener")
    assert walked.status == 0, walked.said
    assert (
        walked.result("second")["said"]
        == "the door operator opens the door while it is switched, and leaves the door alone afterwards"
    )
    assert not door.pushed_against_bolt
    assert ends_safe(door, RELAY)


# -- and wrong ---------------------------------------------------------------------------------------------------------------------


def test_an_operator_whose_wire_is_off_is_named_with_what_to_bridge(door):
    door.operator_pin = 0
    fault = walk(door, "opener").fault("second")
    assert "does nothing when its relay is switched" in fault
    assert "own opening input" in fault
    assert ends_safe(door, RELAY)


def test_an_operator_that_never_lets_the_door_shut_is_named(door):
    door.pushes_on = True
    door.rig.set(CONTACT, OPEN)
    assert "the relay sticks, its wire is at NC" in walk(door, "opener").fault("second")
    assert times_on(door, SECOND) == 0, "it is not told to open what it holds open"


def test_no_operator_is_told_to_open_in_a_fire(door):
    door.rig.set(FIRE, True)
    walked = walk(door, "opener")
    assert walked.result("second")["status"] == "unsure"
    assert "fire loop stands open" in walked.result("second")["said"]
    assert times_on(door, SECOND) == times_on(door, RELAY) == 0


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ("n\ny\nn\n", "a wire between relay and the alarm is off"),
        ("n\nn\nn\n", "the relay's contact is the other one"),
        ("y\nn\n", "the relay sticks"),
        ("n\ny\ny\n", "the two relays are swapped"),
    ],
    ids=["dead", "turned round", "stays", "swapped"],
)
def test_what_the_installer_saw_names_the_wire(door, answers, words):
    assert words in walk(door, "alarm", answers).fault("second")


def test_a_lock_whose_own_monitor_tells_that_it_moved_needs_no_witness(door):
    """Only the second relay is switched, and the first lock's bolt is drawn: their wires are swapped."""
    bolt = 13
    door.rig.set(bolt, False)
    door.do = lambda step, words: (door.rig.set(bolt, True), time.sleep(0.2), door.rig.set(bolt, False))  # type: ignore[method-assign]
    config = door_toml(door.folder, lock=f'second_pin = {SECOND}\nsecond_role = "alarm"\n')
    config.write_text(config.read_text().replace("[inputs]\n", f"[inputs]\nbolt_pin = {bolt}\n"))
    walked = Walk(door, config, *QUICK, answers="n\ny\n")
    assert "lock.relay_pin and lock.second_pin" in walked.fault("second"), walked.said


def test_nobody_who_says_anything_is_no_accusation(door):
    assert walk(door, "lock").result("second")["status"] == "unsure"


# -- consent -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["lock", "opener", "alarm", "shunt"])
def test_a_second_relay_is_not_switched_without_consent(door, role):
    config = door_toml(door.folder, lock=f'second_pin = {SECOND}\nsecond_role = "{role}"\n')
    walked = Walk(door, config, "--hold", "0.3", "--timeout", "2", "--only", "second")
    assert walked.result("second")["status"] == "skipped"
    assert times_on(door, SECOND) == times_on(door, RELAY) == 0


def test_a_door_with_one_relay_has_nothing_to_try(door):
    walked = Walk(door, door_toml(door.folder), *QUICK)
    assert walked.result("second")["status"] == "absent"
    assert walked.status == 0


def test_a_self_test_that_is_killed_leaves_both_relays_without_power(door):
    """An operator's step holds both."""
    config = door_toml(door.folder, lock=f'second_pin = {SECOND}\nsecond_role = "opener"\nopener_delay_s = 0.1\n')
    command = [sys.executable, "-m", "agent.cli", "selftest", "--config", str(config), "--out", str(door.folder), *QUICK]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert door.rig.wait_for(lambda _: door.rig.level(SECOND) is True and door.rig.level(RELAY) is True, 30.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert eventually(lambda: door.rig.level(SECOND) is None and door.rig.level(RELAY) is None)
    assert ends_safe(door, SECOND)
    assert ends_safe(door, RELAY)
