"""The Edge TPU compiler's published rules, on the shipped files, on changed ones, and on operators made by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import msgspec
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.edge_tpu_rules import OPERATIONS, judge, multiply_adds
from agent.errors import ModelError
from agent.tflite_file import OperatorFact, TensorFact, TfliteFile, read_tflite
from models_tflite.manifest import HERE, load_manifest

SMALLEST = HERE / "face_expression_grey.tflite"


def tensor(*shape: int, kind: str = "INT8", constant: bool = False, integers: tuple[int, ...] = ()) -> TensorFact:
    return TensorFact("t", shape, kind, constant or bool(integers), True, 4, integers=integers)


def operator(name: str, inputs: tuple[TensorFact | None, ...], output: TensorFact, **options: int) -> OperatorFact:
    return OperatorFact(0, name, 1, inputs, (output,), options)


def why_not(tested: OperatorFact) -> str:
    verdict = judge(TfliteFile((tested,), 1, (), ()))
    return verdict.first_unmapped.why if verdict.first_unmapped else ""


PICTURE = tensor(1, 8, 8, 4)


def test_every_shipped_network_maps_to_the_tpu_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "lint", "--json", "--strict"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == [entry.file for entry in load_manifest().models]
    for line in lines:
        assert line["ok"]
        assert line["first_unmapped"] is None
        assert line["mapped"] == line["operators"] > 10
        assert line["parameter_bytes"] < 8 * 1024 * 1024


def test_what_is_read_is_what_the_file_holds() -> None:
    file = read_tflite(SMALLEST)
    assert file.operators[0].name == "CONV_2D"
    assert file.inputs[0].shape == (1, 64, 64, 3)
    assert file.outputs[0].shape == (1, 7)
    first = file.operators[0]
    # 3 x 3 x 3 weights for each of 31 x 31 x 32 outputs (a picture of 64 px, no padding, stride 2).
    assert multiply_adds(first) == 31 * 31 * 32 * 27


@pytest.mark.parametrize(
    ("tested", "reason"),
    [
        (operator("CONV_2D", (PICTURE, tensor(4, 3, 3, 4, constant=True)), PICTURE, DilationWFactor=2, DilationHFactor=1), "dilation"),
        (operator("CONV_2D", (PICTURE, tensor(1, 3, 3, 4)), PICTURE), "must be constant"),
        (operator("ADD", (tensor(1, 8, kind="FLOAT32"), PICTURE), PICTURE), "FLOAT32"),
        (operator("ADD", (PICTURE, PICTURE), tensor(1, 8, kind="INT16")), "INT16"),
        (operator("ADD", (tensor(2, 8, 8, 4), PICTURE), PICTURE), "three innermost"),
        (operator("AVERAGE_POOL_2D", (PICTURE,), PICTURE, FusedActivationFunction=1), "fused activation"),
        (operator("MAX_POOL_2D", (PICTURE,), PICTURE, FusedActivationFunction=1), "fused activation"),
        (operator("CONCATENATION", (PICTURE, tensor(1, 8, 8, 4, constant=True)), PICTURE), "all zeros"),
        (operator("FULLY_CONNECTED", (tensor(1, 8), tensor(4, 8, constant=True)), tensor(1, 4), WeightsFormat=1), "default format"),
        (operator("FULLY_CONNECTED", (tensor(8, 8), tensor(4, 8, constant=True)), tensor(8, 4)), "one-dimensional"),
        (operator("PRELU", (PICTURE, tensor(8, 8, 4, constant=True)), PICTURE), "slope for each channel"),
        (operator("MEAN", (PICTURE, tensor(1, kind="INT32", integers=(0,))), PICTURE), "batch"),
        (operator("MEAN", (tensor(1, 8, 8, 3), tensor(1, kind="INT32", integers=(-1,))), tensor(1, 8, 8)), "multiple of 4"),
        (operator("PAD", (PICTURE, tensor(4, 2, kind="INT32", integers=(1, 0, 0, 0, 0, 0, 0, 0))), PICTURE), "batch"),
        (operator("SOFTMAX", (tensor(4, 7),), tensor(4, 7)), "one-dimensional"),
        (operator("SOFTMAX", (tensor(1, 16_001),), tensor(1, 16_001)), "16000"),
        (operator("SPLIT", (tensor(kind="INT32", integers=(0,)), PICTURE), PICTURE), "batch"),
        (operator("PACK", (PICTURE, PICTURE), PICTURE, Axis=0), "batch"),
        (operator("STRIDED_SLICE", (PICTURE, *[tensor(4, kind="INT32", integers=(1, 2, 1, 1))] * 3), PICTURE), "strides"),
        (operator("SUM", (PICTURE, tensor(1, kind="INT32")), PICTURE), "INT32"),
        (operator("HARD_SWISH", (PICTURE,), PICTURE), "not among the supported"),
    ],
    ids=lambda value: value.name if isinstance(value, OperatorFact) else value,
)  # fmt: skip
def test_an_operator_beyond_its_limits_stays_on_the_cpu_with_the_reason(tested: OperatorFact, reason: str) -> None:
    assert reason in why_not(tested)


@pytest.mark.parametrize(
    "tested",
    [
        operator("CONV_2D", (PICTURE, tensor(4, 3, 3, 4, constant=True), tensor(4, kind="INT32", constant=True)), PICTURE),
        operator("PRELU", (PICTURE, tensor(1, 1, 4, constant=True)), PICTURE),
        operator("MEAN", (PICTURE, tensor(2, kind="INT32", integers=(1, 2))), tensor(1, 4)),
        operator("PAD", (PICTURE, tensor(4, 2, kind="INT32", integers=(0, 0, 1, 1, 1, 1, 0, 0))), PICTURE),
        operator("SOFTMAX", (tensor(1, 7),), tensor(1, 7)),
        operator("FULLY_CONNECTED", (tensor(1, 8), tensor(4, 8, constant=True), None), tensor(1, 4)),
        operator("STRIDED_SLICE", (PICTURE, *[tensor(4, kind="INT32", integers=(1, 1, 1, 1))] * 3), PICTURE),
    ],
    ids=lambda value: value.name,
)
def test_an_operator_within_its_limits_maps(tested: OperatorFact) -> None:
    assert why_not(tested) == ""


@given(
    st.sampled_from(sorted(OPERATIONS)),
    st.lists(st.sampled_from([None, PICTURE, tensor(1, 4, constant=True), tensor()]), max_size=4),
)
def test_no_rule_fails_on_operators_with_odd_inputs(name: str, inputs: list[TensorFact | None]) -> None:
    assert isinstance(why_not(operator(name, tuple(inputs), PICTURE)), str)


def test_everything_behind_the_first_unmapped_operator_counts_as_the_cpus() -> None:
    good = read_tflite(SMALLEST)
    at = 3
    bad = msgspec.structs.replace(good.operators[at], name="HARD_SWISH", version=1)
    verdict = judge(msgspec.structs.replace(good, operators=(*good.operators[:at], bad, *good.operators[at + 1 :])))
    assert verdict.mapped == at
    assert verdict.first_unmapped is not None
    assert (verdict.first_unmapped.index, verdict.first_unmapped.operator) == (at, "HARD_SWISH")
    assert verdict.cpu_share_operators == pytest.approx(1 - at / len(good.operators))
    assert 0 < verdict.cpu_share_multiply_adds < 1
    assert verdict.breaks == ()


def changed(tmp_path: Path, change: Callable[[Any], None]) -> Path:
    """The smallest shipped file, taken apart, changed and put together again by the schema's own classes."""
    tree = schema.ModelT.InitFromObj(schema.Model.GetRootAs(SMALLEST.read_bytes(), 0))
    change(tree)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(tree.Pack(builder), b"TFL3")
    path = tmp_path / "changed.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path


