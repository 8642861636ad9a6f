"""`doorward models lint`: would Google's compiler take these files, and what of them would stay on the CPU?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from agent.edge_tpu_rules import Verdict, judge
from agent.tflite_file import read_tflite
from models_tflite.manifest import load_manifest

ON_CHIP_BYTES = 8 * 1024 * 1024
"""Memory of the Edge TPU in which parameters stay between runs (coral.ai/docs/edgetpu/compiler, 'Parameter data caching')."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="other .tflite files (default: all of the manifest)")
    parser.add_argument("--strict", action="store_true", help="exit 1 also when only a part of a file would run on the TPU")


def files_to_lint(args: argparse.Namespace) -> list[Path]:
    """The files named, or those of the manifest."""
    return list(args.files) or [entry.path for entry in load_manifest(args.folder).models]


def lint_file(path: Path) -> Verdict:
    """Raises ModelError when the file cannot be read as .tflite."""
    return judge(read_tflite(path))


def is_finding(verdict: Verdict, strict: bool) -> bool:
    """Whether the command ends with 1: a file that is not compiled at all, with `strict` also one that is compiled in part."""
    return bool(verdict.breaks) or (strict and verdict.first_unmapped is not None)


def record(path: Path, verdict: Verdict) -> dict[str, Any]:
    return {"file": path.name, "ok": not verdict.breaks, **msgspec.to_builtins(verdict)}


def sentence(path: Path, verdict: Verdict) -> str:
    """For people: what is wrong first, then what it comes to."""
    lines = [f"{path.name}: not compiled: {text}" for text in verdict.breaks]
    first = verdict.first_unmapped
    if first is not None:
        lines.append(
            f"{path.name}: from operator {first.index} {first.operator} on it stays on the CPU ({first.why}): "
            f"{verdict.cpu_share_multiply_adds:.0%} of the multiply-adds"
        )
    lines += [f"{path.name}: note: {text}" for text in verdict.notes]
    lines.append(
        f"{path.name}: {verdict.mapped} of {verdict.operators} operators map to the Edge TPU, {verdict.multiply_adds / 1e6:.0f} million "
        f"multiply-adds, parameters {verdict.parameter_bytes / ON_CHIP_BYTES:.0%} of its memory"
    )
    return "\n".join(lines)
