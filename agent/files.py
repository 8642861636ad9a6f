"""Files that are whole at every moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, raw: bytes) -> None:
    """Replace a file so that a power cut leaves the old or the new one, never half. Only its owner may read it. Raises OSError."""
    with replacing(path) as file:
        file.write(raw)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """As `write_whole`, for what is written piece by piece. Whatever is raised within leaves the old file. Raises OSError."""
    fresh = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # one that an earlier power cut left behind keeps its own mode
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)  # on a full disk half a file would be in the way of everything else
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Its names are on the disk when this returns. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
