"""What runs the networks: one small seam over LiteRT, tflite-runtime and the Edge TPU.

The two CPU runtimes share one interface and use XNNPACK. The Edge TPU is the same interface with a delegate; a CPU network
stands warm beside each of its networks and takes over within the call in which the TPU fails. A TPU call that never returns
cannot be ended from its own thread: the vision program's watchdog restarts the program for that.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from agent.errors import ModelError
from models_tflite.manifest import ModelEntry, Tensor

log = logging.getLogger(__name__)

Int8s = NDArray[np.int8]
Preference = Literal["auto", "litert", "tflite-runtime", "edgetpu"]

EDGE_TPU_LIBRARY = "libedgetpu.so.1"


class Network(Protocol):
    """A loaded network. Not thread-safe."""

    @property
    def inputs(self) -> tuple[Tensor, ...]: ...

    @property
    def outputs(self) -> tuple[Tensor, ...]: ...

    def run(self, picture: Int8s) -> tuple[Int8s, ...]:
        """The outputs in the manifest's order, fresh arrays, for one input of the manifest's shape.

        Raises ModelError when the runtime fails, ValueError for an input of another shape or type.
        """
        ...


class Engine(Protocol):
    """Loads networks and says what runs them."""

    name: str

    @property
    def degraded(self) -> bool:
        """Whether networks run somewhere slower than was set up."""
        ...

    def load(self, entry: ModelEntry) -> Network:
        """Raises ModelError when the file has another hash than the manifest says or does not run here."""
        ...

    def describe(self) -> str:
        """What runs the networks and why, for the log and the health message. Cheap: called for every frame."""
        ...


class Runtime(Struct, frozen=True):
    """A Python package with the TensorFlow Lite interpreter in it."""

    name: str
    package: str
    module: str

    def version(self) -> str:
        """Raises PackageNotFoundError when it is not installed."""
        return importlib.metadata.version(self.package)

    def api(self) -> Any:
        return importlib.import_module(self.module)


LITERT = Runtime("litert", "ai-edge-litert", "ai_edge_litert.interpreter")
TFLITE_RUNTIME = Runtime("tflite-runtime", "tflite-runtime", "tflite_runtime.interpreter")


def open_engine(preference: Preference = "auto", threads: int = 2, *, edge_tpu_library: str = EDGE_TPU_LIBRARY) -> Engine:
    """The engine that was asked for; with `auto` the Edge TPU if its library loads, then LiteRT, then tflite-runtime.

    `threads` are the CPU threads of one network's run. Raises ModelError when what was asked for cannot be had.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}; at least 1 is needed")
    if preference == "litert":
        return CpuEngine(LITERT, threads, "configured")
    if preference == "tflite-runtime":
        return CpuEngine(TFLITE_RUNTIME, threads, "configured")
    if preference == "edgetpu":
        return EdgeTpuEngine(_any_cpu(threads, "standby of the Edge TPU"), edge_tpu_library, "configured")
    if preference != "auto":
        raise ValueError(f"engine {preference!r} is not one of auto, litert, tflite-runtime, edgetpu")
    try:
        return EdgeTpuEngine(_any_cpu(threads, "standby of the Edge TPU"), edge_tpu_library, "auto")
    except EdgeTpuMissing as error:
        return _any_cpu(threads, f"auto: {error}")


def _any_cpu(threads: int, reason: str) -> CpuEngine:
    try:
        return CpuEngine(LITERT, threads, reason)
    except ModelError as first:
        try:
            return CpuEngine(TFLITE_RUNTIME, threads, f"{reason}; {first}")
        except ModelError as second:
            raise ModelError(f"nothing here can run networks: {first}; {second}") from second


