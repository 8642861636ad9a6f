"""Loads the networks that a door's vision program would, and runs one of them: in a process of its own, `python -m agent.selftest.networks
CONFIG`, because an accelerator's library that crashes takes its process with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from agent.config import Config, expression_allowed
from agent.errors import ModelError
from agent.vision.engine import open_engine
from models_tflite.manifest import EMBEDDER, load_manifest

EXPRESSION = "face_expression"
RUNS = 5


TIMEOUT_S = 120.0


class Ran(Struct, frozen=True, kw_only=True):
    """What ran, and how fast; `error` when nothing did."""

    error: str = ""
    engine: str = ""
    described: str = ""
    degraded: bool = False
    embed_ms: float = 0.0


def run_networks(config: Config) -> Ran:
    """The answer of a process of its own, or how that ended."""
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", __name__, str(write_end)]
    try:
        done = subprocess.run(command, input=msgspec.json.encode(config), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              pass_fds=(write_end,), timeout=TIMEOUT_S, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ran(error=f"the networks did not answer within {TIMEOUT_S:g} s")
    finally:
        os.close(write_end)
        answer = os.read(read_end, 65536)
        os.close(read_end)
    if answer:
        return msgspec.json.decode(answer, type=Ran)
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    return Ran(error=f"the process that ran the networks ended with {done.returncode}: {''.join(last)}")


def measure(config: Config) -> Ran:
    """Median time of one embedding. No expression network is opened where they are forbidden. Raises ModelError."""
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    engine = open_engine(config.vision.engine, config.vision.threads)
    mine = [entry for entry in manifest.models if expression_allowed(config.deployment) or not entry.role.startswith(EXPRESSION)]
    networks = {entry.role: engine.load(entry) for entry in mine}
    embedder = networks[EMBEDDER]
    blank = np.zeros(embedder.inputs[0].shape, np.int8)
    times_ms = []
    for _ in range(RUNS):
        began_s = time.perf_counter()
        embedder.run(blank)
        times_ms.append(1000 * (time.perf_counter() - began_s))
    return Ran(engine=engine.name, described=engine.describe(), degraded=engine.degraded, embed_ms=sorted(times_ms)[RUNS // 2])


def main(answer_to: int) -> None:
    """Configuration on standard input, answer on a descriptor of its own: runtimes write to the other two."""
    try:
        ran = measure(msgspec.json.decode(sys.stdin.buffer.read(), type=Config))
    except ModelError as error:
        ran = Ran(error=str(error))
    os.write(answer_to, msgspec.json.encode(ran))


if __name__ == "__main__":
    main(int(sys.argv[1]))
