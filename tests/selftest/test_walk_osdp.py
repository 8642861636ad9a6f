"""`doorward selftest` at an OSDP reader: the real program, libosdp's own peripheral on a pty, a real key and a real Secure Channel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import osdp_sys
import pytest

from agent.records.keys import make_door_keys
from agent.records.osdp_key import make_key, save_osdp_key
from tests.contracts.conftest import eventually
from tests.hw.osdp_far_end import FarEnd, without_security
from tests.selftest.hands import FOB, Door, Walk, door_toml

pytestmark = pytest.mark.system

KEY = make_key()
QUICK = ("--hold", "0.4", "--timeout", "8", "--yes")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path)
    made.send = lambda: None
    make_door_keys(tmp_path)
    save_osdp_key(tmp_path / "osdp-front.key", "front", KEY, tmp_path / "door.key")
    yield made
    made.rig.close()


@pytest.fixture
def far(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FarEnd]:
    made = FarEnd(tmp_path / "tty", getattr(request, "param", KEY))
    yield made
    made.close()


def config_of(door: Door, far: FarEnd, extra: str = "") -> Path:
    reader = f'[[readers]]\nkind = "osdp"\nname = "front"\ndevice = "{os.readlink(far.path)}"\nbaud = 115200\n' \
             f'key_file = "{door.folder}/osdp-front.key"\n'  # fmt: skip
    path = door_toml(door.folder, extra=reader + extra)
    path.write_text(path.read_text().replace("[records]\n", f'[records]\ndoor_key = "{door.folder}/door.key"\n'))
    return path


def walk(door: Door, far: FarEnd, *words: str, answers: str = "") -> Walk:
    return Walk(door, config_of(door, far), *QUICK, "--only", *words, answers=answers)


# -- the line --------------------------------------------------------------------------------------------------------------------


def test_a_card_at_a_reader_with_our_key_is_well_and_its_wire_is_told_to_be_encrypted(door, far):
    door.send = lambda: far.card(FOB)
    walked = walk(door, far, "reader")
    assert walked.status == 0, walked.said
    assert walked.result("reader")["said"] == "H10301, card 1:5283, the wire is encrypted"
    assert "serial 42" in walked.result("reader")["measured"]["reader"]


@pytest.mark.parametrize("far", [make_key()], indirect=True)
def test_a_reader_with_another_key_is_told_so_and_no_fob_is_asked_for(door, far):
    walked = walk(door, far, "reader")
    assert walked.status == 1
    assert "another key than ours" in walked.fault("reader")
    assert "doorward osdp set-key" in walked.fault("reader")
    assert not [record for record in walked.records if record["event"] == "do"]


def test_a_door_without_a_key_for_its_reader_is_told_how_to_make_one(door, far):
    (door.folder / "osdp-front.key").unlink()
    assert "has no key set one with `doorward osdp set-key`" in walk(door, far, "reader").fault("reader")


def test_an_open_case_is_named_even_when_its_card_is_read(door, far):
    def send() -> None:
        far.tamper(True)
        time.sleep(0.5)
        far.card(FOB)

    door.send = send
    walked = walk(door, far, "reader")
    assert walked.result("reader")["measured"]["reads"] == "1", walked.said
    assert "its case is open" in walked.fault("reader")
    assert "back plate" in walked.fault("reader")


def test_a_reader_without_power_is_told_from_one_that_is_unplugged(door, far):
    config = config_of(door, far)
    far.power = False
    walked = Walk(door, config, *QUICK, "--only", "reader")
    assert "nothing answers power at the reader? A and B swapped?" in walked.fault("reader")
    far.unplug()
    gone = Walk(door, config, *QUICK, "--only", "reader")
    assert "there is no such device" in gone.fault("reader")
    assert "USB plug" in gone.fault("reader")


def test_a_reader_that_knows_no_secure_channel_is_refused_with_the_reason(door, far):
    far.on_way_up = without_security
    assert "it has no Secure Channel" in walk(door, far, "reader").fault("reader")


def test_bits_of_no_format_are_told_from_a_bad_wire(door, far):
    door.send = lambda: far.card(FOB + "1")
    fault = walk(door, far, "reader").fault("reader")
    assert "27 bits that are none of its formats" in fault
    assert f"doorward decode wiegand {FOB}1" in fault


# -- its light and its beeper ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"), [("y\n", "ok"), ("n\n", "fault"), ("", "unsure")], ids=["seen", "not seen", "nobody says"]
)
def test_the_readers_own_light_and_beeper_are_shown_and_asked_for(door, far, answer, status):
    walked = walk(door, far, "signals", answers=answer)
    assert walked.result("signals")["status"] == status, walked.said
    colours = {command["on_color"] for command in far.seen(osdp_sys.CMD_LED)}
    assert {osdp_sys.LED_COLOR_BLUE, osdp_sys.LED_COLOR_GREEN, osdp_sys.LED_COLOR_RED} <= colours
    assert any(command["on_count"] for command in far.seen(osdp_sys.CMD_BUZZER))
    assert far.seen(osdp_sys.CMD_TEXT)[-1]["data"].startswith("Hold your fob"), "it rests at the end"


def test_lamps_and_a_reader_are_asked_for_one_by_one(door, far):
    config = config_of(door, far, "[feedback]\ngreen_pin = 6\n")
    walked = Walk(door, config, *QUICK, "--only", "signals", answers="y\nn\n")
    assert "reader front is met on its line" in walked.fault("signals")
    assert "lamp" not in walked.fault("signals")
    assert any(output.pin == 6 and output.high for output in door.rig.outputs)
    assert eventually(lambda: door.rig.level(6) is None)


def test_a_reader_that_is_away_is_named_and_not_asked_for(door, far):
    far.power = False
    walked = walk(door, far, "signals")
    assert "reader front could not be told to show anything" in walked.fault("signals")
    assert not [record for record in walked.records if record["event"] == "ask"]
