"""What is known of every shipped network: where it comes from, its hash, its numbers, its thresholds.

Standard library and msgspec only: the door program reads its threshold here without numpy or an interpreter.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from agent.errors import ModelError

HERE = Path(__file__).parent
MANIFEST = "manifest.json"
EMBEDDER = "face_embedder"
MEND = "restore the file from the release, or rebuild it with `doorward models build` on a machine that is no door"


class Tensor(Struct, frozen=True, forbid_unknown_fields=True):
    """An input or output, in the interpreter's order. real value = (int8 - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    meaning: str = ""


class Preprocessing(Struct, frozen=True, forbid_unknown_fields=True):
    """How a picture becomes the input: real value = (byte - mean) / spread, then quantised by the input tensor."""

    width_px: int
    height_px: int
    colour: str
    mean: float
    spread: float
    note: str = ""


class SourceFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file inside the package."""

    path: str
    sha256: str


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """A package of a public registry: `npm` or `pypi`."""

    registry: str
    package: str
    version: str
    files: tuple[SourceFile, ...]
    use: str = "network"


class OperatingPoint(Struct, frozen=True, forbid_unknown_fields=True):
    """A cosine threshold and the false match rate it was measured to have; cosine >= threshold is a match."""

    fmr: float
    threshold: float
    fmr_interval_95: tuple[float, float]
    impostor_pairs: int
    fnmr: float
    genuine_pairs: int
    measured_on: str


class ModelEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One network."""

    role: str
    file: str
    sha256: str
    licence: str
    """SPDX expression."""
    licence_file: str
    card: str
    sources: tuple[Source, ...]
    preprocessing: Preprocessing
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    acceptance_score: float | None = None
    """A detection counts from this probability, 0..1, on; null for networks that detect nothing."""
    postprocessing: str = ""
    operating_points: tuple[OperatingPoint, ...] = ()
    typical_length: float | None = None
    """Of an embedder: the median length of its output, both mirror images added, over the list that its thresholds were measured on. A
    shorter one is a less clear face (agent/vision/quality.py); null when it was not measured."""
    length_deviation: float | None = None
    """Half of the range that the middle 68.3 % of those lengths lie in."""
    impostor_shape: tuple[float, float] | None = None
    """Of an embedder: mean and deviation of the scores of different people on that list, as agent/vision/own_camera.py describes them."""
    folder: str = ""
    """Where the file lies; filled in by `load_manifest`, never written to the manifest."""

    @property
    def path(self) -> Path:
        return Path(self.folder) / self.file

    def require_intact(self) -> ModelEntry:
        """This entry, once its file has been compared with it; ModelError otherwise."""
        finding = check(self)
        if finding is not None:
            raise ModelError(finding.text)
        return self


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """All networks of one folder."""

    models: tuple[ModelEntry, ...]
    format: int = 1

    def model(self, role: str) -> ModelEntry:
        """ModelError when there is no such role."""
        for entry in self.models:
            if entry.role == role:
                return entry
        raise ModelError(f"no model has the role {role!r}; the manifest knows {', '.join(m.role for m in self.models)}")

    @property
    def embedder_id(self) -> str:
        """Names the embedder in templates and observations: embeddings of two networks must never be compared."""
        return self.model(EMBEDDER).sha256[:12]

    def threshold_at_fmr(self, fmr: float) -> float:
        """The cosine threshold measured for exactly this false match rate; nothing is interpolated."""
        points = self.model(EMBEDDER).operating_points
        for point in points:
            if abs(point.fmr - fmr) <= 1e-6 * point.fmr:
                return point.threshold
        stated = ", ".join(f"{point.fmr:g}" for point in points) or "none"
        raise ModelError(f"no threshold is stated for a false match rate of {fmr:g}; stated are: {stated}")


class Finding(Struct, frozen=True):
    """A file that is not what the manifest says. `found` is its hash, or 'missing'."""

    role: str
    file: str
    expected: str
    found: str
    text: str


def load_manifest(folder: Path | None = None) -> Manifest:
    """The manifest of `folder` (default: the shipped networks). Read once a process; ModelError when it is not readable."""
    return _load((folder or HERE).resolve())


@functools.lru_cache(maxsize=8)
def _load(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as cause:
        raise ModelError(f"{path}: cannot be read ({cause.strerror}); {MEND}") from cause
    except msgspec.MsgspecError as cause:
        raise ModelError(f"{path}: not a manifest: {cause}; {MEND}") from cause
    placed = tuple(msgspec.structs.replace(entry, folder=str(folder)) for entry in manifest.models)
    return msgspec.structs.replace(manifest, models=placed)


def verify(manifest: Manifest) -> list[Finding]:
    """Every file whose bytes are not the manifest's; empty when all is well."""
    return [finding for entry in manifest.models if (finding := check(entry)) is not None]


def check(entry: ModelEntry) -> Finding | None:
    """The finding about one file, or None."""
    try:
        found = sha256_of(entry.path)
    except OSError:
        found = "missing"
    if found == entry.sha256:
        return None
    text = f"{entry.path}: expected sha256 {entry.sha256}, found {found}; {MEND}"
    return Finding(entry.role, entry.file, entry.sha256, found, text)


def sha256_of(path: Path) -> str:
    """Hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
