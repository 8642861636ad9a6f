"""The expression network of face-api as a graph: the package ships its weights only, the layers are code there.

Read from @vladmandic/face-api 1.7.15, src/faceFeatureExtractor and src/faceProcessor (MIT): four dense blocks of four
convolutions (the first of each halves the picture; each later one sees the sum of all before it), a mean over what is left, and
one linear layer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .tfjs_graph import Array, Graph, Node, prune, read_weights

BLOCKS = ("dense0", "dense1", "dense2", "dense3")
MEAN_RGB = (122.782, 117.001, 104.298)
"""Grey levels that the network takes off each colour before it divides by 255."""
MEAN = 115.0
"""One mean for all three colours, so that the int8 input can be the picture's byte; the difference goes into the first bias. What is
left of it is the padding at the right and lower edge: 10 grey levels of one row and one column."""
INPUT, LOGITS = "picture", "logits"


def read_face_api_graph(weights_manifest: Path, outputs: Iterable[str]) -> Graph:
    """The network up to its logits, for input (byte - MEAN) / 255; ModelError when the weights are not as expected."""
    weights = read_weights(json.loads(weights_manifest.read_bytes()), weights_manifest)
    weights["dense0/conv0/bias"] = _bias_for_one_mean(weights)
    weights["fc/kernel"] = weights["fc/weights"].reshape(1, 1, *weights["fc/weights"].shape)
    weights["logits/shape"] = np.array([1, -1])
    nodes, last = [Node(INPUT, "Placeholder", ())], INPUT
    for block in BLOCKS:
        nodes += _dense_block(block, last)
        last = f"{block}/out"
    # The linear layer as a 1 x 1 convolution: XNNPACK runs both alike, and its weights get a scale for each class.
    nodes += [
        Node("pooled", "AvgPool", (last,), strides=(2, 2), window=(7, 7)),
        Node("fc", "Conv2D", ("pooled", "fc/kernel", "fc/bias")),
        Node(LOGITS, "Reshape", ("fc", "logits/shape")),
    ]
    return prune(Graph(tuple(nodes), weights), outputs)


def _bias_for_one_mean(weights: dict[str, Array]) -> Array:
    shift = (MEAN - np.array(MEAN_RGB)) / 255
    kernel = weights["dense0/conv0/filters"].astype(np.float64)
    return np.asarray(weights["dense0/conv0/bias"] + np.einsum("hwio,i->o", kernel, shift), np.float32)


def _dense_block(block: str, source: str) -> list[Node]:
    """out3 = conv2(relu(out1 + out2)); out4 = conv3(relu(out1 + out2 + out3)); relu of the sum of all four.

    The sums are taken in an order in which every ReLU has an addition of its own to be fused into: XNNPACK has no int8 ReLU that stands
    alone.
    """
    out1, out2, out3, out4 = (f"{block}/conv{i}" for i in range(4))
    seen2, seen3, sum23, sum234 = (f"{block}/{name}" for name in ("seen2", "seen3", "sum23", "sum234"))
    return [
        *_first_of(block, source),
        *_separable(out2, out1),
        Node(seen2, "Add", (out1, out2), activation="Relu"),
        *_separable(out3, seen2),
        Node(sum23, "Add", (out2, out3)),
        Node(seen3, "Add", (out1, sum23), activation="Relu"),
        *_separable(out4, seen3),
        Node(sum234, "Add", (sum23, out4)),
        Node(f"{block}/out", "Add", (out1, sum234), activation="Relu"),
    ]


def _first_of(block: str, source: str) -> list[Node]:
    name = f"{block}/conv0"
    if block != BLOCKS[0]:
        return _separable(name, source, (2, 2), "Relu")
    inputs = (source, f"{name}/filters", f"{name}/bias")
    return [Node(name, "Conv2D", inputs, strides=(2, 2), padding="SAME", activation="Relu")]


def _separable(name: str, source: str, strides: tuple[int, int] = (1, 1), activation: str = "") -> list[Node]:
    across = Node(
        f"{name}/depthwise", "DepthwiseConv2dNative", (source, f"{name}/depthwise_filter"), strides=strides, padding="SAME"
    )
    inputs = (across.name, f"{name}/pointwise_filter", f"{name}/bias")
    return [across, Node(name, "Conv2D", inputs, padding="SAME", activation=activation)]
