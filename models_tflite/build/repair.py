"""Graph-to-graph changes, each small and named for what it mends. Pure: numpy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from agent.errors import ModelError

from .tfjs_graph import Array, Graph, Node

Repair = Callable[[Graph], Graph]
LARGEST_SLOPE = 1.5
KEPT_BITS = 14
"""An int8 weight has 8: what rounding at 14 takes away is lost anyway, and the last bits of a processor's eigenvectors with it."""


def split_fused_prelu(graph: Graph) -> Graph:
    """Takes a PReLU that is fused into a convolution out into a node of its own."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.activation == "Prelu":
            inner = node.name + "/before_prelu"
            nodes.append(replace(node, name=inner, inputs=node.inputs[:3], activation=""))
            nodes.append(Node(node.name, "Prelu", (inner, node.inputs[3])))
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def see_grey_from_colour(graph: Graph) -> Graph:
    """Lets a network of grey pictures take colour ones: each colour's share of the brightness goes into the first kernel."""
    (picture,) = (node.name for node in graph.nodes if node.op == "Placeholder")
    (first,) = (node for node in graph.nodes if picture in node.inputs)
    kernel = graph.weights[first.inputs[1]] * np.array(LUMINANCE, np.float32).reshape(1, 1, 3, 1)
    return graph.with_nodes(graph.nodes, **{first.inputs[1]: kernel})


LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601


def relu_as_convolution(graph: Graph) -> Graph:
    """Gives a ReLU that stands alone a depthwise 1 x 1 convolution by one to be fused into: XNNPACK has no int8 ReLU of its own."""
    weights = {}

    def change(node: Node) -> Node:
        if node.op != "Relu":
            return node
        weights[name := node.name + "/one"] = np.ones((1, 1, _channels(graph, node.inputs[0]), 1), np.float32)
        return Node(node.name, "DepthwiseConv2dNative", (node.inputs[0], name), activation="Relu")

    nodes = [change(node) for node in graph.nodes]
    return graph.with_nodes(nodes, **weights)


def _channels(graph: Graph, name: str) -> int:
    """How many channels a node's value has: those of the nearest convolution before it."""
    node = graph.by_name()[name]
    while node.op != "Conv2D":
        node = graph.by_name()[node.inputs[0]]
    return int(graph.weights[node.inputs[1]].shape[-1])


def split_depth(name: str) -> Repair:
    """Cuts a convolution whose channels are x, y, z, x, y, z, ... into NAME/xy and NAME/z, so that depth, which reaches less far and
    matters less, does not set the int8 step of the positions."""

    def repair(graph: Graph) -> Graph:
        node = graph.by_name()[name]
        kernel, bias = (graph.weights[key] for key in node.inputs[1:3])
        channels = np.arange(kernel.shape[-1])
        nodes, weights = list(graph.nodes), {}
        for part, chosen in (("xy", channels[channels % 3 != 2]), ("z", channels[2::3])):
            weights[f"{name}/{part}/kernel"] = kernel[..., chosen]
            weights[f"{name}/{part}/bias"] = bias.reshape(-1)[chosen]
            nodes.append(
                replace(node, name=f"{name}/{part}", inputs=(node.inputs[0], *(f"{name}/{part}/{k}" for k in ("kernel", "bias"))))
            )
        return graph.with_nodes(nodes, **weights)

    return repair


def prelu_for_floats(graph: Graph) -> Graph:
    """For a network that stays in floats, where PReLU needs no rewriting."""
    return graph.map_nodes(lambda node: replace(node, op="PreluOfFloats") if node.op == "Prelu" else node)


def prelu_as_two_relus(graph: Graph) -> Graph:
    """Replaces PReLU by relu(x) - relu(-|slope| x), each half computed by the convolution that computed x.

    A convolution twice instead of once, but x itself is never rounded to int8, and each half has all 256 steps for itself: on the iris
    network half the error of `lower`'s own form. Where x comes from elsewhere (a sum), the halves are depthwise 1 x 1 convolutions.
    """
    known, weights, nodes = graph.by_name(), dict[str, Array](), list[Node]()
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    for node in graph.nodes:
        if node.op == "Prelu":
            made, constants = _two_relus(graph, node, known[node.inputs[0]], uses)
            nodes += made
            weights.update(constants)
        else:
            nodes.append(node)
    return graph.with_nodes(nodes, **weights)


