"""What an update is made of: a head that names its files and the hashes of its parts, and its content, the files one behind the other.

The centre's signed order names the hash of the head (order.py), the head the hash of each part. So nothing is written to a door's disk that
the centre did not sign. Standard library and msgspec only, but for the errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from agent.errors import BundleError
from agent.records.bundle_parts import DIGEST_BYTES, digest_of
from agent.records.bundle_pieces import PIECE_BYTES

Kind = Literal["rules", "models", "program", "system"]
KINDS: tuple[Kind, ...] = ("rules", "models", "program", "system")
OWN: tuple[Kind, ...] = ("rules", "models")
"""What the door program puts in force by itself. The others are handed on to root's helper."""

PART_BYTES = 10 * PIECE_BYTES
"""What is kept in memory of a part until it is whole; a program of 200 MB has 204 of them."""
MOST_HEAD_BYTES = 256 << 10
MOST_PARTS = 4096
MOST_FILES = 200
MOST_B: dict[Kind, int] = {"rules": 64 << 10, "models": 96 << 20, "program": 256 << 20, "system": MOST_PARTS * PART_BYTES}
"""Bytes of content: nobody's mistake at the centre fills a door's card."""

Number = Annotated[int, Meta(ge=1, le=1 << 31)]
Digest = Annotated[bytes, Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
Version = Annotated[
    str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,59}\Z", description="1 to 60 of letters, digits and . + _ -")
]


class PackageFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a package."""

    path: Annotated[str, Meta(pattern=r"^[0-9A-Za-z_][0-9A-Za-z._+-]{0,99}(/[0-9A-Za-z_][0-9A-Za-z._+-]{0,99}){0,3}\Z")]
    """Relative; no part of it begins with a dot, so it cannot lead out of the folder."""
    size_b: Annotated[int, Meta(ge=0, le=MOST_PARTS * PART_BYTES)]


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a package is and what is in it."""

    format: Literal[1] = 1
    kind: Kind
    number: Number
    """Counts up with each package that a centre takes in; what is newer has the higher one."""
    version: Version
    """As people call it."""
    made: Annotated[datetime, Meta(tz=True)]
    files: Annotated[tuple[PackageFile, ...], Meta(min_length=1, max_length=MOST_FILES)]
    parts: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=MOST_PARTS)]
    """BLAKE2b-256 of each stretch of PART_BYTES of the content; the last may be shorter."""

    @property
    def size_b(self) -> int:
        return sum(file.size_b for file in self.files)

    def length_of(self, part: int) -> int:
        """Bytes of a part, by its place among them."""
        return min(PART_BYTES, self.size_b - part * PART_BYTES)


_HEAD = msgspec.msgpack.Decoder(Head)


def encode_head(head: Head) -> bytes:
    """Raises BundleError for a head that no door would take."""
    raw = msgspec.msgpack.encode(head)
    parse_head(raw)
    return raw


def parse_head(raw: bytes) -> Head:
    """Raises BundleError for what is no head, or whose numbers do not go together."""
    if len(raw) > MOST_HEAD_BYTES:
        raise BundleError(f"head of {len(raw)} bytes; at most {MOST_HEAD_BYTES}")
    try:
        head = _HEAD.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(f"head is damaged or for a newer program: {error}") from error
    for fault in _faults(head):
        raise BundleError(f"head of {head.kind} {head.version}: {fault}")
    return head


def _faults(head: Head) -> Iterator[str]:
    if head.size_b > MOST_B[head.kind]:
        yield f"{head.size_b} bytes; at most {MOST_B[head.kind]} are allowed"
    if not (len(head.parts) - 1) * PART_BYTES < head.size_b <= len(head.parts) * PART_BYTES:
        yield f"{head.size_b} bytes do not make {len(head.parts)} parts"
    paths = [file.path for file in head.files]
    if len(set(paths)) < len(paths):
        yield "a file is there twice"
    if head.kind not in ("models",) and len(paths) != 1:
        yield f"{len(paths)} files; one is allowed"


def parts_of(content: bytes) -> tuple[bytes, ...]:
    """Hashes of the parts of a content that is in memory."""
    return tuple(digest_of(content[start : start + PART_BYTES]) for start in range(0, len(content), PART_BYTES))
