"""What runs the networks: the numbers are right, the choice is told, and a lost accelerator costs no answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agent.errors import ModelError
from agent.vision.engine import (
    LITERT,
    TFLITE_RUNTIME,
    CpuEngine,
    EdgeTpuEngine,
    EdgeTpuMissing,
    FailoverNetwork,
    Int8s,
    dequantise,
    open_engine,
    quantise,
)
from models_tflite.manifest import HERE, ModelEntry, Tensor, load_manifest

DETECTOR = load_manifest().model("face_detector")
NOWHERE = "libnothing-of-this-name.so.1"


def some_picture(seed: int) -> Int8s:
    return np.random.default_rng(seed).integers(-128, 128, DETECTOR.inputs[0].shape, dtype=np.int8)


class DyingNetwork:
    """Stands for a TPU's network: answers `lives` times, then fails as a pulled-out stick does."""

    inputs, outputs = DETECTOR.inputs, DETECTOR.outputs

    def __init__(self, lives: int) -> None:
        self._lives, self._cpu = lives, open_engine("litert", 1).load(DETECTOR)

    def run(self, picture: Int8s) -> tuple[Int8s, ...]:
        if self._lives == 0:
            raise ModelError("face_detector: the runtime failed: EdgeTpuDelegateForCustomOp failed to invoke")
        self._lives -= 1
        return self._cpu.run(picture)


class TpuWithoutLibrary(EdgeTpuEngine):
    """The engine with everything but the library: what is tested is what it does afterwards."""

    def __init__(self) -> None:
        self._standby = CpuEngine(LITERT, 1, "standby of the Edge TPU")
        self._library, self._reason, self._uncompiled, self.lost_because = "libedgetpu.so.1", "auto", (), ""
        self._delegate = None
        self._described = self._description()


def test_a_network_gives_its_outputs_in_the_manifests_order_and_shape() -> None:
    network = open_engine("litert", 1).load(DETECTOR)
    outputs = network.run(some_picture(0))
    assert [output.shape for output in outputs] == [tensor.shape for tensor in DETECTOR.outputs]
    assert all(output.dtype == np.int8 for output in outputs)


