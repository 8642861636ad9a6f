"""The file of an access bundle, format 2: everything one door knows about people, signed by the centre, sealed for that door.

    line       "doorward access bundle 2" and a line feed
    length     u32, little-endian: bytes of the head
    signature  64 bytes: Ed25519 of that line and the head
    head       msgpack of `Head`: rules, the sealed key of the records, length and BLAKE2b-256 of each part
    parts      one after the other, as agent.records.people_file describes them; or none, and each in a file beside it
               (agent.records.bundle_parts)

The signature is checked before the head is read, the hash of a part before the part is looked into; the head names everything else, so
the one signature covers every byte. Parts are known by their hashes: of a newer bundle a door reads only those that it does not hold already.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from nacl.signing import VerifyKey

from agent.core.access import AccessRules, faults_of
from agent.core.people import Directory
from agent.errors import BundleError
from agent.records.bundle_parts import DIGEST_BYTES, PartsFolder, digest_of
from agent.records.people_file import KEY_BYTES, MAX_PARTS, Codec, Columns, Seal, SealedRoll, announced, count_in, first_record

FAMILY = b"doorward access bundle "
MAGIC = FAMILY + b"2\n"
FRAME = struct.Struct("<I64s")
FIRST_FORMAT = (b"\x92\xc4", b"\x92\xc5", b"\x92\xc6")
"""How files of format 1 began: msgpack of two byte strings."""
MAX_HEAD_BYTES = 8 << 20
MAX_BYTES = 512 << 20
MAX_CREDENTIALS = 1_000_000
MOST_FAULTS_TOLD = 5


class Part(Struct, frozen=True, array_like=True):
    """A part as the head names it."""

    length: int
    digest: bytes


class Head(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed. `rules` are the fields of AccessRules but for the people."""

    made: datetime
    rules: msgspec.Raw
    credentials: int
    profiles: tuple[str, ...]
    """All that cardholders name."""
    cardholder_fields: tuple[str, ...]
    credential_fields: tuple[str, ...]
    key: bytes
    """Of the records: 32 bytes in a sealed box (X25519) for the door's key."""
    parts: tuple[Part, ...]


# Made here and not at the first use: two threads that decode a type for the first time at the same moment kill the program (msgspec 0.22)
_HEAD = msgspec.msgpack.Decoder(Head)
_RULES = {
    field.name: msgspec.msgpack.Decoder(field.type) for field in msgspec.structs.fields(AccessRules) if field.name != "people"
}


class Keys(Struct, frozen=True):
    """With what a door judges a bundle, and who it is."""

    centre: VerifyKey
    door: PrivateKey
    site: str
    name: str


class Bundle(Struct, frozen=True):
    """A bundle that was read and found good, and the bytes it was read from."""

    rules: AccessRules
    start: bytes
    """Everything before the first part."""
    parts: tuple[bytes, ...]
    digests: tuple[bytes, ...]
    """The hash of each part."""
    read_as: tuple[bytes, Columns]
    """With which key and which fields its parts were looked into."""

    def chunks(self) -> Iterator[bytes]:
        """The file, piece by piece."""
        yield self.start
        yield from self.parts

    @property
    def held(self) -> dict[bytes, bytes]:
        """The parts by hash: what of another bundle need not be read."""
        return dict(zip(self.digests, self.parts, strict=True))


class Unfinished(BundleError):
    """A bundle ends before its head or its parts do: cut off, or still being written."""


class _Source(Struct, frozen=True):
    """Where parts may be found."""

    file: BinaryIO
    held: Mapping[bytes, bytes]
    folder: PartsFolder


def read_bundle(
    path: Path, keys: Keys, newer_than: int | None = None, held: Mapping[bytes, bytes] | None = None,
    folder: PartsFolder | None = None, before: Bundle | None = None,
) -> Bundle:  # fmt: skip
    """The bundle in a file and, where that is its start only, in the folder beside it.

    `held` are parts that were read before, by hash, and are not read again; those of `before` are not looked into again either.
    Raises BundleError when it is missing, forged, damaged, cut off, for another door, or not newer than `newer_than`.
    """
    known = held if held is not None else before.held if before is not None else {}
    try:
        with path.open("rb") as file:
            return _read(_Source(file, known, folder or PartsFolder(path)), keys, newer_than, before)
    except BundleError as error:
        raise type(error)(f"{path}: {error}") from error
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error}") from error


def version_of(path: Path, keys: Keys) -> int | None:
    """The version that a file's signed head states, whatever follows it; None when there is no such head for this door."""
    try:
        with path.open("rb") as file:
            _, head = _head(file, keys.centre)
        return _rules_for(head, keys, None).version
    except (BundleError, OSError):
        return None


