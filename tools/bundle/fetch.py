"""The pool of wheels: downloaded once by pip, each exactly the one that its lock names."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.bundle.boards import Target
from tools.bundle.errors import BundleError
from tools.bundle.locks import Locked
from tools.bundle.relock import tags_of
from tools.bundle.say import Progress

READ_B = 1 << 20


def fill(pool: Path, wanted: Mapping[Locked, Target], progress: Progress) -> None:
    """Bring what is missing into the folder, and check all that is there. Raises BundleError."""
    pool.mkdir(parents=True, exist_ok=True)
    absent = {package: target for package, target in wanted.items() if not _is_there(pool, package)}
    progress.start(len(absent), sum(package.size_b for package in absent))
    for package, target in absent.items():
        progress.at(package.file)
        _download(pool, package, target)
        progress.got(package.size_b)
    progress.end()


def sha256_of(path: Path) -> str:
    """Of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_B):
            digest.update(piece)
    return digest.hexdigest()


def _is_there(pool: Path, package: Locked) -> bool:
    path = pool / package.file
    return path.is_file() and sha256_of(path) == package.sha256


def _download(pool: Path, package: Locked, target: Target) -> None:
    with tempfile.TemporaryDirectory(dir=pool) as work:
        wanted = Path(work, "wanted.txt")
        wanted.write_text(package.line + "\n")
        done = subprocess.run(
            _pip_command(work, wanted, target), capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
        )
        got = Path(work, package.file)
        if done.returncode or not got.is_file():
            said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise BundleError(f"{package.file}: cannot be downloaded: {said[-300:]} (is it gone from PyPI? make bundle-locks)")
        if sha256_of(got) != package.sha256:
            raise BundleError(f"{package.file}: is not the file that the lock names")
        got.replace(pool / package.file)


def _pip_command(into: str, wanted: Path, target: Target) -> list[str]:
    options = [option for pair in _tag_options(target) for option in pair]
    return [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes",
            "--only-binary", ":all:", "--python-version", target.python, "--implementation", "cp", *options,
            "--dest", into, "--requirement", str(wanted)]  # fmt: skip


def _tag_options(target: Target) -> Iterable[tuple[str, str]]:
    tags = tags_of(target)
    yield from (("--abi", abi) for abi in dict.fromkeys(tag.abi for tag in tags))
    yield from (("--platform", platform) for platform in dict.fromkeys(tag.platform for tag in tags))
