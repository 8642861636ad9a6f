"""The centre's word that somebody is to be enrolled at a door's camera, and what the door sends back: sealed for this one enrolment.

`doorward/SITE/DOOR/enrol/SESSION/begin` is signed with the centre's key: the broker's access list alone would let whoever rules the broker
have a door take templates for a key of their own. A template is sealed with the door's key for the session's (a box of libsodium: X25519,
XSalsa20-Poly1305), so nobody between them reads it, and none but this door can have made it. Pure: bytes and time in, Begin or Declined out.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from nacl.signing import SigningKey, VerifyKey

from agent.core.commands import SeenCommands
from agent.core.messages import HeadPose, Pose
from agent.errors import BundleError
from agent.records.signed_word import Signed

MAGIC = b"doorward enrolment 1\n"
MOST_BYTES = 4096
"""Of a word, and of a sealed template times four."""
MOST_VALID_S, MOST_AHEAD_S = 30.0, 2.0
LONGEST_S = 300.0
"""No enrolment takes longer at a door."""
SESSION = re.compile(r"^[a-z0-9_-]{8,64}\Z")
_LEVELS = 6

REFUSALS = {
    "malformed": "the order to enrol cannot be read",
    "forged": "the order to enrol is not signed by this site's centre",
    "not_for_this_door": "the order to enrol is for another door",
    "retained": "an order to enrol that the broker kept is old by nature",
    "repeated": "an order to enrol with this name was already received",
    "stale": "the order to enrol has expired",
    "not_yet_valid": "the order to enrol was issued in the future: compare the clocks",
    "too_long_lived": "the order to enrol asks to be valid for too long",
    "issued_before_start": "the order to enrol was issued before this door's program started: begin again",
    "too_many": "too many orders to enrol at once",
    "off": "nobody is enrolled at this door: its configuration says so (`vision.enrol`)",
    "busy": "somebody else is being enrolled at this door: wait until they are done, or take another door",
    "no_vision": "this door has no camera program that answers: start it, or take another door",
    "other_model": "this door looks with another network than the centre: bring both to one version",
}
"""Every reason for which a door does not begin, and the sentence for people."""

ENDS = {
    "left": "it was ended at the centre",
    "done": "all pictures are there",
    "expired": "the time for it is over",
    "vision_lost": "the door's camera program stopped: begin again",
    "no_link": "the door lost its connection: begin again",
    "stopped": "the door's program ended: begin again",
}
"""Every reason for which it is over at a door."""

T = TypeVar("T")
_Aware = Annotated[datetime, Meta(tz=True)]
_Level = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z")]


class Begin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The word. Whom it is about is nobody's business at the door."""

    session: Annotated[str, Meta(pattern=SESSION.pattern)]
    site: _Level
    door: _Level
    who: _Level
    """The account that enrols."""
    key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    """X25519, made for this session: templates are sealed for it."""
    embedder_id: Annotated[str, Meta(min_length=1, max_length=200)]
    """The network whose templates the centre wants."""
    issued: _Aware
    expires: _Aware
    """The word is taken until then."""
    for_s: Annotated[float, Meta(ge=5, le=LONGEST_S)] = 120.0
    """It may last so long."""


class Declined(Struct, frozen=True):
    """A word that is not followed; `session` is empty where it could not be read."""

    session: str
    reason: str
    detail: str = ""


class Sealed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in a box: one pose's template, and of which session, so that no box counts for another."""

    session: str
    pose: Pose
    embedding: Annotated[bytes, Meta(min_length=4, max_length=8192)]
    embedder_id: Annotated[str, Meta(min_length=1, max_length=200)]
    quality: Annotated[float, Meta(ge=0, le=1)]
    face_px: Annotated[float, Meta(ge=0, le=1e5)]
    head: HeadPose
    alive: Literal["live", "unsure", ""]


class Answer(Struct, frozen=True, kw_only=True):
    """Whether the door begins."""

    ok: bool
    reason: Annotated[str, Meta(max_length=40)] = ""
    sentence: Annotated[str, Meta(max_length=500)] = ""


