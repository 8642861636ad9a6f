"""Who goes into bundles, read from the database once for all doors that are told of the same people."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import msgspec
from msgspec import Struct

from agent.core.people import Issued
from agent.records.people_file import Columns
from central.access.shelf import Place
from central.people.people import People

MOST_SHARED = 20_000
"""Cardholders; more are not kept in memory but read anew for each door, as its bundle is written."""


class Reading(Struct, frozen=True):
    """People as they were at that revision, or later."""

    version: int
    people: Iterable[Issued]
    """To be gone through once, where `content` is empty."""
    in_use: set[str]
    """Credentials that let somebody in, as far as people were gone through."""
    content: bytes
    """A hash of all of them; empty when there are too many to look at beforehand."""


class Readings:
    """Of one round of making bundles."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._shared: dict[frozenset[str], Reading] = {}

    def of(self, place: Place, profiles: frozenset[str]) -> Reading:
        """Doors with the same profiles are told of the same people."""
        if profiles in self._shared:
            return self._shared[profiles]
        version, in_use = (
            max(1, self._people.revision),
            set[str](),
        )  # before anybody is read: who comes in meanwhile is in the next one, too
        people = _noting(self._people.issued_for(*place), in_use)
        first = tuple(islice(people, MOST_SHARED + 1))
        if len(first) > MOST_SHARED:
            return Reading(version, chain(first, people), in_use, b"")
        reading = self._shared[profiles] = Reading(version, first, in_use, _content(first))
        return reading


def in_use_of(people: Iterable[Issued]) -> set[str]:
    """Credentials that let somebody in."""
    return {
        each.key for issued in people if not issued.cardholder.suspended for each in issued.credentials if each.state == "active"
    }


def _noting(people: Iterable[Issued], in_use: set[str]) -> Iterator[Issued]:
    for issued in people:
        in_use.update(in_use_of((issued,)))
        yield issued


def _content(people: Iterable[Issued]) -> bytes:
    """Also of how this program writes people: after an update that adds a field every bundle is made anew."""
    digest, encode = hashlib.blake2b(digest_size=32), msgspec.msgpack.Encoder().encode
    digest.update(encode((Columns.HERE.cardholder, Columns.HERE.credential)))
    for issued in people:
        digest.update(encode(issued))
    return digest.digest()
