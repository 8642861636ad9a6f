"""What the historian says that it has committed: ranges of sequences of one journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.errors import WireError

_Count = Annotated[int, Meta(ge=0, lt=1 << 40)]


class Ack(Struct, frozen=True, forbid_unknown_fields=True):
    """Both ends of a range are included. `resend`: the historian has just started, send everything now that it has not acknowledged."""

    journal: Annotated[str, Meta(pattern=r"^[a-z0-9]{0,32}\Z")]
    ranges: Annotated[list[tuple[_Count, _Count]], Meta(max_length=2000)]
    resend: bool = False

    def covers(self, sequence: int) -> bool:
        return any(first <= sequence <= last for first, last in self.ranges)


_decoder = msgspec.json.Decoder(Ack)


def parse_ack(raw: bytes) -> Ack:
    """Raises WireError, whatever the bytes."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise WireError(f"not an acknowledgement: {error}") from error


def encode_ack(ack: Ack) -> bytes:
    return msgspec.json.encode(ack)


def as_ranges(sequences: Sequence[int]) -> list[tuple[int, int]]:
    """Numbers as ranges, both ends included: [1, 2, 3, 7] -> [(1, 3), (7, 7)]."""
    ranges: list[tuple[int, int]] = []
    for sequence in sorted(set(sequences)):
        if ranges and sequence == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], sequence)
        else:
            ranges.append((sequence, sequence))
    return ranges
