"""What doors and the centre tell each other about norms: a door's own counts up, those of doors like it down.

`kinds` is opaque here: counts by kind of evidence, as agent.behaviour.sketch writes them down. The programs that only pass it on need not
understand it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

MOST_BYTES = 64 << 10
"""A door's counts take about 6 kB; no program reads more than this."""
MOST_WITHDRAWN = 1000
Id = Annotated[str, Meta(max_length=200)]
Aware = Annotated[datetime, Meta(tz=True)]


class DoorNorms(Struct, frozen=True, kw_only=True):
    """What a door's visits show, at all hours and of nobody in particular. vision -> door (a file) -> centre (a retained state)."""

    made: Aware
    place: Annotated[str, Meta(max_length=64)]
    """Another word for another view or floor that they were measured with; says no more."""
    visits: Annotated[int, Meta(ge=0)]
    kinds: msgspec.Raw


class CentreWord(Struct, frozen=True, kw_only=True):
    """What the centre tells one door; signed (agent.records.norms_post)."""

    site: str
    door: str
    made: Aware
    """A word that is not newer than the last is not taken."""
    doors: Annotated[int, Meta(ge=0)] = 0
    """From how many doors the counts come."""
    kinds: msgspec.Raw = msgspec.Raw(b"{}")
    withdrawn: Annotated[tuple[Id, ...], Meta(max_length=MOST_WITHDRAWN)] = ()
    """Cardholders who no longer agree to norms of their own."""


class VisionWord(Struct, frozen=True, kw_only=True):
    """What the door passes on. door -> vision, a file."""

    made: Aware
    kinds: msgspec.Raw
    forget: tuple[str, ...] = ()
    """Norm keys (agent.core.norm_keys)."""
