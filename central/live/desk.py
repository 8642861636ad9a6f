"""Brings a browser and a door together: the offer goes out over the broker, the door's answer comes back, and both then speak directly."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Engine

from agent.clock import Clock
from agent.link.session import Address, Say, Session
from central.database.engine import StoreError
from central.gateway.asking import Caller, Role, Unfit
from central.gateway.audit import AuditLog
from central.live.sessions import Asked, Sessions, Watching
from central.live.turn import IceServer, IceServers
from central.settings import Live

log = logging.getLogger(__name__)

VALID_S = 10.0
"""An offer holds for so long: a door that gets it later has nobody to show anything to."""
WATCH: frozenset[Role] = frozenset({"guard", "manager", "privacy"})
LOOK_EVERY_S = 5.0
NO_LONGER = "the account may no longer watch"
UNMASK_ROLES = ("manager", "privacy")
MOST_GOODBYES = 1000
STATUS = {"too_many_viewers": 429}
"""Of a door's refusal; every other one is a conflict."""


class Opened(Struct, frozen=True, kw_only=True):
    """A door has agreed: the browser takes `sdp` as its remote description."""

    session: str
    sdp: str
    ice: tuple[IceServer, ...]
    unmasked: bool


class _Answer(Struct, frozen=True, kw_only=True):
    ok: bool
    sdp: Annotated[str, Meta(max_length=64 * 1024)] = ""
    reason: Annotated[str, Meta(max_length=100)] = ""
    sentence: Annotated[str, Meta(max_length=500)] = ""


class _Bye(Struct, frozen=True, kw_only=True):
    by: Annotated[str, Meta(max_length=40)] = ""
    reason: Annotated[str, Meta(max_length=200)] = ""


