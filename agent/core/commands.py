"""Commands from people: what is obeyed, and why the rest is refused. Pure: bytes and time in, Command or Refusal out.

A command is `doorward/SITE/DOOR/cmd/USER/NAME` with JSON {id, issued, expires, args?, why?}. The broker vouches for USER (its access list
lets nobody publish under another's name). Whatever a network can do to a message (keep it, repeat it, delay it) must not open a door.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

NAMES = ("unlock", "lock", "hold_unlocked", "block", "lock_open", "lockdown", "release", "forgive", "assist", "deny")
"""unlock lets somebody in once; hold_unlocked, block, lock_open and lockdown are ONVIF's lasting modes, lock and release end them. forgive
lets everybody come in once more despite anti-passback; assist tells the person at the door that help is coming; deny refuses whoever waits
for a guard, whom unlock lets in."""

SENTENCES = {
    "malformed": "the command cannot be read",
    "unknown_command": f"this door knows {', '.join(NAMES)}",
    "not_allowed": "this user may not give this command here",
    "retained": "a retained command is old by nature",
    "repeated": "a command with this id was already received",
    "stale": "the command has expired",
    "not_yet_valid": "the command was issued in the future: compare the clocks",
    "too_long_lived": "the command asks to be valid for too long",
    "issued_before_start": "the command was issued before this door's program started: give it again",
    "time_unknown": "this door does not know what time it is, and has only just reached its broker: give it again in some seconds",
    "too_many": "too many commands at once",
}
"""Every reason for a refusal, and the sentence for people."""

_USER = re.compile(r"^[a-z0-9_-]{1,40}\Z")
_CMD_LEVELS = 6


class Command(Struct, frozen=True, kw_only=True):
    """An order that is to be carried out."""

    id: str
    user: str
    name: str
    issued: datetime
    expires: datetime
    why: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """An order that is not carried out; `id` and `user` are None where they could not be read."""

    reason: str
    detail: str = ""
    id: str | None = None
    user: str | None = None
    command: str | None = None


class CommandLimits(Struct, frozen=True, kw_only=True):
    """What this door accepts. `allowed` None leaves who may do what to the broker's access list."""

    max_valid_s: float
    started: datetime
    """Wall time at which the door's program started."""
    max_ahead_s: float = 2.0
    """How far the sender's clock may be ahead."""
    allowed: dict[str, frozenset[str]] | None = None


SAFE_WHENEVER = frozenset(("lock", "lockdown", "block", "assist", "deny"))
"""Obeyed also by a door that does not know what time it is: none of them lets anybody in, and whoever leaves is never held."""


_Id = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{8,64}\Z")]
_Aware = Annotated[datetime, Meta(tz=True)]


class _Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: _Id
    issued: _Aware
    expires: _Aware
    args: dict[str, Any] = {}
    why: Annotated[str, Meta(max_length=200)] = ""


class _OnlyId(Struct):
    """Enough of a bad order to answer it."""

    id: _Id


class SeenCommands:
    """Ids that were received, so that none works twice. Bounded: an id is forgotten only when it has expired and the memory is full."""

    def __init__(self, room: int = 4096) -> None:
        self._room = room
        self._expiry: OrderedDict[str, datetime] = OrderedDict()

    def __contains__(self, command_id: str) -> bool:
        return command_id in self._expiry

    def remember(self, command_id: str, expires: datetime, now: datetime) -> bool:
        """False when there is no room left: everything remembered is still valid."""
        if len(self._expiry) >= self._room:
            # Not by time alone: a clock that is set back must not bring an old command to life
            oldest = next((known for known, until in self._expiry.items() if until < now), None)
            if oldest is None:
                return False
            del self._expiry[oldest]
        self._expiry[command_id] = expires
        return True


def admit(
    levels: tuple[str, ...],
    payload: bytes,
    retained: bool,
    now: datetime,
    seen: SeenCommands,
    limits: CommandLimits,
    by_time: bool = True,
    live: bool = False,
) -> Command | Refusal:
    """Decide on what arrived on a command topic. Never raises, whatever the bytes; `now` is timezone-aware. `by_time` False: nobody knows
    what time it is here; what opens is then obeyed only when it is `live`: came over a connection that had stood for a while, so that the
    broker had not kept it."""
    if len(levels) != _CMD_LEVELS or not _USER.match(levels[4]):
        return Refusal(reason="malformed", detail="the topic is doorward/SITE/DOOR/cmd/USER/COMMAND")
    user, name = levels[4], levels[5]
    told = name if name in NAMES else None
    try:
        order = msgspec.json.decode(payload, type=_Order)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Refusal(reason="malformed", detail=str(error)[:200], id=_id_of(payload), user=user, command=told)
    reason, detail = _why_not(order, user, name, retained, now if by_time else None, seen, limits, live)
    if not reason and not seen.remember(order.id, order.expires, now):
        reason = "too_many"
    if reason:
        return Refusal(reason=reason, detail=detail or SENTENCES[reason], id=order.id, user=user, command=told)
    return Command(id=order.id, user=user, name=name, issued=order.issued, expires=order.expires, why=order.why)


def _why_not(
    order: _Order,
    user: str,
    name: str,
    retained: bool,
    now: datetime | None,
    seen: SeenCommands,
    limits: CommandLimits,
    live: bool,
) -> tuple[str, str]:
    if name not in NAMES:
        return "unknown_command", ""
    if order.args:
        return "malformed", f"{name} takes no arguments"
    if order.expires <= order.issued:
        return "malformed", "expires must be after issued"
    if limits.allowed is not None and name not in limits.allowed.get(user, frozenset()):
        return "not_allowed", ""
    if retained or order.id in seen:
        return ("retained" if retained else "repeated"), ""
    return _why_not_now(order, name, now, limits, live), ""


def _why_not_now(order: _Order, name: str, now: datetime | None, limits: CommandLimits, live: bool) -> str:
    too_long = order.expires - order.issued > timedelta(seconds=limits.max_valid_s)
    if now is None:
        return "" if name in SAFE_WHENEVER else "time_unknown" if not live else "too_long_lived" if too_long else ""
    if too_long:
        return "too_long_lived"
    if now >= order.expires:
        return "stale"
    if order.issued - now > timedelta(seconds=limits.max_ahead_s):
        return "not_yet_valid"
    if order.issued < limits.started:
        return "issued_before_start"
    return ""


def _id_of(payload: bytes) -> str | None:
    try:
        return msgspec.json.decode(payload, type=_OnlyId).id
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