def start_in(file: BinaryIO, centre: VerifyKey) -> tuple[bytes, Head]:
    """Everything before the parts, and the head in it, for whoever is no door. Raises BundleError."""
    return _head(file, centre)


def head_of(start: bytes, keys: Keys, newer_than: int | None = None) -> tuple[Head, int]:
    """The head in everything that lies before the parts, and the version of its rules: what can be told before the parts are here.

    Raises BundleError as `read_bundle` does.
    """
    read, head = _head(BytesIO(start), keys.centre)
    version = _rules_for(head, keys, newer_than).version
    if len(read) != len(start):
        raise BundleError(f"is damaged: {len(start) - len(read)} bytes follow its head")
    _key_of(head, keys.door)
    _check_sizes(head, sum(part.length for part in head.parts))
    return head, version


def _read(source: _Source, keys: Keys, newer_than: int | None, before: Bundle | None) -> Bundle:
    start, head = _head(source.file, keys.centre)
    rules = _rules_for(head, keys, newer_than)
    there, whole = os.fstat(source.file.fileno()).st_size - len(start), sum(part.length for part in head.parts)
    beside = there == 0 < whole
    _check_sizes(head, whole if beside else there)
    read_as = _key_of(head, keys.door), Columns(head.cardholder_fields, head.credential_fields)
    seal, codec = Seal(read_as[0]), Codec(read_as[1])
    parts = tuple(_part(source, number, head, beside) for number in range(len(head.parts)))
    digests = tuple(part.digest for part in head.parts)
    known = before.digests if before is not None and before.read_as == read_as and len(before.parts) == len(parts) else ()
    _check_parts(head, parts, seal, codec, known)
    people = SealedRoll(parts, head.credentials, seal, codec)
    return Bundle(msgspec.structs.replace(rules, people=people), start, parts, digests, read_as)


def _head(file: BinaryIO, centre: VerifyKey) -> tuple[bytes, Head]:
    """Everything before the parts, and the head in it, which was signed."""
    frame = file.read(len(MAGIC) + FRAME.size)
    if not frame.startswith(MAGIC[: len(frame)]):
        raise BundleError(_foreign(frame))
    if len(frame) < len(MAGIC) + FRAME.size:
        raise Unfinished("is damaged: it ends before its head")
    length, signature = FRAME.unpack_from(frame, len(MAGIC))
    if length > MAX_HEAD_BYTES:
        raise BundleError(f"is damaged: a head of {length} bytes; at most {MAX_HEAD_BYTES}")
    raw = file.read(length)
    if len(raw) < length:
        raise Unfinished("is damaged: it ends within its head")
    try:
        centre.verify(MAGIC + raw, signature)
        return frame + raw, _HEAD.decode(raw)
    except (msgspec.DecodeError, CryptoError, ValueError, TypeError, RecursionError) as error:
        raise BundleError(f"damaged, or not signed by this site's centre: {error}") from error


def _foreign(frame: bytes) -> str:
    if frame.startswith(FIRST_FORMAT):
        return "is of format 1; this program reads format 2: let the centre write it anew"
    if frame.startswith(FAMILY):
        found = frame[len(FAMILY) :].split(b"\n")[0][:8].decode("ascii", "replace")
        return f"is of format {found}; this program reads format 2: update it, or let the centre write format 2"
    return "is damaged, or no access bundle"


def _rules_for(head: Head, keys: Keys, newer_than: int | None) -> AccessRules:
    rules = rules_from(head.rules, _Nobody())
    if (rules.site, rules.door) != (keys.site, keys.name):
        raise BundleError(f"made for {rules.site}/{rules.door}, this is {keys.site}/{keys.name}")
    if newer_than is not None and rules.version <= newer_than:
        raise BundleError(f"version {rules.version} is not newer than {newer_than}, which is in force")
    faults = [*faults_of(rules), *(f"cardholders have the profile {name!r}, which is not in the bundle"
                                   for name in head.profiles if name not in rules.profiles)]  # fmt: skip
    if faults:
        raise BundleError("; ".join(faults[:MOST_FAULTS_TOLD]))
    return rules


class _Nobody:
    """In the place of people that were not read yet."""

    def find(self, key: str) -> None:
        return None

    def __len__(self) -> int:
        return 0


def _key_of(head: Head, door: PrivateKey) -> bytes:
    try:
        key = SealedBox(door).decrypt(head.key)
    except (CryptoError, ValueError, TypeError) as error:
        raise BundleError(f"its people are not sealed for this door's key: {error}") from error
    if len(key) != KEY_BYTES:
        raise BundleError(f"the key of its people has {len(key)} bytes, not {KEY_BYTES}")
    return key