def prelu_by_its_negative_half(graph: Graph) -> Graph:
    """Replaces PReLU by x + (1 - slope) relu(-x): two depthwise 1 x 1 convolutions and an addition.

    One pass less than `lower`'s own form, and as good where slopes lie within -1 and 1. With slopes far above one the sum would be a
    difference of large numbers: there it is refused.
    """
    weights, nodes = dict[str, Array](), list[Node]()
    for node in graph.nodes:
        if node.op != "Prelu":
            nodes.append(node)
            continue
        source, slope = node.inputs[0], graph.weights[node.inputs[1]].reshape(-1)
        if np.abs(slope).max() > LARGEST_SLOPE:
            raise ModelError(
                f"graph: PReLU {node.name!r} has a slope of {np.abs(slope).max():.2f}; this form takes up to {LARGEST_SLOPE}"
            )
        below, lifted = f"{node.name}/below", f"{node.name}/lifted"
        weights[f"{below}/kernel"] = np.full((1, 1, slope.size, 1), -1, np.float32)
        weights[f"{lifted}/kernel"] = (1 - slope).reshape(1, 1, -1, 1).astype(np.float32)
        nodes += [
            Node(below, "DepthwiseConv2dNative", (source, f"{below}/kernel"), activation="Relu"),
            Node(lifted, "DepthwiseConv2dNative", (below, f"{lifted}/kernel")),
            Node(node.name, "Add", (source, lifted)),
        ]
    return graph.with_nodes(nodes, **weights)


def narrow_before(name: str, channels: int) -> Repair:
    """Lets the convolution `name` see fewer channels: a 1 x 1 convolution before it keeps the directions in which its kernel is largest.

    The best approximation of the kernel (least squares, Eckart and Young 1936), found without any picture: the eigenvectors of the kernel
    with itself. Computed in float64 with the sign fixed, then rounded to `KEPT_BITS`, so that every machine gets the same float32.
    """

    def repair(graph: Graph) -> Graph:
        node = graph.by_name()[name]
        kernel = graph.weights[node.inputs[1]].astype(np.float64)
        rows, columns, seen, made = kernel.shape
        flat = kernel.transpose(2, 0, 1, 3).reshape(seen, -1)
        directions = np.linalg.eigh(flat @ flat.T)[1][:, ::-1][:, :channels]
        directions = directions * np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(channels)])
        narrow = f"{name}/narrow"
        weights = {
            f"{narrow}/kernel": _steady(directions)[None, None],
            node.inputs[1]: _steady(directions.T @ flat).reshape(channels, rows, columns, made).transpose(1, 2, 0, 3),
        }
        before = Node(narrow, "Conv2D", (node.inputs[0], f"{narrow}/kernel"))
        after = replace(node, inputs=(narrow, *node.inputs[1:]))
        position = graph.nodes.index(node)
        return graph.with_nodes([*graph.nodes[:position], before, after, *graph.nodes[position + 1 :]], **weights)

    return repair


def _steady(values: Array) -> Array:
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.rint(mantissa * 2**KEPT_BITS), exponent - KEPT_BITS), np.float32)


def _two_relus(graph: Graph, node: Node, source: Node, uses: Counter[str]) -> tuple[list[Node], dict[str, Array]]:
    slope = graph.weights[node.inputs[1]].reshape(-1)
    names = f"{node.name}/positive", f"{node.name}/negative"
    weights: dict[str, Array] = {}
    if source.op in ("Conv2D", "DepthwiseConv2dNative") and not source.activation and uses[source.name] == 1:
        halves = [replace(source, name=names[0], activation="Relu"), _times(graph, source, -np.abs(slope), names[1], weights)]
    else:
        weights |= {
            f"{names[0]}/kernel": np.ones_like(slope).reshape(1, 1, -1, 1),
            f"{names[1]}/kernel": -np.abs(slope).reshape(1, 1, -1, 1),
        }
        halves = [Node(name, "DepthwiseConv2dNative", (source.name, f"{name}/kernel"), activation="Relu") for name in names]
    if np.all(slope >= 0):
        return [*halves, Node(node.name, "Sub", names)], weights
    signs = f"{node.name}/signs"
    weights[f"{signs}/kernel"] = -np.sign(slope).reshape(1, 1, -1, 1).astype(np.float32)
    return [
        *halves,
        Node(signs, "DepthwiseConv2dNative", (names[1], f"{signs}/kernel")),
        Node(node.name, "Add", (names[0], signs)),
    ], weights


def _times(graph: Graph, node: Node, factors: Array, name: str, weights: dict[str, Array]) -> Node:
    """The convolution `node` with each output channel multiplied, and a ReLU behind it."""
    shape = (1, 1, 1, -1) if node.op == "Conv2D" else (1, 1, -1, 1)
    inputs = (node.inputs[0], *(f"{name}/{part}" for part, _ in zip(("kernel", "bias"), node.inputs[1:], strict=False)))
    for source, target in zip(node.inputs[1:], inputs[1:], strict=True):
        value = graph.weights[source]
        weights[target] = value.reshape(-1) * factors if target.endswith("bias") else value * factors.reshape(shape)
    return replace(node, name=name, inputs=inputs, activation="Relu")
