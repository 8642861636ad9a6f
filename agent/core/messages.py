"""The declared message table: everything that crosses a process or a pipe inside one controller.

All types are frozen. Times called `*_s` are CLOCK_MONOTONIC seconds (one clock for all processes of a controller), wall-clock times
are timezone-aware `datetime`s. A message has a rate at which it is expected and an age after which it may no longer be believed.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from agent.core.conduct import Conduct, DoorNews

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of the camera's frame; may reach past its edges."""


class Rule(Struct, frozen=True):
    """How often a message is expected and how long it may be believed."""

    rate_hz: float
    max_age_s: float


class HeadPose(Struct, frozen=True, kw_only=True):
    """How a head is turned, seen from the camera; all zero looks straight into it."""

    yaw_deg: float
    """Positive when the nose points to the right side of the picture."""
    pitch_deg: float
    """Positive when the nose points up."""
    roll_deg: float
    """Positive when the head leans clockwise in the picture."""
    confidence: float
    """0..1; below the stage's limit nothing is concluded from it."""


Pose = Literal["front", "left", "right"]
"""How a head is wanted for a template (agent.core.poses); `left` is the person's own."""


class Gaze(Struct, frozen=True, kw_only=True):
    """Where the eyes look, seen from the camera (head and eyes together), signs as in HeadPose."""

    yaw_deg: float
    pitch_deg: float
    confidence: float


class Attention(Struct, frozen=True, kw_only=True):
    """What a track's head and eyes did, as far as they could be measured. None means: could not be measured, and nothing is guessed."""

    head: HeadPose | None = None
    gaze: Gaze | None = None
    away: bool | None = None
    """Looks away from where this person usually looks (learned on the track, with hysteresis)."""
    eyes_open: float | None = None
    """0 closed .. 1 as open as this person's eyes usually are."""
    blinks: int = 0
    """Since the track began."""
    abstained: str = ""
    """Why something is None, e.g. too_small, turned_away, glasses, too_dark."""


class Liveness(Struct, frozen=True, kw_only=True):
    """Whether a track's face is a person in the flesh or a picture of one."""

    verdict: Literal["live", "attack", "unsure"]
    score: float
    """0 attack .. 1 live."""
    reason: str
    """The strongest cue in one word for the record, e.g. moves_as_a_plane, blinked, not_enough_motion."""
    watched_s: float
    """How long the track was watched for it."""


class Expression(Struct, frozen=True, kw_only=True):
    """Calibrated probabilities of expressions, smoothed over a track. Never made in a profile that forbids it (docs/PRIVACY.md)."""

    probabilities: tuple[float, ...]
    """In the order of EXPRESSIONS; they add up to one."""
    confidence: float
    """Of the most probable one; a face that is too unsure has no Expression at all."""


EXPRESSIONS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")


class BriefChange(Struct, frozen=True, kw_only=True):
    """A movement of brows or mouth that came and went within half a second; times to within a frame."""

    region: str
    """brows or mouth"""
    onset_s: float
    apex_s: float
    offset_s: float
    size: float
    """In distances of the outer eye corners."""


class BriefChanges(Struct, frozen=True, kw_only=True):
    """Brief changes of a face (agent.vision.micro_expressions): experimental. Never made in a profile that forbids it (docs/PRIVACY.md)."""

    count: int
    low: float
    high: float
    """Poisson's interval of the count, 90 %."""
    over_s: float
    """Measured time of the last half minute."""
    frames_per_s: float
    shortest_s: float
    """What is shorter may not be found: the camera's frame rate is the limit."""
    newest: tuple[BriefChange, ...] = ()
    abstained: str = ""
    """Why the newest frame was not compared, e.g. frame_rate, too_small, head_moves, learning."""


class PersonSeen(Struct, frozen=True, kw_only=True):
    """One tracked person (body) in one frame."""

    track: int
    box_px: Box
    score: float
    """The network's, 0..1."""
    first_seen_s: float
    seen_s: float = 0.0
    """When the body, or the face that belongs to it, was last found; where that is earlier than the frame the box is a prediction."""
    identity: float = 1.0
    """How sure it is that this is who the track began with, 0..1: less after a crossing or a gap, certain where its face says so."""
    face: int | None = None
    """The face track that belongs to this body."""
    feet_px: tuple[float, float] | None = None
    """Where it stands on the floor, below the middle between its ankles; None in frames in which they were not found."""
    shoulders_px: float | None = None
    """How far its shoulders are apart; None in frames in which they were not found, and of a body that is turned aside."""
    shoulders_at_px: tuple[float, float] | None = None
    """The middle between them."""


