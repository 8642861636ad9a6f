"""The far end of simulated pins: it outlives the programs that use it, and shows what their outputs really did."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero import InputDevice, OutputDevice
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import HardwareError
from hw.board import open_pins
from hw.pins_sim import SimFactory
from hw.rig import PULSE_WIDTH_S, Rig, seconds_high
from hw.wiring import Level, pack, unpack
from tests.contracts.conftest import eventually

RELAY, REX = 22, 24
WAIT_S = 10.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "rig.sock")


@pytest.fixture
def rig(path: str) -> Iterator[Rig]:
    made = Rig(path, {17: True, 27: True, REX: True})
    yield made
    made.close()


# -- pins ----------------------------------------------------------------------------------------------------------------------


def test_pins_are_not_simulated_without_a_rig(path):
    with pytest.raises(HardwareError, match="no simulated wiring at"):
        open_pins("sim", path)


def test_a_board_that_is_not_there_is_refused_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    with pytest.raises(HardwareError, match=r"board\.pins: 'lgpio'.*install python3-lgpio"):
        open_pins("lgpio", "")


def test_a_program_finds_the_levels_that_stand_on_the_wires(rig, path):
    rig.set(REX, False)
    factory = open_pins("sim", path)
    assert not InputDevice(REX, pull_up=True, pin_factory=factory).pin.state
    assert InputDevice(17, pull_up=True, pin_factory=factory).pin.state
    factory.close()


def test_an_output_is_seen_from_its_first_level_to_its_end(rig, path):
    factory = SimFactory(path)
    relay = OutputDevice(RELAY, initial_value=False, pin_factory=factory)
    relay.on()
    relay.off()
    relay.close()
    assert rig.wait_for(lambda outputs: [o.high for o in outputs if o.pin == RELAY][-4:] == [False, True, False, None], WAIT_S)
    assert rig.level(RELAY) is None
    times = [o.at_s for o in rig.outputs]
    assert times == sorted(times)
    factory.close()
    assert eventually(lambda: rig.connected == 0)


def test_a_pin_that_is_an_output_cannot_be_driven_from_outside(rig, path):
    factory = SimFactory(path)
    relay = OutputDevice(RELAY, initial_value=True, pin_factory=factory)
    rig.set(RELAY, False)
    rig.set(REX, False)
    assert eventually(lambda: factory.outside.get(REX) is False)
    assert relay.value == 1
    factory.close()


def test_two_programs_share_the_wires(rig, path):
    """As the door program and its crash helper do."""
    one, two = SimFactory(path), SimFactory(path)
    assert eventually(lambda: rig.connected == 2)
    rig.set(REX, False)
    assert eventually(lambda: one.outside[REX] is False and two.outside[REX] is False)
    one.close()
    two.close()


def test_garbage_on_the_wire_harms_neither_end(rig, path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect(path)
        for junk in (b"\xff" * 40, b"x", b"\x93\x01\x02\x03"):
            stranger.send(junk)
    factory = SimFactory(path)
    relay = OutputDevice(RELAY, initial_value=True, pin_factory=factory)
    assert rig.wait_for(lambda outputs: rig.level(RELAY) is True, WAIT_S)
    assert {o.pin for o in rig.outputs} == {RELAY}
    relay.close()
    factory.close()


def test_a_program_that_dies_while_it_is_greeted_does_not_deafen_the_rig(rig, path):
    for _ in range(200):
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stranger.connect(path)
        stranger.close()
    SimFactory(path).close()
    assert eventually(lambda: rig.connected == 0)


def test_a_rig_that_goes_away_is_noticed_and_the_pins_keep_working(path, caplog):
    rig = Rig(path, {REX: True})
    factory = SimFactory(path)
    relay = OutputDevice(RELAY, initial_value=False, pin_factory=factory)
    rig.close()
    assert eventually(lambda: not factory._listener.is_alive())
    relay.on()
    assert relay.value == 1
    assert "rig gone" in caplog.text
    factory.close()


def test_a_closed_rig_takes_nobody_in(path):
    rig = Rig(path, {})
    rig.close()
    with pytest.raises(HardwareError):
        SimFactory(path)


def test_a_rig_that_hangs_up_in_the_greeting_is_a_hardware_error(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)

        def hang_up() -> None:
            listener.accept()[0].close()

        rude = threading.Thread(target=hang_up)
        rude.start()
        with pytest.raises(HardwareError, match="no simulated wiring"):
            SimFactory(path)
        rude.join()


# -- a fob on the wires --------------------------------------------------------------------------------------------------------


def test_a_frame_is_sent_with_real_pauses_and_the_times_of_its_edges(rig, path):
    factory, edges = SimFactory(path), []
    devices = [InputDevice(pin, pull_up=True, pin_factory=factory) for pin in (17, 27)]
    handlers = [lambda at_s, state, n=n: edges.append((n, bool(state), at_s)) for n in (0, 1)]
    for device, handler in zip(devices, handlers, strict=True):
        device.pin.edges, device.pin.when_changed = "both", handler
    began_s = time.monotonic()
    last_s = rig.wiegand("0110", 17, 27, interval_s=0.002)
    assert eventually(lambda: len(edges) == 8)
    falls = [(bit, at_s) for bit, high, at_s in edges if not high]
    assert [bit for bit, _ in falls] == [0, 1, 1, 0]
    assert falls[-1][1] == last_s
    assert last_s - began_s >= 3 * 0.002
    rises = [at_s for _, high, at_s in edges if high]
    assert rises == pytest.approx([at_s + PULSE_WIDTH_S for _, at_s in falls])
    factory.close()


# -- what is measured ----------------------------------------------------------------------------------------------------------


def test_stretches_are_measured_per_pin_and_an_unfinished_one_up_to_now():
    levels = [Level(1, True, 1.0), Level(2, True, 1.2), Level(1, True, 1.5), Level(1, False, 3.0), Level(1, True, 5.0)]
    assert seconds_high(levels, 1, until_s=6.0) == [2.0, 1.0]
    assert seconds_high(levels, 2, until_s=6.0) == [4.8]
    assert seconds_high([*levels, Level(1, None, 5.5)], 1, until_s=6.0) == [2.0, 0.5]
    assert seconds_high(levels, 3, until_s=6.0) == []


@given(st.integers(-1, 60), st.none() | st.booleans(), st.floats(allow_nan=False))
def test_a_level_crosses_the_wire_as_it_was(pin, high, at_s):
    assert unpack(pack(Level(pin, high, at_s))) == Level(pin, high, at_s)


# -- after a crash -------------------------------------------------------------------------------------------------------------

RELEASE = """
import sys, time
from gpiozero import OutputDevice
from hw.board import open_pins
from hw.lock_gpio import RelayLock
lock = RelayLock(OutputDevice(22, initial_value=False, pin_factory=open_pins("sim", sys.argv[1])), "secure", print)
lock.pulse(60)
time.sleep(60)
"""


def test_a_killed_programs_relay_stays_as_it_was_until_the_crash_helper_takes_it_back(rig, path, tmp_path):
    """The worst that kernels do; systemd runs the helper as ExecStopPost."""
    config = tmp_path / "door.toml"
    config.write_text(f'site = "hq"\ndoor = "front"\n[board]\npins = "sim"\nrig = "{path}"\n')
    door = subprocess.Popen([sys.executable, "-c", RELEASE, path])
    try:
        assert rig.wait_for(lambda outputs: rig.level(RELAY) is True, 30.0)
    finally:
        door.send_signal(signal.SIGKILL)
        door.wait()
    assert eventually(lambda: rig.connected == 0)
    assert rig.level(RELAY) is True, "nobody took it back"
    helper = subprocess.run([sys.executable, "-m", "agent.cli", "safe-state", "--config", str(config)], timeout=60, check=False)
    assert helper.returncode == 0
    assert rig.wait_for(lambda outputs: [o.high for o in outputs if o.pin == RELAY][-2:] == [False, None], WAIT_S)
