"""Starts programs and watches over them as systemd does on a controller: restart when they end, and the crash helper after each end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5.0


class Program(Struct, frozen=True, kw_only=True):
    """What a unit file says: the command, what runs after it ended however it ended, and how readily it gives way to others."""

    name: str
    command: tuple[str, ...]
    after_end: tuple[str, ...] = ()
    nice: int = 0
    restart: bool = True
    restart_s: float = 0.2


class Supervisor:
    """One program. `kill` is for tests and demos: the program comes back by itself if `restart` is set. Thread-safe."""

    def __init__(self, program: Program, log_file: Path) -> None:
        self.program = program
        self._log_file = log_file
        self._wanted = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._turn = threading.Condition()
        self.starts = 0

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start, and keep started."""
        self._wanted.set()
        self._watcher = threading.Thread(target=self._watch, name=f"watch-{self.program.name}", daemon=True)
        self._watcher.start()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Send a signal now; False when there is no process to send it to."""
        with self._turn:
            process = self._process
            if process is None or process.poll() is not None:
                return False
            process.send_signal(number)
            return True

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End, in good order unless told otherwise, and stay ended; the crash helper has run when this returns."""
        self._wanted.clear()
        self.kill(signal.SIGCONT)
        self.kill(number)
        if self._watcher is None:
            return
        self._watcher.join(STOP_TIMEOUT_S)
        if self._watcher.is_alive():
            log.warning("supervisor had to kill name=%s", self.program.name)
            self.kill()
            self._watcher.join(STOP_TIMEOUT_S)

    def _watch(self) -> None:
        with self._log_file.open("ab") as output:
            while self._wanted.is_set():
                with self._turn:
                    self._process = _popen(self.program.command, output.fileno(), self.program.nice)
                    self.starts += 1
                self._process.wait()
                if self.program.after_end:
                    _popen(self.program.after_end, output.fileno(), 0).wait()
                if not self.program.restart:
                    return
                self._pause(self.program.restart_s)

    def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while self._wanted.is_set() and time.monotonic() < until_s:
            time.sleep(0.01)


def _popen(command: Sequence[str], output: int, nice: int) -> subprocess.Popen[bytes]:
    # One thread for numpy's linear algebra: a door multiplies two vectors, not matrices
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=env)
    if nice > 0:
        os.setpriority(os.PRIO_PROCESS, process.pid, nice)
    return process
