"""A bundle on its way to a door: what is here already, what is fetched, and when it is whole.

What was fetched lies in a folder beside the bundle, an item a file under its hash, until a bundle of it is in force: a cut, a kill or a newer
bundle in the middle costs only what was not written yet. Parts that the bundle in force has are not fetched. The head comes first and is
checked as a file's head is, so nothing is written that the centre did not sign, and never more than a bundle may hold. When all is here, the
parts that are new go to the others (agent.records.bundle_parts) and the start is renamed over the one in force: one that was carried here by
hand is written out once, after that a small change writes little. What happens then is the same as if somebody had carried it here
(agent.records.bundle).
"""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from agent.errors import BundleError
from agent.files import write_whole
from agent.records.access_offer import Bulk
from agent.records.bundle_file import Head, Keys, head_of
from agent.records.bundle_parts import PartsFolder, digest_of
from agent.records.bundle_pieces import Pieces

log = logging.getLogger(__name__)

MOST_PART_BYTES = 1 << 20
"""What is not whole is in memory; a part of about 96 KiB is far below, and a bundle with larger ones is carried by hand."""

Held = Mapping[bytes, bytes]


class Target(Struct, frozen=True):
    """The bundle that is wanted. `head` is None until it is here and found good."""

    bulk: Bulk
    start: bytes = b""
    head: Head | None = None