class CpuEngine:
    """Networks on the CPU."""

    degraded = False

    def __init__(self, runtime: Runtime, threads: int, reason: str) -> None:
        """Raises ModelError when the runtime is not installed or cannot work with the numpy that is."""
        self.name, self._runtime, self._threads = runtime.name, runtime, threads
        _require_usable(runtime)
        self._described = f"{runtime.name} {runtime.version()} cpu x{threads} ({reason})"

    def load(self, entry: ModelEntry) -> InterpreterNetwork:
        return InterpreterNetwork(self.interpreter(entry.require_intact().path), entry)

    def interpreter(self, path: Path, delegates: list[Any] | None = None) -> Any:
        """Raises ModelError when the runtime cannot read the file."""
        return _built(lambda: self._runtime.api().Interpreter(
            model_path=str(path), num_threads=self._threads, experimental_delegates=delegates), path, self.name)  # fmt: skip

    def load_delegate(self, library: str) -> Any:
        return self._runtime.api().load_delegate(library)

    def describe(self) -> str:
        return self._described


def _require_usable(runtime: Runtime) -> None:
    try:
        runtime.version()
        runtime.api()
    except (ImportError, AttributeError) as cause:
        raise ModelError(f"{runtime.package} does not import ({cause}): pip install 'doorward[vision]'") from cause
    # The last tflite-runtime was built for numpy 1: with numpy 2 it imports, and fails with SystemError at the first interpreter.
    if runtime is TFLITE_RUNTIME and int(np.__version__.split(".")[0]) >= 2:
        raise ModelError(
            f"tflite-runtime {runtime.version()} needs numpy<2, here is {np.__version__}: use ai-edge-litert instead"
        )


def _built(make: Callable[[], Any], path: Path, engine: str) -> Any:
    try:
        interpreter = make()
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError, SystemError) as cause:
        raise ModelError(f"{path}: {engine} cannot load it: {cause}") from cause
    return interpreter


class InterpreterNetwork:
    """A network in a TensorFlow Lite interpreter.

    set_tensor and get_tensor copy, which costs 4 us in and 12 us out for the detector's four outputs; views of the interpreter's
    memory (`tensor()`) cost more than the copies they save, and forbid the next run while anyone still holds one.
    """

    def __init__(self, interpreter: Any, entry: ModelEntry) -> None:
        self.inputs, self.outputs = entry.inputs, entry.outputs
        self._role, self._interpreter = entry.role, interpreter
        details = interpreter.get_input_details(), interpreter.get_output_details()
        _require_same(details[0], entry.inputs, entry)
        _require_same(details[1], entry.outputs, entry)
        self._input = int(details[0][0]["index"])
        self._outputs = tuple(int(output["index"]) for output in details[1])
        self._set, self._invoke, self._get = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def run(self, picture: Int8s) -> tuple[Int8s, ...]:
        self._set(self._input, picture)
        try:
            self._invoke()
        except (RuntimeError, ValueError) as cause:
            raise ModelError(f"{self._role}: the runtime failed: {cause}") from cause
        return tuple(map(self._get, self._outputs))


def _require_same(found: list[dict[str, Any]], stated: tuple[Tensor, ...], entry: ModelEntry) -> None:
    """The numbers that stages compute with come from the manifest: they must be the file's own."""
    of_file = [_numbers(tuple(map(int, t["shape"])), np.dtype(t["dtype"]).name, *t["quantization"]) for t in found]
    of_manifest = [_numbers(t.shape, t.dtype, t.scale, t.zero_point) for t in stated]
    if of_file != of_manifest:
        raise ModelError(f"{entry.path}: its tensors are {of_file}, the manifest says {of_manifest}")


def _numbers(shape: tuple[int, ...], dtype: str, scale: float, zero_point: int) -> tuple[tuple[int, ...], str, float, int]:
    return shape, dtype, float(np.float32(scale)), int(zero_point)


class EdgeTpuMissing(ModelError):
    """No Edge TPU can be used here."""


