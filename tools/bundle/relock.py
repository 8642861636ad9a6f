"""`make bundle-locks`: asks PyPI anew what each interpreter gets, and writes tools/bundle/locks/.

uv resolves and not pip: pip asks requirements such as `tomli; python_version < "3.11"` of the Python that it runs on itself, even when it
downloads for another, so that a lock for 3.10 made on 3.11 would miss tomli.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

from tools.bundle.boards import GLIBC, TARGETS, Target
from tools.bundle.errors import BundleError
from tools.bundle.locks import BUILD, HERE, Locked, format_lock, lock_path, title_of

UV = "uv==0.13.9"
BUILD_WITH = ("pip", "setuptools>=80")
BUILD_TITLE = "What makes and installs wheels: setuptools for doorward's own, pip on the controller (out of its wheel)."
OLDEST = Target("aarch64", "3.10", ())
"""What pip must still run on."""


def relock_build(folder: Path) -> Path:
    """Write the lock of the tools; `folder` keeps uv. Raises BundleError."""
    return _write(HERE / f"{BUILD}.txt", _resolve(_uv(folder), OLDEST, BUILD_WITH, folder), BUILD_TITLE)


def relock_targets(own_wheel: Path, folder: Path) -> list[Path]:
    """Write the lock of every target; `own_wheel` says what doorward requires. Raises BundleError."""
    written = []
    for target in TARGETS:
        wanted = f"doorward[{','.join(target.extras)}] @ {own_wheel.resolve().as_uri()}"
        packages = [package for package in _resolve(_uv(folder), target, (wanted,), folder) if package.name != "doorward"]
        written.append(_write(lock_path(target), packages, title_of(target)))
    return written


def _write(path: Path, packages: Iterable[Locked], title: str) -> Path:
    path.write_text(format_lock(packages, title))
    return path


def _uv(folder: Path) -> Path:
    """uv in a folder of its own: nobody needs it but this command."""
    place = folder / "uv"
    if not (place / "bin" / "uv").exists() or not (place / f"{UV.replace('==', '-')}.dist-info").exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--upgrade",
            "--target",
            str(place),
            UV,
        ]
        _run(command, "uv cannot be installed")
    return place / "bin" / "uv"


def _resolve(uv: Path, target: Target, requirements: Sequence[str], folder: Path) -> list[Locked]:
    """What the target gets for these requirements: one wheel a package, the one that pip would choose there."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        wanted, held, against, answer = (Path(work, name) for name in ("wanted.txt", "held.txt", "against.txt", "pylock.toml"))
        wanted.write_text("\n".join(requirements) + "\n")
        held.write_text("\n".join(target.holds) + "\n")
        against.write_text("\n".join(target.against) + "\n")
        _run(
            [str(uv), "pip", "compile", "--quiet", "--no-config", "--no-header", "--only-binary", ":all:", "--format", "pylock.toml",
             "--python-version", target.python, "--python-platform", f"{target.machine}-manylinux_{GLIBC[0]}_{GLIBC[1]}",
             "--constraint", str(held), "--override", str(against), "--output-file", str(answer), str(wanted)],
            f"{target.name} cannot be resolved",
        )  # fmt: skip
        return packages_of(msgspec.toml.decode(answer.read_bytes()), tags_of(target))


def packages_of(answer: Any, tags: Sequence[Tag]) -> list[Locked]:
    """Of a pylock.toml (PEP 751)."""
    return [_chosen(package, tags) for package in answer["packages"] if "wheels" in package]


def _chosen(package: Any, tags: Sequence[Tag]) -> Locked:
    """The wheel that pip would take; of wheels for several Pythons (abi3) the one for most, so that a bundle's Pythons share it."""
    order = sorted(
        tags, key=lambda tag: (1, int(tag.interpreter[3:])) if tag.abi == "abi3" else (0 if tag.abi.startswith("cp") else 2, 0)
    )
    rank = {tag: place for place, tag in reversed(list(enumerate(order)))}
    fitting = []
    for wheel in package["wheels"]:
        file = wheel["url"].rsplit("/", 1)[-1].replace("%2B", "+")
        places = [rank[tag] for tag in parse_wheel_filename(file)[3] if tag in rank]
        if places:
            fitting.append((min(places), file, wheel))
    if not fitting:
        raise BundleError(f"{package['name']} {package['version']}: no wheel fits; hold an older one in tools/bundle/boards.py")
    _, file, wheel = min(fitting, key=lambda fit: fit[:2])
    return Locked(canonicalize_name(package["name"]), package["version"], wheel["hashes"]["sha256"], file, wheel["size"])


def tags_of(target: Target) -> list[Tag]:
    """The wheels that this target takes, best first (PEP 425, 600)."""
    version = tuple(int(part) for part in target.python.split("."))
    platforms = [f"manylinux_{GLIBC[0]}_{minor}_{target.machine}" for minor in range(GLIBC[1], 16, -1)]
    platforms += [f"manylinux2014_{target.machine}", f"linux_{target.machine}"]
    interpreter = f"cp{target.digits}"
    return [*cpython_tags(version, platforms=platforms), *compatible_tags(version, interpreter, platforms)]


def missing(target: Target, packages: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """What these packages (name with extras, their Requires-Dist) ask for on this target and is not among them: 'tomli (of pytest)'."""
    known = list(packages)
    names = {canonicalize_name(name.split("[")[0]) for name, _ in known}
    return [
        f"{wanted.name} (of {name})"
        for name, requirements in known
        for wanted in map(Requirement, requirements)
        if canonicalize_name(wanted.name) not in names and _applies(wanted, target, name)
    ]


def _applies(wanted: Requirement, target: Target, asker: str) -> bool:
    extras = asker.partition("[")[2].rstrip("]").split(",")
    return wanted.marker is None or any(
        wanted.marker.evaluate({**_environment(target), "extra": extra}) for extra in ("", *extras)
    )


def _environment(target: Target) -> dict[str, str]:
    """What requirements may ask of an interpreter (PEP 508)."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{target.python}.0",
        "os_name": "posix",
        "platform_machine": target.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{target.python}.0",
        "python_version": target.python,
        "sys_platform": "linux",
    }


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    if done.returncode:
        raise BundleError(f"{what}: {done.stderr.strip()[-500:]}")
