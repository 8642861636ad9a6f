"""Which machine and which programs the figures belong to."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import time
from pathlib import Path

from msgspec import Struct

PACKAGES = ("doorward", "numpy", "msgspec", "ai-edge-litert", "opencv-python-headless", "paho-mqtt", "gpiozero", "pynacl", "amqtt",
            "dlib-bin", "face-recognition", "face-recognition-models")  # fmt: skip


def machine() -> dict[str, str]:
    """Name -> value, in the order in which they are to be read."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores for us, {platform.machine()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB",
        "system": f"{_system()}, Linux {platform.release()}",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name))),
    }


def load_average() -> float:
    """Mean number of processes that wanted a core during the last minute."""
    return os.getloadavg()[0]


class Cores(Struct, frozen=True):
    """Processor seconds at a moment: of the whole machine, and of this program with all the programs it started and saw end."""

    at_s: float
    busy_s: float
    ours_s: float


def cores_now() -> Cores:
    """Reads /proc/stat (proc(5)): user, nice, system, irq, softirq and steal of all cores; idle and waiting for disks are not busy."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(fields) - fields[3] - fields[4]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Cores(time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), sum(use.ru_utime + use.ru_stime for use in used))


def others_percent(before: Cores, after: Cores) -> float:
    """Share of all cores' time that went to programs that are not ours."""
    spent_s = (after.busy_s - before.busy_s) - (after.ours_s - before.ours_s)
    return max(0.0, 100 * spent_s / ((after.at_s - before.at_s) * (os.cpu_count() or 1)))


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    known = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in known.items()}
    board = named.get("Model", "")  # Raspberry Pi
    return " ".join(part for part in (board, named.get("model name", "")) if part) or platform.processor() or "unknown processor"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
