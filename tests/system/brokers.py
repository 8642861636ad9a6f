"""Real brokers as real processes, which can be killed and come back on the same port."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

KINDS = ("mosquitto", "embedded")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(is_so: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Real processes take real time: wait for a state, never for a duration."""
    until_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > until_s:
            pytest.fail(f"after {timeout_s} s: {what}")
        time.sleep(0.02)


class Process:
    """A program that is started, killed and started again."""

    def __init__(self, command: list[str], log: Path, folder: Path | None = None) -> None:
        """`folder`: where it is started."""
        self.command, self.log, self._folder = command, log, folder
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(self.command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._folder)

    def kill(self) -> None:
        if self._running is not None:
            self._running.send_signal(signal.SIGKILL)
            self._running.wait()

    def terminate(self) -> int:
        if self._running is None:
            return 0
        self._running.terminate()
        return self._running.wait(10)

    @property
    def is_started(self) -> bool:
        return self._running is not None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid


class Broker(Process):
    """Mosquitto with its defaults, or the embedded broker."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.port = kind, free_port()
        super().__init__(self._mosquitto(folder) if kind == "mosquitto" else self._embedded(), folder / f"{kind}.log")

    def _mosquitto(self, folder: Path) -> list[str]:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        if program is None:
            pytest.fail("these tests need a real Mosquitto: apt-get install mosquitto")
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n")
        return [program, "-c", str(config)]

    def _embedded(self) -> list[str]:
        return [sys.executable, "-m", "agent.cli", "central", "broker", "--port", str(self.port)]

    def start(self) -> None:
        super().start()
        wait_until(self._listens, 10, f"{self.kind} does not listen")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False


@contextlib.contextmanager
def running(*processes: Process) -> Iterator[None]:
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in reversed(processes):
            process.kill()
