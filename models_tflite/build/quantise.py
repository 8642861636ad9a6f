"""Float function to a fully int8 .tflite file, the same bytes on every machine.

Weights are quantised per channel, activations per tensor, input and output are int8. Calibration is taken apart from
quantisation: the ranges that calibration measures depend in their last bits on the processor's float kernels, so they
are rounded to `RANGE_BITS` significant bits before they are used. A recipe may also state the range of an output,
where what lies outside does not matter (a score of -10,000 is as much 'no face' as one of -8).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .compact import compact, packed
from .lower import tensorflow

RANGE_BITS = 9
Range = tuple[float, float]


def quantise(function: Any, pictures: Iterable[Any], output_ranges: Mapping[int, Range], share: float = 1.0) -> bytes:
    """`pictures` are float32 [1, height, width, 3] as the network wants them; gives the bytes of the int8 file.

    `share` of each range that was seen is kept, the rest clipped: rare large values otherwise take steps from all others.
    """
    measured = _calibrated(function, list(pictures))
    convert = importlib.import_module("tensorflow.lite.python.convert")
    return compact(
        convert.mlir_quantize(
            _with_steady_ranges(measured, output_ranges, share),
            fully_quantize=True,
            input_data_type=tensorflow().int8,
            output_data_type=tensorflow().int8,
        )
    )


def _calibrated(function: Any, pictures: list[Any]) -> bytes:
    """A float .tflite file in which every activation carries the smallest and largest value that was seen."""
    tf = tensorflow()

    def representative() -> Iterator[list[Any]]:
        for picture in pictures:
            yield [picture]

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_calibrate_only = True
    return bytes(converter.convert())


def _with_steady_ranges(model: bytes, output_ranges: Mapping[int, Range], share: float) -> bytes:
    schema = importlib.import_module("tensorflow.lite.python.schema_py_generated")
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    graph = tree.subgraphs[0]
    stated = _stated_ranges(tree, output_ranges)
    for index, tensor in enumerate(graph.tensors):
        seen = tensor.quantization
        if seen is not None and seen.min is not None and len(seen.min) == 1:
            kept = 1.0 if index in graph.inputs else share
            low, high = stated.get(index, (kept * float(seen.min[0]), kept * float(seen.max[0])))
            seen.min, seen.max = [round_to_bits(low, RANGE_BITS)], [round_to_bits(high, RANGE_BITS)]
    return packed(tree)


def _stated_ranges(tree: Any, output_ranges: Mapping[int, Range]) -> dict[int, Range]:
    """Tensor index to stated range, carried back through reshapes, which share the range of their input."""
    graph = tree.subgraphs[0]
    makers: dict[int, Any] = {op.outputs[0]: op for op in graph.operators}
    stated: dict[int, Range] = {}
    for position, wanted in output_ranges.items():
        index = graph.outputs[position]
        while True:
            stated[index] = wanted
            maker = makers.get(index)
            if maker is None or tree.operatorCodes[maker.opcodeIndex].builtinCode != _BUILTIN_RESHAPE:
                break
            index = maker.inputs[0]
    return stated


_BUILTIN_RESHAPE = 22  # BuiltinOperator_RESHAPE in the .tflite schema


def round_to_bits(value: float, bits: int) -> float:
    """The nearest number with that many significant bits: 0.7123 with 9 bits is 0.712890625."""
    mantissa, exponent = np.frexp(value)
    return float(np.ldexp(np.rint(mantissa * 2**bits), exponent - bits))
