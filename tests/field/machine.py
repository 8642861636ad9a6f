"""A controller in a virtual machine, by tools/field/vm.sh, and what is wired to its pins."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VM = ROOT / "tools" / "field" / "vm.sh"
INSIDE = ROOT / "tools" / "field" / "inside"
RELAY, CONTACT, REX = 22, 23, 24
LONGEST_S = 900.0
"""Without KVM everything inside takes some thirty times as long as outside, and a busy computer makes that more."""


class Machine:
    """`start`, `run`, `cut`, `remove`. Whatever fails raises with the machine's own words."""

    def __init__(self, name: str) -> None:
        self.name = name

    def vm(self, *words: object) -> str:
        done = subprocess.run([VM, *map(str, words)], capture_output=True, text=True, timeout=LONGEST_S, check=False)
        if done.returncode != 0:
            raise AssertionError(
                f"{shlex.join(map(str, words))}: exit {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done.stdout

    def start(self, *options: object) -> None:
        self.vm("start", self.name, *options)

    def run(self, line: str) -> str:
        """A line for the shell inside, as root. Raises AssertionError unless it ends with 0."""
        return self.vm("exec", self.name, line).strip()

    def tried(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([VM, "exec", self.name, line], capture_output=True, text=True, timeout=LONGEST_S, check=False)

    def copy(self, file: Path, path: str) -> None:
        self.vm("copy", self.name, file, path)

    def cut(self) -> None:
        self.vm("cut", self.name)

    def remove(self) -> None:
        self.vm("remove", self.name)

    def keep(self, state: str) -> None:
        self.vm("keep", self.name, state)

    def until(self, is_so: Callable[[], bool], what: str, timeout_s: float = 300.0) -> float:
        """Seconds until it was so. Raises AssertionError with what the log inside said last."""
        began_s = time.monotonic()
        while not is_so():
            if time.monotonic() - began_s > timeout_s:
                raise AssertionError(f"after {timeout_s:.0f} s: {what}\n{self.tried('journalctl -n 30 --no-pager').stdout}")
            time.sleep(0.3)
        return time.monotonic() - began_s

    # -- the door

    def healthy(self) -> bool:
        return self.tried("/opt/doorward/bin/doorward health").returncode == 0

    def health(self) -> dict[str, Any]:
        return dict(json.loads(self.tried("/opt/doorward/bin/doorward health --json").stdout))

    def unit(self, unit: str, *properties: str) -> dict[str, str]:
        told = self.run(f"systemctl show {unit} -p {','.join(properties)}")
        return dict(line.split("=", 1) for line in told.splitlines())

    def pid(self, unit: str) -> int:
        return int(self.unit(unit, "MainPID")["MainPID"])

    # -- its wires

    def pull(self, line: int, high: bool) -> None:
        self.run(f"echo {'pull-up' if high else 'pull-down'} >/run/pins/sim_gpio{line}/pull")

    def level(self, line: int) -> bool:
        return self.run(f"cat /run/pins/sim_gpio{line}/value") == "1"

    def press_exit(self) -> None:
        """Down, a third of a second, up."""
        line = f"/run/pins/sim_gpio{REX}/pull"
        self.run(f"echo pull-down >{line}; sleep 0.3; echo pull-up >{line}")

    def trace(self) -> None:
        """From here on the relay's line is looked at; `traced` tells what it did."""
        self.run("rm -f /run/trace; systemctl stop trace 2>/dev/null; systemctl reset-failed trace 2>/dev/null; "
                 f"systemd-run -q --unit=trace -p Nice=-15 /usr/bin/python3 /opt/field/trace.py {RELAY} /run/trace")  # fmt: skip
        self.until(lambda: bool(self.traced()), "the relay's line is not looked at", 60)

    def traced(self) -> list[tuple[float, bool]]:
        lines = self.run("cat /run/trace 2>/dev/null || true").splitlines()
        return [(float(at_s), level == "1") for at_s, level in (line.split() for line in lines)]

    def mono_s(self) -> float:
        return float(self.run("cut -d' ' -f1 /proc/uptime"))


def is_slow() -> bool:
    """Whether machines here run without KVM."""
    return not (Path("/sys/module/kvm_intel").exists() or Path("/sys/module/kvm_amd").exists())
