"""A network camera goes away under the running vision program and comes back: the program stays, says so, and sees again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.messages import FromVision, Observation, VisionHealth
from agent.local_socket import DOOR_SOCKET, Receiver, decode_from_vision
from tests.contracts.camera_benches import PATIENCE_S, RtspBench

pytestmark = pytest.mark.system

LONGEST_SILENCE_S = 3.0
"""After it a door believes nothing that vision said about itself (agent.core.messages.TABLE)."""


class Listener:
    """The door's end of the socket: hears what vision says, and how long it said nothing about itself."""

    def __init__(self, folder: Path) -> None:
        self._receiver = Receiver(folder / DOOR_SOCKET)
        self.healths: list[VisionHealth] = []
        self.silences_s: list[float] = []
        self.observations = 0
        self._heard_s = 0.0

    def hear_until(self, holds: Callable[[], bool]) -> bool:
        until_s = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > until_s:
                return False
            for raw in self._receiver.drain():
                self._take(decode_from_vision(raw))
            time.sleep(0.01)
        return True

    def _take(self, message: FromVision) -> None:
        self.observations += isinstance(message, Observation)
        if not isinstance(message, VisionHealth):
            return
        if self._heard_s:
            self.silences_s.append(time.monotonic() - self._heard_s)
        self._heard_s = time.monotonic()
        self.healths.append(message)

    def close(self) -> None:
        self._receiver.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RtspBench]:
    made = RtspBench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(tmp_path)
    yield made
    made.close()


@pytest.fixture
def vision(tmp_path: Path, server: RtspBench, door: Listener) -> Iterator[subprocess.Popen[str]]:
    config = tmp_path / "door.toml"
    config.write_text(
        f'site = "hq"\ndoor = "front"\nrun_folder = "{tmp_path}"\n[records]\nfolder = "{tmp_path}"\n'
        f'[vision]\ncamera = "{server.word}"\nwidth_px = 320\nheight_px = 240\n'
    )
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "agent.cli", "vision", "--config", str(config)], stderr=log, text=True)
    yield process
    process.terminate()
    process.wait(10)


def test_a_network_camera_that_goes_and_comes_back_costs_no_restart_and_no_silence(tmp_path, server, door, vision):
    assert door.hear_until(lambda: door.observations > 5), (tmp_path / "log").read_text()
    assert door.hear_until(lambda: door.healths and door.healths[-1].camera.endswith("ok"))

    for _ in range(2):
        server.go()
        assert door.hear_until(lambda: not door.healths[-1].ok)
        assert "rtsp" in door.healths[-1].camera
        assert server.secret not in str(door.healths[-1])
        gone = len(door.healths)
        assert door.hear_until(lambda gone=gone: len(door.healths) >= gone + 4), "it says so for as long as it is gone"

        server.come_back()
        seen = door.observations
        assert door.hear_until(lambda seen=seen: door.observations > seen + 5)
        assert door.hear_until(lambda: door.healths[-1].ok)

    assert max(door.silences_s) < LONGEST_SILENCE_S
    assert vision.poll() is None
    log = (tmp_path / "log").read_text()
    assert log.count("vision started") == 1, "the same program, with its models loaded once"
    assert server.secret not in log
    assert all(server.secret not in health.camera for health in door.healths), "a health message is published"