class BundleFetch:
    """Of one thread. A bundle that was refused is not fetched again before another one is offered."""

    def __init__(self, path: Path, keys: Keys, parts: PartsFolder | None = None) -> None:
        """`path`: of the bundle in force; `parts`: the folder of its parts."""
        self._path, self._keys = path, keys
        self._folder = path.with_name(f".{path.name}.coming")
        self._parts = parts or PartsFolder(path)
        self._laid: frozenset[bytes] = frozenset()
        """Parts of the start that was put in place here last, which may not be in force yet."""
        self._target: Target | None = None
        self._pieces = Pieces({})
        self.refused = ""
        """Why the bundle that was offered last is not taken."""

    @property
    def left(self) -> tuple[int, int]:
        """How many parts are not here, and of how many; nothing is known of that before the head is here."""
        head = self._target.head if self._target is not None else None
        return (len(self._pieces), len(head.parts)) if head is not None else (0, 0)

    @property
    def in_memory(self) -> int:
        return self._pieces.in_memory

    # -- what is to be fetched

    def aim(self, bulk: Bulk | None, in_force: int, held: Held) -> bool:
        """This is what the centre offers. Returns whether it is whole now, and lies where the bundle in force lay."""
        known = self._target.bulk if self._target is not None else None
        if bulk is None or bulk == known:
            self._pieces.again()
            return False
        self.refused = ""
        self._target, self._pieces = None, Pieces({})
        if bulk.version <= in_force:
            self._clear()
            return False
        self._target = Target(bulk)
        start = self._kept(bulk.start_digest, bulk.start_length)
        if start is None:
            self._pieces = Pieces({bulk.start_digest: bulk.start_length})
            return False
        return self._head_came(bulk, start, in_force, held)

    def again(self) -> None:
        """A new connection: nobody answers what was asked on the old one."""
        self._pieces.again()

    def drop(self) -> None:
        """The disk does not take it: what is offered next, be it the same, is begun anew with what could be written."""
        self._target, self._pieces = None, Pieces({})

    def wanted(self, now_s: float) -> list[str]:
        """Names of pieces to ask for now."""
        return self._pieces.wanted(now_s)

    def due_s(self) -> float:
        return self._pieces.due_s()

    def done(self, refused: str, held: Held) -> None:
        """What was whole is in force, or was refused after all."""
        self.refused = refused
        self._pieces = Pieces({})
        self._clear()
        self.tidy(held)

    def tidy(self, held: Held) -> None:
        """Parts of nobody's bundle go: of one that was replaced by hand, or that a power cut left."""
        if self._parts.files():
            self._parts.keep_only({*held, *self._laid})

    # -- what comes

    def took(self, name: str, piece: bytes, now_s: float, in_force: int, held: Held) -> bool:
        """A piece came. Returns whether the bundle is whole now. Raises OSError when it cannot be written: `drop`, and `aim` later."""
        came = self._pieces.took(name, piece, now_s)
        if came is None or self._target is None:
            return False
        digest, whole = came
        self._keep(digest, whole)
        if self._target.head is None:
            return self._head_came(self._target.bulk, whole, in_force, held)
        return not self._pieces and self._assemble(self._target.bulk, self._target.start, self._target.head, held)

    def _head_came(self, bulk: Bulk, start: bytes, in_force: int, held: Held) -> bool:
        try:
            head, version = head_of(start, self._keys, in_force)
            _check(head, version, bulk, len(start))
        except BundleError as error:
            return self._refuse(f"version {bulk.version}: {error}")
        self._target = Target(bulk, start, head)
        return self._begin(bulk, start, head, held)

    def _begin(self, bulk: Bulk, start: bytes, head: Head, held: Held) -> bool:
        self._sweep({digest.hex() for digest in (bulk.start_digest, *(part.digest for part in head.parts))})
        self._pieces = Pieces({part.digest: part.length for part in head.parts
                               if part.digest not in held and not self._is_here(part.digest, part.length)})  # fmt: skip
        log.info("bundle coming version=%d parts=%d missing=%d", bulk.version, len(head.parts), len(self._pieces))
        return not self._pieces and self._assemble(bulk, start, head, held)

    def _refuse(self, why: str) -> bool:
        self.refused, self._pieces = why, Pieces({})
        log.error("bundle not fetched reason=%s", why)
        self._clear()
        return False

    def _is_here(self, digest: bytes, length: int) -> bool:
        return self._kept(digest, length) is not None or self._parts.has(digest, length)

    def _assemble(self, bulk: Bulk, start: bytes, head: Head, held: Held) -> bool:
        """Raises OSError."""
        try:
            for part in head.parts:
                self._lay(part.digest, part.length, held)
        except BundleError as error:
            log.warning("bundle part spoilt error=%s", error)
            return self._begin(bulk, start, head, held)
        self._parts.sync()
        write_whole(self._path, start)
        self._laid = frozenset(part.digest for part in head.parts)
        self._parts.keep_only(self._laid)
        log.info("bundle whole version=%d", bulk.version)
        return True

    def _lay(self, digest: bytes, length: int, held: Held) -> None:
        if self._parts.has(digest, length):
            return
        came = self._kept(digest, length)
        part = held.get(digest) if came is None else came
        if part is None:
            raise BundleError(f"part {digest.hex()} is gone or damaged")
        self._parts.put(digest, part, None if came is None else self._folder / digest.hex())

    # -- the folder

    def _kept(self, digest: bytes, length: int) -> bytes | None:
        """What was fetched before, if it still is what it should be."""
        file = self._folder / digest.hex()
        try:
            if file.stat().st_size != length:
                return None
            found = file.read_bytes()
        except OSError:
            return None
        return found if digest_of(found) == digest else None

    def _keep(self, digest: bytes, whole: bytes) -> None:
        """Not on the disk yet when this returns: its hash is looked at whenever it is read."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / digest.hex()).write_bytes(whole)

    def _sweep(self, wanted: set[str]) -> None:
        for file in self._folder.iterdir():
            if file.name not in wanted:
                file.unlink(missing_ok=True)

    def _clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _check(head: Head, version: int, bulk: Bulk, start_length: int) -> None:
    """Raises BundleError when the head is not that of the bundle which was offered, or parts cannot be fetched."""
    size = start_length + sum(part.length for part in head.parts)
    if (version, len(head.parts), size) != (bulk.version, bulk.parts, bulk.size):
        raise BundleError(f"its head is of version {version}, {len(head.parts)} parts and {size} bytes; "
                          f"offered were {bulk.version}, {bulk.parts} and {bulk.size}")  # fmt: skip
    if max(part.length for part in head.parts) > MOST_PART_BYTES:
        raise BundleError(f"it has a part of more than {MOST_PART_BYTES} bytes, which is not fetched: carry the file to the door")


def in_seconds(due_s: float, now_s: float, most_s: float) -> float:
    """How long to wait until then."""
    return most_s if math.isinf(due_s) and due_s > 0 else max(0.0, min(most_s, due_s - now_s))
