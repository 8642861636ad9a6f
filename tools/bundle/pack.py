"""The archive: a plain tar whose bytes depend on its files, their names and one date, and on nothing else."""

from __future__ import annotations

import tarfile
from pathlib import Path

from tools.bundle.manifest import MANIFEST, SIGNATURE

FIRST = (MANIFEST, SIGNATURE, "release.pub", "install.sh", "sbom.cdx.json")
"""In front, so that whoever only looks need not read the wheels."""


def pack(folder: Path, into: Path, epoch_s: int) -> Path:
    """Write the tar (POSIX ustar); in place of an old one only when it is whole."""
    paths = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    part = into.with_name(into.name + ".part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(paths, key=lambda path: (FIRST.index(path) if path in FIRST else len(FIRST), path)):
            with (folder / path).open("rb") as file:
                tar.addfile(_entry(path, (folder / path).stat().st_size, epoch_s), file)
    part.replace(into)
    return into


def _entry(path: str, size_b: int, epoch_s: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mtime = size_b, epoch_s
    entry.mode = 0o755 if path.endswith(".sh") else 0o644
    entry.uname = entry.gname = "root"
    return entry
