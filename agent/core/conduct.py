"""What people do before a door, as measurements held against what is usual there: vision's word to the door, and the door's to vision.

A measurement has a unit, the time that it was measured over and a confidence; nothing here is a verdict on a mind. What could not be
measured is not there, and is named in `abstained`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

FloorKind = Literal["measured", "assumed", "moved", "none"]
"""Where metres come from: points that the installer marked; a lens and a height that were assumed; `moved`: marked for a camera that has
been moved since, so that nothing is told in metres; `none`."""


class Usual(Struct, frozen=True, kw_only=True):
    """What ordinary visits show, in the measurement's own unit."""

    median: float
    low: float
    """One visit in twenty shows less,"""
    high: float
    """and one in twenty more."""
    visits: float
    """How many visits that was learned from; older ones count for less."""
    of: Literal["hour", "door", "cardholder", "similar_doors", "nothing_yet"]
    """Whose norm: this hour of the week at this door, this door, this cardholder here, doors like this one; or what Doorward supposes of a
    door that it does not know yet."""


class Evidence(Struct, frozen=True, kw_only=True):
    """One thing that was measured. `kind` is a row of agent.core.evidence.KINDS, which has its unit and its sentence."""

    kind: str
    value: float
    over_s: float = 0.0
    """The time that it was measured over; 0 where there is none."""
    confidence: float = 1.0
    """0..1: how well it could be measured."""
    usual: Usual | None = None
    """None where there is no norm: for what is never usual."""
    p: float | None = None
    """The share of ordinary visits that show as much or more (less, where little is odd): small is odd. None without a norm."""
    detail: str = ""
    """More for people, e.g. "3 left, 2 right" or a zone's name."""
    track: int | None = None
    """The body track it is about; None for the place itself."""
    face: int | None = None
    at_s: float = 0.0
    """When it was last true."""


class PersonConduct(Struct, frozen=True, kw_only=True):
    """One person in view."""

    body: int | None
    face: int | None
    """Tracks, as in Observation; a person may show only one of them."""
    since_s: float
    zone: str = ""
    at_m: tuple[float, float] | None = None
    """On the floor: x to the right of the picture, y away from the door, from the middle of its threshold."""
    speed_m_s: float | None = None
    evidence: tuple[Evidence, ...] = ()
    abstained: tuple[str, ...] = ()
    """What could not be measured and why, e.g. "glances: too_small"."""


class Conduct(Struct, frozen=True, kw_only=True, tag="conduct"):
    """Everybody in view, and the place. vision -> door, newest wins."""

    at_s: float
    persons: tuple[PersonConduct, ...]
    scene: tuple[Evidence, ...] = ()
    """About the place and about several people at once: tailgating, crowding, something left behind."""
    in_zones: dict[str, int] = {}
    """How many people are in each zone, by its name; nobody who cannot be placed."""
    crossed: dict[str, tuple[int, int]] = {}
    """How often each line was crossed inwards and outwards since the vision program started."""
    floor: FloorKind = "none"
    norms: str = ""
    """Edition of the norms, for explanations."""


class DoorNews(Struct, frozen=True, kw_only=True, tag="door_news"):
    """What happened at the door, for what is measured of people. door -> vision."""

    at_s: float
    what: Literal["granted", "denied", "first_of_two", "leaving", "released", "opened", "closed", "forced"]
    """`leaving`: a request to exit, or a reader that leads out; `released`: opened by command, schedule or fire: nobody is counted."""
    credential: str = ""
    """The read, as its case is known here: two reads of two credentials let two people in. Never the number of the fob."""
    face: int | None = None
    """The face track that was compared."""
    norm_key: str = ""
    """Under which this cardholder's own norms are kept, where they have consented; a keyed hash, no name."""
    persons: int = 1
    """How many people it lets through."""
    pulse_s: float = 0.0
    """For how long the lock lets go for them; 0 where that is not told."""