def _check_sizes(head: Head, there: int) -> None:
    count, length = len(head.parts), sum(part.length for part in head.parts)
    if not 1 <= count <= MAX_PARTS or count & (count - 1):
        raise BundleError(f"{count} parts; allowed are powers of two up to {MAX_PARTS}")
    if min(part.length for part in head.parts) < 0 or length > MAX_BYTES or not 0 <= head.credentials <= MAX_CREDENTIALS:
        raise BundleError(f"{length} bytes of {head.credentials} credentials; at most {MAX_BYTES} and {MAX_CREDENTIALS}")
    if any(len(part.digest) != DIGEST_BYTES for part in head.parts):
        raise BundleError(f"a hash of a part has not {DIGEST_BYTES} bytes")
    if there < length:
        raise Unfinished(f"is damaged: {there} bytes of parts, and {length} were signed")
    if there > length:
        raise BundleError(f"is damaged: {there - length} bytes follow its last part")


def _part(source: _Source, number: int, head: Head, beside: bool) -> bytes:
    wanted = head.parts[number]
    known = source.held.get(wanted.digest)
    if known is not None and len(known) == wanted.length:
        if not beside:
            source.file.seek(wanted.length, 1)
        return known
    part = source.folder.read(wanted.digest, wanted.length) if beside else source.file.read(wanted.length)
    if part is None:
        raise Unfinished(
            f"is damaged: part {number + 1} of {len(head.parts)} does not lie in {source.folder.path.name}, or is damaged"
        )
    if len(part) < wanted.length:
        raise Unfinished(f"is damaged: it ends within part {number + 1} of {len(head.parts)}")
    if digest_of(part) != wanted.digest:
        raise BundleError(f"is damaged: part {number + 1} of {len(head.parts)} is not the one that was signed")
    return part


def _check_parts(head: Head, parts: tuple[bytes, ...], seal: Seal, codec: Codec, known: tuple[bytes, ...]) -> None:
    """`known`: hashes of parts that were found good in the same place, under the same key."""
    fresh = [number for number, part in enumerate(head.parts) if not known or known[number] != part.digest]
    for number in fresh:
        count_in(parts[number], number, len(parts))
    counted = sum(announced(part) for part in parts)
    if counted != head.credentials:
        raise BundleError(f"has {counted} credentials and announces {head.credentials}")
    for number in fresh:
        first = first_record(parts[number])
        try:
            if first is not None:
                codec.decode(seal.open(*first))
        except (CryptoError, msgspec.DecodeError, ValueError, TypeError) as error:
            raise BundleError(
                f"its people cannot be read with its key; update this program, or write it anew: {error}"
            ) from error


# -- rules ---------------------------------------------------------------------------------------------------------------------


def rules_to(rules: AccessRules) -> msgspec.Raw:
    """The rules without people, field by field. Raises BundleError when they would be read as something else."""
    fields = {name: getattr(rules, name) for name in AccessRules.__struct_fields__ if name != "people"}
    try:
        raw = msgspec.Raw(msgspec.msgpack.encode(fields))
    except (TypeError, ValueError) as error:
        raise BundleError(f"rules of {rules.site}/{rules.door} cannot be written: {error}") from error
    rules_from(raw, rules.people)
    return raw


def rules_from(raw: msgspec.Raw, people: Directory) -> AccessRules:
    """The rules with these people. What this program does not understand to the last field it does not apply: raises BundleError."""
    try:
        given = msgspec.msgpack.decode(raw, type=dict[str, msgspec.Raw])
        read = {name: decoder.decode(given[name]) for name, decoder in _RULES.items() if name in given}
        unknown = [*(name for name in given if name not in _RULES), *_unread(msgspec.msgpack.decode(raw), read)]
        if not unknown:
            return AccessRules(people=people, **read)
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"its rules cannot be read: {error}") from error
    raise BundleError(f"its rules say {unknown[0]!r}, of which this program knows nothing: update the program first")


def _unread(given: object, read: object, where: str = "") -> Iterator[str]:
    """What stands in `given` and was left out when it was read: a field that an older program drops would change what rules mean."""
    for name, value in _entries(given):
        place = f"{where}.{name}".lstrip(".")
        if isinstance(read, Struct) and name not in (*read.__struct_encode_fields__, read.__struct_config__.tag_field):
            yield place
        else:
            yield from _unread(value, dict(_entries(read)).get(name), place)


def _entries(whole: object) -> Iterator[tuple[object, object]]:
    if isinstance(whole, Struct):
        return iter(msgspec.structs.asdict(whole).items())
    if isinstance(whole, dict):
        return iter(whole.items())
    return enumerate(whole) if isinstance(whole, (list, tuple)) else iter(())
