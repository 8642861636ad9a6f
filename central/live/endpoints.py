"""What browsers may ask of live view."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from central.gateway.asking import Ask, Endpoint, Reply, Role, Unfit
from central.live.clips import ClipDesk, told
from central.live.desk import WATCH, LiveDesk, Opened
from central.settings import Level

KNOW: frozenset[Role] = WATCH | {"auditor"}


class Wanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the page sends; `sdp` once it has gathered its candidates."""

    site: Level
    door: Level
    why: Annotated[str, Meta(min_length=1, max_length=200, description="1 to 200 characters: why you watch is on record")]
    sdp: Annotated[str, Meta(min_length=10, max_length=64 * 1024)]
    unmask: bool = False


class ClipWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which event's clip, and why somebody wants to see it."""

    site: Level
    door: Level
    event_n: Annotated[int, Meta(ge=1, le=2**62)]
    why: Annotated[str, Meta(max_length=200)] = ""


def endpoints(desk: LiveDesk, clips: ClipDesk) -> list[Endpoint]:
    """`/live` and `/clips`. Looking is put on record by the desks themselves, with who and why."""

    def watch(ask: Ask) -> Opened:
        wanted = ask.json(Wanted)
        if not ask.caller.sees(wanted.site):
            raise Unfit(404, "unknown_site", "there is no such site among those that this account may see")
        return desk.open(ask.caller, wanted.site, wanted.door, wanted.why, wanted.sdp, wanted.unmask)

    def leave(ask: Ask) -> None:
        desk.close(ask.caller, ask.path["session"])

    def state(ask: Ask) -> dict[str, Any]:
        may_watch = ask.caller.role in WATCH
        return {
            "watching": desk.watching(ask.path["site"], ask.path["door"]),
            "ice": desk.ice.given_to(ask.caller.account, ask.now) if may_watch else (),
            "may_watch": may_watch, "may_unmask": may_watch and desk.may_unmask(ask.caller),
        }  # fmt: skip

    def fetch(ask: Ask) -> dict[str, Any]:
        wanted = ask.json(ClipWanted)
        if not ask.caller.sees(wanted.site):
            raise Unfit(404, "unknown_site", "there is no such site among those that this account may see")
        return told(clips.fetch(ask.caller, wanted.site, wanted.door, wanted.event_n, wanted.why))

    def film(ask: Ask) -> Reply:
        number = ask.path["event_n"]
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise Unfit(400, "malformed", f"{number[:40]!r} is no number of an event")
        clip = clips.film(ask.caller, int(number))
        return Reply(body=clip.film, content_type=clip.head.content_type)

    return [
        Endpoint(method="POST", path="/live", allowed=WATCH, work=watch, max_bytes=96 * 1024, recorded=False, waits=True),
        Endpoint(method="DELETE", path="/live/{session}", allowed=WATCH, work=leave, recorded=False),
        Endpoint(method="GET", path="/live/{site}/{door}/state", allowed=KNOW, work=state),
        Endpoint(method="POST", path="/clips", allowed=WATCH, work=fetch, recorded=False, waits=True),
        Endpoint(method="GET", path="/clips/{event_n}", allowed=WATCH, work=film, recorded=False),
    ]
