"""Loads the networks that a door's vision program would, and runs one of them."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from agent.config import Config
from agent.vision.engine import open_engine
from models_tflite.manifest import EMBEDDER, load_manifest

EXPRESSION = "face_expression"
RUNS = 5


def run_networks(config: Config, *, expression: bool) -> tuple[str, str, bool, float]:
    """Name and description of the engine, whether it runs slower than set up, and milliseconds of one embedding (median).

    Without `expression` no expression network is opened. Raises ModelError.
    """
    manifest = load_manifest(Path(config.vision.models) if config.vision.models else None)
    engine = open_engine(config.vision.engine, config.vision.threads)
    for entry in manifest.models:
        if expression or not entry.role.startswith(EXPRESSION):
            network = engine.load(entry)
            if entry.role == EMBEDDER:
                embedder = network
    blank = np.zeros(embedder.inputs[0].shape, np.int8)
    times_ms = []
    for _ in range(RUNS):
        began_s = time.perf_counter()
        embedder.run(blank)
        times_ms.append(1000 * (time.perf_counter() - began_s))
    return engine.name, engine.describe(), engine.degraded, sorted(times_ms)[RUNS // 2]
