"""One network in a process of its own: `python -m agent.models_probe ENGINE FILE` prints what loading and running it took, as JSON.

A process for each, because memory that one network gave back stays with the process and would hide the next one's.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from agent.vision.engine import LITERT, TFLITE_RUNTIME, CpuEngine

STATUS = Path("/proc/self/status")
RUNTIMES = {runtime.name: runtime for runtime in (LITERT, TFLITE_RUNTIME)}


class Probe(Struct, frozen=True):
    """`load_ms` until the first result is there; `memory_kb` is what the process grew by, None where /proc does not say."""

    load_ms: float
    memory_kb: int | None


def probe(engine: str, path: Path) -> Probe:
    """Raises ModelError when the engine is not there or does not read the file."""
    cpu = CpuEngine(RUNTIMES[engine], 1, "probe")
    before_kb, started_s = resident_kb(), time.perf_counter()
    interpreter = cpu.interpreter(path)
    details = interpreter.get_input_details()[0]
    interpreter.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))
    interpreter.invoke()
    load_ms, after_kb = 1000 * (time.perf_counter() - started_s), resident_kb()
    return Probe(load_ms, None if before_kb is None or after_kb is None else after_kb - before_kb)


def resident_kb() -> int | None:
    """VmRSS of this process."""
    if not STATUS.exists():
        return None
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return None


if __name__ == "__main__":
    print(msgspec.json.encode(probe(sys.argv[1], Path(sys.argv[2]))).decode())
