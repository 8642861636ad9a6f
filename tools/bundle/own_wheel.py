"""Doorward's own wheel, with the models in it: the same bytes from the same commit on every machine.

setuptools is the locked one, files come from git with fixed rights, and the archive is written anew: sorted, dated by the commit, and not
compressed, since zlib's bytes differ from machine to machine and the models hardly shrink.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from tools.bundle.errors import BundleError
from tools.bundle.source import OF_WHEEL, Source, copy_tracked

BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def build_own_wheel(source: Source, setuptools_wheel: Path, into: Path) -> Path:
    """Build it; returns its path in the folder `into`. Raises BundleError."""
    with tempfile.TemporaryDirectory() as work:
        tree, tools, out = Path(work, "tree"), Path(work, "tools"), Path(work, "out")
        for folder in (tree, tools, out):
            folder.mkdir()
        copy_tracked(source, tree, *OF_WHEEL)
        with zipfile.ZipFile(setuptools_wheel) as wheel:
            wheel.extractall(tools)
        built = out / _build(tree, tools, out, source.epoch_s)
        into.mkdir(parents=True, exist_ok=True)
        return rewrite(built, into / built.name, source.epoch_s)


def _build(tree: Path, tools: Path, out: Path, epoch_s: int) -> str:
    environment = {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(tools),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(epoch_s),
    }
    done = subprocess.run(
        [sys.executable, "-s", "-c", BUILD, str(out)], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BundleError(f"doorward's own wheel cannot be built: {done.stderr.strip()[-500:]}")
    return done.stdout.splitlines()[-1]


def rewrite(wheel: Path, into: Path, epoch_s: int) -> Path:
    """The same files in an archive whose bytes depend on nothing else."""
    date = time.gmtime(max(epoch_s, 315532800))[:6]  # a zip begins in 1980
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            info = zipfile.ZipInfo(name, date)
            info.create_system = 3  # Unix: the rights below count
            info.external_attr = 0o100644 << 16
            new.writestr(info, old.read(name))
    return into
