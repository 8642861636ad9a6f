"""Who watches: takes offers and goodbyes, holds to the limits, and has each session put on record at the door."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from agent.clock import Clock
from agent.core.commands import SeenCommands
from agent.media.intercom import Intercom
from agent.media.offers import REFUSALS, Declined, Invited, admit_offer, read_bye
from agent.media.screening import Screening
from agent.media.talk import Tells
from agent.media.viewer import Encoding, Viewer, Wish

log = logging.getLogger(__name__)

ANSWER_S = 7.0
"""The centre waits eight."""
TURN_S = 0.05
CHECK_EVERY_S = 1.0
UNANSWERED = ("retained", "repeated")
"""Somebody else's session may bear this name: it is not spoken to."""


class Limits(Struct, frozen=True, kw_only=True):
    viewers: int
    longest_s: float


class Reception:
    """`offered` and `left` for what comes from the broker, `run` as a task, `close` at the end. Of one asyncio loop."""

    def __init__(
        self,
        limits: Limits,
        encoding: Encoding,
        screening: Screening,
        intercom: Intercom,
        clock: Clock,
        say: Callable[[str, bytes], None],
        tell: Tells,
    ) -> None:
        """`say(rtc/SESSION/answer, payload)` publishes below this door's topics."""
        self._limits, self._encoding, self._screening, self._intercom = limits, encoding, screening, intercom
        self._clock, self._say, self._tell = clock, say, tell
        self._seen, self._started = SeenCommands(), clock.wall()
        self._viewers: dict[str, Viewer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._check_s = 0.0

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    def offered(self, levels: tuple[str, ...], payload: bytes, retained: bool) -> None:
        """An offer has come: answered soon, or refused."""
        got = admit_offer(levels, payload, retained, self._clock.wall(), self._seen, self._started)
        if isinstance(got, Invited) and len(self._viewers) >= self._limits.viewers:
            got = Declined(got.session, "too_many_viewers")
        if isinstance(got, Invited):
            viewer = Viewer(got, self._screening, self._intercom, self._clock, self._encoding, self._wished)
            self._viewers[got.session] = viewer
            self._start(self._answer(viewer))
        else:
            self._decline(got)

    def left(self, levels: tuple[str, ...], payload: bytes, retained: bool) -> None:
        """Somebody says goodbye; our own goodbyes come back here too, when their session is no more."""
        bye, session = read_bye(payload), levels[4]
        if bye is not None and not retained and session in self._viewers:
            self._start(self._end(self._viewers[session], bye.reason or "left"))

    async def run(self) -> None:
        """For ever: overlays, and who has gone."""
        while True:
            now_s = self._clock.mono_s()
            for viewer in list(self._viewers.values()):
                viewer.turn(now_s)
            if now_s >= self._check_s:
                self._check_s = now_s + CHECK_EVERY_S
                await self._check(now_s)
            await asyncio.sleep(TURN_S)

    async def close(self) -> None:
        """End every session, and say so."""
        for viewer in list(self._viewers.values()):
            await self._end(viewer, "the door's live view stops")

    # -- one session -----------------------------------------------------------------------------------------------------------

    async def _answer(self, viewer: Viewer) -> None:
        try:
            sdp = await asyncio.wait_for(viewer.answer(), ANSWER_S)
        except Exception as error:  # noqa: BLE001 - whatever a browser's description does to the library, the others go on
            log.warning("live offer session=%s failed error=%r", viewer.session, str(error)[:200])
            self._viewers.pop(viewer.session, None)
            await self._closed(viewer)
            self._decline(Declined(viewer.session, "failed" if isinstance(error, asyncio.TimeoutError) else "unreadable_sdp"))
            return
        offer = viewer.offer
        self._tell("live.started", session=viewer.session, who=offer.who, why=offer.why, unmasked=offer.unmask)
        self._publish(viewer.session, "answer", {"session": viewer.session, "ok": True, "sdp": sdp})
        log.info("live started session=%s who=%s unmasked=%s", viewer.session, offer.who, offer.unmask)

    def _decline(self, declined: Declined) -> None:
        log.warning("live refused session=%s reason=%s %s", declined.session, declined.reason, declined.detail)
        if declined.session and declined.reason not in UNANSWERED:
            sentence = REFUSALS[declined.reason] + (f": {declined.detail}" if declined.detail else "")
            self._publish(
                declined.session,
                "answer",
                {"session": declined.session, "ok": False, "reason": declined.reason, "sentence": sentence},
            )

    async def _end(self, viewer: Viewer, reason: str) -> None:
        if self._viewers.pop(viewer.session, None) is None:
            return
        if viewer.encoder_fault and self._encoding.hardware:
            self._encoding = msgspec.structs.replace(self._encoding, hardware="")  # whoever comes next has the one in software
            self._tell(
                "live.fault", error=f"encoding in hardware failed, and software does it from now on: {viewer.encoder_fault}"
            )
        if self._intercom.give_back(viewer.session):
            self._tell_talker()
        seconds = round(self._clock.mono_s() - viewer.since_s, 1)
        offer = viewer.offer
        self._tell("live.ended", session=viewer.session, who=offer.who, why=offer.why, unmasked=offer.unmask, seconds=seconds,
                   reason=reason)  # fmt: skip
        self._publish(viewer.session, "bye", {"by": "door", "reason": reason})
        viewer.tell({"bye": {"reason": reason}})
        await self._closed(viewer)
        log.info("live ended session=%s who=%s seconds=%.1f reason=%s", viewer.session, offer.who, seconds, reason)

    @staticmethod
    async def _closed(viewer: Viewer) -> None:
        try:
            await viewer.close()
        except Exception as error:  # noqa: BLE001 - it is over either way
            log.warning("live close session=%s error=%r", viewer.session, str(error)[:200])

    async def _check(self, now_s: float) -> None:
        if (session := self._intercom.overdue()) and self._intercom.give_back(session):
            self._tell_talker()
        for viewer in list(self._viewers.values()):
            over = now_s - viewer.since_s > self._limits.longest_s
            if reason := "its time is over" if over else await viewer.why_gone(now_s):
                await self._end(viewer, reason)

    def _wished(self, viewer: Viewer, wish: Wish) -> None:
        """What a browser asked for beyond its own picture."""
        if wish.talk is None or viewer.session not in self._viewers:
            return
        if wish.talk:
            self._intercom.take(viewer.session, viewer.offer.who)
        else:
            self._intercom.give_back(viewer.session)
        self._tell_talker()

    def _tell_talker(self) -> None:
        """Everybody who watches knows who talks."""
        for viewer in self._viewers.values():
            viewer.tell_talker()

    def _publish(self, session: str, what: str, told: dict[str, Any]) -> None:
        self._say(f"rtc/{session}/{what}", msgspec.json.encode(told))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
