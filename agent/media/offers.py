"""Offers of a live session: what is answered, and why the rest is refused. Pure: bytes and time in, Offer or Declined out.

An offer is `doorward/SITE/DOOR/rtc/SESSION/offer`. The broker vouches for it (its access list lets the centre alone publish there).
Whatever a network can do to a message (keep it, repeat it, delay it) must not open an eye.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.core.commands import SeenCommands

REFUSALS = {
    "malformed": "the offer cannot be read",
    "retained": "a retained offer is old by nature",
    "repeated": "an offer of this session was already received",
    "stale": "the offer has expired",
    "not_yet_valid": "the offer was issued in the future: compare the clocks",
    "too_long_lived": "the offer asks to be valid for too long",
    "issued_before_start": "the offer was issued before this door's program started: ask again",
    "too_many_offers": "too many offers at once",
    "too_many_viewers": "as many people as this door can serve watch already",
    "unreadable_sdp": "the browser's description of the session cannot be used",
    "failed": "the session could not be set up",
}
"""Every reason for a refusal, and the sentence for people."""

MAX_VALID_S = 30.0
MAX_AHEAD_S = 2.0
MAX_BYTES = 96 * 1024
MAX_SDP = 64 * 1024

SESSION = re.compile(r"^[a-z0-9_-]{8,64}\Z")
_LEVELS = 6
_Text = Annotated[str, Meta(max_length=512)]
_Who = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z")]
_Aware = Annotated[datetime, Meta(tz=True)]


class IceServer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A STUN or TURN server, as browsers name it."""

    urls: Annotated[tuple[Annotated[str, Meta(pattern=r"^(stun|turns?):[!-~]{1,200}\Z")], ...], Meta(min_length=1, max_length=4)]
    username: _Text = ""
    credential: _Text = ""


class Offer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody wants to see."""

    sdp: Annotated[str, Meta(min_length=10, max_length=MAX_SDP)]
    who: _Who
    why: Annotated[str, Meta(min_length=1, max_length=200)]
    issued: _Aware
    expires: _Aware
    unmask: bool = False
    """Show the faces of bystanders. Whether they may is the centre's business; that they did is on record here."""
    ice: Annotated[tuple[IceServer, ...], Meta(max_length=4)] = ()


class Invited(Struct, frozen=True):
    """An offer that is answered."""

    session: str
    offer: Offer


class Declined(Struct, frozen=True):
    """An offer that is not; `session` is empty where it could not be read."""

    session: str
    reason: str
    detail: str = ""


def admit_offer(
    levels: tuple[str, ...], payload: bytes, retained: bool, now: datetime, seen: SeenCommands, started: datetime
) -> Invited | Declined:
    """Decide on what arrived on an offer's topic. Never raises, whatever the bytes; `now` and `started` have a zone."""
    if len(levels) != _LEVELS or not SESSION.match(levels[4]) or len(payload) > MAX_BYTES:
        return Declined("", "malformed", "the topic is doorward/SITE/DOOR/rtc/SESSION/offer")
    session = levels[4]
    if retained or session in seen:
        return Declined(session, "retained" if retained else "repeated")
    try:
        offer = msgspec.json.decode(payload, type=Offer)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Declined(session, "malformed", str(error)[:200])
    reason = why_not_now(offer.issued, offer.expires, now, started)
    if not reason and not seen.remember(session, offer.expires, now):
        reason = "too_many_offers"
    return Declined(session, reason) if reason else Invited(session, offer)


def why_not_now(issued: datetime, expires: datetime, now: datetime, started: datetime) -> str:
    """Why something that claims these times is not of now; empty where it is."""
    if not timedelta(0) < expires - issued <= timedelta(seconds=MAX_VALID_S):
        return "too_long_lived"
    if now >= expires:
        return "stale"
    if issued - now > timedelta(seconds=MAX_AHEAD_S):
        return "not_yet_valid"
    return "issued_before_start" if issued < started else ""


class Bye(Struct, frozen=True, kw_only=True):
    """A session is over; said by either side."""

    by: Annotated[str, Meta(max_length=40)] = ""
    reason: Annotated[str, Meta(max_length=200)] = ""


def read_bye(payload: bytes) -> Bye | None:
    """None for anything that is none."""
    try:
        return msgspec.json.decode(payload, type=Bye) if len(payload) <= MAX_BYTES else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