class EdgeTpuEngine:
    """Networks on a Coral Edge TPU, each with a CPU network beside it.

    Google's compiler, which no registry has, makes ROLE_edgetpu.tflite from ROLE.tflite; where that file is missing the network
    runs on the CPU from the start and `describe` says so. Once lost, the TPU is not tried again until the program restarts: a
    stick that comes and goes would cost a failed call each time.
    """

    name = "edgetpu"

    def __init__(self, standby: CpuEngine, library: str, reason: str) -> None:
        """Raises EdgeTpuMissing when the library or the device is not there."""
        self._standby, self._library = standby, library
        self._reason, self._uncompiled = reason, tuple[str, ...]()
        self._delegate = _delegate(standby, library)
        self.lost_because = ""
        self._described = self._description()

    @property
    def degraded(self) -> bool:
        return bool(self.lost_because)

    def load(self, entry: ModelEntry) -> Network:
        standby = self._standby.load(entry)
        compiled = entry.path.with_name(f"{entry.path.stem}_edgetpu.tflite")
        if not compiled.is_file():
            self._uncompiled += (entry.role,)
            self._described = self._description()
            return standby
        return FailoverNetwork(InterpreterNetwork(self._interpreter(compiled), entry), standby, self)

    def lose(self, reason: str) -> None:
        """All networks of this engine run on the CPU from now on."""
        self.lost_because = reason
        self._described = self._description()
        log.error("edge tpu lost, cpu takes over reason=%r", reason)

    def describe(self) -> str:
        return self._described

    def _interpreter(self, path: Path) -> Any:
        vendor = _vendor_make_interpreter()
        if vendor is not None:
            return _built(lambda: vendor(str(path)), path, "pycoral")
        return self._standby.interpreter(path, [self._delegate])

    def _description(self) -> str:
        if self.lost_because:
            return f"degraded: edgetpu -> {self._standby.describe()}, reason: {self.lost_because}"
        on_cpu = f"; on cpu for want of a compiled file: {', '.join(self._uncompiled)}" if self._uncompiled else ""
        return f"edgetpu via {self._library} ({self._reason}{on_cpu})"


def _delegate(standby: CpuEngine, library: str) -> Any:
    try:
        # Looked at first: a Delegate object whose library fails to load complains again from its destructor.
        if not hasattr(ctypes.CDLL(library), "tflite_plugin_create_delegate"):
            raise EdgeTpuMissing(f"no Edge TPU: {library} is no delegate")
        return standby.load_delegate(library)
    except (OSError, ValueError) as cause:
        raise EdgeTpuMissing(f"no Edge TPU: {library} does not load ({cause})") from cause


def _vendor_make_interpreter() -> Callable[[str], Any] | None:
    """Google's own pycoral, known by what it can do: the package of that name on PyPI belongs to somebody else."""
    try:
        module = importlib.import_module("pycoral.utils.edgetpu")
    except ImportError:
        return None
    return getattr(module, "make_interpreter", None)


class FailoverNetwork:
    """The TPU's network while there is a TPU, and the CPU's from the very call in which there is none."""

    def __init__(self, first: Network, standby: Network, engine: EdgeTpuEngine) -> None:
        self.inputs, self.outputs = standby.inputs, standby.outputs
        self._first, self._standby, self._engine = first, standby, engine
        shape = standby.inputs[0].shape
        standby.run(np.zeros(shape, np.int8))  # warm: the first run of an interpreter is its slowest

    def run(self, picture: Int8s) -> tuple[Int8s, ...]:
        if not self._engine.lost_because:
            try:
                return self._first.run(picture)
            except ModelError as error:
                self._engine.lose(str(error))
        return self._standby.run(picture)


def quantise(values: NDArray[np.float32], tensor: Tensor) -> Int8s:
    """Real values to the int8 numbers that stand for them in this tensor."""
    return np.asarray(np.clip(np.rint(values / tensor.scale + tensor.zero_point), -128, 127), np.int8)


def dequantise(raw: Int8s, tensor: Tensor) -> NDArray[np.float32]:
    """The real values that int8 numbers of this tensor stand for."""
    return np.asarray((raw.astype(np.float32) - np.float32(tensor.zero_point)) * np.float32(tensor.scale), np.float32)
