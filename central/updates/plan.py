"""A roll-out, one step at a time: which doors are to be ordered next, and when to stop. Pure; time is an argument.

Doors are in waves: one first, then a share, then the rest. A door is ordered only while it is there, so nothing changes unseen; it is through
when it says itself that it runs what was ordered and has then been watched for a while without a new fault. The next wave begins when every
door of this one is through or away, and at least one is through. Whoever is away is ordered when they come back. The first door that
fails stops everything: nothing more is ordered until a person says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

Place = tuple[str, str]
"""Site and door."""
State = Literal["running", "stopped", "done", "ended", "rolled_back"]
DoorState = Literal["waiting", "ordered", "watched", "through", "failed", "left_out", "going_back", "back"]
UNDER_WAY: tuple[DoorState, ...] = ("ordered", "watched")
CHANGED: tuple[DoorState, ...] = ("ordered", "watched", "through", "failed", "left_out")
"""Doors that may run what was rolled out."""


class Pace(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How careful."""

    at_once: Annotated[int, Meta(ge=1, le=1000)] = 20
    """Doors under way at the same time, at most."""
    watch_min: Annotated[float, Meta(ge=0, le=14 * 24 * 60)] = 30.0
    """So long a door is watched after it has said that it runs what is new."""
    silent_min: Annotated[float, Meta(ge=0.02, le=24 * 60)] = 10.0
    """A door that was ordered and is away for so long has failed."""
    longest_min: Annotated[float, Meta(ge=0.02, le=7 * 24 * 60)] = 120.0
    """And one that is there and does not run it so long after it was ordered."""


class Said(Struct, frozen=True, kw_only=True):
    """What is known of a door now, by its own word."""

    online: bool
    since: datetime
    """When it came or went."""
    serial: int = 0
    """Of the newest order that it has heard."""
    number: int = 0
    shadow: int = 0
    trial: bool = False
    refused: str = ""
    faults: frozenset[str] = frozenset()


class Member(Struct, frozen=True, kw_only=True):
    """A door in a roll-out."""

    place: Place
    wave: int
    state: DoorState = "waiting"
    detail: str = ""
    serial: int = 0
    """Of its order; 0 before that."""
    since: datetime | None = None
    """In this state."""
    before: int = 0
    faults: tuple[str, ...] = ()


class Rollout(Struct, frozen=True, kw_only=True):
    """What goes where."""

    package: int
    shadow: bool = False
    """It is to run beside what is in force."""
    pace: Pace = Pace()
    state: State = "running"
    wave: int = 0
    why: str = ""


class Step(Struct, frozen=True):
    """What has come of it."""

    rollout: Rollout
    members: tuple[Member, ...]
    order: tuple[Place, ...] = ()
    """Doors to be ordered now: their member is `ordered` from here on, and wants a serial."""


def step(rollout: Rollout, members: Sequence[Member], said: Mapping[Place, Said], now: datetime) -> Step:
    """What follows from what doors say. Asked again and again, it comes to rest."""
    members = tuple(_judged(rollout, member, said.get(member.place), now) for member in members)
    if rollout.state != "running":
        return Step(rollout, members)
    failed = [member for member in members if member.state == "failed"]
    if failed:
        why = f"{'/'.join(failed[0].place)}: {failed[0].detail}"
        return Step(replace(rollout, state="stopped", why=why[:2000]), members)
    wave = _wave(rollout, members, said)
    if wave > max((member.wave for member in members), default=0):
        left = any(member.state == "waiting" for member in members)
        return _ordering(replace(rollout, wave=wave, state="running" if left else "done", why=""), members, said, now)
    return _ordering(replace(rollout, wave=wave, why=""), members, said, now)


def _ordering(rollout: Rollout, members: tuple[Member, ...], said: Mapping[Place, Said], now: datetime) -> Step:
    room = rollout.pace.at_once - sum(member.state in UNDER_WAY for member in members)
    due = [
        member for member in members if member.state == "waiting" and member.wave <= rollout.wave and is_there(said, member.place)
    ]
    chosen = {member.place for member in due[: max(0, room)]}
    return Step(rollout, tuple(_ordered(member, said[member.place], now) if member.place in chosen else member for member in members),
                tuple(member.place for member in members if member.place in chosen))  # fmt: skip


def is_there(said: Mapping[Place, Said], place: Place) -> bool:
    return place in said and said[place].online


def _ordered(member: Member, said: Said, now: datetime) -> Member:
    return replace(member, state="ordered", since=now, detail="", before=said.number, faults=tuple(sorted(said.faults)))


