"""The crash helper: whatever was left on the relay, afterwards the coil is without power."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import cli
from agent.config import parse_config
from agent.errors import HardwareError
from agent.safe_state import make_safe
from hw.pins_sim import SimPin
from hw.rig import Rig

RELAY, SECOND = 22, 16


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(str(tmp_path / "rig.sock"), {})
    yield made
    made.close()


def config_text(tmp_path: Path, lock: str = "") -> str:
    return f'site = "hq"\ndoor = "front"\n[board]\npins = "sim"\nrig = "{tmp_path}/rig.sock"\n[lock]\n{lock}\n'


@pytest.mark.parametrize(
    ("lock", "unpowered"),
    [
        ("", False),
        ("relay_active_high = false", True),
        ('kind = "maglock"\nfail = "safe"\nhardware_release = true', False),
    ],
    ids=["strike", "active-low relay", "maglock"],
)
def test_the_coil_is_without_power_from_the_first_level_on(rig, tmp_path, lock, unpowered):
    path = tmp_path / "door.toml"
    path.write_text(config_text(tmp_path, lock))
    assert cli.main(["safe-state", "--config", str(path)]) == 0
    assert rig.wait_for(lambda outputs: bool(outputs) and outputs[-1].high is None, 10.0)
    driven = [o.high for o in rig.outputs if o.pin == RELAY and o.high is not None]
    assert set(driven) == {unpowered}


def test_a_mistake_elsewhere_in_the_configuration_does_not_keep_a_lock_released(rig, tmp_path):
    path = tmp_path / "door.toml"
    lock = 'relay_pin = 17\nrelay_active_high = false\npulse_s = -1\nkind = "maglock"'
    path.write_text(config_text(tmp_path, lock) + "[policy]\nfmr = 2\n[typo]\n")
    assert cli.main(["safe-state", "--config", str(path)]) == 0
    assert rig.wait_for(lambda outputs: bool(outputs) and outputs[-1].high is None, 10.0)
    assert {o.high for o in rig.outputs if o.pin == 17 and o.high is not None} == {True}


@pytest.mark.parametrize("lock", ["relay_pin = 99", 'relay_active_high = "no"'])
def test_a_relay_that_is_not_known_is_not_guessed(rig, tmp_path, capsys, lock):
    path = tmp_path / "door.toml"
    path.write_text(config_text(tmp_path, lock))
    assert cli.main(["safe-state", "--config", str(path)]) == 2
    assert "lock.relay_" in capsys.readouterr().err
    assert rig.outputs == []


def test_without_pins_it_says_so_and_is_no_success(tmp_path, capsys):
    path = tmp_path / "door.toml"
    path.write_text(config_text(tmp_path))
    assert cli.main(["safe-state", "--config", str(path)]) == 1
    assert "no simulated wiring" in capsys.readouterr().err


def test_a_relay_pin_that_cannot_be_driven_is_named(rig, tmp_path, monkeypatch):
    def refuse(self: Any, value: float) -> None:
        raise RuntimeError("GPIO busy")

    monkeypatch.setattr("hw.pins_sim.SimPin._set_state", refuse)
    board = {"pins": "sim", "rig": f"{tmp_path}/rig.sock"}
    with pytest.raises(HardwareError, match=r"lock\.relay_pin 22.*GPIO busy"):
        make_safe(parse_config({"site": "hq", "door": "front", "board": board}))


@pytest.mark.parametrize(("active_high", "unpowered"), [("true", False), ("false", True)])
def test_the_second_relay_is_made_safe_too(rig, tmp_path, active_high, unpowered):
    path = tmp_path / "door.toml"
    path.write_text(config_text(tmp_path, f"second_pin = {SECOND}\nsecond_active_high = {active_high}\npulse_s = -1"))
    assert cli.main(["safe-state", "--config", str(path)]) == 0
    assert rig.wait_for(lambda outputs: {o.pin for o in outputs if o.high is None} == {RELAY, SECOND}, 10.0)
    driven = [(o.pin, o.high) for o in rig.outputs if o.high is not None]
    assert set(driven) == {(RELAY, False), (SECOND, unpowered)}
    assert driven[0][0] == RELAY, "the lock comes first"


def test_a_lock_relay_that_is_stuck_does_not_leave_the_second_with_power(rig, tmp_path, monkeypatch):
    works = SimPin._set_state

    def refuse(self: SimPin, value: float) -> None:
        if self._number == RELAY:
            raise RuntimeError("GPIO busy")
        works(self, value)

    monkeypatch.setattr(SimPin, "_set_state", refuse)
    board = {"pins": "sim", "rig": f"{tmp_path}/rig.sock"}
    config = parse_config({"site": "hq", "door": "front", "board": board, "lock": {"second_pin": SECOND}})
    with pytest.raises(HardwareError, match=r"lock\.relay_pin 22.*GPIO busy"):
        make_safe(config)
    assert rig.wait_for(lambda outputs: any(o.pin == SECOND and o.high is None for o in outputs), 10.0)
    assert {(o.pin, o.high) for o in rig.outputs if o.high is not None} == {(SECOND, False)}
