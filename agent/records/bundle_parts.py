"""Parts of a bundle beside its start, a file for each, named by its hash: of a newer bundle only what is new in it is written.

    access.bundle         everything before the parts (or the whole, as somebody carries it here by hand)
    access.bundle.parts   a folder: BLAKE2b-256 of a part, in hexadecimal -> the part

Parts are written first and the start last, so the start that is there is the bundle. A part counts only if its hash is right, so whatever a
power cut or a worn card leaves of one is as if it were not there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

DIGEST_BYTES = 32
MOST_SINGLY = 16
"""More files than these are brought to the disk all at once."""


def digest_of(part: bytes) -> bytes:
    return hashlib.blake2b(part, digest_size=DIGEST_BYTES).digest()


def parts_beside(path: Path) -> Path:
    return path.with_name(path.name + ".parts")


class PartsFolder:
    """The parts of the bundle whose start is in `path`. It remembers which of them it has found whole, so none is read twice for that."""

    def __init__(self, path: Path) -> None:
        self.path = parts_beside(path)
        self._whole: set[bytes] = set()
        self._unsynced: list[Path] = []

    def file(self, digest: bytes) -> Path:
        return self.path / digest.hex()

    def read(self, digest: bytes, length: int) -> bytes | None:
        """None for a part that is missing or damaged."""
        try:
            part = self.file(digest).read_bytes()
        except OSError:
            part = b""
        if len(part) != length or digest_of(part) != digest:
            self._whole.discard(digest)
            return None
        self._whole.add(digest)
        return part

    def has(self, digest: bytes, length: int) -> bool:
        """Whether it is here and was found whole, now or before."""
        return digest in self._whole or self.read(digest, length) is not None

    def put(self, digest: bytes, part: bytes, lies_at: Path | None = None) -> None:
        """Not on the disk before `sync`. `lies_at`: a file with just these bytes, which need not be written again. Raises OSError."""
        if self.has(digest, len(part)):
            return
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.file(digest)
        if lies_at is not None:
            lies_at.replace(file)
        else:
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as fresh:
                fresh.write(part)
        self._whole.add(digest)
        self._unsynced.append(file)

    def sync(self) -> None:
        """What was put here survives a power cut from now on. Raises OSError."""
        files, self._unsynced = self._unsynced, []
        if len(files) > MOST_SINGLY:
            os.sync()
        elif files:
            for path in (*files, self.path):
                _sync(path)

    def drop(self, digest: bytes) -> None:
        self._whole.discard(digest)
        self.file(digest).unlink(missing_ok=True)

    def keep_only(self, digests: Collection[bytes]) -> None:
        """Whoever was erased is gone from the disk, too; a folder with nothing in it is taken away."""
        wanted = {digest.hex() for digest in digests}
        for file in self.files():
            if file not in wanted:
                self.path.joinpath(file).unlink(missing_ok=True)
        self._whole.intersection_update(digests)
        if not wanted:
            shutil.rmtree(self.path, ignore_errors=True)

    def files(self) -> list[str]:
        try:
            return os.listdir(self.path)
        except OSError:
            return []


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