class LiveDesk:
    """`start`, then `open` and `close` from any thread, and `stop`."""

    def __init__(
        self, engine: Engine, settings: Live, address: Address, clock: Clock, audit: AuditLog, client_id: str = "doorward-live",
        why_away: Callable[[str, str], str] = lambda site, door: "",
    ) -> None:  # fmt: skip
        """`why_away`: why a door cannot be asked now, empty where it can. Raises ConfigError for a TURN server without its secret."""
        self._why_away = why_away
        self._settings, self._clock = settings, clock
        self._sessions, self.ice = Sessions(engine, audit), IceServers(settings)
        self._arrived = threading.Condition()
        self._awaited: dict[str, str] = {}
        """Session -> the topic on which its door answers."""
        self._answers: dict[str, _Answer] = {}
        self._out: deque[tuple[str, bytes]] = deque()
        self._gone: deque[tuple[str, str, tuple[str, str]]] = deque(maxlen=MOST_GOODBYES)
        """Session, why it is over, and which door says so."""
        self._look_s = 0.0
        self._session = Session(address, client_id, self, clean=True)

    def start(self) -> None:
        """Raises StoreError."""
        self._sessions.begun_anew(self._clock.wall())
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._session.stop(timeout_s)

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    def may_unmask(self, caller: Caller) -> bool:
        return caller.role in UNMASK_ROLES or self._settings.guards_may_unmask

    def open(self, caller: Caller, site: str, door: str, why: str, sdp: str, unmask: bool) -> Opened:
        """On record first, then the door is asked. Raises Unfit when it may not be, or does not answer; StoreError."""
        if unmask and not self.may_unmask(caller):
            raise Unfit(403, "may_not_unmask", f"the role {caller.role} may not see the faces of bystanders at this site")
        if not self._session.is_connected:
            raise Unfit(503, "no_broker", "the centre has no connection to its broker: try again in a moment")
        demand_there(self._why_away, site, door)
        asked = Asked(session=str(uuid.uuid4()), site=site, door=door, who=caller.account, why=why, unmasked=unmask)
        self._sessions.asked(asked, self._clock.wall())
        answer = self._ask(asked, sdp)
        if answer is None or not answer.ok:
            self._sessions.ended(asked.session, self._clock.wall(), answer.sentence if answer else "no answer", asked.who)
            raise _refusal(answer, self._settings.answer_s)
        self._sessions.answered(asked.session, self._clock.wall())
        ice = self.ice.given_to(caller.account, self._clock.wall())
        return Opened(session=asked.session, sdp=answer.sdp, ice=ice, unmasked=unmask)

    def close(self, caller: Caller, session: str) -> None:
        """Who opened it ends it; a manager may end any. Raises Unfit; what is over is over."""
        asked = self._sessions.find(session)
        if asked is None:
            return
        if (asked.who != caller.account and caller.role != "manager") or not caller.sees(asked.site):
            raise Unfit(403, "not_yours", "somebody else watches in this session: they or a manager may end it")
        try:  # on record before the door hears of it, or its own word of the end would be there first; and ended also when it cannot be
            self._sessions.ended(session, self._clock.wall(), "left", caller.account)
        finally:
            self._bye(asked, caller.account)

    def watching(self, site: str, door: str) -> list[Watching]:
        """Who watches a door now. Raises StoreError."""
        return self._sessions.watching(site, door)

    # -- asking a door ---------------------------------------------------------------------------------------------------------

    def _ask(self, asked: Asked, sdp: str) -> _Answer | None:
        base = f"doorward/{asked.site}/{asked.door}/rtc/{asked.session}"
        now = self._clock.wall()
        offer = {"sdp": sdp, "who": asked.who, "why": asked.why, "unmask": asked.unmasked, "issued": now,
                 "expires": now + timedelta(seconds=VALID_S), "ice": self.ice.given_to(f"{asked.site}-{asked.door}", now)}  # fmt: skip
        with self._arrived:
            self._awaited[asked.session] = f"{base}/answer"
        self._out.append((f"{base}/offer", msgspec.json.encode(offer)))
        self._session.wake()
        with self._arrived:
            self._arrived.wait_for(lambda: asked.session in self._answers, self._settings.answer_s)
            del self._awaited[asked.session]
            answer = self._answers.pop(asked.session, None)
        if answer is None:
            self._bye(asked, "centre")  # it may answer yet
        return answer

    def _bye(self, asked: Asked, by: str, reason: str = "left") -> None:
        topic = f"doorward/{asked.site}/{asked.door}/rtc/{asked.session}/bye"
        self._out.append((topic, msgspec.json.encode({"by": by, "reason": reason})))
        self._session.wake()

    # -- the session's thread --------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/rtc/+/answer", "doorward/+/+/rtc/+/bye")

    def turn(self, say: Say, now_s: float) -> float:
        while self._out:
            say.publish(*self._out.popleft())
        while self._gone:
            session, reason, place = self._gone[0]
            try:
                self._sessions.ended(session, self._clock.wall(), reason, "door", at=place)
            except StoreError as error:
                log.error("live session=%s its end is not on record yet: %s", session, error)
                return 1.0
            self._gone.popleft()
        return self._end_of_those_who_may_not(now_s)

    def _end_of_those_who_may_not(self, now_s: float) -> float:
        """An account that was disabled while it watches watches no longer; returns the seconds until that is looked at again."""
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_EVERY_S
            try:
                for asked in self._sessions.open_of_others_than(WATCH):
                    try:
                        self._sessions.ended(asked.session, self._clock.wall(), NO_LONGER, "centre")
                    finally:
                        self._bye(asked, "centre", NO_LONGER)
            except StoreError as error:
                log.error("live who may still watch is not known: %s", error)
        return LOOK_EVERY_S if not self._out else 0.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = topic.split("/")
        if retained or len(levels) != 6:
            return
        if levels[5] == "answer":
            self._take(topic, levels[4], payload)
        elif (bye := msgspec.json.decode(payload, type=_Bye)).by == "door":
            self._gone.append((levels[4], bye.reason or "the door ended it", (levels[1], levels[2])))

    def _take(self, topic: str, session: str, payload: bytes) -> None:
        answer = msgspec.json.decode(payload, type=_Answer)
        with self._arrived:
            if self._awaited.get(session) == topic:  # another door may not answer for this one
                self._answers[session] = answer
                self._arrived.notify_all()

    def leaving(self, say: Say) -> None:
        self.turn(say, 0.0)


def demand_there(why_away: Callable[[str, str], str], site: str, door: str) -> None:
    """A guard waits for no answer that cannot come. Raises Unfit."""
    if why := why_away(site, door):
        raise Unfit(409, "offline", why)


def _refusal(answer: _Answer | None, waited_s: float) -> Unfit:
    if answer is None:
        return Unfit(
            504, "no_answer", f"the door's live view did not answer within {waited_s:g} s: it is off, or the door is offline"
        )
    return Unfit(STATUS.get(answer.reason, 409), answer.reason or "refused", answer.sentence or "the door refused")
