"""Whether a package that is whole may be put in force at this door: everything that can be known before it is tried.

Standard library and msgspec only: the door program looks at manifests, and no network is opened here. That a network runs is found by trying
it (agent.updates.trial), beside the one in force or in its place, with the way back kept open.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.errors import BundleError, ConfigError, ModelError
from models_tflite.manifest import EMBEDDER, Manifest, ModelEntry, Tensor, load_manifest, verify

MOST_FAULTS = 4


def check_models(folder: Path, now: Manifest, new_embedder: bool) -> Manifest:
    """Networks in `folder` beside those in force `now`. Raises BundleError with sentences about everything that is wrong."""
    try:
        manifest = load_manifest(folder)
        faults = [finding.text for finding in verify(manifest)]
        faults += [] if faults else _faults(manifest, folder, load_manifest(), now, new_embedder)
    except ModelError as error:
        faults = [str(error)]
    if faults:
        raise BundleError(f"models: {'; '.join(faults[:MOST_FAULTS])}")
    return manifest


def _faults(manifest: Manifest, folder: Path, shipped: Manifest, now: Manifest, new_embedder: bool) -> Iterator[str]:
    roles = {entry.role: entry for entry in manifest.models}
    for known in shipped.models:
        if (entry := roles.get(known.role)) is None:
            yield f"no network for {known.role}: a door needs all that the program came with"
        else:
            yield from _misfits(entry, known, folder)
    if EMBEDDER in roles and manifest.embedder_id != now.embedder_id and not new_embedder:
        yield (f"faces would be compared by another network ({manifest.embedder_id}) than the one that made the templates "
               f"({now.embedder_id}): templates of two networks cannot be compared, and the pictures that they were made of are not kept. "
               "Such an update goes to doors where nobody is enrolled; whoever was must be enrolled anew")  # fmt: skip


def _misfits(entry: ModelEntry, known: ModelEntry, folder: Path) -> Iterator[str]:
    if not entry.licence or not (folder / entry.licence_file).is_file():
        yield f"{entry.role}: its licence {entry.licence_file or '-'} is not in the package"
    if known.acceptance_score is not None and entry.acceptance_score is None:
        yield f"{entry.role}: the manifest states no acceptance score"
    if known.operating_points and not entry.operating_points:
        yield f"{entry.role}: the manifest states no thresholds"
    outputs_matter = entry.role != EMBEDDER
    if _forms(entry.inputs) != _forms(known.inputs) or (outputs_matter and _forms(entry.outputs) != _forms(known.outputs)):
        yield f"{entry.role}: its inputs or outputs have another form than this program works with: update the program first"


def _forms(tensors: tuple[Tensor, ...]) -> list[tuple[tuple[int, ...], str]]:
    return [(tensor.shape, tensor.dtype) for tensor in tensors]


def sentence_of(error: Exception) -> str:
    """What is published of an update that is not taken."""
    text = str(error) if isinstance(error, BundleError | ConfigError | ModelError) else f"{type(error).__name__}: {error}"
    return text[:1000]
