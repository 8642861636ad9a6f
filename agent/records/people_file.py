"""Credentials and their cardholders as they lie in an access bundle: each record sealed, found by a keyed hash, opened when it is asked for.

A bundle's people are cut into parts, a power of two of them. A part holds the credentials whose hash begins with the part's number, all
numbers little-endian:

    count    u32
    hashes   count times u64, ascending: BLAKE2b of the credential's key, keyed
    ends     count times u32: where each record ends, counted from the first record's start
    records  16 bytes of nonce, then libsodium's secretbox of msgpack [cardholder, credential]

The secretbox's nonce is the hash (big-endian) and those 16 bytes, which are a keyed BLAKE2b of what is sealed: no two different records can
share one, a record opens in its own place only, and the same people under the same key give the same bytes. A cardholder lies beside each
of their credentials, so no reference can lead nowhere. Names of fields are single letters, by a table in the bundle's head.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import lt
from string import ascii_letters
from typing import Any, ClassVar

import msgspec
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from agent.core.people import Cardholder, Credential, Known
from agent.core.template8 import packed, unpacked
from agent.errors import BundleError

log = logging.getLogger(__name__)

KEY_BYTES = 32
NONCE_BYTES = 16
HASH_BITS = 64
MAX_RECORD_BYTES = 16 << 10
"""One cardholder with one credential, sealed: some sixty templates."""
MAX_PARTS = 1 << 14
SHORT_NAMES = ascii_letters
HEAD = struct.Struct("<I")


class Columns(Struct, frozen=True):
    """The fields that records may have; the first is called `a` in them, and so on."""

    cardholder: tuple[str, ...]
    credential: tuple[str, ...]

    HERE: ClassVar[Columns]
    """Those of this program."""


def _names(kind: type[Struct], but: str = "") -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name != but)


Columns.HERE = Columns(_names(Cardholder), _names(Credential, but="cardholder"))


class Seal:
    """What a bundle's key is for: finding records, sealing and opening them. The key never serves for two purposes."""

    def __init__(self, key: bytes) -> None:
        self._index = hashlib.blake2b(digest_size=8, key=_derived(key, b"index"))
        self._nonce = hashlib.blake2b(digest_size=NONCE_BYTES, key=_derived(key, b"nonce"))
        self._box = SecretBox(_derived(key, b"record"))

    def hash_of(self, key: str) -> int:
        """Where the credential of that name is found."""
        digest = self._index.copy()
        digest.update(key.encode("utf-8", "surrogatepass"))
        return int.from_bytes(digest.digest(), "big")

    def close(self, hashed: int, plain: bytes) -> bytes:
        """A sealed record."""
        place, digest = hashed.to_bytes(8, "big"), self._nonce.copy()
        digest.update(place + plain)
        nonce = digest.digest()
        return nonce + self._box.encrypt(plain, place + nonce).ciphertext

    def open(self, hashed: int, record: bytes) -> bytes:
        """What was sealed in that place. Raises CryptoError (or ValueError, when it is too short) for anything else."""
        return self._box.decrypt(record[NONCE_BYTES:], hashed.to_bytes(8, "big") + record[:NONCE_BYTES])


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(key=key, person=purpose, digest_size=KEY_BYTES).digest()


class Codec:
    """Between people and the msgpack in records. Raises BundleError for columns that cannot be."""

    def __init__(self, columns: Columns, pack: Callable[[bytes], bytes] = packed) -> None:
        """`pack` as agent.core.template8 has it."""
        self._pack = pack
        self._holder = _row_type(Cardholder, columns.cardholder)
        self._credential = _row_type(Credential, columns.credential, given="cardholder")
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(tuple[self._holder, self._credential])  # type: ignore[name-defined]

    def encode(self, holder: Cardholder, credential: Credential) -> bytes:
        """Raises ValueError for a template that is none."""
        small = tuple(self._pack(template) for template in holder.templates)
        rows = (_row(self._holder, holder, templates=small), _row(self._credential, credential))
        return self._encoder.encode(rows)

    def decode(self, raw: bytes) -> Known:
        """Raises msgspec.DecodeError or ValueError for what this program does not understand to the last field."""
        rows = self._decoder.decode(raw)
        holder, credential = (msgspec.structs.asdict(row) for row in rows)
        holder["templates"] = tuple(unpacked(small) for small in holder.get("templates", ()))
        whole = Cardholder(**holder)
        return Known(Credential(cardholder=whole.id, **credential), whole)