class Feedback(Struct, frozen=True, kw_only=True):
    """How somebody stands before the camera, and what they should do. A few a second; no picture, no template."""

    fit: bool
    reason: Annotated[str, Meta(max_length=40)] = ""
    sentence: Annotated[str, Meta(max_length=300)]
    pose: Annotated[str, Meta(max_length=20)] = ""
    quality: Annotated[float, Meta(ge=0, le=1)] | None = None
    yaw_deg: Annotated[float, Meta(ge=-180, le=180)] | None = None
    """As agent.core.messages.HeadPose has it."""
    pitch_deg: Annotated[float, Meta(ge=-180, le=180)] | None = None
    poses_done: tuple[Pose, ...] = ()
    left_s: Annotated[float, Meta(ge=0, le=LONGEST_S)] = 0.0
    """So long it may still last."""


class End(Struct, frozen=True, kw_only=True):
    """It is over; said by either side."""

    by: Annotated[str, Meta(max_length=40)] = ""
    reason: Annotated[str, Meta(max_length=40)] = ""
    sentence: Annotated[str, Meta(max_length=500)] = ""
    templates: Annotated[int, Meta(ge=0, le=100)] = 0


def signed_begin(begin: Begin, centre: SigningKey) -> bytes:
    word = msgspec.json.encode(begin)
    return msgspec.json.encode(Signed(word, centre.sign(MAGIC + word).signature))


class Gate:
    """What this door follows. Thread-safe for one thread at a time; `now` of `admit` has a zone."""

    def __init__(self, centre: VerifyKey, site: str, door: str, started: datetime) -> None:
        """`started`: when the door's program did."""
        self._centre, self._place, self._started, self._seen = centre, (site, door), started, SeenCommands(256)

    def admit(self, session: str, payload: bytes, retained: bool, now: datetime) -> Begin | Declined:
        """Decide on what arrived. Never raises, whatever the bytes."""
        if not SESSION.match(session) or len(payload) > MOST_BYTES:
            return Declined("", "malformed")
        if retained or session in self._seen:
            return Declined(session, "retained" if retained else "repeated")
        try:
            begin = _checked(payload, self._centre)
        except BundleError as error:
            return Declined(session, "forged", str(error)[:200])
        reason = self._why_not(begin, session, now)
        if not reason and not self._seen.remember(session, begin.expires, now):
            reason = "too_many"
        return Declined(session, reason) if reason else begin

    def _why_not(self, begin: Begin, session: str, now: datetime) -> str:
        if (begin.site, begin.door, begin.session) != (*self._place, session):
            return "not_for_this_door"
        if not timedelta(0) < begin.expires - begin.issued <= timedelta(seconds=MOST_VALID_S):
            return "too_long_lived"
        if now >= begin.expires:
            return "stale"
        if begin.issued - now > timedelta(seconds=MOST_AHEAD_S):
            return "not_yet_valid"
        return "issued_before_start" if begin.issued < self._started else ""


def _checked(payload: bytes, centre: VerifyKey) -> Begin:
    try:
        signed = msgspec.json.decode(payload, type=Signed)
        centre.verify(MAGIC + signed.word, signed.signature)
        begin = msgspec.json.decode(signed.word, type=Begin)
        Box(PrivateKey.generate(), PublicKey(begin.key))  # some numbers are no keys: said now, not with the first template
    except (msgspec.MsgspecError, CryptoError, ValueError, TypeError, RecursionError) as error:
        raise BundleError(f"is no order of this site's centre: {error}") from error
    return begin


def sealed(template: Sealed, door: PrivateKey, session_key: bytes) -> bytes:
    """Raises BundleError for a key that is none."""
    try:
        return bytes(Box(door, PublicKey(session_key)).encrypt(msgspec.msgpack.encode(template)))
    except CryptoError as error:
        raise BundleError(f"nothing can be sealed for the key {session_key.hex()}: {error}") from error


def unsealed(box: bytes, session_key: PrivateKey, door: bytes, session: str) -> Sealed:
    """`door`: its public key, 32 bytes. Raises BundleError for what this door did not seal for this session."""
    try:
        template = msgspec.msgpack.decode(Box(session_key, PublicKey(door)).decrypt(box), type=Sealed)
    except (msgspec.MsgspecError, CryptoError, ValueError, TypeError) as error:
        raise BundleError(f"is no template that this door sealed for this session: {error}") from error
    if template.session != session:
        raise BundleError("is a template of another session")
    return template


def read(payload: bytes, kind: type[T]) -> T | None:
    """An Answer, Feedback or End; None for anything that is none."""
    try:
        return msgspec.json.decode(payload, type=kind) if len(payload) <= MOST_BYTES else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