def newer_convolution(tree: Any) -> None:
    tree.operatorCodes[tree.subgraphs[0].operators[0].opcodeIndex].version = 6


def open_batch(tree: Any) -> None:
    tree.subgraphs[0].tensors[tree.subgraphs[0].inputs[0]].shapeSignature = [-1, 64, 64, 3]


def of_our_own(tree: Any) -> None:
    code = tree.operatorCodes[tree.subgraphs[0].operators[0].opcodeIndex]
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = 32, 32, "Ours"


def in_floats(tree: Any) -> None:
    for each in tree.subgraphs[0].tensors:
        each.type = 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [(newer_convolution, "version 6"), (open_batch, "open size"), (of_our_own, "custom operator"), (in_floats, "not quantised")],
)
def test_a_file_that_is_not_compiled_at_all_is_a_finding(
    tmp_path: Path, change: Callable[[Any], None], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "lint", "--json", str(changed(tmp_path, change))]) == 1
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert not line["ok"]
    assert reason in line["breaks"][0]


def test_a_file_that_is_compiled_in_part_is_told_and_is_a_finding_only_when_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def wide_output(tree: Any) -> None:
        graph = tree.subgraphs[0]
        graph.tensors[graph.operators[2].outputs[0]].type = 7  # INT16

    path = str(changed(tmp_path, wide_output))
    assert main(["models", "lint", path]) == 0
    words = capsys.readouterr().err
    assert "INT16" in words
    assert "stays on the CPU" in words
    assert main(["models", "lint", "--strict", path]) == 1


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"hello world")
    with pytest.raises(ModelError, match=r"x\.tflite: not a \.tflite file"):
        read_tflite(tmp_path / "x.tflite")
    with pytest.raises(ModelError, match="cannot be read"):
        read_tflite(tmp_path / "missing.tflite")


# The end of the file is where the tables lie; weights in front may be anything.
DATA = SMALLEST.read_bytes()


@given(st.lists(st.tuples(st.integers(1, 8000), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 2000))
def test_a_damaged_file_is_read_or_refused_and_never_more(
    tmp_path_factory: pytest.TempPathFactory, hits: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(DATA)
    for back, value in hits:
        data[-back] = value
    path = tmp_path_factory.getbasetemp() / "damaged.tflite"
    path.write_bytes(bytes(data[: len(data) - cut] if cut > 1000 else data))
    refusal = ""
    try:
        judge(read_tflite(path))
    except ModelError as error:
        refusal = str(error)
    assert not refusal or "damaged" in refusal
