"""From a recipe to a file and its manifest entry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..manifest import MANIFEST, Manifest, ModelEntry, Tensor, sha256_of
from .calibrate import representative_pictures
from .equalise import equalise
from .fetch import fetched
from .lower import as_function, tensorflow
from .quantise import quantise
from .recipes import CALIBRATION_PICTURES, Output, Recipe
from .repair import prelu_for_floats
from .tfjs_graph import Graph, prune


def build(recipe: Recipe, out: Path, cache: Path) -> ModelEntry:
    """Writes `out/ROLE.tflite` and gives its manifest entry, without operating points: those are measured."""
    names = [output.node for output in recipe.outputs]
    pictures = list(_pictures(recipe, cache))
    graph = repaired(recipe, fetched(recipe.source, cache))
    for slim in recipe.slimming:
        graph = slim(graph)
    graph = equalise(graph, pictures)
    for rewrite in recipe.rewrites:
        graph = rewrite(graph)
    data = quantise(as_function(graph, recipe.framing.size_px, names), pictures, recipe.held_ranges, recipe.range_share)
    path = out / f"{recipe.role}.tflite"
    path.write_bytes(data)
    return _entry(recipe, path)


def build_float(recipe: Recipe, out: Path, cache: Path) -> Path:
    """Writes `out/ROLE.float.tflite`, the same network before quantisation, for comparing; it is never shipped.

    Its input is float32 [1, height, width, 3] as the recipe's `float_range` states, its outputs come in the recipe's order.
    """
    names = [output.node for output in recipe.outputs]
    graph = prelu_for_floats(repaired(recipe, fetched(recipe.source, cache)))
    function = as_function(graph, recipe.framing.size_px, names)
    path = out / f"{recipe.role}.float.tflite"
    path.write_bytes(bytes(tensorflow().lite.TFLiteConverter.from_concrete_functions([function]).convert()))
    return path


def repaired(recipe: Recipe, folder: Path) -> Graph:
    """The float network as it was meant to be."""
    names = [output.node for output in recipe.outputs]
    graph = recipe.reader(folder / recipe.graph_file, [output.made_from or output.node for output in recipe.outputs])
    for repair in recipe.repairs:
        graph = repair(graph)
    return prune(graph, names)


def _pictures(recipe: Recipe, cache: Path) -> Iterator[Any]:
    mean, spread = recipe.float_range
    for picture in representative_pictures(_calibration_folder(recipe, cache), recipe.framing, CALIBRATION_PICTURES):
        yield ((picture[None].astype(np.float32) - np.float32(mean)) / np.float32(spread)).astype(np.float32)


def _calibration_folder(recipe: Recipe, cache: Path) -> Path:
    """One folder with the pictures of all calibration packages."""
    folder = cache / "calibration"
    for source in recipe.calibration:
        found = fetched(source, cache)
        for file in source.files:
            (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found / file.path, folder / file.path)
    return folder


def _entry(recipe: Recipe, path: Path) -> ModelEntry:
    interpreter = tensorflow().lite.Interpreter(str(path))
    return ModelEntry(
        role=recipe.role,
        file=path.name,
        sha256=sha256_of(path),
        licence=recipe.licence,
        licence_file=f"licences/{recipe.licence_file or recipe.licence}.txt",
        card=f"cards/{recipe.role}.md",
        sources=(recipe.source, *recipe.calibration),
        preprocessing=recipe.preprocessing,
        inputs=tuple(_tensor(raw, Output("", "picture", "one picture")) for raw in interpreter.get_input_details()),
        outputs=tuple(_tensor(*pair) for pair in zip(interpreter.get_output_details(), recipe.outputs, strict=True)),
        acceptance_score=recipe.acceptance_score,
        postprocessing=recipe.postprocessing,
    )


def _tensor(raw: dict[str, Any], output: Output) -> Tensor:
    scale, zero_point = raw["quantization"]
    shape = tuple(int(n) for n in raw["shape"])
    return Tensor(output.name, shape, np.dtype(raw["dtype"]).name, float(scale), int(zero_point), output.meaning)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Indented for people and for diffs."""
    plain = msgspec.to_builtins(manifest)
    for entry in plain["models"]:
        del entry["folder"]
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n")