def _row_type(kind: type[Struct], columns: tuple[str, ...], given: str = "") -> type[Struct]:
    known = {field.name: field for field in msgspec.structs.fields(kind) if field.name != given}
    missing = [name for name, field in known.items() if field.required and name not in columns]
    if missing or len(set(columns)) != len(columns) or len(columns) > len(SHORT_NAMES):
        raise BundleError(f"records of {kind.__name__} have the fields {columns}; each once, at most {len(SHORT_NAMES)}, "
                          f"and {missing or 'no other'} must be there")  # fmt: skip
    # Names this program does not know stay out: a record that uses one is refused, one that does not is read
    short = {name: SHORT_NAMES[at] for at, name in enumerate(columns) if name in known}
    fields = [
        (name, known[name].type) if known[name].required else (name, known[name].type, known[name].default) for name in short
    ]
    return msgspec.defstruct(
        f"{kind.__name__}Row", fields, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename=short
    )


def _row(kind: type[Struct], whole: Struct, **changes: Any) -> Struct:
    values = {name: getattr(whole, name) for name in kind.__struct_fields__}
    return kind(**{**values, **changes})


class SealedRoll:
    """A directory over the parts of a bundle. The parts are this program's own copy: whatever happens to a file changes nothing here."""

    def __init__(self, parts: Sequence[bytes], credentials: int, seal: Seal, codec: Codec) -> None:
        self._parts, self._credentials = tuple(parts), credentials
        self._seal, self._codec = seal, codec
        self._shift = HASH_BITS - (len(parts).bit_length() - 1)

    def hash_of(self, key: str) -> int:
        """Under which hash a credential is looked for, whether it is here or not."""
        return self._seal.hash_of(key)

    def find(self, key: str) -> Known | None:
        hashed = self._seal.hash_of(key)
        known = self._known(hashed)
        return known if known is not None and known.credential.key == key else None

    def __len__(self) -> int:
        return self._credentials

    def _known(self, hashed: int) -> Known | None:
        record = record_in(self._parts[hashed >> self._shift], hashed)
        if record is None:
            return None
        try:
            return self._codec.decode(self._seal.open(hashed, record))
        except (CryptoError, msgspec.DecodeError, ValueError, TypeError) as error:
            # The centre signed it, so it is meant for a newer program; whoever this is stays out rather than in with half of their rules
            log.error("people record=%016x refused=%s mend='update the program of this door'", hashed, error)
            return None


def record_in(part: bytes, hashed: int) -> bytes | None:
    """The sealed record of that hash in a part that was checked; None when there is none."""
    hashes, ends, first = _tables(part)
    at = bisect_left(hashes, hashed)
    if at == len(hashes) or hashes[at] != hashed:
        return None
    return part[first + (ends[at - 1] if at else 0) : first + ends[at]]


def _tables(part: bytes) -> tuple[memoryview, memoryview, int]:
    (count,) = HEAD.unpack_from(part)
    whole, middle = memoryview(part), HEAD.size + 8 * count
    first = middle + 4 * count
    return whole[HEAD.size : middle].cast("Q"), whole[middle:first].cast("I"), first


def part_of(records: Sequence[tuple[int, bytes]]) -> bytes:
    """A part of records in ascending order of their hashes."""
    hashes, ends, at = array("Q"), array("I"), 0
    for hashed, record in records:
        at += len(record)
        hashes.append(hashed)
        ends.append(at)
    return b"".join((HEAD.pack(len(hashes)), hashes.tobytes(), ends.tobytes(), *(record for _, record in records)))


def records_in(part: bytes) -> Iterator[tuple[int, bytes]]:
    """Hashes and records of a part that was checked, as `part_of` takes them."""
    hashes, ends, first = _tables(part)
    begins = (0, *ends[:-1]) if hashes else ()
    return ((hashed, part[first + begin : first + end]) for hashed, begin, end in zip(hashes, begins, ends, strict=True))


def announced(part: bytes) -> int:
    """How many credentials a part says that it holds."""
    count: int = HEAD.unpack_from(part)[0] if len(part) >= HEAD.size else 0
    return count


def count_in(part: bytes, number: int, parts: int) -> int:
    """How many credentials a part holds. Raises BundleError when its tables contradict themselves, or it is not the part of that number."""
    count = announced(part)
    if len(part) < HEAD.size + 12 * count:
        raise BundleError(f"part {number}: {len(part)} bytes are too few for the {count} credentials it announces")
    hashes, ends, first = _tables(part)
    shift = HASH_BITS - (parts.bit_length() - 1)
    if not count:
        sound = len(part) == first
    else:
        sound = hashes[0] >> shift == number == hashes[-1] >> shift and ascending(hashes) and ascending(ends)
        sound = sound and ends[0] > 0 and first + ends[-1] == len(part)
    if not sound:
        raise BundleError(f"part {number}: its hashes and records are not in order, or two credentials are the same")
    return count


def ascending(numbers: memoryview) -> bool:
    """Whether each is greater than the one before."""
    return all(map(lt, numbers, islice(numbers, 1, None)))


def first_record(part: bytes) -> tuple[int, bytes] | None:
    """Hash and record of the first credential in a part that was checked."""
    hashes, _, _ = _tables(part)
    if not hashes:
        return None
    record = record_in(part, hashes[0])
    return (hashes[0], record) if record is not None else None
