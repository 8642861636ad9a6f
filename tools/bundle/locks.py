"""Locks: the very files that an interpreter gets, as a requirements file that pip takes with --require-hashes.

A line is a package, its hash, and behind the # the wheel's name and size in bytes, which pip passes over and the download uses:

    cffi==2.1.1 --hash=sha256:3311…3813  # cffi-2.1.1-cp311-cp311-manylinux2014_aarch64.manylinux_2_17_aarch64.whl 218716
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from tools.bundle.boards import GLIBC, Target
from tools.bundle.errors import BundleError

HERE = Path(__file__).parent / "locks"
LOCK_MAX_B = 1_000_000
BUILD = "build"
"""The lock of what makes and installs wheels: setuptools here, pip on the controller. It goes by no interpreter."""

_LINE = re.compile(
    r"(?P<name>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)==(?P<version>[A-Za-z0-9.!+_-]{1,64})"
    r" --hash=sha256:(?P<sha256>[0-9a-f]{64})"
    r"  # (?P<file>[A-Za-z0-9][A-Za-z0-9._+!-]{0,199}\.whl) (?P<size_b>[1-9][0-9]{0,9})"
)


class Locked(Struct, frozen=True, order=True):
    """One package: the wheel and no other."""

    name: str
    """Normalised: lower case, hyphens (PEP 503)."""
    version: str
    sha256: str
    file: str
    size_b: int

    @property
    def line(self) -> str:
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}  # {self.file} {self.size_b}"


def lock_path(target: Target) -> Path:
    return HERE / f"{target.name}.txt"


def read_lock(path: Path) -> tuple[Locked, ...]:
    """The packages of a lock file. Raises BundleError that names the file and, where it is one line's fault, the line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); make bundle-locks makes it") from error
    if len(data) > LOCK_MAX_B:
        raise BundleError(f"{path}: {len(data)} bytes are no lock; at most {LOCK_MAX_B}")
    return parse_lock(data.decode("utf-8", "replace"), path.name)


def parse_lock(text: str, where: str = "lock") -> tuple[Locked, ...]:
    """The packages that a lock's text names, each once. Raises BundleError."""
    packages: dict[str, Locked] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        package = _parse_line(line, f"{where}, line {number}")
        if package.name in packages:
            raise BundleError(f"{where}, line {number}: {package.name} is there twice")
        packages[package.name] = package
    if not packages:
        raise BundleError(f"{where}: names no package; make bundle-locks makes it")
    return tuple(packages.values())


def _parse_line(line: str, where: str) -> Locked:
    found = _LINE.fullmatch(line)
    if not found:
        raise BundleError(
            f"{where}: {line[:80]!r} is no 'NAME==VERSION --hash=sha256:SUM  # WHEEL SIZE'; make bundle-locks writes such lines"
        )
    return Locked(found["name"], found["version"], found["sha256"], found["file"], int(found["size_b"]))


def format_lock(packages: Iterable[Locked], title: str) -> str:
    lines = [package.line for package in sorted(packages)]
    return f"# {title}\n# Made by `make bundle-locks`; never by hand.\n" + "\n".join(lines) + "\n"


def title_of(target: Target) -> str:
    extras = ",".join(target.extras)
    held = f" Held: {', '.join((*target.holds, *target.against))} (tools/bundle/boards.py says why)."
    return f"doorward[{extras}] on {target.machine}, CPython {target.python}, glibc {GLIBC[0]}.{GLIBC[1]} or later.{held}"
