"""A package on its way to a door: its head first, then its parts into one file of the right length, each checked before it is written.

    updates/incoming/KIND/head        as it was signed
    updates/incoming/KIND/content     parts in their places; which of them are there is found by their hashes

So a cut, a kill or a full disk in the middle costs what was not written yet. Room for the whole is taken before the first part is asked for:
a disk that is too full refuses at once, and never takes the last bytes from the journal.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from agent.errors import BundleError
from agent.files import sync_folder, write_whole
from agent.records.bundle_parts import digest_of
from agent.records.bundle_pieces import Pieces
from agent.updates.order import Package
from agent.updates.package import PART_BYTES, Head, Kind, parse_head

log = logging.getLogger(__name__)

INCOMING, HEAD, CONTENT = "incoming", "head", "content"
RESERVE_B = 64 << 20
"""So much of the disk stays free: the journal of some months."""


class Full(BundleError):
    """There is no room for it: tried again later."""


class PackageFetch:
    """Of one kind, of one thread."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        """`folder`: that of all updates."""
        self._folder, self._kind = folder / INCOMING / kind, kind
        self._package: Package | None = None
        self._head: Head | None = None
        self._where: dict[bytes, list[int]] = {}
        """Hash -> which parts it is."""
        self._pieces = Pieces({})

    @property
    def package(self) -> Package | None:
        """What is being fetched."""
        return self._package

    @property
    def left(self) -> tuple[int, int]:
        """Parts that are not here, and of how many; (0, 0) before the head is here."""
        return (len(self._pieces), len(self._where)) if self._head is not None else (0, 0)

    def aim(self, package: Package) -> bool:
        """Fetch this. Returns whether it is whole already. Raises BundleError and OSError."""
        if package == self._package:
            self._pieces.again()
            return self.is_whole
        self.drop()
        self._package = package
        raw = _read(self._folder / HEAD)
        if raw is not None and digest_of(raw) == package.head:
            return self._head_came(raw)
        self._pieces = Pieces({package.head: package.head_length})
        return False

    def drop(self) -> None:
        """Nothing is wanted any more; what is here stays until something else comes or `clear`."""
        self._package, self._head, self._pieces, self._where = None, None, Pieces({}), {}

    def clear(self) -> None:
        self.drop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def again(self) -> None:
        """A new connection: nobody answers what was asked on the old one."""
        self._pieces.again()

    def wanted(self, now_s: float) -> list[str]:
        return self._pieces.wanted(now_s)

    def due_s(self) -> float:
        return self._pieces.due_s()

    @property
    def is_whole(self) -> bool:
        return self._head is not None and not self._pieces

    @property
    def head(self) -> Head:
        """Of what is whole. Raises BundleError before that."""
        if self._head is None:
            raise BundleError("nothing is here")
        return self._head

    @property
    def content(self) -> Path:
        return self._folder / CONTENT

    @property
    def head_file(self) -> Path:
        return self._folder / HEAD

    def took(self, name: str, piece: bytes, now_s: float) -> bool:
        """A piece came. Returns whether the package is whole now. Raises BundleError and OSError."""
        came = self._pieces.took(name, piece, now_s)
        if came is None or self._package is None:
            return False
        digest, whole = came
        if self._head is None:
            return self._head_came(whole)
        self._put(digest, whole)
        return self.is_whole

    def _head_came(self, raw: bytes) -> bool:
        package = self._package
        head = parse_head(raw)
        if package is None or (head.kind, head.number, head.version, head.size_b) != (
            self._kind, package.number, package.version, package.size_b,
        ):  # fmt: skip
            raise BundleError(
                f"its head says {head.kind} {head.version} number {head.number}, {head.size_b} bytes, and not what was ordered"
            )
        if _read(self._folder / HEAD) != raw:
            shutil.rmtree(self._folder, ignore_errors=True)  # of another package
            self._demand_room(head.size_b)
            self._folder.mkdir(mode=0o700, parents=True)
            write_whole(self._folder / HEAD, raw)
        self._open(head)
        return self.is_whole

    def _demand_room(self, size_b: int) -> None:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        free_b = shutil.disk_usage(self._folder.parent).free
        need_b = RESERVE_B + (2 * size_b if self._kind == "models" else size_b)
        if free_b < need_b:
            raise Full(f"the disk of this door has {free_b >> 20} MB free; this update needs {need_b >> 20} MB, {RESERVE_B >> 20} of them to "
                       "stay free")  # fmt: skip

    def _open(self, head: Head) -> None:
        """Takes the room, and finds which parts are here."""
        descriptor = os.open(self.content, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fresh = os.fstat(descriptor).st_size != head.size_b
            os.posix_fallocate(descriptor, 0, head.size_b)
            here = [not fresh and digest_of(os.pread(descriptor, head.length_of(number), number * PART_BYTES)) == digest
                    for number, digest in enumerate(head.parts)]  # fmt: skip
        finally:
            os.close(descriptor)
        self._where = {}
        for number, digest in enumerate(head.parts):
            self._where.setdefault(digest, []).append(number)
        missing = {digest: head.length_of(number) for number, digest in enumerate(head.parts) if not here[number]}
        self._head, self._pieces = head, Pieces(missing)
        log.info("update coming kind=%s version=%s parts=%d missing=%d", head.kind, head.version, len(head.parts), len(missing))

    def _put(self, digest: bytes, part: bytes) -> None:
        descriptor = os.open(self.content, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for number in self._where.get(digest, ()):
                os.pwrite(descriptor, part, number * PART_BYTES)
            if self.is_whole:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def demand_same(content: Path, head: Head) -> None:
    """Raises BundleError for a content that is not what the head says, to the last byte; OSError."""
    with content.open("rb") as file:
        for number, digest in enumerate(head.parts):
            if digest_of(file.read(head.length_of(number))) != digest:
                raise BundleError(f"part {number} of {len(head.parts)} is damaged")
        if file.read(1):
            raise BundleError("there is more than its head says")


def unpack(content: Path, head: Head, folder: Path) -> None:
    """Writes the files of a package below `folder`, which is new. On the disk when this returns. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True)
    with content.open("rb") as source:
        for each in head.files:
            path = folder / each.path
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                left_b = each.size_b
                while left_b:
                    piece = source.read(min(left_b, 1 << 20))
                    left_b -= len(piece) or left_b
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
    for each_folder in {folder, folder.parent, *(path for path in folder.rglob("*") if path.is_dir())}:
        sync_folder(each_folder)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
