"""Which pieces doors wait for. Doors take turns, and each waits for a few at a time, however much it asks for."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.errors import WireError
from agent.link.session import Say
from agent.records.access_offer import LONGEST_START
from agent.records.bundle_pieces import PIECE_BYTES
from central.access.shelf import Place

MOST_A_DOOR = 128
"""A door asks for some 6 at a time; one that is damaged gets no more than this in a row."""
MOST_BYTES = 16 << 10
_NAME = re.compile(r"([0-9a-f]{64})/([0-9]{1,4})\Z")
_MOST_NUMBER = LONGEST_START // PIECE_BYTES


class Want(Struct, frozen=True, forbid_unknown_fields=True):
    """What a door asks for: names as agent.records.bundle_pieces makes them."""

    pieces: Annotated[tuple[str, ...], Meta(max_length=MOST_A_DOOR)]


_WANT = msgspec.json.Decoder(Want)


def parse_want(payload: bytes) -> list[tuple[bytes, int]]:
    """Raises WireError."""
    if len(payload) > MOST_BYTES:
        raise WireError(f"want of {len(payload)} bytes; at most {MOST_BYTES}")
    try:
        names = _WANT.decode(payload).pieces
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"want: {error}") from error
    return [_piece(name) for name in names]


def _piece(name: str) -> tuple[bytes, int]:
    found = _NAME.match(name)
    if found is None or int(found[2]) > _MOST_NUMBER:
        raise WireError(f"want: {name[:80]!r} is no piece; HASH/NUMBER with 64 digits of 0-9 and a-f, and at most {_MOST_NUMBER}")
    return bytes.fromhex(found[1]), int(found[2])


PIECES_A_TURN = 8


class Wanted:
    """Of one thread."""

    def __init__(self) -> None:
        self._doors: OrderedDict[Place, OrderedDict[tuple[bytes, int], None]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(pieces) for pieces in self._doors.values())

    def __bool__(self) -> bool:
        return bool(self._doors)

    def add(self, place: Place, payload: bytes) -> None:
        """Raises WireError for what is no question."""
        pieces = self._doors.get(place, OrderedDict())
        for piece in parse_want(payload):
            if len(pieces) < MOST_A_DOOR:
                pieces[piece] = None
        if pieces:
            self._doors[place] = pieces

    def next(self) -> tuple[Place, bytes, int] | None:
        """The oldest question of the door that was served longest ago."""
        if not self._doors:
            return None
        place, pieces = self._doors.popitem(last=False)
        (digest, number), _ = pieces.popitem(last=False)
        if pieces:
            self._doors[place] = pieces
        return place, digest, number


def send_pieces(say: Say, wanted: Wanted, piece_of: Callable[[Place, bytes, int], bytes | None], below: str) -> float:
    """Send what doors wait for on `doorward/SITE/DOOR/BELOW/HASH/NUMBER`, no faster than the broker takes it. Returns how long the session's
    next turn may wait, in seconds."""
    for _ in range(PIECES_A_TURN):
        found = None if say.is_behind else wanted.next()
        if found is None:
            break
        (site, door), digest, number = found
        piece = piece_of((site, door), digest, number)
        if piece is not None:
            say.publish(f"doorward/{site}/{door}/{below}/{digest.hex()}/{number}", piece, qos=0)
    return 0.0 if wanted and not say.is_behind else 60.0
