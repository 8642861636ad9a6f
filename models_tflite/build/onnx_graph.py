"""Reads an ONNX network of convolutions into the same small graph as the other readers.

ONNX keeps channels before rows and columns and gives every padding in numbers; TensorFlow Lite wants channels last. Batch normalisations are
folded into the convolution before or after them: y = g (x - m) / sqrt(v + e) + b. Format: onnx.ai, operators Conv, PRelu, Gemm,
BatchNormalization of opset 11.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agent.errors import ModelError

from .tfjs_graph import Array, Graph, Node, prune

INPUT = "picture"
ALLOWED = ("Conv", "PRelu", "BatchNormalization", "Flatten", "Gemm")
PASSED_OVER = ("Dropout", "Sub", "Mul")
"""Dropout does nothing outside training; the subtraction and the product in front are the preprocessing, which the recipe states."""


def read_onnx_graph(model: Path, outputs: Iterable[str]) -> Graph:
    """The part of a network that `outputs` depend on, for one picture [1, height, width, 3]; ModelError for operations not known here."""
    reader = _Reader(_load(model).graph)
    for raw in reader.raw.node:
        reader.take(raw)
    weights = {name: value.astype(np.float32) if value.dtype == np.float64 else value for name, value in reader.weights.items()}
    return prune(Graph(tuple(reader.nodes), weights), outputs)


def _load(model: Path) -> Any:
    try:
        return importlib.import_module("onnx").load(str(model))
    except ImportError as cause:
        raise ModelError("building models needs onnx: pip install 'doorward[models]' (never on a door)") from cause


class _Affine(NamedTuple):
    """y = factor x + shift, for each channel."""

    factor: Array
    shift: Array


class _Reader:
    """Walks over the operations in their order; a value's name leads to the node that has it now."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        to_array = importlib.import_module("onnx.numpy_helper").to_array
        self._constants: dict[str, Array] = {one.name: np.asarray(to_array(one), np.float64) for one in raw.initializer}
        self._now: dict[str, str] = {}
        self._sides: dict[str, int] = {}
        self.nodes: list[Node] = [Node(INPUT, "Placeholder", ())]
        self.weights: dict[str, Array] = {}
        self._waiting: dict[str, _Affine] = {}

    def take(self, raw: Any) -> None:
        if raw.op_type in PASSED_OVER:
            self._now[raw.output[0]] = self._source(raw.input[0])
            self._carry(raw)
            return
        if raw.op_type not in ALLOWED:
            raise ModelError(
                f"graph: operation {raw.op_type!r} of node {raw.name!r} is not one of {', '.join(ALLOWED + PASSED_OVER)}"
            )
        getattr(self, f"_{raw.op_type.lower()}")(raw)

    def _source(self, name: str) -> str:
        return self._now.get(name, INPUT)

    def _carry(self, raw: Any) -> None:
        """What waits to be folded passes through an operation that changes nothing."""
        if raw.input[0] in self._waiting:
            self._waiting[raw.output[0]] = self._waiting[raw.input[0]]

    def _conv(self, raw: Any) -> None:
        given = _attributes(raw)
        kernel, group = self._constants[raw.input[1]], int(given.get("group", 1))
        source = self._padded(raw, given, self._source(raw.input[0]))
        deep = group > 1
        # ONNX: out, in / group, rows, columns. TensorFlow: rows, columns, in, out (or for depthwise: in, multiplier).
        self._weigh(raw.name, kernel.transpose(2, 3, 0, 1) if deep else kernel.transpose(2, 3, 1, 0))
        strides = (int(given["strides"][0]), int(given["strides"][1]))
        self._add(raw, Node(raw.name, "DepthwiseConv2dNative" if deep else "Conv2D",
                            (source, f"{raw.name}/kernel", f"{raw.name}/bias"), strides=strides, padding=self._padding(given)))  # fmt: skip

    def _weigh(self, name: str, kernel: Array, bias: Array | None = None) -> None:
        channels = kernel.shape[2] if kernel.shape[3] == 1 else kernel.shape[3]
        self.weights[f"{name}/kernel"] = kernel
        self.weights[f"{name}/bias"] = np.zeros(channels) if bias is None else bias

    @staticmethod
    def _padding(given: Mapping[str, Any]) -> str:
        """With a stride of one, TensorFlow's SAME pads as these networks do; otherwise it pads on one side only."""
        return "SAME" if max(given["pads"]) and max(given["strides"]) == 1 else "VALID"

    def _padded(self, raw: Any, given: Mapping[str, Any], source: str) -> str:
        top, left, bottom, right = given["pads"]
        if not max(given["pads"]) or max(given["strides"]) == 1:
            return source
        name = f"{raw.name}/padded"
        self.weights[f"{name}/by"] = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        self.nodes.append(Node(name, "Pad", (source, f"{name}/by")))
        return name

    def _prelu(self, raw: Any) -> None:
        self.weights[f"{raw.name}/slope"] = self._constants[raw.input[1]].reshape(-1).astype(np.float32)
        self._add(raw, Node(raw.name, "Prelu", (self._source(raw.input[0]), f"{raw.name}/slope")))

    def _batchnormalization(self, raw: Any) -> None:
        gamma, beta, mean, variance = (self._constants[name] for name in raw.input[1:])
        factor = gamma / np.sqrt(variance + _attributes(raw)["epsilon"])
        affine = _Affine(factor, beta - mean * factor)
        source = self._source(raw.input[0])
        if f"{source}/kernel" in self.weights:
            self._fold_behind(source, affine)
        else:
            self._waiting[raw.output[0]] = affine
        self._now[raw.output[0]] = source

    def _fold_behind(self, name: str, affine: _Affine) -> None:
        """The convolution `name` does what the normalisation behind it did."""
        kernel = self.weights[f"{name}/kernel"]
        deep = self._node(name).op == "DepthwiseConv2dNative"
        self.weights[f"{name}/kernel"] = kernel * (affine.factor.reshape(1, 1, -1, 1) if deep else affine.factor)
        self.weights[f"{name}/bias"] = self.weights[f"{name}/bias"] * affine.factor + affine.shift

    def _node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def _flatten(self, raw: Any) -> None:
        self._now[raw.output[0]] = self._source(raw.input[0])
        self._carry(raw)

    def _gemm(self, raw: Any) -> None:
        """A linear layer over all rows, columns and channels is a convolution as large as its input."""
        flat, source = self._constants[raw.input[1]], self._source(raw.input[0])
        channels = self.weights[f"{source}/slope"].size
        side = round((flat.shape[1] / channels) ** 0.5)
        kernel = flat.reshape(flat.shape[0], channels, side, side).transpose(2, 3, 1, 0)
        bias = self._constants[raw.input[2]]
        if raw.input[0] in self._waiting:
            before = self._waiting[raw.input[0]]
            bias = bias + np.einsum("hwio,i->o", kernel, before.shift)
            kernel = kernel * before.factor[:, None]
        self._weigh(raw.name, kernel, bias)
        self._add(raw, Node(raw.name, "Conv2D", (source, f"{raw.name}/kernel", f"{raw.name}/bias")))

    def _add(self, raw: Any, node: Node) -> None:
        self.nodes.append(node)
        self._now[raw.output[0]] = node.name


def _attributes(raw: Any) -> dict[str, Any]:
    get = importlib.import_module("onnx.helper").get_attribute_value
    return {one.name: get(one) for one in raw.attribute}
