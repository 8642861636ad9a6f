"""`doorward selftest` as an installer meets it: the real program, a rig beyond its pins, and wires that are off, swapped or bridged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.run_lock import only_one
from tests.contracts.conftest import eventually
from tests.selftest.hands import CONTACT, D0, D1, FIRE, FOB, RELAY, REX, Door, Film, Walk, door_toml

pytestmark = pytest.mark.system

QUICK = ("--hold", "0.4", "--timeout", "3", "--yes")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    yield made
    made.rig.close()


def walk(door: Door, *only: str, lock: str = 'kind = "strike"') -> Walk:
    return Walk(door, door_toml(door.folder, lock=lock), *QUICK, "--only", ",".join(only))


# -- all is well -----------------------------------------------------------------------------------------------------------------


def test_a_door_that_is_wired_right_is_told_so(door):
    walked = walk(door, "reader", "contact", "rex", "fire", "tamper", "lock")
    assert walked.status == 0, walked.said
    assert walked.result("reader")["said"] == "H10301, card 1:5283"
    assert walked.result("lock")["said"] == "holds, lets go for a moment, holds again"
    assert "Everything is well" in walked.said


def test_the_report_is_one_page_and_the_same_as_data(door):
    walked = walk(door, "reader", "clock")
    page, data = (Path(path) for path in walked.records[-1]["files"])
    report = json.loads(data.read_text())
    assert [result["step"] for result in report["results"]] == ["reader", "clock"]
    assert report["versions"]["doorward"]
    text = page.read_text("utf-8")
    assert "hq / front" in text
    assert "H10301" in text
    assert "http" not in text.replace("http-equiv", ""), "it needs nothing from elsewhere"


def test_the_relay_ends_without_power_and_moved_only_once(door):
    walk(door, "lock")
    levels = [output.high for output in door.rig.outputs if output.pin == RELAY]
    assert levels.count(True) == 1
    assert levels[-2:] == [False, None]


# -- readers ---------------------------------------------------------------------------------------------------------------------


def test_a_loose_d1_is_named(door):
    door.send = lambda: [door.frame("0" * FOB.count("0")) for _ in range(3)]
    walked = walk(door, "reader")
    assert walked.status == 1
    assert "D1 (white) at pin 27 is loose" in walked.fault("reader")


def test_a_loose_d0_is_named(door):
    door.send = lambda: [door.frame("1" * FOB.count("1")) for _ in range(3)]
    assert "D0 (green) at pin 17 is loose" in walk(door, "reader").fault("reader")


def test_swapped_data_wires_are_named_with_the_mend(door):
    door.send = lambda: [(door.frame(FOB, D1, D0), time.sleep(0.1)) for _ in range(3)]
    assert "swapped" in walk(door, "reader").fault("reader")
    assert "d0_pin = 27" in walk(door, "reader").fault("reader")


def test_a_reader_that_is_dead_is_told_from_one_whose_line_lies_at_ground(door):
    door.send = lambda: None
    assert "no 12 V" in walk(door, "reader").fault("reader")
    door.rig.set(D0, False)
    assert "D0 (green, pin 17) lies at 0 V" in walk(door, "reader").fault("reader")


def rdm6300(tag: bytes) -> bytes:
    """A frame as the reader's data sheet has it: STX, ten digits, their bytes' exclusive or, ETX."""
    check = tag[0] ^ tag[1] ^ tag[2] ^ tag[3] ^ tag[4]
    return b"\x02" + (tag.hex() + f"{check:02x}").upper().encode() + b"\x03"


@pytest.mark.parametrize(
    ("bytes_sent", "words"),
    [(rdm6300(b"\x01\x00\x00\x14\xa3"), "card"), (b"", "is quiet"), (b"\x02garbage\x03" * 3, "baud")],
    ids=["a fob", "nothing", "another baud rate"],
)
def test_a_serial_reader_is_heard_or_told_apart(door, bytes_sent, words):
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    door.send = lambda: (time.sleep(0.5), os.write(ours, bytes_sent))
    reader = f'[[readers]]\nkind = "serial"\nname = "front"\ndevice = "{os.ttyname(theirs)}"\nprotocol = "rdm6300"\n'
    walked = Walk(door, door_toml(door.folder, extra=reader), *QUICK, "--only", "reader")
    os.close(ours)
    os.close(theirs)
    assert words in walked.result("reader")["said"] + walked.fault("reader"), walked.said


# -- inputs ----------------------------------------------------------------------------------------------------------------------


def test_a_door_that_stands_open_at_first_is_no_fault(door):
    door.rig.set(CONTACT, True)
    door.first = lambda: door.rig.set(CONTACT, False)
    assert walk(door, "contact").result("contact")["status"] == "ok"


def test_a_cut_contact_loop_is_named(door):
    door.rig.set(CONTACT, True)
    door.contact = 99
    assert "its loop is open" in walk(door, "contact").fault("contact")


def test_swapped_inputs_are_named_by_the_one_that_moved(door):
    door.contact = FIRE
    assert "wires of 'Door contact' and 'Fire loop' are swapped" in walk(door, "contact").fault("contact")


def test_a_button_with_a_wire_off_is_named(door):
    door.do = lambda step, words: None  # type: ignore[method-assign]
    assert "a wire of the button to pin 24" in walk(door, "rex").fault("rex")


def test_a_normally_closed_button_is_named(door):
    door.rig.set(REX, False)
    door.press = lambda pin, active: [(door.rig.set(pin, high), time.sleep(0.1)) for high in (True, False)]  # type: ignore[method-assign]
    assert "normally closed; it must be normally open" in walk(door, "rex").fault("rex")


# -- lock ------------------------------------------------------------------------------------------------------------------------


def test_a_strike_that_does_not_let_go_is_named(door):
    door.lets_go = False
    walked = walk(door, "lock")
    assert "no power reaches it" in walked.fault("lock")


def test_a_door_that_never_holds_is_named(door):
    door.holds = False
    assert "can be opened although the lock should hold" in walk(door, "lock").fault("lock")


def test_a_contact_that_is_wired_wrong_is_no_witness_against_the_lock(door):
    door.contact = FIRE
    walked = walk(door, "contact", "lock")
    assert walked.result("contact")["status"] == "fault"
    assert walked.result("lock")["status"] == "unsure", "nobody answered, and nobody is accused"


def test_nothing_moves_without_consent(door):
    walked = Walk(door, door_toml(door.folder), "--hold", "0.3", "--timeout", "2", "--only", "lock")
    assert walked.result("lock")["status"] == "skipped"
    assert walked.status == 1
    assert not [output for output in door.rig.outputs if output.pin == RELAY]


MAGLOCK = 'kind = "maglock"\nfail = "safe"\nhardware_release = true'


def test_an_exit_button_that_frees_the_door_by_wire_is_well(door):
    door.fail_safe = True
    walked = walk(door, "egress", lock=MAGLOCK)
    assert walked.result("egress")["status"] == "ok", walked.said
    assert [output.high for output in door.rig.outputs if output.pin == RELAY][-2:] == [False, None], (
        "a free door is its safe state"
    )


def test_an_exit_button_that_only_asks_the_software_is_the_gravest_finding(door):
    door.fail_safe, door.button_cuts_power = True, False
    assert "people could be kept in" in walk(door, "egress", lock=MAGLOCK).fault("egress")


def test_a_self_test_that_is_killed_leaves_the_lock_without_power(door):
    config = door_toml(door.folder, lock="pulse_s = 4.0".replace("pulse_s = 4.0", ""))
    command = [sys.executable, "-m", "agent.cli", "selftest", "--yes", "--json", "--only", "lock", "--hold", "0.1", "--config", str(config),
               "--out", str(door.folder)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert door.rig.wait_for(lambda outputs: door.rig.level(RELAY) is True, 30.0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert eventually(lambda: door.rig.level(RELAY) is None)
    assert [output.high for output in door.rig.outputs if output.pin == RELAY][-2:] == [False, None]


@pytest.mark.parametrize(
    ("answer", "status"), [("y\n", "ok"), ("n\n", "fault"), ("", "unsure")], ids=["seen", "not seen", "nobody says"]
)
def test_lights_and_buzzer_are_shown_and_the_installer_says_whether_they_were_seen(door, answer, status):
    config = door_toml(door.folder, extra="[feedback]\nred_pin = 5\ngreen_pin = 6\nbuzzer_pin = 16\n")
    walked = Walk(door, config, *QUICK, "--only", "signals", answers=answer)
    assert walked.result("signals")["status"] == status, walked.said
    assert all(any(output.pin == pin and output.high for output in door.rig.outputs) for pin in (5, 6, 16))
    assert all(door.rig.level(pin) is None for pin in (5, 6, 16)), "dark and silent again"


# -- refusals --------------------------------------------------------------------------------------------------------------------


def test_it_does_not_touch_a_door_that_is_guarded(door):
    config = door_toml(door.folder)
    with only_one(door.folder / "run"):
        walked = Walk(door, config, *QUICK)
    assert walked.status == 2
    assert "sudo systemctl stop" in walked.said
    assert door.rig.outputs == []


def test_an_unknown_step_is_named(door):
    walked = Walk(door, door_toml(door.folder), "--only", "reader,coffee")
    assert walked.status == 2
    assert "coffee" in walked.said


# -- the machine -----------------------------------------------------------------------------------------------------------------


def test_a_broker_that_is_not_there_is_named(door):
    assert "the broker is not running" in walk(door, "broker").fault("broker")


def test_a_covered_lens_is_named(door):
    film = Film(door.folder / "camera", lambda number: np.full((480, 640, 3), number % 2, np.uint8))
    fault = walk(door, "camera").fault("camera")
    film.close()
    assert "on the lens" in fault


def test_a_camera_that_hangs_is_named(door):
    still = np.random.default_rng(2).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    film = Film(door.folder / "camera", lambda number: still)
    fault = walk(door, "camera").fault("camera")
    film.close()
    assert "the camera hangs" in fault


def test_a_picture_goes_into_the_report_only_when_it_is_asked_for(door):
    film = Film(door.folder / "camera")
    plain, pictured = walk(door, "camera"), Walk(door, door_toml(door.folder), *QUICK, "--only", "camera", "--picture")
    film.close()
    assert plain.status == pictured.status == 0, plain.said
    assert "data:image/jpeg" not in Path(plain.records[-1]["files"][0]).read_text()
    assert "data:image/jpeg" in Path(pictured.records[-1]["files"][0]).read_text()
