"""Turns a repaired graph into TensorFlow operations: the small set of operations that the recipes need, no more."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agent.errors import ModelError

from .tfjs_graph import Array, Graph, Node


def tensorflow() -> Any:
    """The module, or the error that says how to get it."""
    try:
        return importlib.import_module("tensorflow")
    except ImportError as cause:
        raise ModelError("building models needs TensorFlow: pip install 'doorward[models]' (never on a door)") from cause


def as_function(graph: Graph, side_px: int, outputs: Sequence[str]) -> Any:
    """A concrete TensorFlow function of one picture [1, side, side, 3] float32 that returns the outputs in that order."""
    tf = tensorflow()

    def call(picture: Any) -> dict[str, Any]:
        values = evaluate(tf, graph, picture)
        # Results come out sorted by key: a single digit keeps the order.
        return {f"output_{i}": tf.identity(values[name], name=f"output_{i}") for i, name in enumerate(outputs)}

    return tf.function(call, autograph=False).get_concrete_function(
        tf.TensorSpec([1, side_px, side_px, 3], tf.float32, "picture")
    )


def evaluate(tf: Any, graph: Graph, picture: Any) -> dict[str, Any]:
    """Every node's value by name, for one input tensor."""
    values: dict[str, Any] = dict(graph.weights)
    for node in graph.nodes:
        values[node.name] = picture if node.op == "Placeholder" else _apply(tf, node, values)
    return values


def _apply(tf: Any, node: Node, values: dict[str, Any]) -> Any:
    if node.op not in _OPERATIONS:
        raise ModelError(f"graph: operation {node.op!r} of node {node.name!r} is not one of {', '.join(_OPERATIONS)}")
    if node.activation not in _ACTIVATIONS:
        allowed = ", ".join(filter(None, _ACTIVATIONS))
        raise ModelError(f"graph: node {node.name!r} has the fused activation {node.activation!r}; allowed are {allowed}")
    result = _OPERATIONS[node.op](tf, node, *(values[name] for name in node.inputs))
    return _ACTIVATIONS[node.activation](tf, result)


def _convolve(tf: Any, node: Node, x: Any, kernel: Array, bias: Array | None = None) -> Any:
    y = tf.nn.conv2d(x, kernel, [1, *node.strides, 1], node.padding)
    return y if bias is None else tf.nn.bias_add(y, bias.reshape(-1))


def _convolve_depthwise(tf: Any, node: Node, x: Any, kernel: Array, bias: Array | None = None) -> Any:
    y = tf.nn.depthwise_conv2d(x, kernel, [1, *node.strides, 1], node.padding)
    return y if bias is None else tf.nn.bias_add(y, bias.reshape(-1))


def _prelu(tf: Any, _node: Node, x: Any, slope: Array) -> Any:
    """relu(x) - slope * relu(-x), from depthwise 1 x 1 convolutions.

    XNNPACK has no int8 PReLU, nor a ReLU that stands alone, and hands both to slow reference kernels; a ReLU fused into
    a convolution is free. Of the ways to write it this one keeps most: where slope * x + (1 - slope) * relu(x) takes the
    difference of large numbers (slopes reach 9), here one of the two terms is always zero.
    """

    def times(value: Any, factor: Array) -> Any:
        return tf.nn.depthwise_conv2d(value, factor.astype(np.float32).reshape(1, 1, -1, 1), [1, 1, 1, 1], "SAME")

    slope = slope.reshape(-1)
    one = np.ones_like(slope)
    return tf.nn.relu(times(x, one)) + times(tf.nn.relu(times(x, -one)), -slope)


def _prelu_of_floats(tf: Any, _node: Node, x: Any, slope: Array) -> Any:
    """In the form that the converter knows as its own PRELU, which XNNPACK runs on floats."""
    return tf.nn.relu(x) + -slope.reshape(-1) * tf.nn.relu(-x)


_ACTIVATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "": lambda tf, x: x,
    "Relu": lambda tf, x: tf.nn.relu(x),
    "Relu6": lambda tf, x: tf.nn.relu6(x),
}

_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Conv2D": _convolve,
    "DepthwiseConv2dNative": _convolve_depthwise,
    "Prelu": _prelu,
    "PreluOfFloats": _prelu_of_floats,
    "Add": lambda tf, node, a, b: a + b,
    "Sub": lambda tf, node, a, b: a - b,
    "Relu": lambda tf, node, x: tf.nn.relu(x),
    "Pad": lambda tf, node, x, paddings: tf.pad(x, paddings),
    "MaxPool": lambda tf, node, x: tf.nn.max_pool2d(x, [1, *node.window, 1], [1, *node.strides, 1], node.padding),
    "AvgPool": lambda tf, node, x: tf.nn.avg_pool2d(x, [1, *node.window, 1], [1, *node.strides, 1], node.padding),
    "Mean": lambda tf, node, x, axes: tf.reduce_mean(x, [int(axis) for axis in axes]),
    "Reshape": lambda tf, node, x, shape: tf.reshape(x, [1, *shape[1:]]),
    "Squeeze": lambda tf, node, x: tf.reshape(x, [1, -1]),
    "Identity": lambda tf, node, x: x,
}