def _wave(rollout: Rollout, members: Sequence[Member], said: Mapping[Place, Said]) -> int:
    """The wave that may be changed now; one more than the last when all are through."""
    mine = [member for member in members if member.wave == rollout.wave]
    done = [member for member in mine if member.state in ("through", "left_out")]
    away = [member for member in mine if member.state == "waiting" and not is_there(said, member.place)]
    last = max((member.wave for member in members), default=0)
    is_through = len(done) + len(away) == len(mine) and (done or not mine)
    return rollout.wave + 1 if is_through and rollout.wave <= last else rollout.wave


def _judged(rollout: Rollout, member: Member, said: Said | None, now: datetime) -> Member:
    if member.state == "going_back":
        return _to(member, "back", "", now) if said is not None and _is_back(member, said) else member
    if member.state not in (*UNDER_WAY, "through") or member.serial == 0:
        return member
    if fault := _failure(rollout, member, said, now):
        return _to(member, "failed", fault, now)
    if said is None or not said.online or not _runs_it(rollout, said):
        return member
    if member.state == "ordered":
        return _watched(rollout, _to(member, "watched", "", now), now)
    return _watched(rollout, member, now) if member.state == "watched" else member


def _is_back(member: Member, said: Said) -> bool:
    return said.serial >= member.serial > 0 and said.number == member.before and not said.shadow


def _watched(rollout: Rollout, member: Member, now: datetime) -> Member:
    long_enough = member.since is not None and now - member.since >= timedelta(minutes=rollout.pace.watch_min)
    return _to(member, "through", "", now) if long_enough else member


def _runs_it(rollout: Rollout, said: Said) -> bool:
    return said.shadow == rollout.package if rollout.shadow else said.number == rollout.package and not said.trial


def _failure(rollout: Rollout, member: Member, said: Said | None, now: datetime) -> str:
    """Why a door that was ordered has failed; empty while it has not."""
    waited = now - (member.since or now)
    if said is None or not said.online:
        away = min(waited, now - said.since) if said is not None else waited
        silent = member.state in UNDER_WAY and away >= timedelta(minutes=rollout.pace.silent_min)
        return f"fell silent: nothing was heard of it for {rollout.pace.silent_min:g} min" if silent else ""
    if said.serial > member.serial:
        return "something else was ordered of it since" if member.state in UNDER_WAY else ""
    if said.serial == member.serial and said.refused:
        return said.refused
    if member.state == "ordered":
        late = waited >= timedelta(minutes=rollout.pace.longest_min)
        return (
            f"does not run it {rollout.pace.longest_min:g} min after it was ordered"
            if late and not _runs_it(rollout, said)
            else ""
        )
    if said.serial == member.serial and not _runs_it(rollout, said):
        return "no longer runs it"
    fresh = sorted(said.faults - set(member.faults))
    return f"a fault that it did not have before: {fresh[0][:300]}" if member.state == "watched" and fresh else ""


def _to(member: Member, state: DoorState, detail: str, now: datetime) -> Member:
    return replace(member, state=state, detail=detail[:2000], since=now)


# -- what people decide ---------------------------------------------------------------------------------------------------------------


def gone_on(rollout: Rollout, members: Sequence[Member], now: datetime) -> Step:
    """A person has looked at what failed: those doors are left as they are, and the others go on."""
    left = tuple(_to(member, "left_out", member.detail, now) if member.state == "failed" else member for member in members)
    return Step(replace(rollout, state="running", why=""), left)


def stopped(rollout: Rollout, why: str) -> Rollout:
    """A person stops it; what is under way comes to its end."""
    return replace(rollout, state="stopped", why=why[:2000])


def taken_back(rollout: Rollout, members: Sequence[Member], now: datetime, why: str) -> Step:
    """Every door that was ordered goes back to what it ran before; those to be ordered are in `order`, whether they are there or not."""
    back = tuple(
        _to(member, "going_back", member.detail, now) if member.state in CHANGED and member.serial else member
        for member in members
    )
    places = tuple(member.place for member in back if member.state == "going_back")
    return Step(replace(rollout, state="rolled_back", why=why[:2000]), back, places)


def waves_of(places: Sequence[Place], shares: Sequence[float]) -> list[Member]:
    """One door first, then each share (of all, growing, as .1, .5), then the rest. Doors of one site stay together, in the order given."""
    ends = [1, *(max(1, round(share * len(places))) for share in sorted(shares)), len(places)]
    members, at, wave = list[Member](), 0, 0
    for end in ends:
        if end > at:
            members += [Member(place=place, wave=wave) for place in places[at:end]]
            at, wave = end, wave + 1
    return members
