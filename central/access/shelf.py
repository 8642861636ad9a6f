"""The bundles that are offered to doors, on the centre's disk, and their pieces. Everything in them about people is sealed for one door each.

FOLDER/SITE/DOOR/access.bundle         the start of the bundle that is offered
FOLDER/SITE/DOOR/access.bundle.parts   its parts by their hashes (agent.records.bundle_parts): what did not change is not written again
FOLDER/SITE/DOOR/offered.json          for which key, since when, and up to which revision nothing has changed since
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
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
from agent.records.bundle_file import Head, Part, rules_from, rules_to, start_in
from agent.records.bundle_parts import DIGEST_BYTES, PartsFolder, digest_of
from agent.records.bundle_pieces import PIECE_BYTES
from agent.records.people_file import HASH_BITS, record_in
from central.access.bundles import check_rules, key_for, lay_bundle, signed_start
from central.access.patching import patched

log = logging.getLogger(__name__)

BUNDLE, CARD = "access.bundle", "offered.json"
MOST_OPEN = 16
"""Bundles whose index of parts is in memory, some 200 kB each."""

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
    written: int = 0
    """`as_of` of the card on the disk."""


# Made here and not at the first use: two threads that decode a type for the first time at the same moment kill the program (msgspec 0.22)
_CARD = msgspec.json.Decoder(Card)


class Shelved(Struct, frozen=True, kw_only=True):
    """A bundle that is offered."""

    bulk: Bulk
    card: Card
    profiles: frozenset[str]
    """The access profiles in its rules."""


class _Index(Struct, frozen=True):
    """Everything that a door may ask for. When the bundle is replaced meanwhile, its parts stay until it is forgotten."""

    start: bytes
    lengths: dict[bytes, int]
    """Of the parts, by their hashes."""


class Shelf:
    """`put` and `patch` in one thread, `piece` and `forget` in another; everything about one door is in a folder of its own."""

    def __init__(self, folder: Path, centre: SigningKey, on_damage: Callable[[Place], None] = lambda place: None) -> None:
        """`on_damage` is told of a door whose bundle has to be made anew, in the thread of `piece`."""
        self._folder, self._centre, self._on_damage = folder, centre, on_damage
        self._open: OrderedDict[Place, _Index] = OrderedDict()
        self._lock = threading.Lock()
        self._parts: dict[Place, PartsFolder] = {}
        self._outdated: dict[Place, set[bytes]] = {}
        """Parts that are of no bundle any more, and that somebody may be fetching at this moment."""

    def path(self, place: Place) -> Path:
        return self._folder.joinpath(*place) / BUNDLE

    def get(self, place: Place) -> Shelved | None:
        """What is offered to a door; None when nothing is, or it is damaged and has to be made anew."""
        path = self.path(place)
        try:
            card = _CARD.decode(path.with_name(CARD).read_bytes())
            return _shelved(*self._start(path), replace(card, written=card.as_of))
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, BundleError) as error:
            log.error("access shelf path=%s error=%s mend='it is made anew'", path, error)
            return None

    def _start(self, path: Path) -> tuple[bytes, Head]:
        with path.open("rb") as file:
            return start_in(file, self._centre.verify_key)

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
                return self._as_before(before, card), False
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            head = lay_bundle(
                path.parent, rules, people, self._centre, PublicKey(public_key), now, lambda part: self._lay(place, part)
            )
            said = self._start(path)[1] if before is not None else None
            return self._offer(place, head, card, before, said)
        except OSError as error:
            raise BundleError(f"{path}: cannot be written: {error}") from error

    def patch(
        self, place: Place, before: Shelved, rules: AccessRules, keys: Iterable[str], people: Iterable[Issued], now: datetime
    ) -> tuple[Shelved, bool] | None:
        """As `put`, where only these credentials changed since `before`; None when the whole has to be made anew. Raises BundleError."""
        path, card = self.path(place), replace(before.card, made=now, as_of=rules.version, content=b"")
        check_rules(rules)
        try:
            _, head = self._start(path)
        except (OSError, BundleError):
            return None
        try:
            secret = key_for(*place, self._centre, PublicKey(card.public_key))
            folder = self._folder_of(place)
            made = patched(head, lambda part: folder.read(part.digest, part.length), secret, keys, people)
            if made is None:
                return None
            for part in made.parts.values():
                self._lay(place, part)
            kept = tuple(name for name in made.head.profiles if name in rules.profiles)
            fresh = replace(made.head, made=now, rules=rules_to(rules), profiles=kept)
            return self._offer(place, fresh, card, before, head)
        except OSError as error:
            raise BundleError(f"{path}: cannot be written: {error}") from error

    def known_of(self, place: Place, hashes: Iterable[int]) -> set[int]:
        """Which of these the bundle that is offered knows; all of them where that cannot be told. From any thread."""
        asked, path = set(hashes), self.path(place)
        try:
            _, head = self._start(path)
        except (OSError, BundleError):
            return asked
        shift, folder = HASH_BITS - (len(head.parts).bit_length() - 1), PartsFolder(path)
        wanted = {each >> shift: head.parts[each >> shift] for each in asked}
        parts = {number: folder.read(part.digest, part.length) for number, part in wanted.items()}
        return {each for each in asked if (part := parts[each >> shift]) is None or record_in(part, each) is not None}

    def _folder_of(self, place: Place) -> PartsFolder:
        return self._parts.setdefault(place, PartsFolder(self.path(place)))

    def _lay(self, place: Place, part: bytes) -> Part:
        digest = digest_of(part)
        with self._lock:
            self._outdated.get(place, set()).discard(digest)
            self._folder_of(place).put(digest, part)
        return Part(len(part), digest)

    def _offer(self, place: Place, head: Head, card: Card, before: Shelved | None, said: Head | None) -> tuple[Shelved, bool]:
        """The parts lie there. One that means what was `said` already is not offered anew."""
        path = self.path(place)
        if before is not None and said is not None and _says(head) == _says(said):
            return self._as_before(before, card), False
        self._folder_of(place).sync()
        start = signed_start(head, self._centre)
        write_whole(path, start)
        self._write_card(path, card)  # after it: a power cut between the two leaves a bundle that is looked at once more
        self._outdate(place, head)
        return _shelved(start, head, replace(card, written=card.as_of)), True

    def _outdate(self, place: Place, head: Head) -> None:
        there = {bytes.fromhex(name) for name in self._folder_of(place).files()}
        with self._lock:
            self._outdated[place] = there.difference(part.digest for part in head.parts)

    def _as_before(self, before: Shelved, card: Card) -> Shelved:
        """Nothing changed for the door, up to that revision. A restart finds that out again: see `keep_card`."""
        return replace(before, card=replace(before.card, as_of=card.as_of, content=card.content or before.card.content))

    def keep_card(self, place: Place, shelved: Shelved) -> Shelved:
        """After it nobody needs to know any more what changed up to its `as_of`. Raises OSError."""
        if shelved.card.written == shelved.card.as_of:
            return shelved
        self._write_card(self.path(place), shelved.card)
        return replace(shelved, card=replace(shelved.card, written=shelved.card.as_of))

    def drop(self, place: Place) -> None:
        """A door that is none any more."""
        for name in (BUNDLE, CARD):
            self.path(place).with_name(name).unlink(missing_ok=True)
        with self._lock:
            folder = self._parts.pop(place, PartsFolder(self.path(place)))
            self._outdated.pop(place, None)
        shutil.rmtree(folder.path, ignore_errors=True)

    def _write_card(self, path: Path, card: Card) -> None:
        write_whole(path.with_name(CARD), msgspec.json.encode(replace(card, written=card.as_of)))

    # -- for doors that fetch

    def piece(self, place: Place, digest: bytes, number: int) -> bytes | None:
        """A stretch of the start or of a part of the bundle that is offered; None when there is none such."""
        index = self._index(place)
        if index is None:
            return None
        whole = index.start if digest == digest_of(index.start) else self._part(place, digest, index)
        at = number * PIECE_BYTES
        return whole[at : at + PIECE_BYTES] if whole is not None and (at < len(whole) or not number) else None

    def _part(self, place: Place, digest: bytes, index: _Index) -> bytes | None:
        length = index.lengths.get(digest)
        part = self._folder_of(place).read(digest, length) if length is not None else None
        if length is not None and part is None:
            log.error("access shelf path=%s part=%s is damaged; mend='its bundle is made anew'", self.path(place), digest.hex())
            self.path(place).with_name(CARD).unlink(missing_ok=True)
            self._on_damage(place)
        return part

    def forget(self, place: Place) -> None:
        """Another bundle is offered now, or none: what is of the one before goes."""
        self._open.pop(place, None)
        with self._lock:
            folder = self._folder_of(place)
            for digest in self._outdated.pop(place, ()):
                folder.drop(digest)

    def _index(self, place: Place) -> _Index | None:
        index = self._open.get(place)
        if index is None:
            try:
                start, head = self._start(self.path(place))
            except (OSError, BundleError) as error:
                log.error("access shelf path=%s error=%s", self.path(place), error)
                return None
            index = self._open[place] = _Index(start, {part.digest: part.length for part in head.parts})
        self._open.move_to_end(place)
        while len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return index


def _says(head: Head) -> object:
    """What a bundle means to its door: two that are equal in it need not be exchanged."""
    fields = (head.credentials, head.profiles, head.cardholder_fields, head.credential_fields, head.parts)
    return fields, _meaning(head.rules)


def _meaning(rules: msgspec.Raw) -> dict[str, bytes]:
    """The rules but for their version."""
    fields = msgspec.msgpack.decode(rules, type=dict[str, msgspec.Raw])
    return {name: bytes(raw) for name, raw in fields.items() if name != "version"}


def _content(rules: AccessRules, people: bytes) -> bytes:
    """Of people and rules; empty where that of people is."""
    whole = msgspec.msgpack.encode((people, _meaning(rules_to(rules))))
    return hashlib.blake2b(whole, digest_size=DIGEST_BYTES).digest() if people else b""


def _shelved(start: bytes, head: Head, card: Card) -> Shelved:
    rules = rules_from(head.rules, Roll())
    bulk = Bulk(version=rules.version, start_digest=digest_of(start), start_length=len(start), parts=len(head.parts),
                size=len(start) + sum(part.length for part in head.parts))  # fmt: skip
    return Shelved(bulk=bulk, card=card, profiles=frozenset(rules.profiles))