def test_answers_of_one_run_are_not_overwritten_by_the_next() -> None:
    network = open_engine("litert", 1).load(DETECTOR)
    first = network.run(some_picture(1))
    kept = [output.copy() for output in first]
    network.run(some_picture(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


def test_more_threads_give_the_same_answers() -> None:
    one, two = (open_engine("litert", threads).load(DETECTOR).run(some_picture(3)) for threads in (1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("wrong", [np.zeros((1, 64, 64, 3), np.int8), np.zeros((1, 128, 128, 3), np.float32)])
def test_a_picture_of_another_shape_or_type_is_refused(wrong: Int8s) -> None:
    with pytest.raises(ValueError, match="Cannot set tensor"):
        open_engine("litert", 1).load(DETECTOR).run(wrong)


def test_a_file_with_a_wrong_hash_is_never_loaded() -> None:
    forged = msgspec.structs.replace(DETECTOR, sha256="0" * 64)
    with pytest.raises(ModelError, match="expected sha256 0000"):
        open_engine("litert", 1).load(forged)


def test_a_file_that_is_no_network_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "face_detector.tflite").write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"face_detector\.tflite: litert cannot load it"):
        CpuEngine(LITERT, 1, "test").interpreter(tmp_path / "face_detector.tflite")


def test_a_manifest_with_other_scales_than_the_file_is_refused() -> None:
    wrong = msgspec.structs.replace(DETECTOR.outputs[0], scale=0.5)
    with pytest.raises(ModelError, match="the manifest says"):
        open_engine("litert", 1).load(msgspec.structs.replace(DETECTOR, outputs=(wrong, *DETECTOR.outputs[1:])))


def test_auto_without_accelerator_takes_litert_and_says_why() -> None:
    engine = open_engine("auto", 1, edge_tpu_library=NOWHERE)
    assert engine.name == "litert"
    assert not engine.degraded
    assert NOWHERE in engine.describe()


def test_an_accelerator_that_was_asked_for_and_is_missing_is_an_error() -> None:
    with pytest.raises(EdgeTpuMissing, match=f"{NOWHERE} does not load"):
        open_engine("edgetpu", 1, edge_tpu_library=NOWHERE)


def test_a_library_that_is_no_delegate_is_no_accelerator() -> None:
    with pytest.raises(EdgeTpuMissing):
        open_engine("edgetpu", 1, edge_tpu_library="libc.so.6")


def test_an_unknown_engine_or_no_thread_is_refused() -> None:
    with pytest.raises(ValueError, match="auto, litert, tflite-runtime, edgetpu"):
        open_engine("cuda", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1"):
        open_engine("litert", 0)


def test_the_old_runtime_runs_or_says_what_it_lacks() -> None:
    try:
        engine = open_engine("tflite-runtime", 1)
    except ModelError as error:
        assert "doorward[vision]" in str(error) or "numpy<2" in str(error)  # noqa: PT017 - either is right, by what is installed
    else:
        assert engine.load(DETECTOR).run(some_picture(4))[0].shape == DETECTOR.outputs[0].shape
        assert engine.describe().startswith(f"tflite-runtime {TFLITE_RUNTIME.version()}")


@pytest.mark.parametrize("lives", [0, 1, 5])
def test_when_the_accelerator_goes_the_processor_answers_in_the_same_call(lives: int) -> None:
    engine = TpuWithoutLibrary()
    cpu = open_engine("litert", 1).load(DETECTOR)
    network = FailoverNetwork(DyingNetwork(lives), open_engine("litert", 1).load(DETECTOR), engine)
    for turn in range(lives + 3):
        assert engine.degraded == (turn > lives)
        answer = network.run(some_picture(turn))
        assert all(np.array_equal(a, b) for a, b in zip(answer, cpu.run(some_picture(turn)), strict=True))
    assert engine.describe().startswith("degraded: edgetpu -> litert")
    assert "failed to invoke" in engine.describe()


def test_one_network_that_loses_the_accelerator_takes_the_others_off_it() -> None:
    engine = TpuWithoutLibrary()
    first = FailoverNetwork(DyingNetwork(0), open_engine("litert", 1).load(DETECTOR), engine)
    second_tpu = DyingNetwork(9)
    second = FailoverNetwork(second_tpu, open_engine("litert", 1).load(DETECTOR), engine)
    first.run(some_picture(0))
    second.run(some_picture(0))
    assert second_tpu._lives == 9


def test_a_wrong_picture_is_the_callers_fault_and_not_the_accelerators() -> None:
    engine = TpuWithoutLibrary()
    network = FailoverNetwork(DyingNetwork(9), open_engine("litert", 1).load(DETECTOR), engine)
    with pytest.raises(ValueError, match="Cannot set tensor"):
        network.run(np.zeros((1, 2, 2, 3), np.int8))
    assert not engine.degraded


def test_a_network_without_compiled_file_runs_on_the_processor_and_is_named(tmp_path: Path) -> None:
    engine = TpuWithoutLibrary()
    assert not isinstance(engine.load(_copied(tmp_path)), FailoverNetwork)
    assert "on cpu for want of a compiled file: face_detector" in engine.describe()


def test_a_compiled_file_beside_the_network_is_what_the_accelerator_runs(tmp_path: Path) -> None:
    entry = _copied(tmp_path)
    shutil.copyfile(entry.path, tmp_path / "face_detector_edgetpu.tflite")

    class WithoutDelegate(TpuWithoutLibrary):
        def _interpreter(self, path: Path) -> object:
            assert path.name == "face_detector_edgetpu.tflite"
            return self._standby.interpreter(path)

    engine = WithoutDelegate()
    network = engine.load(entry)
    assert isinstance(network, FailoverNetwork)
    assert network.run(some_picture(0))[0].shape == entry.outputs[0].shape
    assert engine.describe() == "edgetpu via libedgetpu.so.1 (auto)"


def _copied(folder: Path) -> ModelEntry:
    shutil.copyfile(HERE / DETECTOR.file, folder / DETECTOR.file)
    return msgspec.structs.replace(DETECTOR, folder=str(folder))


@given(
    arrays.arrays(np.int8, 20),
    st.floats(1e-4, 10, allow_subnormal=False),
    st.integers(-128, 127),
)
def test_numbers_survive_the_way_to_real_values_and_back(raw: Int8s, scale: float, zero_point: int) -> None:
    tensor = Tensor("t", (20,), "int8", scale, zero_point)
    assert np.array_equal(quantise(dequantise(raw, tensor), tensor), raw)


def test_real_values_beyond_the_scale_are_held_at_its_ends() -> None:
    tensor = Tensor("t", (2,), "int8", 0.1, 0)
    assert quantise(np.array([-1e6, 1e6], np.float32), tensor).tolist() == [-128, 127]
