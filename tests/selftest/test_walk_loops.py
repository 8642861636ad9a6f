"""The self-test's walk at supervised loops: all of it is real down to SPI, whose far end is the converter of tests/hw, bit by bit."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from agent.config import load_config
from agent.selftest import bench as bench_module
from agent.selftest.bench import Bench
from agent.selftest.installer import Installer
from agent.selftest.result import Result
from agent.selftest.steps import Options, SelfTest
from tests.hw.test_inputs_adc import Mcp3008
from tests.selftest.hands import door_toml

pytestmark = pytest.mark.system

CONTACT, REX, FIRE = 0, 3, 7
CLOSED, OPEN, CUT, SHORTED = 1000.0, 4300.0, 1e9, 0.0
HAND_S = 0.2
"""How long a hand leaves a switch as it is."""

LOOPS = f"[supervision]\ncontact_channel = {CONTACT}\nrex_channel = {REX}\nfire_channel = {FIRE}\n"


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    made = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", made)  # gpiozero's SPI in software takes its pins from there and nowhere else
    monkeypatch.setattr(bench_module, "open_pins", lambda *_: made)
    yield made
    made.close()


@pytest.fixture
def chip(pins: MockFactory) -> Mcp3008:
    made = Mcp3008(pins)
    made.loop_ohm.update({CONTACT: CLOSED, REX: OPEN, FIRE: CLOSED})
    return made


class Hand(io.StringIO):
    """Reads what is to be done and does it, in a thread of its own as hands are."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self._work = work

    def write(self, line: str) -> int:
        record = json.loads(line)
        if record["event"] == "do" and not record["do"].startswith("First:"):
            threading.Thread(target=self._work, daemon=True).start()
        return len(line)


def walk(folder: Path, name: str, work: Callable[[], None]) -> Result:
    path = door_toml(folder, extra=LOOPS)
    inputs = 'contact_pin = "none"\nrex_pin = "none"\n'
    path.write_text(path.read_text().replace("[inputs]\n", f"[inputs]\n{inputs}").replace("fire_pin = 25\ntamper_pin = 26\n", ""))
    config = load_config(path)
    bench = Bench(config)
    try:
        installer = Installer(io.StringIO(), Hand(work), io.StringIO(), json=True, yes=True)
        options = Options(only=frozenset({name}), timeout_s=1.5, hold_s=0.3, picture=False)
        (result,) = SelfTest(config, bench, installer, options).run()
        return result
    finally:
        bench.close()


def worked(chip: Mcp3008, channel: int, *ohms: float) -> Callable[[], None]:
    """A switch that is worked: the loop's resistance, one after the other."""

    def work() -> None:
        for ohm in ohms:
            time.sleep(HAND_S)
            chip.loop_ohm[channel] = ohm

    return work


def words(result: Result) -> str:
    (fault,) = result.faults
    assert fault.mend
    return f"{fault.what} | {fault.likely}"


@pytest.mark.parametrize(
    ("name", "channel", "ohms"),
    [("contact", CONTACT, (OPEN, CLOSED)), ("rex", REX, (CLOSED, OPEN)), ("fire", FIRE, (OPEN, CLOSED))],
)
def test_a_loop_with_its_resistors_is_well(tmp_path, chip, name, channel, ohms):
    result = walk(tmp_path, name, worked(chip, channel, *ohms))
    assert result.status == "ok", result
    assert result.measured["wire"] == f"channel {channel} of the converter"


@pytest.mark.parametrize(("name", "channel"), [("contact", CONTACT), ("rex", REX), ("fire", FIRE)])
@pytest.mark.parametrize(
    ("ohm", "likely"), [(CUT, "is cut, or a terminal is loose"), (SHORTED, "is shorted, or somebody bridged it")]
)
def test_a_damaged_wire_is_named_for_what_it_has(tmp_path, chip, name, channel, ohm, likely):
    chip.loop_ohm[channel] = ohm
    told = words(walk(tmp_path, name, lambda: None))
    assert f"its wire to channel {channel} of the converter {likely}" in told


def test_a_wire_that_breaks_while_the_door_is_opened_is_named(tmp_path, chip):
    told = words(walk(tmp_path, "contact", worked(chip, CONTACT, OPEN, CUT)))
    assert "is cut" in told


def test_a_wire_that_the_leaf_pinches_is_told_although_it_is_sound_again(tmp_path, chip):
    told = words(walk(tmp_path, "contact", worked(chip, CONTACT, SHORTED, OPEN, CLOSED)))
    assert "shorted for a moment" in told
    assert "pinches" in told


def test_a_plain_switch_without_resistors_is_told_from_a_damaged_wire(tmp_path, chip):
    chip.loop_ohm[CONTACT] = SHORTED
    told = words(walk(tmp_path, "contact", worked(chip, CONTACT, CUT, SHORTED)))
    assert "there are no resistors in the loop" in told


@pytest.mark.parametrize(("ohm", "what"), [(CUT, "cut"), (SHORTED, "shorted")])
def test_when_every_loop_is_damaged_alike_it_is_the_converter(tmp_path, chip, ohm, what):
    for channel in (CONTACT, REX, FIRE):
        chip.loop_ohm[channel] = ohm
    told = words(walk(tmp_path, "contact", lambda: None))
    assert f"every loop on the converter reads as {what}" in told
    assert "the converter itself" in told


def test_loops_that_were_swapped_are_named_by_the_one_that_moved(tmp_path, chip):
    result = walk(tmp_path, "contact", worked(chip, FIRE, OPEN, CLOSED))
    assert "wires of 'Door contact' and 'Fire loop' are swapped" in words(result)
    assert "contact_channel and fire_channel" in result.faults[0].mend
