"""Makes a clip of each alert, and hands one out when the centre asks for it by event, with who and why."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from agent.clock import Clock
from agent.core.commands import SeenCommands
from agent.core.live import Alerted
from agent.media.clips import Clip, ClipHead, ClipRing, ClipStore, FFmpegError, film_of
from agent.media.offers import MAX_BYTES, SESSION, why_not_now
from agent.media.talk import Tells
from agent.media.veil import Subject

log = logging.getLogger(__name__)

PART_BYTES = 64 * 1024
MOST_AT_ONCE = 8
"""Clips being made; alerts beyond that have none, and that is told."""
PRUNE_EVERY_S = 3600.0


class ClipWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`clip/REQUEST/want`: somebody at the centre wants to see what was kept of an event."""

    event: Annotated[str, Meta(min_length=1, max_length=100)]
    who: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z")]
    why: Annotated[str, Meta(max_length=200)] = ""
    issued: Annotated[datetime, Meta(tz=True)]
    expires: Annotated[datetime, Meta(tz=True)]


class ClipTiming(Struct, frozen=True, kw_only=True):
    before_s: float
    after_s: float
    most_wide_px: int


class ClipDesk:
    """`alert` for each alert, `wanted` for what comes from the broker. Of one asyncio loop; films are made in a thread."""

    def __init__(
        self, site: str, door: str, timing: ClipTiming, ring: ClipRing, store: ClipStore, clock: Clock,
        say: Callable[[str, bytes], None], tell: Tells,
    ) -> None:  # fmt: skip
        self._site, self._door, self._timing, self._ring, self._store = site, door, timing, ring, store
        self._clock, self._say, self._tell = clock, say, tell
        self._seen, self._started = SeenCommands(), clock.wall()
        self._making: set[asyncio.Task[None]] = set()

    def alert(self, alerted: Alerted) -> None:
        """Keep what was before, and what comes after."""
        if len(self._making) >= MOST_AT_ONCE:
            self._tell("live.fault", error=f"no clip of event {alerted.event_id}: {MOST_AT_ONCE} are being made")
            return
        self._start(self._keep(alerted))

    def wanted(self, levels: tuple[str, ...], payload: bytes, retained: bool) -> None:
        """Answer a wish that is of now and comes for the first time; others are left."""
        request = levels[4]
        wish = _wish(payload) if SESSION.match(request) and not retained and request not in self._seen else None
        now = self._clock.wall()
        if wish is None or why_not_now(wish.issued, wish.expires, now, self._started):
            log.warning("clip wish refused request=%s retained=%s", request[:64], retained)
        elif self._seen.remember(request, wish.expires, now):
            self._send(request, wish)

    async def prune(self) -> None:
        """For ever: what is too old goes, alerts or not."""
        while True:
            try:
                self._store.prune(self._clock.wall().timestamp())
            except OSError as error:
                log.error("clips cannot be removed: %s", error)
            await asyncio.sleep(PRUNE_EVERY_S)

    # -- making ----------------------------------------------------------------------------------------------------------------

    async def _keep(self, alerted: Alerted) -> None:
        timing = self._timing
        await asyncio.sleep(max(0.0, alerted.at_s + timing.after_s - self._clock.mono_s()))
        kept = self._ring.between(alerted.at_s - timing.before_s, alerted.at_s + timing.after_s)
        if not kept:
            self._tell("live.fault", error=f"no clip of event {alerted.event_id}: vision gave no picture")
            return
        seconds = round(kept[-1].sight.taken_s - kept[0].sight.taken_s, 1)
        head = ClipHead(
            site=self._site, door=self._door, event=alerted.event_id, made=self._clock.wall(), seconds=seconds, frames=len(kept)
        )
        subject = Subject(alerted.face, alerted.body)

        def make() -> int:
            return self._store.keep(Clip(head=head, film=film_of(kept, subject, timing.most_wide_px)))

        try:
            size = await asyncio.to_thread(make)
        except (OSError, ValueError, FFmpegError) as error:
            log.exception("clip failed event=%s", alerted.event_id)
            self._tell("live.fault", error=f"no clip of event {alerted.event_id}: {error}")
            return
        self._tell("clip.kept", event=alerted.event_id, seconds=seconds, frames=len(kept), bytes=size)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._making.add(task)
        task.add_done_callback(self._making.discard)

    # -- sending ---------------------------------------------------------------------------------------------------------------

    def _send(self, request: str, wish: ClipWish) -> None:
        sealed = self._store.sealed(wish.event)
        if sealed is None:
            self._say(f"clip/{request}/head", msgspec.json.encode({"ok": False, "reason": "none"}))
            return
        self._tell("clip.sent", event=wish.event, who=wish.who, why=wish.why)
        parts = [sealed[at : at + PART_BYTES] for at in range(0, len(sealed), PART_BYTES)]
        digest = hashlib.blake2b(sealed, digest_size=32).hexdigest()
        self._say(
            f"clip/{request}/head", msgspec.json.encode({"ok": True, "parts": len(parts), "bytes": len(sealed), "hash": digest})
        )
        for number, part in enumerate(parts):
            self._say(f"clip/{request}/part/{number}", part)


def _wish(payload: bytes) -> ClipWish | None:
    try:
        return msgspec.json.decode(payload, type=ClipWish) if len(payload) <= MAX_BYTES else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
