"""An ONNX network, made here, against the same sums done by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import ModelError
from models_tflite.build.lower import evaluate, tensorflow
from models_tflite.build.onnx_graph import read_onnx_graph

pytestmark = pytest.mark.rebuild  # needs the models extra

RANDOM = np.random.default_rng(3)


def written(path: Path, nodes: list[Any], constants: dict[str, Any]) -> Path:
    onnx = pytest.importorskip("onnx")
    kept = [onnx.numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants.items()]
    picture = onnx.helper.make_tensor_value_info("data", 1, [1, 3, 8, 8])
    graph = onnx.helper.make_graph(
        nodes, "net", [picture], [onnx.helper.make_tensor_value_info(nodes[-1].output[0], 1, None)], kept
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 11)]), str(path))
    return path


def a_small_network(path: Path) -> tuple[Path, dict[str, Any]]:
    """Convolution with stride 2 and a padding of one on every side, normalisation, PReLU, normalisation, linear layer."""
    make = pytest.importorskip("onnx").helper.make_node
    constants = {
        "k": RANDOM.normal(size=(4, 3, 3, 3)), "a": RANDOM.uniform(-0.5, 1, (4, 1, 1)), "w": RANDOM.normal(size=(2, 64)), "wb": [0.5, -1],
        **{f"{n}{i}": RANDOM.uniform(0.5, 2, 4) for n in ("g", "b", "m", "v") for i in (1, 2)},
    }  # fmt: skip
    nodes = [
        make("Conv", ["data", "k"], ["c"], "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        make("BatchNormalization", ["c", "g1", "b1", "m1", "v1"], ["n"], "n", epsilon=1e-3),
        make("PRelu", ["n", "a"], ["p"], "p"),
        make("BatchNormalization", ["p", "g2", "b2", "m2", "v2"], ["q"], "q", epsilon=1e-3),
        make("Dropout", ["q"], ["d"], "d"),
        make("Flatten", ["d"], ["f"], "f"),
        make("Gemm", ["f", "w", "wb"], ["out"], "out", transB=1),
    ]
    return written(path, nodes, constants), constants


def by_hand(picture: Any, given: dict[str, Any]) -> Any:
    """The same, from the operators' definitions, in float64; `picture` is 8 x 8 x 3."""
    padded = np.pad(picture.transpose(2, 0, 1), ((0, 0), (1, 1), (1, 1)))
    spots = [[padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3] for x in range(4)] for y in range(4)]
    seen = np.array([[[np.sum(spots[y][x] * kernel) for x in range(4)] for y in range(4)] for kernel in given["k"]])

    def normal(x: Any, i: int) -> Any:
        g, b, m, v = (np.reshape(given[f"{n}{i}"], (4, 1, 1)) for n in ("g", "b", "m", "v"))
        return g * (x - m) / np.sqrt(v + 1e-3) + b

    x = normal(seen, 1)
    return given["w"] @ normal(np.where(x > 0, x, given["a"] * x), 2).ravel() + given["wb"]


def test_a_network_from_onnx_computes_what_its_operators_say(tmp_path: Path) -> None:
    path, given = a_small_network(tmp_path / "net.onnx")
    picture = RANDOM.normal(size=(8, 8, 3))
    made = evaluate(tensorflow(), read_onnx_graph(path, ["out"]), picture[None].astype(np.float32))["out"]
    np.testing.assert_allclose(np.ravel(made), by_hand(picture, given), rtol=1e-4, atol=1e-4)


def test_an_operation_that_is_not_known_is_named(tmp_path: Path) -> None:
    make = pytest.importorskip("onnx").helper.make_node
    path = written(tmp_path / "net.onnx", [make("Softmax", ["data"], ["s"], "last")], {})
    with pytest.raises(ModelError, match="operation 'Softmax' of node 'last' is not one of Conv"):
        read_onnx_graph(path, ["last"])
