"""The Keras file's weights become the graph that the paper draws, its batch normalisations folded."""

from __future__ import annotations

import numpy as np
import pytest

from agent.errors import ModelError
from models_tflite.build.mini_xception import EPSILON, INPUT, _Reader

RANDOM = np.random.default_rng(4)


def norm(number: int, channels: int) -> dict[str, np.ndarray]:
    parts = {"gamma": (0.5, 2), "beta": (-1, 1), "moving_mean": (-1, 1), "moving_variance": (0.1, 3)}
    return {f"batch_normalization_{number}/{part}": RANDOM.uniform(*within, channels) for part, within in parts.items()}


def test_a_folded_convolution_gives_what_convolution_and_normalisation_gave() -> None:
    kernel, found = RANDOM.normal(size=(1, 1, 3, 5)), norm(1, 5)
    reader = _Reader({"conv2d_1/kernel": kernel, **found})
    assert reader.convolution("conv2d_1", INPUT, norm=1, activation="Relu") == "conv2d_1"
    pixel = RANDOM.normal(size=3)
    gamma, beta, mean, variance = (
        found[f"batch_normalization_1/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    expected = gamma * (pixel @ kernel[0, 0] - mean) / np.sqrt(variance + EPSILON) + beta
    folded = pixel @ reader.weights["conv2d_1/kernel"][0, 0] + reader.weights["conv2d_1/bias"]
    np.testing.assert_allclose(folded, expected, rtol=1e-5)
    (node,) = reader.nodes
    assert (node.op, node.activation, node.padding) == ("Conv2D", "Relu", "VALID")


def test_a_block_adds_the_pool_of_two_separable_convolutions_to_its_shortcut() -> None:
    found = {"conv2d_3/kernel": np.ones((1, 1, 8, 16))} | norm(3, 16) | norm(4, 16) | norm(5, 16)
    for name, inner in (("separable_conv2d_1", 8), ("separable_conv2d_2", 16)):
        found |= {f"{name}/depthwise_kernel": np.ones((3, 3, inner, 1)), f"{name}/pointwise_kernel": np.ones((1, 1, inner, 16))}
    reader = _Reader(found)
    assert reader.block(0, "before") == "add_1"
    nodes = {node.name: node for node in reader.nodes}
    assert nodes["add_1"].inputs == ("pool_1", "conv2d_3")
    assert nodes["pool_1"].inputs == ("separable_conv2d_2",)
    assert (nodes["pool_1"].window, nodes["pool_1"].strides) == ((3, 3), (2, 2))
    assert (nodes["conv2d_3"].inputs[0], nodes["conv2d_3"].strides) == ("before", (2, 2))
    assert nodes["separable_conv2d_1"].activation == "Relu"
    assert not nodes["separable_conv2d_2"].activation


def test_another_networks_file_is_refused_with_the_weight_it_lacks() -> None:
    with pytest.raises(ModelError, match="no weight 'conv2d_1/kernel'"):
        _Reader({}).convolution("conv2d_1", INPUT, norm=1)
