"""What Google's Edge TPU compiler takes, as far as it is published: pure rules over the facts of a .tflite file.

Sources, read in November 2026 (the compiler itself cannot be had from a registry and was not run):
  coral.ai/docs/edgetpu/models-intro, 'Model requirements' and 'Supported operations': types, static sizes, constants, ranks, the table of
  operations with the limits of each. Its form for runtime 13 and later was read as far as ResizeBilinear, reprinted by Axis at
  developer.axis.com/computer-vision/on-device/system-on-chip/artpec-7/supported-ops; from Slice to StridedSlice an older form was read;
  RSQRT, SQUARED_DIFFERENCE, SUM, TRANSPOSE and TRANSPOSE_CONV are of runtimes 13 and 14 by recollection of the same table, not read again.
  artpec-7/optimization-tips there: the first operation that is not supported, and everything behind it, stays on the CPU.
  github.com/google-coral/edgetpu, issues 631, 845, 879 and google-coral/libedgetpu 71: operator versions at which compiler 16.0
  (16.0.384591198, the last one) stops; upper bounds of others from TensorFlow's lite/kernels/register.cc at commit 00b1ec2a, which is younger
  than that compiler, since it registers the CONV_2D 6 that the compiler does not know.
The page warns that some operations stay unmapped for sizes it does not state; such cases come out as notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from agent.tflite_file import OperatorFact, TensorFact, TfliteFile

COMPILER = "16.0.384591198"
EIGHT_BITS = ("INT8", "UINT8")
SOFTMAX_MOST = 16_000
"""Elements."""

# The newest version of an operator that the compiler may know.
NEWEST_VERSION = {
    "CONV_2D": 5, "TRANSPOSE_CONV": 3, "QUANTIZE": 2, "EXP": 1,  # seen to stop at the next one
    "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 9, "AVERAGE_POOL_2D": 3, "MAX_POOL_2D": 3, "ADD": 4, "SUB": 5, "MUL": 5, "PAD": 4,
    "CONCATENATION": 3, "RESHAPE": 1, "RELU": 3, "RELU6": 3, "RELU_N1_TO_1": 1, "LOGISTIC": 3, "TANH": 3, "SOFTMAX": 3, "PRELU": 1, "MEAN": 3,
    "MAXIMUM": 4, "MINIMUM": 4, "L2_NORMALIZATION": 2, "RESIZE_BILINEAR": 4, "RESIZE_NEAREST_NEIGHBOR": 4, "SPACE_TO_DEPTH": 2, "SPLIT": 4,
    "SQUEEZE": 2, "STRIDED_SLICE": 6, "SLICE": 5, "PACK": 3, "UNPACK": 4, "EXPAND_DIMS": 1, "SUM": 2, "REDUCE_MAX": 3, "REDUCE_MIN": 3,
    "RSQRT": 2, "SQUARED_DIFFERENCE": 2, "TRANSPOSE": 5, "UNIDIRECTIONAL_SEQUENCE_LSTM": 3, "DEQUANTIZE": 5, "HARD_SWISH": 1, "LEAKY_RELU": 2,
    "CAST": 4, "GATHER": 5, "DIV": 2,
}  # fmt: skip
KNOWN_CUSTOM = ("TFLite_Detection_PostProcess",)

Rule = Callable[[OperatorFact], str]
"""'' when the operator may run on the TPU, or why not."""


class Unmapped(Struct, frozen=True):
    """The first operator that stays on the CPU."""

    index: int
    operator: str
    why: str


class Verdict(Struct, frozen=True):
    """What becomes of a file. Shares are 0..1; `multiply_adds` are of one run."""

    operators: int
    mapped: int
    breaks: tuple[str, ...]
    """Rules without which nothing is compiled at all."""
    first_unmapped: Unmapped | None
    cpu_share_operators: float
    cpu_share_multiply_adds: float
    multiply_adds: int
    parameter_bytes: int
    notes: tuple[str, ...]


def judge(file: TfliteFile) -> Verdict:
    """Every published rule, on every operator."""
    first = next(_unmapped(file), None)
    mapped = len(file.operators) if first is None else first.index
    work = [multiply_adds(operator) for operator in file.operators]
    total = sum(work)
    return Verdict(
        operators=len(file.operators), mapped=mapped, breaks=tuple(_breaks(file)), first_unmapped=first,
        cpu_share_operators=1 - mapped / len(file.operators) if file.operators else 0.0,
        cpu_share_multiply_adds=sum(work[mapped:]) / total if total else 0.0,
        multiply_adds=total, parameter_bytes=file.parameter_bytes, notes=tuple(_notes(file)),
    )  # fmt: skip


def _breaks(file: TfliteFile) -> Iterator[str]:
    if not any(_types(operator) == "" for operator in file.operators):
        yield "not quantised: no operator works on int8 or uint8 alone"
    for operator in file.operators:
        where = f"operator {operator.index} {operator.name}"
        for tensor in (*operator.inputs, *operator.outputs):
            if tensor is not None and any(size < 0 for size in tensor.shape):
                yield f"{where}: tensor {tensor.name!r} has the open size {list(tensor.shape)}; every size must be fixed"
        if operator.custom and operator.name not in KNOWN_CUSTOM:
            yield f"{where}: a custom operator that the compiler does not know"
        elif operator.version > NEWEST_VERSION.get(operator.name, operator.version):
            newest = NEWEST_VERSION[operator.name]
            yield f"{where}: version {operator.version}; compiler {COMPILER} knows up to {newest}: convert with an older form"


def _unmapped(file: TfliteFile) -> Iterator[Unmapped]:
    for operator in file.operators:
        why = _types(operator) or _sizes(operator) or _operation(operator)
        if why:
            yield Unmapped(operator.index, operator.name, why)


def _types(operator: OperatorFact) -> str:
    for position, tensor in enumerate(operator.inputs):
        if tensor is None or (tensor.constant and tensor.type == "INT32"):
            continue  # biases, axes, shapes
        if tensor.type not in EIGHT_BITS:
            return f"input {position} {tensor.name!r} is {tensor.type}; allowed are INT8 and UINT8"
    for tensor in operator.outputs:
        if tensor.type not in EIGHT_BITS:
            return f"output {tensor.name!r} is {tensor.type}; allowed are INT8 and UINT8"
    return ""


def _sizes(operator: OperatorFact) -> str:
    for tensor in (*operator.inputs, *operator.outputs):
        if tensor is not None and not tensor.constant and any(size > 1 for size in tensor.shape[:-3]):
            return f"tensor {tensor.name!r} is {list(tensor.shape)}; only the three innermost sizes may be over 1"
    return ""


def _operation(operator: OperatorFact) -> str:
    rule = OPERATIONS.get(operator.name)
    if rule is None:
        return "not among the supported operations"
    return rule(operator)


def _any(_operator: OperatorFact) -> str:
    return ""


def _same_dilation(operator: OperatorFact) -> str:
    wide, high = operator.options.get("DilationWFactor", 1), operator.options.get("DilationHFactor", 1)
    if wide != high:
        return f"dilation is {wide} in x and {high} in y; both must be the same"
    return _parameters_constant(operator)


def _parameters_constant(operator: OperatorFact) -> str:
    loose = [t.name for t in operator.inputs[1:3] if t is not None and not t.constant]
    return f"{loose[0]!r} is computed; weights and biases must be constant" if loose else ""


def _transposed(operator: OperatorFact) -> str:
    weights = operator.input(1)
    return "" if weights is None or weights.constant else f"{weights.name!r} is computed; weights must be constant"


def _no_activation(operator: OperatorFact) -> str:
    return "a fused activation function is not supported" if operator.options.get("FusedActivationFunction") else ""


def _concatenation(operator: OperatorFact) -> str:
    constants = [t for t in operator.inputs if t is not None and t.constant]
    if constants and not (len(operator.inputs) == 2 and all(t.all_zero for t in constants)):
        return "with a constant input there may be two inputs only, and the constant must be all zeros"
    return _no_activation(operator)


def _fully_connected(operator: OperatorFact) -> str:
    if operator.options.get("WeightsFormat"):
        return "only the default format of weights is supported"
    for output in operator.outputs:
        if any(size > 1 for size in output.shape[:-1]):
            return f"its output is {list(output.shape)}; it must be one-dimensional"
    return _parameters_constant(operator)


def _prelu(operator: OperatorFact) -> str:
    alpha = operator.input(1)
    if alpha is None or any(size > 1 for size in alpha.shape[:-1]):
        return "alpha must be one-dimensional: a slope for each channel"
    return ""


def _reduces(operator: OperatorFact) -> str:
    value, axes = operator.input(0), operator.input(1)
    if value is None or axes is None or not axes.integers:
        return "its axes must be constant"
    rank = len(value.shape)
    return "the batch dimension cannot be reduced" if rank > 3 and 0 in _places(axes, rank) else ""


def _places(axes: TensorFact, rank: int) -> set[int]:
    """Axes counted from the front; none of a scalar."""
    return {axis % rank for axis in axes.integers} if rank else set()


def _mean(operator: OperatorFact) -> str:
    why = _reduces(operator)
    value, axes = operator.input(0), operator.input(1)
    if why or value is None or axes is None:
        return why
    deep = len(value.shape) - 1 in _places(axes, len(value.shape))
    return "a mean over z needs a z that is a multiple of 4" if deep and value.shape[-1] % 4 else ""


def _pad(operator: OperatorFact) -> str:
    value, amounts = operator.input(0), operator.input(1)
    if value is None or amounts is None or not amounts.integers:
        return "its paddings must be constant"
    return "the batch dimension cannot be padded" if len(value.shape) > 3 and any(amounts.integers[:2]) else ""


def _softmax(operator: OperatorFact) -> str:
    for value in operator.outputs:  # of its input's shape
        if any(size > 1 for size in value.shape[:-1]) or value.elements > SOFTMAX_MOST:
            return f"its input is {list(value.shape)}; it must be one-dimensional with at most {SOFTMAX_MOST} elements"
    return ""


def _split(operator: OperatorFact) -> str:
    axis, value = operator.input(0), operator.input(1)
    if axis is None or value is None or not axis.integers:
        return "its axis must be constant"
    return "the batch dimension cannot be split" if len(value.shape) > 3 and axis.integers[0] % len(value.shape) == 0 else ""


def _pack(operator: OperatorFact) -> str:
    rank = max((len(tensor.shape) for tensor in (*operator.outputs, *filter(None, operator.inputs))), default=0)
    return "the batch dimension cannot be packed or unpacked" if rank > 3 and operator.options.get("Axis", 0) % rank == 0 else ""


def _strided_slice(operator: OperatorFact) -> str:
    strides = operator.input(3)
    if strides is None or any(step != 1 for step in strides.integers) or not strides.integers:
        return "all strides must be 1"
    if operator.options.get("EllipsisMask") or operator.options.get("NewAxisMask"):
        return "ellipsis and new-axis masks must be 0"
    return ""


OPERATIONS: dict[str, Rule] = {
    "ADD": _any, "AVERAGE_POOL_2D": _no_activation, "CONCATENATION": _concatenation, "CONV_2D": _same_dilation,
    "DEPTHWISE_CONV_2D": _same_dilation, "EXPAND_DIMS": _any, "FULLY_CONNECTED": _fully_connected, "L2_NORMALIZATION": _any,
    "LOGISTIC": _any, "UNIDIRECTIONAL_SEQUENCE_LSTM": _any, "MAXIMUM": _any, "MAX_POOL_2D": _no_activation, "MEAN": _mean, "MINIMUM": _any,
    "MUL": _any, "PACK": _pack, "PAD": _pad, "PRELU": _prelu, "QUANTIZE": _any, "REDUCE_MAX": _reduces, "REDUCE_MIN": _reduces, "RELU": _any,
    "RELU6": _any, "RELU_N1_TO_1": _any, "RESHAPE": _any, "RESIZE_BILINEAR": _any, "RESIZE_NEAREST_NEIGHBOR": _any, "RSQRT": _any,
    "SLICE": _any, "SOFTMAX": _softmax, "SPACE_TO_DEPTH": _any, "SPLIT": _split, "SQUEEZE": _any, "STRIDED_SLICE": _strided_slice,
    "SUB": _any, "SUM": _reduces, "SQUARED_DIFFERENCE": _any, "TANH": _any, "TRANSPOSE": _any, "TRANSPOSE_CONV": _transposed,
}  # fmt: skip
"""Supported operations and the limits of each, as the table has them for runtime 13 and later."""

SIZE_DEPENDENT = {
    "RESIZE_BILINEAR": (0, "may stay on the CPU for some sizes, to keep precision"),
    "RESIZE_NEAREST_NEIGHBOR": (0, "may stay on the CPU for some sizes, to keep precision"),
    "RESHAPE": (SOFTMAX_MOST, "may stay on the CPU for large tensors"),
}
"""What the page says of sizes without stating them, and the elements from which we mention it; for RESHAPE the one bound that it does
state elsewhere."""


def _notes(file: TfliteFile) -> Iterator[str]:
    sizes = {op.name: max((t.elements for t in op.outputs), default=0) for op in file.operators if op.name in SIZE_DEPENDENT}
    for name, elements in sorted(sizes.items()):
        least, words = SIZE_DEPENDENT[name]
        if elements > least:
            yield f"{name} {words} (sizes are not published)"
    if file.subgraphs > 1:
        yield f"{file.subgraphs} graphs: only the first is judged"


def multiply_adds(operator: OperatorFact) -> int:
    """Of one run: output elements times the weights that each of them sums over; 0 for operators without weights."""
    weights = operator.input(1)
    if weights is None or operator.name not in _WEIGHTED:
        return 0
    rank, count = _WEIGHTED[operator.name]
    return count(operator, weights) if len(weights.shape) == rank and weights.elements > 0 else 0


# Shapes of weights: CONV_2D [out, high, wide, in], DEPTHWISE_CONV_2D [1, high, wide, out], FULLY_CONNECTED [out, in],
# TRANSPOSE_CONV [out, high, wide, in] with the picture as input 2.
_WEIGHTED: dict[str, tuple[int, Callable[[OperatorFact, TensorFact], int]]] = {
    "CONV_2D": (4, lambda op, w: _made(op) * w.elements // w.shape[0]),
    "DEPTHWISE_CONV_2D": (4, lambda op, w: _made(op) * w.shape[1] * w.shape[2]),
    "FULLY_CONNECTED": (2, lambda op, w: _made(op) * w.shape[1]),
    "TRANSPOSE_CONV": (4, lambda op, w: (picture.elements if (picture := op.input(2)) else 0) * w.elements // w.shape[3]),
}
"""Operator -> rank of its weights, and multiply-adds."""


def _made(operator: OperatorFact) -> int:
    return sum(tensor.elements for tensor in operator.outputs[:1])
