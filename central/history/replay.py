"""Events from a file into a database: a new one, or one that has some of them. Doing it twice changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta, Struct

from agent.errors import WireError
from agent.link.cloudevents import MAX_BYTES, Told, from_cloudevent
from central.history.events import EventStore
from central.history.export import lines_of

BATCH = 1000


class Replayed(Struct):
    """What became of the lines."""

    new: int = 0
    repeated: int = 0
    conflicts: int = 0
    gaps: int = 0


class _Received(Struct, frozen=True):
    received: Annotated[datetime, Meta(tz=True)] | None = None


_decoder = msgspec.json.Decoder(_Received)


def replay(
    store: EventStore, file: BinaryIO, name: str, now: datetime, tell: Callable[[Replayed], None] = lambda so_far: None
) -> Replayed:
    """Commit the events of a file of CloudEvents, one a line; those without `received` count as received now.

    Raises WireError that names the line at the first that is no event (what is before it is in the database by then), StoreError.
    """
    events, sum_ = _events(file, name, now), Replayed()
    while batch := list(islice(events, BATCH)):
        outcome = store.take(batch, [], now)
        sum_.new += outcome.new
        sum_.repeated += outcome.repeated
        sum_.conflicts += len(outcome.conflicts)
        sum_.gaps += len(outcome.gaps)
        tell(sum_)
    return sum_


def _events(file: BinaryIO, name: str, now: datetime) -> Iterator[tuple[Told, datetime]]:
    for number, line in enumerate(lines_of(file, MAX_BYTES), 1):
        if line:
            yield _event(line, f"{name}, line {number}", now)


def _event(line: bytes, where: str, now: datetime) -> tuple[Told, datetime]:
    try:
        return from_cloudevent(line), _decoder.decode(line).received or now
    except (WireError, msgspec.DecodeError) as error:
        raise WireError(f"{where}: {error}") from error
