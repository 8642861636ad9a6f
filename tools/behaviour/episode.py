"""One episode before a door: who walks where, what the door says of it, at which hour, and what must come of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from agent.core.messages import Liveness
from demo.walks import Walk

What = Literal["granted", "denied", "first_of_two", "leaving", "released", "opened", "closed", "forced"]


class News(Struct, frozen=True, kw_only=True):
    """What happens at the door. `who` is the number of the walk whose face was compared."""

    at_s: float
    what: What
    credential: str = ""
    who: int | None = None
    persons: int = 1
    refused_for: Literal["", "face_mismatch", "presentation_attack"] = ""
    """A harder fact, which the door itself knows."""


class Must(Struct, frozen=True, kw_only=True):
    """What must come of an incident: the evidence by which it is known, an alarm, and since when it could be seen."""

    kinds: tuple[str, ...]
    """One of these must be in the risk of the alarm."""
    true_s: float
    """From here on it is true, and the alarm's delay is counted."""
    because: str
    """Why then."""


class Episode(Struct, frozen=True, kw_only=True):
    """A stretch of time before one door."""

    name: str
    """What kind it is."""
    seed: int
    wall: datetime
    """Local time at its beginning."""
    walks: tuple[Walk, ...]
    news: tuple[News, ...] = ()
    ends_s: float
    tamper: tuple[tuple[float, float, str], ...] = ()
    """The camera from, until, and in vision's word what was done to it: nothing is seen meanwhile."""
    liveness: Liveness | None = None
    must: Must | None = None
    """None for an ordinary pass: no alarm may come of it."""
