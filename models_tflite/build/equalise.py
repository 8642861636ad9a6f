"""Evens out the ranges of channels before quantisation, without changing what the float network computes.

An activation has one int8 scale for all its channels, so a channel that stays small beside a large one is left with few
steps. Where one convolution feeds another through nothing but a ReLU or PReLU (both let a positive factor through), channel c
may be divided by s in the first and multiplied by s in the second (Nagel et al., arXiv 1906.04721). The factors are powers of
two, which floats multiply by exactly: the float network stays the same to the last bit, and so does a rebuild.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .lower import evaluate, tensorflow
from .tfjs_graph import Array, Graph, Node

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
LETS_FACTORS_THROUGH = ("", "Relu")
"""Fused activations that a positive factor passes: ReLU6 stops at 6 whatever the factor, and is left alone."""
LARGEST_FACTOR = 64.0


@dataclass(frozen=True)
class Pair:
    """`first` feeds `second` alone, through `between` (activations, in order)."""

    first: Node
    second: Node
    between: tuple[Node, ...]


def equalise(graph: Graph, pictures: Iterable[Any]) -> Graph:
    """The same function with evener channels; `pictures` are float32 inputs that show how large each channel becomes."""
    pairs = list(_pairs(graph))
    largest = _largest(graph, pairs, pictures)
    weights = dict(graph.weights)
    for pair in pairs:
        _rescale(weights, pair, _factors(weights, pair, largest[pair.second.inputs[0]]))
    return Graph(graph.nodes, weights)


def _pairs(graph: Graph) -> Iterator[Pair]:
    known = graph.by_name()
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    for second in graph.nodes:
        if second.op not in CONVOLUTIONS:
            continue
        between, source = list[Node](), known[second.inputs[0]]
        while source.op in ("Relu", "Prelu") and _used_once(source, uses):
            between.append(source)
            source = known[source.inputs[0]]
        if source.op in CONVOLUTIONS and _used_once(source, uses) and source.activation in LETS_FACTORS_THROUGH:
            yield Pair(source, second, tuple(reversed(between)))


def _used_once(node: Node, uses: Mapping[str, int]) -> bool:
    return uses[node.name] == 1


def _largest(graph: Graph, pairs: list[Pair], pictures: Iterable[Any]) -> dict[str, Array]:
    """Largest size that each channel reaches, by the name of the node that feeds the second convolution."""
    tf = tensorflow()
    names = sorted({pair.second.inputs[0] for pair in pairs})
    largest = {name: np.zeros(()) for name in names}
    for picture in pictures:
        values = evaluate(tf, graph, picture)
        for name in names:
            largest[name] = np.maximum(largest[name], np.abs(values[name].numpy()).max(axis=(0, 1, 2)))
    return largest


def _factors(weights: Mapping[str, Array], pair: Pair, largest: Array) -> Array:
    """What the first convolution's channels are divided by. A depthwise second one takes any factor for free, since its weights have
    a scale for each channel; a full one has a scale for each output only, so weights and activation share the difference."""
    ranges = np.maximum(largest, largest.max() / LARGEST_FACTOR)
    if pair.second.op == "Conv2D":
        reach = np.abs(weights[pair.second.inputs[1]]).max(axis=(0, 1, 3))
        ranges = np.sqrt(ranges / np.maximum(reach, reach.max() / LARGEST_FACTOR))
    return np.asarray(np.exp2(np.rint(np.log2(ranges / ranges.max()))), np.float32)


def _rescale(weights: dict[str, Array], pair: Pair, factors: Array) -> None:
    kernel, second = pair.first.inputs[1], pair.second.inputs[1]
    shape = (1, 1, 1, -1) if pair.first.op == "Conv2D" else (1, 1, -1, 1)
    weights[kernel] = weights[kernel] / factors.reshape(shape)
    for bias in pair.first.inputs[2:]:
        weights[bias] = (weights[bias].reshape(-1) / factors).reshape(weights[bias].shape)
    weights[second] = weights[second] * factors.reshape(1, 1, -1, 1)
