"""Reads what a .tflite file consists of: operators, tensors, constants. Runs nothing.

Format: the flatbuffer of TensorFlow Lite's schema (file identifier TFL3). The reading classes come with ai-edge-litert
(`schema_py_generated`, made from that schema by its makers and released with the runtime that reads the files, over the package
`flatbuffers`, which it depends on): the extra `vision` has both already. The package `tflite` on PyPI holds the same for one fixed
schema version and would be one more thing to keep in step; a schema of our own would weigh 700 KB.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct

from agent.errors import ModelError

IDENTIFIER = b"TFL3"
SMALL = 64
"""Integer constants up to this many elements are read: axes, paddings, shapes."""


class TensorFact(Struct, frozen=True):
    """A tensor. `shape` has -1 where a size is open until run time; `integers` are the values of a small int32 constant."""

    name: str
    shape: tuple[int, ...]
    type: str
    constant: bool
    quantised: bool
    bytes: int
    all_zero: bool = False
    integers: tuple[int, ...] = ()

    @property
    def elements(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count


class OperatorFact(Struct, frozen=True):
    """One operator. `name` is the schema's (CONV_2D); a custom operator has `custom` set. A left-out optional input is None."""

    index: int
    name: str
    version: int
    inputs: tuple[TensorFact | None, ...]
    outputs: tuple[TensorFact, ...]
    options: dict[str, int]
    custom: bool = False

    def input(self, position: int) -> TensorFact | None:
        return self.inputs[position] if position < len(self.inputs) else None


class TfliteFile(Struct, frozen=True):
    """The first subgraph, which is the one that runs, and how many there are."""

    operators: tuple[OperatorFact, ...]
    subgraphs: int
    inputs: tuple[TensorFact, ...]
    outputs: tuple[TensorFact, ...]

    @property
    def parameter_bytes(self) -> int:
        """Of all constants that operators use."""
        constants = {t.name: t.bytes for op in self.operators for t in op.inputs if t is not None and t.constant}
        return sum(constants.values())


def read_tflite(path: Path) -> TfliteFile:
    """Raises ModelError when the file is not there, not a .tflite file or damaged, or when the reading classes are not installed."""
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise ModelError(f"{path}: cannot be read ({cause.strerror})") from cause
    if data[4:8] != IDENTIFIER:
        raise ModelError(f"{path}: not a .tflite file (bytes 4 to 8 are {data[4:8]!r}, not {IDENTIFIER!r})")
    try:
        return _Reader(data, _schema()).file()
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, AttributeError, UnicodeDecodeError) as cause:
        raise ModelError(f"{path}: damaged: {cause}; `doorward models verify` compares it with the manifest") from cause


def _schema() -> Any:
    try:
        return importlib.import_module("ai_edge_litert.schema_py_generated")
    except ImportError as cause:
        raise ModelError(f"reading .tflite files needs ai-edge-litert ({cause}): pip install 'doorward[vision]'") from cause


class _Reader:
    """Walks the flatbuffer. flatbuffers checks nothing in Python, so every length is held against the file's own."""

    def __init__(self, data: bytes, schema: Any) -> None:
        self._data, self._schema = data, schema
        self._model = schema.Model.GetRootAs(data, 0)
        self._operator_names = _names(schema.BuiltinOperator)
        self._type_names = _names(schema.TensorType)

    def file(self) -> TfliteFile:
        count = self._length(self._model.SubgraphsLength())
        if not count:
            raise ValueError("it has no graph")
        graph = self._model.Subgraphs(0)
        tensors = [self._tensor(graph.Tensors(i)) for i in range(self._length(graph.TensorsLength()))]
        operators = tuple(self._operator(i, graph.Operators(i), tensors) for i in range(self._length(graph.OperatorsLength())))
        inputs = tuple(tensors[graph.Inputs(i)] for i in range(self._length(graph.InputsLength())))
        outputs = tuple(tensors[graph.Outputs(i)] for i in range(self._length(graph.OutputsLength())))
        return TfliteFile(operators, count, inputs, outputs)

    def _length(self, claimed: int) -> int:
        if not 0 <= claimed <= len(self._data):
            raise ValueError(f"a list claims {claimed} entries in {len(self._data)} bytes")
        return claimed

    def _tensor(self, raw: Any) -> TensorFact:
        shape = self._vector(raw.ShapeSignatureLength, raw.ShapeSignature) or self._vector(raw.ShapeLength, raw.Shape)
        buffer = self._model.Buffers(raw.Buffer())
        size = self._length(buffer.DataLength()) if buffer is not None else 0
        values = np.asarray(buffer.DataAsNumpy(), np.uint8) if size else np.zeros(0, np.uint8)
        kind = self._type_names.get(raw.Type(), f"type {raw.Type()}")
        seen = raw.Quantization()
        small = kind == "INT32" and 0 < size <= 4 * SMALL
        return TensorFact(
            name=(raw.Name() or b"").decode(), shape=shape, type=kind, constant=size > 0, bytes=size,
            quantised=seen is not None and seen.ScaleLength() > 0, all_zero=size > 0 and not values.any(),
            integers=tuple(values.view("<i4").tolist()) if small else (),
        )  # fmt: skip

    def _operator(self, index: int, raw: Any, tensors: list[TensorFact]) -> OperatorFact:
        code = self._model.OperatorCodes(raw.OpcodeIndex())
        # Codes up to 127 stand in an older field of one byte; the newer one is 0 there.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        name = custom.decode() if custom else self._operator_names.get(builtin, f"operator {builtin}")
        inputs = tuple(tensors[i] if i >= 0 else None for i in self._vector(raw.InputsLength, raw.Inputs))
        outputs = tuple(tensors[i] for i in self._vector(raw.OutputsLength, raw.Outputs))
        return OperatorFact(index, name, code.Version(), inputs, outputs, self._options(name, raw), bool(custom))

    def _vector(self, length: Callable[[], int], item: Callable[[int], int]) -> tuple[int, ...]:
        return tuple(int(item(i)) for i in range(self._length(length())))

    def _options(self, name: str, raw: Any) -> dict[str, int]:
        if name not in _OPTIONS or raw.BuiltinOptions() is None:
            return {}
        table, fields = _OPTIONS[name]
        options = getattr(self._schema, table)()
        source = raw.BuiltinOptions()
        options.Init(source.Bytes, source.Pos)
        return {field: int(getattr(options, field)()) for field in fields}


_OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", ("DilationWFactor", "DilationHFactor")),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", ("DilationWFactor", "DilationHFactor")),
    "AVERAGE_POOL_2D": ("Pool2DOptions", ("FusedActivationFunction",)),
    "MAX_POOL_2D": ("Pool2DOptions", ("FusedActivationFunction",)),
    "CONCATENATION": ("ConcatenationOptions", ("FusedActivationFunction", "Axis")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("WeightsFormat",)),
    "STRIDED_SLICE": ("StridedSliceOptions", ("EllipsisMask", "NewAxisMask")),
    "PACK": ("PackOptions", ("Axis",)),
    "UNPACK": ("UnpackOptions", ("Axis",)),
}
"""Operator -> its options table in the schema, and the fields that the rules ask for."""


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
