"""Make the access bundle of one door: rules and people signed by the centre, people sealed for that door alone.

People come one after the other and are sealed at once into a file beside the bundle: a quarter of a million of them take a few megabytes of
memory here, and nothing of them lies on the disk in the clear.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import IO

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from nacl.signing import SigningKey

from agent.core.access import AccessRules, faults_of
from agent.core.people import Cardholder, Credential, Issued
from agent.errors import BundleError
from agent.files import replacing
from agent.records.bundle_file import (
    FRAME,
    MAGIC,
    MAX_BYTES,
    MAX_CREDENTIALS,
    MAX_HEAD_BYTES,
    MOST_FAULTS_TOLD,
    Head,
    Part,
    rules_to,
)  # fmt: skip
from agent.records.bundle_parts import digest_of
from agent.records.people_file import HASH_BITS, KEY_BYTES, MAX_PARTS, MAX_RECORD_BYTES, Codec, Columns, Seal, part_of
from central.access.packing import packed

PART_BYTES = 96 << 10
"""About the size of a part: below the 128 KiB that some brokers take at most, and large enough that the head stays a small share."""


def key_for(site: str, door: str, centre_key: SigningKey, door_key: PublicKey) -> bytes:
    """The key under which this centre seals people for this door: another for each door, and after either of the two changed its key.

    Derived and not drawn, so that a centre has nothing more to keep; whoever has the centre's private key could sign any bundle anyway.
    """
    named = msgspec.msgpack.encode((site, door, bytes(door_key)))
    return hashlib.blake2b(named, key=bytes(centre_key), person=b"bundle key", digest_size=KEY_BYTES).digest()


def nothing() -> None:
    """For whoever needs not be told how far it is."""


def write_bundle(
    path: Path, rules: AccessRules, people: Iterable[Issued], centre_key: SigningKey, door_key: PublicKey, made: datetime,
    key: bytes | None = None, step: Callable[[], object] = nothing,
) -> None:  # fmt: skip
    """Write a bundle where a door will find it; `rules.people` is not looked at, and cardholders without a credential are left out.

    `key` (32 bytes) seals the people; by default it is `key_for` this door, so what did not change since the last bundle is the same bytes
    in this one and need not be sent again. `step` is called after each credential. Raises BundleError for people and rules that
    contradict themselves or exceed the limits, naming whom.
    """
    try:
        with _spooled(path.parent, rules, people, centre_key, door_key, key, step) as (spool, secret):
            parts = spool.parts()
            head = _head(rules, spool, (Part(len(part), digest_of(part)) for part in parts), sealed_key(secret, door_key), made)
            start = signed_start(head, centre_key)
            with replacing(path) as whole:
                whole.write(start)
                whole.writelines(parts)
    except OSError as error:
        raise BundleError(f"{path}: cannot be written: {error}") from error


def lay_bundle(
    folder: Path, rules: AccessRules, people: Iterable[Issued], centre_key: SigningKey, door_key: PublicKey, made: datetime,
    lay: Callable[[bytes], Part],
) -> Head:  # fmt: skip
    """As `write_bundle`, but each part is handed to `lay`, one after the other. `folder`: where the people may lie meanwhile, sealed."""
    with _spooled(folder, rules, people, centre_key, door_key, None, nothing) as (spool, secret):
        return _head(rules, spool, (lay(part) for part in spool.parts()), sealed_key(secret, door_key), made)


@contextmanager
def _spooled(
    folder: Path, rules: AccessRules, people: Iterable[Issued], centre_key: SigningKey, door_key: PublicKey, key: bytes | None,
    step: Callable[[], object],
) -> Iterator[tuple[_Spool, bytes]]:  # fmt: skip
    check_rules(rules)
    secret = key_for(rules.site, rules.door, centre_key, door_key) if key is None else key
    with tempfile.TemporaryFile(dir=folder) as file:
        spool = _Spool(file, Seal(secret), frozenset(rules.profiles))
        for issued in people:
            spool.add(issued, step)
        yield spool, secret


def check_rules(rules: AccessRules) -> None:
    """Raises BundleError for rules that contradict themselves."""
    if faults := faults_of(rules):
        raise BundleError(f"rules of {rules.site}/{rules.door}: {'; '.join(faults[:MOST_FAULTS_TOLD])}")


def sealed_key(secret: bytes, door_key: PublicKey) -> bytes:
    """Raises BundleError for a key that is none."""
    try:
        return SealedBox(door_key).encrypt(secret)
    except CryptoError as error:
        raise BundleError(f"nothing can be sealed for the door's key {bytes(door_key).hex()}: {error}") from error


def _head(rules: AccessRules, spool: _Spool, parts: Iterable[Part], sealed_for_door: bytes, made: datetime) -> Head:
    return Head(
        made=made, rules=rules_to(rules), credentials=len(spool), profiles=tuple(sorted(spool.profiles)),
        cardholder_fields=Columns.HERE.cardholder, credential_fields=Columns.HERE.credential, key=sealed_for_door,
        parts=tuple(parts),
    )  # fmt: skip


def signed_start(head: Head, centre_key: SigningKey) -> bytes:
    """Everything before the parts. Raises BundleError for too many rules."""
    raw = msgspec.msgpack.encode(head)
    if len(raw) > MAX_HEAD_BYTES:
        raise BundleError(f"rules: {len(raw)} bytes; at most {MAX_HEAD_BYTES}")
    return MAGIC + FRAME.pack(len(raw), centre_key.sign(MAGIC + raw).signature) + raw


def sealed_record(seal: Seal, codec: Codec, holder: Cardholder, credential: Credential) -> tuple[int, bytes]:
    """Its hash, and the record that a part has of it. Raises BundleError for what fits in none."""
    try:
        plain = codec.encode(holder, credential)
    except (TypeError, ValueError) as error:
        raise BundleError(f"cardholder {holder.id!r}, credential {credential.key!r}: {error}") from error
    hashed = seal.hash_of(credential.key)
    record = seal.close(hashed, plain)
    if len(record) > MAX_RECORD_BYTES:
        raise BundleError(f"cardholder {holder.id!r}: {len(record)} bytes; at most {MAX_RECORD_BYTES}, so give fewer templates")
    return hashed, record


class _Spool:
    """Sealed records in a file, in the order in which people came, and where each of them lies."""

    def __init__(self, file: IO[bytes], seal: Seal, allowed: frozenset[str]) -> None:
        self._file, self._seal, self._codec, self._allowed = file, seal, Codec(Columns.HERE, packed), allowed
        self._hashes, self._ends = array("Q"), array("Q", [0])
        self._holders: set[bytes] = set()
        self.profiles: set[str] = set()

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, issued: Issued, step: Callable[[], object]) -> None:
        """Raises BundleError for what cannot be in a bundle."""
        self._check(issued)
        self.profiles.update(issued.cardholder.profiles if issued.credentials else ())
        for credential in issued.credentials:
            hashed, record = sealed_record(self._seal, self._codec, issued.cardholder, credential)
            self._file.write(record)
            self._hashes.append(hashed)
            self._ends.append(self._ends[-1] + len(record))
            step()
        if len(self) > MAX_CREDENTIALS or self._ends[-1] > MAX_BYTES:
            raise BundleError(f"more than {MAX_CREDENTIALS} credentials or {MAX_BYTES} bytes of people: no door takes so many")

    def _check(self, issued: Issued) -> None:
        holder = issued.cardholder
        # Hashes, because a quarter of a million names of any length would outweigh everything else here
        name = hashlib.blake2b(holder.id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if name in self._holders:
            raise BundleError(f"cardholder {holder.id!r} is there twice")
        self._holders.add(name)
        for profile in holder.profiles:
            if profile not in self._allowed:
                raise BundleError(f"cardholder {holder.id!r} has the profile {profile!r}, which is not in the bundle")
        for credential in issued.credentials:
            if credential.cardholder != holder.id:
                raise BundleError(
                    f"credential {credential.key!r} belongs to cardholder {credential.cardholder!r} and came with {holder.id!r}"
                )

    def parts(self) -> _Parts:
        """The parts of the bundle. Raises BundleError for a credential that was issued twice."""
        self._file.flush()
        order = sorted(range(len(self)), key=self._hashes.__getitem__)
        for one, other in pairwise(order):
            if self._hashes[one] == self._hashes[other]:
                raise BundleError(self._twice(one, other))
        return _Parts(self, order, self._ends[-1] + 12 * len(self))

    def record(self, at: int) -> tuple[int, bytes]:
        """Hash and sealed record of the credential that came as number `at`."""
        start, end = self._ends[at : at + 2]
        return self._hashes[at], os.pread(self._file.fileno(), end - start, start)

    def _twice(self, one: int, other: int) -> str:
        first, second = (self._codec.decode(self._seal.open(*self.record(at))).credential for at in (one, other))
        if first.key != second.key:
            return f"credentials {first.key!r} and {second.key!r} have the same hash: write the bundle with another key"
        return f"credential {first.key!r} is issued twice: to cardholder {first.cardholder!r} and to {second.cardholder!r}"


class _Parts:
    """Goes through the parts as often as it is asked to, and makes each one anew: there is never more than one in memory."""

    def __init__(self, spool: _Spool, order: Sequence[int], size: int) -> None:
        self._spool, self._order = spool, order
        self._count = min(MAX_PARTS, 1 << max(0, math.ceil(math.log2(max(1, size / PART_BYTES)))))

    def __iter__(self) -> Iterator[bytes]:
        shift = HASH_BITS - (self._count.bit_length() - 1)
        records = (self._spool.record(number) for number in self._order)
        waiting = next(records, None)
        for number in range(self._count):
            mine = []
            while waiting is not None and waiting[0] >> shift == number:
                mine.append(waiting)
                waiting = next(records, None)
            yield part_of(mine)
