"""`doorward models sums`: what each network makes of one fixed picture, as numbers to compare between two machines.

The plain kernels of the runtime (its reference) compute in whole numbers, so every processor must come to the same ones: sums that differ
mean another file, another runtime, or arithmetic that cannot be trusted with faces. The fast kernels that a door uses round in another
order on each kind of processor; how far they are from the plain ones is told beside. The picture is noise that a formula gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.errors import ModelError
from agent.vision.engine import LITERT, CpuEngine, Int8s
from models_tflite.manifest import ModelEntry

_MULTIPLIER = 2654435761  # Knuth's, The Art of Computer Programming 3, 6.4: neighbours come far apart


class Sums(Struct, frozen=True):
    """`sums` has one for each output of the plain kernels, in the manifest's order; `sha256` is of all their bytes.
    `fast_differs_most` is the largest step (of 256) between the plain kernels and those that a door uses."""

    role: str
    sums: tuple[int, ...]
    sha256: str
    fast_differs_most: int


def fixed_picture(shape: Sequence[int]) -> Int8s:
    """Noise from -128 to 127 that depends on the shape alone."""
    count = int(np.prod(shape))
    mixed: NDArray[np.uint64] = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_MULTIPLIER)) % np.uint64(1 << 32)
    return ((mixed >> np.uint64(24)).astype(np.int16) - 128).astype(np.int8).reshape(tuple(shape))


def sums(entries: Sequence[ModelEntry]) -> Iterator[Sums]:
    """One network after the other. Raises ModelError for a file that is not the manifest's, or without LiteRT."""
    engine = CpuEngine(LITERT, 1, "sums")
    for entry in entries:
        picture = fixed_picture(entry.inputs[0].shape)
        plain, fast = _plain(entry, picture), engine.load(entry).run(picture)
        digest = hashlib.sha256(b"".join(output.tobytes() for output in plain)).hexdigest()
        yield Sums(entry.role, tuple(int(output.sum(dtype=np.int64)) for output in plain), digest, _differs_most(plain, fast))


def _plain(entry: ModelEntry, picture: Int8s) -> tuple[Int8s, ...]:
    api: Any = LITERT.api()
    try:
        interpreter = api.Interpreter(
            model_path=str(entry.require_intact().path), experimental_op_resolver_type=api.OpResolverType.BUILTIN_REF
        )
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
        interpreter.invoke()
    except (RuntimeError, ValueError) as cause:
        raise ModelError(f"{entry.role}: the plain kernels failed: {cause}") from cause
    return tuple(interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details())


def _differs_most(plain: Sequence[Int8s], fast: Sequence[Int8s]) -> int:
    pairs = zip(plain, fast, strict=True)
    return max(int(np.abs(one.astype(np.int16) - other.astype(np.int16)).max()) for one, other in pairs)


def sentence(row: Sums) -> str:
    numbers = " ".join(map(str, row.sums))
    return f"{row.role:<20} {numbers}  ({row.sha256[:12]}; fast kernels differ by at most {row.fast_differs_most} of 256)"
