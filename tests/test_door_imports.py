"""What the door program does not carry: a door has little memory and starts often enough."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = "import sys, agent.cli, agent.programs_cli, agent.door_app, hw.pins_sim; print(*sorted(m for m in sys.modules if '.' not in m))"


@pytest.fixture(scope="module")
def loaded():
    return subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True).stdout.split()


def test_the_door_program_loads_what_it_needs(loaded):
    assert {"msgspec", "gpiozero", "paho", "nacl"} <= set(loaded)


@pytest.mark.parametrize("heavy", ["numpy", "cv2", "ai_edge_litert", "tflite_runtime", "amqtt", "central", "demo", "tools"])
def test_a_door_carries_nothing_of_vision_or_centre(loaded, heavy):
    assert heavy not in loaded
