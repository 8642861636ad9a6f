"""The same .tflite file without what it says many times: a fifth smaller where channels are many and weights few.

Every channel of every constant has a zero point of eight bytes, and all of them are 0; constants of one length repeat whole. A FlatBuffer
may point to one vector from many places (flatbuffers.dev, internals: offsets), so equal vectors are written once. Vectors of bytes begin
at a multiple of 16, as the schema asks of a buffer's data.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

DATA_ALIGNMENT = 16


def compact(model: bytes) -> bytes:
    """The same operators, constants and numbers in fewer bytes."""
    schema = importlib.import_module("tensorflow.lite.python.schema_py_generated")
    return packed(schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)))


def packed(tree: Any) -> bytes:
    """A model tree as the bytes of a file."""
    builder = _sharing_builder()(1 << 20)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _sharing_builder() -> Any:
    flatbuffers = importlib.import_module("flatbuffers")

    class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc, name-defined]
        """Writes each vector of numbers once."""

        def __init__(self, initial_size: int) -> None:
            super().__init__(initial_size)
            self._written: dict[tuple[str, bytes], Any] = {}

        def CreateNumpyVector(self, values: Any) -> Any:  # noqa: N802 (its parent's name)
            values = np.ascontiguousarray(values)
            key = (values.dtype.str, values.tobytes())
            if key not in self._written:
                self._written[key] = self._vector(values, key[1])
            return self._written[key]

        def _vector(self, values: Any, payload: bytes) -> Any:
            if values.dtype != np.uint8:
                return super().CreateNumpyVector(values)
            self.StartVector(1, len(payload), DATA_ALIGNMENT)
            self.head -= len(payload)
            self.Bytes[self.head : self.head + len(payload)] = payload
            self.vectorNumElems = len(payload)
            return self.EndVector()

    return SharingBuilder
