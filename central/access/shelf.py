"""The bundles that are offered to doors, on the centre's disk, and their pieces. Everything in them about people is sealed for one door each.

FOLDER/SITE/DOOR/access.bundle   the bundle that is offered
FOLDER/SITE/DOOR/offered.json    for which key, since when, and up to which revision nothing has changed since
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from nacl.public import PublicKey
from nacl.signing import SigningKey

from agent.core.access import AccessRules
from agent.core.people import Issued, Roll
from agent.errors import BundleError
from agent.files import write_whole
from agent.records.access_offer import Bulk
from agent.records.bundle_file import Head, rules_from, rules_to, start_in
from agent.records.bundle_parts import DIGEST_BYTES
from agent.records.bundle_pieces import PIECE_BYTES
from central.access.bundles import write_bundle

log = logging.getLogger(__name__)

BUNDLE, CARD = "access.bundle", "offered.json"
MOST_OPEN = 16
"""Bundles whose index of parts is in memory, some 100 kB each."""

Place = tuple[str, str]
"""Site and door."""


class Card(Struct, frozen=True, kw_only=True):
    """What lies beside a bundle."""

    public_key: bytes
    """Of the door, for which its people are sealed."""
    made: datetime
    as_of: int
    content: bytes = b""
    """A hash of what went into it; empty where that was too much to look at beforehand."""


class Shelved(Struct, frozen=True, kw_only=True):
    """A bundle that is offered."""

    bulk: Bulk
    card: Card


class _Index(Struct, frozen=True):
    """Where everything that a door may ask for lies in a file that is held open: when it is replaced meanwhile, this is still the whole."""

    file: int
    version: int
    where: dict[bytes, tuple[int, int]]
    """Hash -> offset and length."""


class Shelf:
    """`put` in one thread, `piece` in another; everything about one door is a file of its own."""

    def __init__(self, folder: Path, centre: SigningKey) -> None:
        self._folder, self._centre = folder, centre
        self._open: OrderedDict[Place, _Index] = OrderedDict()

    def path(self, place: Place) -> Path:
        return self._folder.joinpath(*place) / BUNDLE

    def get(self, place: Place) -> Shelved | None:
        """What is offered to a door; None when nothing is, or it is damaged and has to be made anew."""
        path = self.path(place)
        try:
            card = msgspec.json.decode(path.with_name(CARD).read_bytes(), type=Card)
            with path.open("rb") as file:
                start, head = start_in(file, self._centre.verify_key)
            return Shelved(bulk=_bulk(start, head), card=card)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, BundleError) as error:
            log.error("access shelf path=%s error=%s mend='it is made anew'", path, error)
            return None

    def put(
        self, place: Place, rules: AccessRules, people: Iterable[Issued], public_key: bytes, now: datetime, content: bytes = b""
    ) -> tuple[Shelved, bool]:
        """Make a bundle of these. Returns what is offered from now on, and whether it is another than before: one that says the same is left.

        `content` is a hash of the people: where it is known, a bundle of the same is not made at all. Raises BundleError for what
        cannot be in a bundle, or when the disk does not take it.
        """
        path, before = self.path(place), self.get(place)
        if before is not None and before.card.public_key != public_key:
            before = None  # sealed for a key that the door no longer has
        card = Card(public_key=public_key, made=now, as_of=rules.version, content=_content(rules, content))
        try:
            if before is not None and card.content and card.content == before.card.content:
                return self._as_before(path, before, card), False
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._make(place, rules, people, card, before)
        except OSError as error:
            raise BundleError(f"{path}: cannot be written: {error}") from error

    def _make(
        self, place: Place, rules: AccessRules, people: Iterable[Issued], card: Card, before: Shelved | None
    ) -> tuple[Shelved, bool]:
        path = self.path(place)
        fresh = path.with_name("fresh")
        try:
            write_bundle(fresh, rules, people, self._centre, PublicKey(card.public_key), card.made)
            if before is not None and self._says(fresh) == self._says(path):
                return self._as_before(path, before, card), False
            fresh.replace(path)
            self._write_card(path, card)  # after it: a power cut between the two leaves a bundle that is looked at once more
            with path.open("rb") as file:
                return Shelved(bulk=_bulk(*start_in(file, self._centre.verify_key)), card=card), True
        finally:
            fresh.unlink(missing_ok=True)

    def _as_before(self, path: Path, before: Shelved, card: Card) -> Shelved:
        """Nothing changed for the door, up to that revision."""
        kept = replace(before.card, as_of=card.as_of, content=card.content)
        if not card.content or card.content != before.card.content:  # else it is as soon found out again after a restart
            self._write_card(path, kept)
        return replace(before, card=kept)

    def drop(self, place: Place) -> None:
        """A door that is none any more."""
        for name in (BUNDLE, CARD):
            self.path(place).with_name(name).unlink(missing_ok=True)

    def _write_card(self, path: Path, card: Card) -> None:
        write_whole(path.with_name(CARD), msgspec.json.encode(card))

    def _says(self, path: Path) -> object:
        """What a bundle means to its door: two that are equal in it need not be exchanged."""
        with path.open("rb") as file:
            _, head = start_in(file, self._centre.verify_key)
        fields = (head.credentials, head.profiles, head.cardholder_fields, head.credential_fields, head.parts)
        return fields, _meaning(head.rules)

    # -- for doors that fetch

    def piece(self, place: Place, digest: bytes, number: int) -> bytes | None:
        """A stretch of the start or of a part of the bundle that is offered; None when there is none such."""
        index = self._index(place)
        found = index.where.get(digest) if index is not None else None
        if index is None or found is None:
            return None
        offset, length = found
        at = number * PIECE_BYTES
        if number and at >= length:
            return None
        return os.pread(index.file, min(PIECE_BYTES, length - at), offset + at)

    def forget(self, place: Place) -> None:
        """Another bundle is offered now, or none."""
        index = self._open.pop(place, None)
        if index is not None:
            os.close(index.file)

    def _index(self, place: Place) -> _Index | None:
        index = self._open.get(place)
        if index is None:
            try:
                index = self._read_index(self.path(place))
            except (OSError, BundleError) as error:
                log.error("access shelf path=%s error=%s", self.path(place), error)
                return None
            self._open[place] = index
        self._open.move_to_end(place)
        while len(self._open) > MOST_OPEN:
            self.forget(next(iter(self._open)))
        return index

    def _read_index(self, path: Path) -> _Index:
        with path.open("rb") as file:
            start, head = start_in(file, self._centre.verify_key)
            at, where = len(start), {_digest(start): (0, len(start))}
            for part in head.parts:
                where[part.digest] = (at, part.length)
                at += part.length
            return _Index(os.dup(file.fileno()), _version(head), where)


def _meaning(rules: msgspec.Raw) -> dict[str, bytes]:
    """The rules but for their version."""
    fields = msgspec.msgpack.decode(rules, type=dict[str, msgspec.Raw])
    return {name: bytes(raw) for name, raw in fields.items() if name != "version"}


def _content(rules: AccessRules, people: bytes) -> bytes:
    """Of people and rules; empty where that of people is."""
    whole = msgspec.msgpack.encode((people, _meaning(rules_to(rules))))
    return hashlib.blake2b(whole, digest_size=DIGEST_BYTES).digest() if people else b""


def _bulk(start: bytes, head: Head) -> Bulk:
    return Bulk(version=_version(head), start_digest=_digest(start), start_length=len(start), parts=len(head.parts),
                size=len(start) + sum(part.length for part in head.parts))  # fmt: skip


def _version(head: Head) -> int:
    return rules_from(head.rules, Roll()).version


def _digest(start: bytes) -> bytes:
    return hashlib.blake2b(start, digest_size=DIGEST_BYTES).digest()
