"""Fetching items that are known by their BLAKE2b-256, piece by piece, a few pieces at a time: pure, time is an argument.

A piece is named `DIGEST/NUMBER`: the item's hash in hexadecimal and which of its stretches of 96 KiB it is. Whatever comes that was not asked
for, or not so, is left; an item whose pieces do not make up its hash is asked for again. So is what does not come, ever more rarely while
nothing comes. So loss, repetition, disorder and damage cost time and nothing else, and memory has a bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from msgspec import Struct

from agent.records.bundle_parts import digest_of

PIECE_BYTES = 96 << 10
"""Below the 128 KiB that some brokers take at most."""
WINDOW = 6
"""Pieces asked for and not here yet. They lie between the broker and a command for the door: 0.5 s of a wire of 10 Mbit/s."""
ASK_AGAIN_S = 4.0
MOST_PATIENCE = 16


def pieces_in(length: int) -> int:
    return max(1, math.ceil(length / PIECE_BYTES))


def name_of(digest: bytes, number: int) -> str:
    return f"{digest.hex()}/{number}"


class _Open(Struct):
    """An item of which some pieces were asked for."""

    length: int
    here: dict[int, bytes]


class Pieces:
    """What is still to be fetched. Not thread-safe."""

    def __init__(self, items: Mapping[bytes, int]) -> None:
        """`items`: hash -> length in bytes."""
        self._items = dict(items)
        self._waiting = self._names()
        self._asked: dict[str, float] = {}
        """Piece -> when it was asked for last."""
        self._open: dict[bytes, _Open] = {}
        self._patience = 1

    def _names(self) -> Iterator[tuple[bytes, int]]:
        return ((digest, number) for digest, length in list(self._items.items()) for number in range(pieces_in(length)))

    def __len__(self) -> int:
        """Items that are not here."""
        return len(self._items)

    @property
    def in_memory(self) -> int:
        """Bytes of items that are not whole."""
        return sum(len(piece) for item in self._open.values() for piece in item.here.values())

    def again(self) -> None:
        """What was asked for may be lost: a new connection, or a word from the centre."""
        self._patience = 1
        self._asked = dict.fromkeys(self._asked, -math.inf)

    def wanted(self, now_s: float) -> list[str]:
        """Pieces to ask for now."""
        overdue = [name for name, asked_s in self._asked.items() if now_s - asked_s >= self._timeout_s]
        if any(self._asked[name] > -math.inf for name in overdue):
            self._patience = min(MOST_PATIENCE, 2 * self._patience)
        room = range(WINDOW - len(self._asked))  # first in zip: it ends before a piece is taken out that has no room
        fresh = [self._begun(*piece) for _, piece in zip(room, self._waiting, strict=False)]
        self._asked.update(dict.fromkeys((*overdue, *fresh), now_s))
        return [*overdue, *fresh]

    def _begun(self, digest: bytes, number: int) -> str:
        self._open.setdefault(digest, _Open(self._items[digest], {}))
        return name_of(digest, number)

    def due_s(self) -> float:
        """When something is to be asked for again; infinity while nothing is under way."""
        return min(self._asked.values(), default=math.inf) + self._timeout_s

    @property
    def _timeout_s(self) -> float:
        return ASK_AGAIN_S * self._patience

    def took(self, name: str, piece: bytes, now_s: float) -> tuple[bytes, bytes] | None:
        """A piece came. Returns hash and bytes of the item that it completes, once for each item."""
        if name not in self._asked:
            return None
        digest, number = bytes.fromhex(name[:64]), int(name[65:])
        item = self._open[digest]
        if len(piece) != min(PIECE_BYTES, item.length - number * PIECE_BYTES):
            return None
        del self._asked[name]
        self._patience = 1
        item.here[number] = piece
        return self._whole(digest, item, now_s)

    def _whole(self, digest: bytes, item: _Open, now_s: float) -> tuple[bytes, bytes] | None:
        count = pieces_in(item.length)
        if len(item.here) < count:
            return None
        whole = b"".join(item.here[number] for number in range(count))
        item.here = {}
        if digest_of(whole) != digest:
            # as if it had just been asked for: whoever sends rubbish is not asked at full speed
            self._asked.update({name_of(digest, number): now_s for number in range(count)})
            return None
        del self._items[digest], self._open[digest]
        return digest, whole
