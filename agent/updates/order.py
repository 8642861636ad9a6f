"""What the centre wants of a door, for one kind of update: which package is to be in force there, or tried beside the one that is.

On the wire as `agent.records.signed_word` says. An order is a state that is wanted and not a step, so it may be heard late, twice or never:
the newest one, by its serial number, is all a door needs to know. One with a lower number than a door has heard is left: what is said again
by somebody who kept it takes nobody back to an older version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from nacl.signing import SigningKey, VerifyKey

from agent.records.signed_word import checked_word, demand_place, signed_word, word_in
from agent.updates.package import MOST_HEAD_BYTES, MOST_PARTS, PART_BYTES, Digest, Kind, Number, Version

MAGIC = b"doorward update order 1\n"
MOST_BYTES = 8 << 10

_Level = Annotated[str, Meta(min_length=1, max_length=40)]


class Package(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which one."""

    number: Number
    version: Version
    head: Digest
    """BLAKE2b-256 of its head."""
    head_length: Annotated[int, Meta(ge=1, le=MOST_HEAD_BYTES)]
    size_b: Annotated[int, Meta(ge=1, le=MOST_PARTS * PART_BYTES)]


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The word."""

    site: _Level
    door: _Level
    kind: Kind
    serial: Annotated[int, Meta(ge=1, le=1 << 62)]
    """Of the centre's orders to this door; microseconds since 1970, and always more than the one before."""
    made: Annotated[datetime, Meta(tz=True)]
    package: Package | None
    """None: what came with the program, and what the door's own file says."""
    shadow: bool = False
    """Models only: run them beside those in force and compare. What is in force stays."""
    back: bool = False
    """An older version may replace a newer one."""
    new_embedder: bool = False
    """Nobody is enrolled here: faces may be compared by another network than before."""


# Made here and not at the first use: see agent.records.signed_word
_ORDER = msgspec.json.Decoder(Order)


def signed_order(order: Order, centre: SigningKey) -> bytes:
    return signed_word(order, MAGIC, centre)


def checked_order(payload: bytes, centre: VerifyKey, site: str, door: str) -> Order:
    """Raises BundleError for what is not the centre's to the last byte, for another door, or malformed."""
    order = checked_word(payload, MAGIC, _ORDER, centre, MOST_BYTES, "order")
    demand_place((order.site, order.door), (site, door), "order")
    return order


def order_in(payload: bytes) -> Order:
    """What an order says, whoever signed it: for people who look. Raises BundleError."""
    return word_in(payload, _ORDER, "order")
