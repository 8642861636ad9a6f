"""What programs cost: processor time and memory, read from /proc (proc(5))."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

EVERY_S = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


class Cost(Struct, frozen=True):
    """Of one program over a stretch of time, all its starts together."""

    cpu_s: float
    core_percent: float
    most_mb: float
    """The most memory that it had at any time of its life, as far as it was looked at."""


class Used(Struct, frozen=True):
    """By a process since its start."""

    cpu_s: float
    most_mb: float


class Program(Protocol):
    @property
    def pid(self) -> int | None: ...


class Own:
    """This program itself."""

    pid = os.getpid()


class Meter:
    """Looks at programs twice a second in a thread of its own, between `with` and its end."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._programs, self._stopping = programs, threading.Event()
        self._first: dict[tuple[str, int], float] = {}
        self._last: dict[tuple[str, int], float] = {}
        self._most_mb = dict.fromkeys(programs, 0.0)
        self._began_s = self._ended_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Meter:
        self._began_s = time.monotonic()
        self._look(starting=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._look()
        self._ended_s = time.monotonic()

    def costs(self) -> dict[str, Cost]:
        """After the end."""
        lasted_s = self._ended_s - self._began_s
        spent = dict.fromkeys(self._programs, 0.0)
        for (name, pid), cpu_s in self._last.items():
            spent[name] += cpu_s - self._first[name, pid]
        return {name: Cost(round(cpu_s, 2), round(100 * cpu_s / lasted_s, 1), round(self._most_mb[name], 1))
                for name, cpu_s in spent.items()}  # fmt: skip

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self._look()

    def _look(self, *, starting: bool = False) -> None:
        """What a program had used before is not of this stretch; one that was started meanwhile counts from its beginning."""
        for name, program in self._programs.items():
            if (pid := program.pid) is None or (found := used(pid)) is None:
                continue
            self._first.setdefault((name, pid), found.cpu_s if starting else 0.0)
            self._last[name, pid] = found.cpu_s
            self._most_mb[name] = max(self._most_mb[name], found.most_mb)


def used(pid: int) -> Used | None:
    """None when the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    most_kb = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
    return Used((int(fields[11]) + int(fields[12])) / _TICKS, most_kb / 1024)
