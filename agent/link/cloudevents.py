"""Events as CloudEvents 1.0 in JSON (cloudevents.io: spec 1.0.2 and its JSON format; extension 'sequence').

Extensions: `sequence` (zero-padded, so that it sorts as text), `journal` (who counted), `mono` (the controller's monotonic seconds, as text:
CloudEvents has no fractions), `boot` (which start of the machine counts these) and `clock` (how far `time` may be believed). One document for
the wire, the demo's output and the command line.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from agent.core.messages import Event
from agent.errors import WireError

TYPE_PREFIX = "doorward."
SEQUENCE_DIGITS = 13
MAX_BYTES = 256 * 1024

_Kind = Annotated[str, Meta(pattern=r"^doorward\.[a-z0-9_.]{1,80}\Z")]
_Source = Annotated[str, Meta(pattern=r"^/doorward/[a-z0-9_-]{1,40}/[a-z0-9_-]{1,40}\Z")]
_Sequence = Annotated[str, Meta(pattern=r"^[0-9]{1,13}\Z")]
_JournalId = Annotated[str, Meta(pattern=r"^[a-z0-9]{1,32}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=100)]
_Aware = Annotated[datetime, Meta(tz=True)]
_Standing = Literal["synchronised", "held", "unsure"]


class CloudEvent(Struct, frozen=True, kw_only=True):
    """The attributes that Doorward sets. Others are let pass, as the standard asks."""

    specversion: Annotated[str, Meta(pattern=r"^1\.0\Z")] = "1.0"
    type: _Kind
    source: _Source
    id: _Text
    time: _Aware
    sequence: _Sequence
    journal: _JournalId
    mono: _Text
    boot: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")] | UnsetType = UNSET
    clock: _Standing | UnsetType = UNSET
    datacontenttype: Annotated[str, Meta(pattern=r"^application/json\Z")] = "application/json"
    data: dict[str, Any]


class Told(Struct, frozen=True):
    """An event and the door that tells it."""

    site: str
    door: str
    event: Event


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(CloudEvent)


def to_cloudevent(event: Event, site: str, door: str) -> bytes:
    """JSON of an event of a door, in UTF-8."""
    return _encoder.encode(
        CloudEvent(
            type=TYPE_PREFIX + event.kind,
            source=f"/doorward/{site}/{door}",
            id=event.id,
            time=event.at.astimezone(timezone.utc),
            sequence=f"{event.sequence:0{SEQUENCE_DIGITS}d}",
            journal=event.journal,
            mono=repr(event.mono_s),
            boot=event.boot or UNSET,
            clock=cast("_Standing", event.clock) or UNSET,
            data=event.data,
        )
    )


def from_cloudevent(raw: bytes) -> Told:
    """The event in a JSON document. Raises WireError for everything that is not one of ours, whatever the bytes."""
    if len(raw) > MAX_BYTES:
        raise WireError(f"an event of {len(raw)} bytes: at most {MAX_BYTES}")
    try:
        found = _decoder.decode(raw)
        mono_s = float(found.mono)
        found.time.astimezone(timezone.utc)  # the first and the last day of the calendar have no UTC in every zone
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"not an event of a door: {error}") from error
    if not math.isfinite(mono_s):
        raise WireError(f"not an event of a door: mono is {found.mono!r}, seconds are allowed")
    _, _, site, door = found.source.split("/")
    return Told(site, door, _event(found, mono_s))


def _event(found: CloudEvent, mono_s: float) -> Event:
    return Event(
        sequence=int(found.sequence),
        journal=found.journal,
        id=found.id,
        kind=found.type[len(TYPE_PREFIX) :],
        at=found.time,
        mono_s=mono_s,
        data=found.data,
        boot=found.boot or "",
        clock=found.clock or "",
    )


KIND = re.compile(r"^[a-z0-9_.]{1,80}\Z")
"""What the name of a kind of event may look like."""
