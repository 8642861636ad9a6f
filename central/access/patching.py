"""A door's bundle after a few people changed: only the parts in which their credentials lie are made anew.

A record's bytes follow from what it holds and from the door's key alone (agent.records.people_file), so a patched bundle has the very parts
that one made anew would have, and no nonce ever serves for two contents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from agent.core.people import Issued
from agent.errors import BundleError
from agent.records.bundle_file import MAX_BYTES, MAX_CREDENTIALS, Head, Part
from agent.records.bundle_parts import digest_of
from agent.records.people_file import HASH_BITS, Codec, Columns, Seal, part_of, records_in
from central.access.bundles import PART_BYTES, sealed_record
from central.access.packing import packed

MOST_SHARE, LEAST_SHARE = 1.5, 0.25
"""Of PART_BYTES, the parts on average: beyond these the people are cut into parts anew."""

Read = Callable[[Part], "bytes | None"]


class Patched(Struct, frozen=True):
    """`head` but for its rules; and the parts that are new in it."""

    head: Head
    parts: Mapping[bytes, bytes]


class _NotSo(Exception):
    """The bundle has to be made anew; why is for the log of whoever makes it."""


def patched(head: Head, read: Read, secret: bytes, keys: Iterable[str], people: Iterable[Issued]) -> Patched | None:
    """The head after these credentials changed; `people` have what is left of them. `read` gives a part of the bundle.

    None when it has to be made anew: it was written by another program, a part is damaged, or parts have become too large or too small.
    Raises BundleError for a person who fits in no bundle.
    """
    if (head.cardholder_fields, head.credential_fields) != (Columns.HERE.cardholder, Columns.HERE.credential):
        return None
    try:
        return _Patch(head, read, secret).made(keys, people)
    except _NotSo:
        return None


class _Patch:
    def __init__(self, head: Head, read: Read, secret: bytes) -> None:
        self._head, self._read, self._seal = head, read, Seal(secret)
        self._codec = Codec(Columns.HERE, packed)

    def made(self, keys: Iterable[str], people: Iterable[Issued]) -> Patched:
        wanted: dict[int, tuple[str, bytes | None]] = {self._seal.hash_of(key): (key, None) for key in keys}
        profiles = set(self._head.profiles)
        for issued in people:
            profiles.update(issued.cardholder.profiles)
            for credential in issued.credentials:
                hashed, record = sealed_record(self._seal, self._codec, issued.cardholder, credential)
                wanted[hashed] = credential.key, record
        shift, by_part = HASH_BITS - (len(self._head.parts).bit_length() - 1), dict[int, list[int]]()
        for hashed in wanted:
            by_part.setdefault(hashed >> shift, []).append(hashed)
        return self._put_together({number: self._part(number, {each: wanted[each] for each in hashes})
                                   for number, hashes in by_part.items()}, profiles)  # fmt: skip

    def _part(self, number: int, wanted: Mapping[int, tuple[str, bytes | None]]) -> tuple[int, bytes]:
        """By how many credentials it grew, and the part."""
        part = self._read(self._head.parts[number])
        if part is None:
            raise _NotSo
        records = dict(records_in(part))
        before = len(records)
        for hashed, (key, record) in wanted.items():
            if hashed in records and self._key_in(hashed, records[hashed]) != key:
                raise _NotSo  # two names with one hash: who makes it anew says so
            records.pop(hashed, None)
            if record is not None:
                records[hashed] = record
        return len(records) - before, part_of(sorted(records.items()))

    def _key_in(self, hashed: int, record: bytes) -> str:
        return self._codec.decode(self._seal.open(hashed, record)).credential.key

    def _put_together(self, made: Mapping[int, tuple[int, bytes]], profiles: set[str]) -> Patched:
        parts, fresh = list(self._head.parts), {digest_of(part): part for _, part in made.values()}
        for number, (_, part) in made.items():
            parts[number] = Part(len(part), digest_of(part))
        credentials = self._head.credentials + sum(grown for grown, _ in made.values())
        size = sum(part.length for part in parts)
        if credentials > MAX_CREDENTIALS or size > MAX_BYTES:
            raise BundleError(f"more than {MAX_CREDENTIALS} credentials or {MAX_BYTES} bytes of people: no door takes so many")
        share = size / len(parts) / PART_BYTES
        if share > MOST_SHARE or (share < LEAST_SHARE and len(parts) > 1):
            raise _NotSo
        head = replace(self._head, credentials=credentials, parts=tuple(parts), profiles=tuple(sorted(profiles)))
        return Patched(head, fresh)
