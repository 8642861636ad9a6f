"""`doorward models bench`: what each network costs on this machine, on each engine that is here.

Runs of the networks that are compared (int8 and float, one thread and two) take turns, so that a machine that warms up or is busy
for a while is as busy for all of them; the median is given. Load time and memory come from a fresh process each (models_probe).
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from agent.errors import ModelError
from models_tflite.manifest import ModelEntry

THREADS = (1, 2)
PROBE_TIMEOUT_S = 60
CPU_ENGINES = ("litert", "tflite-runtime")
NO_TENSORFLOW = "float files can be built with the extra 'models' only: pip install 'doorward[models]' (never on a door)"

Run = Callable[[], object]


class Cost(Struct, frozen=True):
    """Milliseconds are medians; `ms` by number of threads. None where it cannot be measured."""

    load_ms: float | None
    ms: dict[str, float]
    memory_kb: int | None


class Row(Struct, frozen=True):
    """One network on one engine. Exactly one of `absent` and `int8` is set; `float_missing` says why `float32` is not."""

    role: str
    engine: str
    int8: Cost | None = None
    float32: Cost | None = None
    float_missing: str = ""
    absent: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", action="append", help="only this network; may be given again")
    parser.add_argument("--runs", type=_positive, default=50, help="timed runs of each (default: %(default)s)")
    parser.add_argument("--no-float", action="store_true", help="do not build and measure the float networks")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number of runs; at least 1 is needed")
    return value


def bench(entries: Sequence[ModelEntry], runs: int, floats: Mapping[str, Path], float_missing: str) -> Iterator[Row]:
    """A row for each engine and network; for an engine that is not here one row that says why, with the role `*`."""
    for engine in CPU_ENGINES:
        reason = _absent(engine)
        if reason:
            yield Row("*", engine, absent=reason)
            continue
        for entry in entries:
            yield _cpu_row(entry, engine, runs, floats.get(entry.role), float_missing)
    yield from _edge_tpu_rows(entries, runs)


def interleaved_ms(runs: Mapping[str, Run], count: int, clock_s: Callable[[], float]) -> dict[str, float]:
    """The median time of each, in milliseconds, of `count` rounds in which each runs once; a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(count + 1):
        for name, run in runs.items():
            started_s = clock_s()
            run()
            if turn:
                times[name].append(1000 * (clock_s() - started_s))
    return {name: statistics.median(taken) for name, taken in times.items()}


def _absent(engine: str) -> str:
    from agent.models_probe import RUNTIMES
    from agent.vision.engine import CpuEngine

    try:
        CpuEngine(RUNTIMES[engine], 1, "bench")
    except ModelError as error:
        return str(error)
    return ""


def _cpu_row(entry: ModelEntry, engine: str, runs: int, float_file: Path | None, float_missing: str) -> Row:
    files = {"int8": entry.require_intact().path, **({"float32": float_file} if float_file else {})}
    ready = {f"{kind} {threads}": _ready(engine, path, threads) for kind, path in files.items() for threads in THREADS}
    times = interleaved_ms(ready, runs, time.perf_counter)
    costs = {kind: _cost(engine, path, {str(n): times[f"{kind} {n}"] for n in THREADS}) for kind, path in files.items()}
    return Row(entry.role, engine, costs["int8"], costs.get("float32"), "" if float_file else float_missing)


def _ready(engine: str, path: Path, threads: int) -> Run:
    import numpy as np

    from agent.models_probe import RUNTIMES
    from agent.vision.engine import CpuEngine

    interpreter = CpuEngine(RUNTIMES[engine], threads, "bench").interpreter(path)
    details = interpreter.get_input_details()[0]
    # Noise and not zeros: nothing may be skipped because it is nothing.
    noise = np.random.default_rng(1).integers(-128, 128, details["shape"])
    real = details["dtype"] == np.float32
    interpreter.set_tensor(details["index"], (noise / np.float32(128) if real else noise).astype(details["dtype"]))
    run: Run = interpreter.invoke
    return run


def _cost(engine: str, path: Path, ms: dict[str, float]) -> Cost:
    command = [sys.executable, "-m", "agent.models_probe", engine, str(path)]
    try:
        done = subprocess.run(command, check=True, capture_output=True, timeout=PROBE_TIMEOUT_S)
    except subprocess.TimeoutExpired as cause:
        raise ModelError(f"{path}: {engine} did not load it within {PROBE_TIMEOUT_S} s") from cause
    except subprocess.CalledProcessError as cause:
        raise ModelError(
            f"{path}: {engine} fails in a process of its own: {cause.stderr.decode(errors='replace').strip()[-300:]}"
        ) from cause
    found = msgspec.json.decode(done.stdout)
    return Cost(found["load_ms"], ms, found["memory_kb"])


def _edge_tpu_rows(entries: Sequence[ModelEntry], runs: int) -> Iterator[Row]:
    from agent.vision.engine import open_engine

    try:
        engine = open_engine("edgetpu", 1)
    except ModelError as error:
        yield Row("*", "edgetpu", absent=str(error))
        return
    for entry in entries:
        yield _edge_tpu_row(engine, entry, runs)


def _edge_tpu_row(engine: Any, entry: ModelEntry, runs: int) -> Row:
    import numpy as np

    if not entry.path.with_name(f"{entry.path.stem}_edgetpu.tflite").is_file():
        return Row(entry.role, "edgetpu", absent="not compiled for it; models_tflite/README.md has the command")
    started_s = time.perf_counter()
    network = engine.load(entry)
    noise = np.random.default_rng(1).integers(-128, 128, entry.inputs[0].shape).astype(np.int8)
    network.run(noise)
    load_ms = 1000 * (time.perf_counter() - started_s)
    times = interleaved_ms({"1": lambda: network.run(noise)}, runs, time.perf_counter)
    if engine.degraded:
        return Row(entry.role, "edgetpu", absent=f"lost while measuring: {engine.describe()}")
    return Row(entry.role, "edgetpu", Cost(load_ms, times, None), float_missing="the Edge TPU runs no float networks")


def float_files(entries: Sequence[ModelEntry], out: Path, cache: Path) -> dict[str, Path]:
    """Builds the float networks from their packages; ModelError without TensorFlow."""
    if importlib.util.find_spec("tensorflow") is None:
        raise ModelError(NO_TENSORFLOW)
    # TensorFlow comes before OpenCV: loaded the other way round, 2.19 crashes in its first convolution.
    from models_tflite.build.lower import tensorflow

    tensorflow()
    from models_tflite.build.builder import build_float
    from models_tflite.build.recipes import RECIPES

    roles = {entry.role for entry in entries}
    return {recipe.role: build_float(recipe, out, cache) for recipe in RECIPES if recipe.role in roles}


def sentence(row: Row) -> str:
    """For people."""
    if row.int8 is None:
        return f"{row.engine}: {row.absent}" if row.role == "*" else f"{row.engine} {row.role}: {row.absent}"
    text = f"{row.engine} {row.role}: int8 {_words(row.int8)}"
    return f"{text}; float {_words(row.float32)}" if row.float32 else text


def _words(cost: Cost) -> str:
    parts = [f"{ms:.2f} ms on {threads} thread{'s' if threads != '1' else ''}" for threads, ms in cost.ms.items()]
    parts += [f"loads in {cost.load_ms:.0f} ms"] if cost.load_ms is not None else []
    parts += [f"{cost.memory_kb / 1024:.1f} MB"] if cost.memory_kb is not None else []
    return ", ".join(parts)