class FaceSeen(Struct, frozen=True, kw_only=True):
    """One tracked face in one frame."""

    track: int
    box_px: Box
    score: float
    """The detector's score, 0..1."""
    quality: float
    """How far the face can be trusted for comparison, 0..1."""
    first_seen_s: float
    seen_s: float = 0.0
    """When it was last found; where that is earlier than the frame, the box is where it was then."""
    embedding: bytes = b""
    """Unit-length mean embedding of the track, float32 little-endian; empty until one was computed."""
    embedded_s: float = 0.0
    """When the newest picture in that mean was taken."""
    pictures: int = 0
    """How many pictures the mean holds."""
    attention: Attention | None = None
    liveness: Liveness | None = None
    expression: Expression | None = None
    brief_changes: BriefChanges | None = None


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
    persons: tuple[PersonSeen, ...] = ()


class VisionHealth(Struct, frozen=True, kw_only=True, tag="vision_health"):
    """How the vision program is. vision -> door."""

    at_s: float
    ok: bool
    camera: str
    engine: str
    frames_per_s: float
    faults: tuple[str, ...] = ()
    tamper: tuple[str, ...] = ()
    """What somebody may have done to the camera (agent.vision.scene_watch), a word each; it stands as long as that does."""
    rules: int = 0
    models: int = 0
    shadow: int = 0
    """Numbers of the updates that it runs with (docs/UPDATES.md); 0: what came with the program, and nothing beside it."""


class ShadowSeen(Struct, frozen=True, kw_only=True, tag="shadow"):
    """One picture of a tracked face, seen by the networks in force and by those that run beside them. vision -> door.

    The door compares both with the template of whoever holds a fob, counts, and forgets them: only counts are kept.
    """

    at_s: float
    number: int
    """Of the models beside."""
    track: int
    before: bytes
    """Embedding by the networks in force; float32, unit length."""
    after: bytes
    """By those beside; empty where they did not find the face, or did not think it clear enough."""
    before_ms: float
    after_ms: float


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


class EnrolOrder(Struct, frozen=True, kw_only=True, tag="enrol_order"):
    """Somebody who has agreed to it is to be enrolled at this camera. door -> vision, again and again: without it vision stops."""

    session: str
    until_s: float
    liveness: Literal["off", "alert", "deny_attack", "require_live"]
    """The door's policy. A template is for years: unless it is off, nothing is taken of a picture of a face."""


class EnrolStop(Struct, frozen=True, kw_only=True, tag="enrol_stop"):
    """Enrolment is over: forget what was taken. door -> vision."""

    session: str


class EnrolSeen(Struct, frozen=True, kw_only=True, tag="enrol_seen"):
    """How somebody who is enrolled stands, and what they should do. vision -> door, a few a second. No picture, no template."""

    session: str
    at_s: float
    began_s: float
    """When vision began with this session: another number is another vision program, which has forgotten what was done."""
    fit: bool
    reason: str = ""
    sentence: str
    pose: str = ""
    quality: float | None = None
    yaw_deg: float | None = None
    pitch_deg: float | None = None
    poses_done: tuple[Pose, ...] = ()


class EnrolTemplate(Struct, frozen=True, kw_only=True, tag="enrol_template"):
    """What is compared with from now on, of one pose. vision -> door, once; forgotten by both when the enrolment is over."""

    session: str
    began_s: float
    pose: Pose
    embedding: bytes
    """Unit length, float32 little-endian."""
    embedder_id: str
    quality: float
    face_px: float
    head: HeadPose
    alive: Literal["live", "unsure", ""]
    """What liveness says of the face; empty where it is not watched."""


FromVision = Observation | VisionHealth | Conduct | EnrolSeen | EnrolTemplate | ShadowSeen
ToVision = EvidenceRequest | DoorNews | EnrolOrder | EnrolStop

TABLE: dict[type, Rule] = {
    Observation: Rule(rate_hz=15.0, max_age_s=0.5),
    VisionHealth: Rule(rate_hz=1.0, max_age_s=3.0),
    Conduct: Rule(rate_hz=5.0, max_age_s=1.0),
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
    """parity, length, framing, overrun, lost, too_many_waiting; of serial readers also checksum, random_uid"""
    bits: str
    """'?' for each where they may be a key of a keypad that nobody has declared."""
    at_s: float


class KeyPressed(Struct, frozen=True, kw_only=True):
    """A key of a reader's keypad."""

    reader: str
    key: Literal["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"]
    at_s: float


class ReaderStatus(Struct, frozen=True, kw_only=True):
    """How a reader is, told when it changes. A reader that cannot say something says None."""

    reader: str
    online: bool
    """Whether it answers; a Wiegand reader cannot be asked and is never known to be away."""
    at_s: float
    tamper: bool | None = None
    secure: bool | None = None
    """Whether the wire to it is encrypted with a key of our own."""
    detail: str = ""
    """For the installer: what is wrong and the likely wire."""


ReaderNews = CredentialRead | KeyPressed | ReadFault | ReaderStatus
"""Everything a reader says."""


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
    boot: str = ""
    """Which start of the machine counts `mono_s`; '' where it was not told."""
    clock: str = ""
    """How far `at` may be believed: synchronised, held, unsure (agent.core.clock_watch), '' where it was not told; at the centre also
    corrected."""
