"""What the centre offers a door: which bundle there is to fetch, and which credentials are withdrawn already before it is fetched.

On the wire it is JSON with `word` and `signature` in base64, as the centre's word about norms is; the signature is Ed25519 of `MAGIC` and
the word's bytes, which are JSON of `Offer`. Withdrawals in it are sealed for the door's key. A door leaves an offer
whose `revision` is lower than that of the offer it has, so an old one that is said again does nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from nacl.signing import SigningKey, VerifyKey

from agent.core.withdrawn import Withdrawal
from agent.errors import BundleError
from agent.records.bundle_file import FRAME, MAX_BYTES, MAX_HEAD_BYTES
from agent.records.bundle_file import MAGIC as BUNDLE_MAGIC
from agent.records.bundle_parts import DIGEST_BYTES
from agent.records.people_file import MAX_PARTS
from agent.records.signed_word import checked_word, demand_place, signed_word, word_in

MAGIC = b"doorward access offer 1\n"
MOST_BYTES = 128 << 10
"""Of an offer on the wire: what brokers take."""
MOST_WITHDRAWN = 2000
LONGEST_START = len(BUNDLE_MAGIC) + FRAME.size + MAX_HEAD_BYTES

_Count = Annotated[int, Meta(ge=0, le=1 << 62)]
_Level = Annotated[str, Meta(min_length=1, max_length=40)]


class Bulk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The bundle that a door may fetch."""

    version: Annotated[int, Meta(ge=1, le=1 << 62)]
    start_digest: Annotated[bytes, Meta(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
    """BLAKE2b-256 of everything before the parts."""
    start_length: Annotated[int, Meta(ge=1, le=LONGEST_START)]
    parts: Annotated[int, Meta(ge=1, le=MAX_PARTS)]
    size: Annotated[int, Meta(ge=1, le=MAX_BYTES + LONGEST_START)]
    """Of the whole file in bytes."""


class Offer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The word."""

    site: _Level
    door: _Level
    made: Annotated[datetime, Meta(tz=True)]
    """When this bundle was offered first."""
    revision: _Count
    """Of the centre's people when this was said; withdrawals are complete up to it."""
    as_of: _Count = 0
    """The bundle says what the centre's people of this revision are to the door: since its version nothing changed for this door."""
    bundle: Bulk | None = None
    """None: none was made yet."""
    withdrawn: bytes = b""
    """A sealed box of libsodium (X25519) for the door's key, with msgpack of a list of Withdrawal."""

    @property
    def version(self) -> int:
        return self.bundle.version if self.bundle is not None else 0

    def is_older_than(self, other: Offer) -> bool:
        return (self.revision, self.version) < (other.revision, other.version)


# Made here and not at the first use: two threads that decode a type for the first time at the same moment kill the program (msgspec 0.22)
_OFFER = msgspec.json.Decoder(Offer)
_WITHDRAWN = msgspec.msgpack.Decoder(tuple[Withdrawal, ...])


def signed_offer(offer: Offer, centre: SigningKey) -> bytes:
    return signed_word(offer, MAGIC, centre)


def checked_offer(payload: bytes, centre: VerifyKey, site: str, door: str) -> Offer:
    """What the centre offers this door. Raises BundleError for what is not the centre's to the last byte, for another door, or malformed."""
    offer = checked_word(payload, MAGIC, _OFFER, centre, MOST_BYTES, "offer")
    demand_place((offer.site, offer.door), (site, door), "offer")
    return offer


def offer_in(payload: bytes) -> Offer:
    """What an offer says, whoever signed it: for people who look. Raises BundleError."""
    return word_in(payload, _OFFER, "offer")


def sealed(withdrawn: tuple[Withdrawal, ...], door: PublicKey) -> bytes:
    """Raises BundleError for more than an offer holds, and for a key that is none."""
    if len(withdrawn) > MOST_WITHDRAWN:
        raise BundleError(f"{len(withdrawn)} withdrawals; at most {MOST_WITHDRAWN}")
    try:
        return SealedBox(door).encrypt(msgspec.msgpack.encode(withdrawn)) if withdrawn else b""
    except CryptoError as error:
        raise BundleError(f"nothing can be sealed for the key {bytes(door).hex()}: {error}") from error


def opened(box: bytes, door: PrivateKey) -> tuple[Withdrawal, ...]:
    """Raises BundleError for what was not sealed for this door."""
    if not box:
        return ()
    try:
        withdrawn = _WITHDRAWN.decode(SealedBox(door).decrypt(box))
    except (msgspec.MsgspecError, CryptoError, ValueError, TypeError) as error:
        raise BundleError(f"withdrawals are not sealed for this door's key, or for a newer program: {error}") from error
    if len(withdrawn) > MOST_WITHDRAWN:
        raise BundleError(f"{len(withdrawn)} withdrawals; at most {MOST_WITHDRAWN}")
    return withdrawn
