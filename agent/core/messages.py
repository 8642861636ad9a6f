"""The declared message table: everything that crosses a process or a pipe inside one controller.

All types are frozen. Times called `*_s` are CLOCK_MONOTONIC seconds (one clock for all processes of a controller), wall-clock times
are timezone-aware `datetime`s. A message has a rate at which it is expected and an age after which it may no longer be believed.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

from msgspec import Struct

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of the camera's frame; may reach past its edges."""


class Rule(Struct, frozen=True):
    """How often a message is expected and how long it may be believed."""

    rate_hz: float
    max_age_s: float


class FaceSeen(Struct, frozen=True, kw_only=True):
    """One tracked face in one frame."""

    track: int
    box_px: Box
    score: float
    """The detector's score, 0..1."""
    quality: float
    """How far the face can be trusted for comparison, 0..1."""
    first_seen_s: float
    embedding: bytes = b""
    """Unit-length mean embedding of the track, float32 little-endian; empty until one was computed."""
    embedded_s: float = 0.0
    """When the newest picture in that mean was taken."""
    pictures: int = 0
    """How many pictures the mean holds."""


class Observation(Struct, frozen=True, kw_only=True, tag="observation"):
    """Who is in view, in one frame. vision -> door, newest wins."""

    frame: int
    taken_s: float
    frame_px: tuple[int, int]
    """Width and height."""
    faces: tuple[FaceSeen, ...]
    embedder_id: str
    engine: str
    chain_ms: float


class VisionHealth(Struct, frozen=True, kw_only=True, tag="vision_health"):
    """How the vision program is. vision -> door."""

    at_s: float
    ok: bool
    camera: str
    engine: str
    frames_per_s: float
    faults: tuple[str, ...] = ()


class EvidenceRequest(Struct, frozen=True, kw_only=True, tag="evidence"):
    """Asks vision to keep the picture that a decision was taken on. door -> vision."""

    event_id: str
    taken_s: float
    granted: bool
    headline: str
    """A line for people, e.g. 'DENIED face_mismatch'."""
    detail: tuple[str, ...] = ()
    track: int | None = None
    score: float | None = None
    threshold: float | None = None


FromVision = Observation | VisionHealth
ToVision = EvidenceRequest

TABLE: dict[type, Rule] = {
    Observation: Rule(rate_hz=15.0, max_age_s=0.5),
    VisionHealth: Rule(rate_hz=1.0, max_age_s=3.0),
}
"""An observation older than half a second says nothing about who stands here now: at 1.5 m/s a person has moved 75 cm."""

CLOCK_SLACK_S = 0.1
"""All programs of a controller read one clock: what claims to be later than now, by more than this, is not believed."""


class CredentialRead(Struct, frozen=True, kw_only=True):
    """A credential that was read whole and passed its checks."""

    reader: str
    format: str
    facility: int
    card: int
    bits: str
    read_s: float
    """Time of the last bit."""

    @property
    def key(self) -> str:
        """The name under which access rules know this credential."""
        return credential_key(self.format, self.facility, self.card)


def credential_key(format_name: str, facility: int, card: int) -> str:
    return f"{format_name}:{facility}:{card}"


class ReadFault(Struct, frozen=True, kw_only=True):
    """Something arrived at a reader that is not a credential."""

    reader: str
    fault: str
    """parity, length, overrun, framing"""
    bits: str
    at_s: float


class DoorMode(enum.Enum):
    """ONVIF Door Control, DoorMode: the states this door takes."""

    LOCKED = "Locked"
    UNLOCKED = "Unlocked"
    ACCESSED = "Accessed"
    BLOCKED = "Blocked"
    LOCKED_DOWN = "LockedDown"
    LOCKED_OPEN = "LockedOpen"


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened at this door and must never be lost."""

    sequence: int
    journal: str
    """Which journal counted: a new journal (new disk, set aside as corrupt) starts a new count."""
    id: str
    kind: str
    """e.g. access.granted; docs/PROTOCOL.md lists them."""
    at: datetime
    mono_s: float
    data: dict[str, Any]
