"""Clips of alerts: fetched from the door when somebody asks, kept as the door sealed them, opened only to be looked at."""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from nacl.exceptions import CryptoError
from nacl.public import SealedBox
from nacl.signing import SigningKey
from sqlalchemy import Connection, Engine, delete, insert, select

from agent.clock import Clock
from agent.link.session import Address, Say, Session
from central.database.engine import StoreError, reading, writing
from central.database.tables_events import EVENTS
from central.database.tables_live import CLIPS
from central.gateway.asking import Caller, Unfit
from central.gateway.audit import AuditLog
from central.live.desk import demand_there
from central.settings import Live

log = logging.getLogger(__name__)

VALID_S = 10.0
FORGET_EVERY_S = 3600.0
MAGIC = b"doorward clip 1\n"
MOST_BYTES = 8 * 1024 * 1024
PART_BYTES = 64 * 1024
MOST_PARTS = MOST_BYTES // PART_BYTES
CONTENT_TYPES = ("video/mp4",)
_NUMBER = re.compile(r"[0-9]{1,4}")


class ClipHead(Struct, frozen=True, kw_only=True):
    """What a clip says of itself, inside the seal (agent.media.clips is at the other end)."""

    site: str
    door: str
    event: str
    made: datetime
    seconds: float
    frames: int
    content_type: str


class Clip(Struct, frozen=True, kw_only=True):
    head: ClipHead
    film: bytes


class _Head(Struct, frozen=True, kw_only=True):
    """`clip/REQUEST/head`: what the door will send."""

    ok: bool
    parts: Annotated[int, Meta(ge=0, le=MOST_PARTS)] = 0
    bytes: Annotated[int, Meta(ge=0, le=MOST_BYTES)] = 0
    hash: Annotated[str, Meta(max_length=64)] = ""


class _Request:
    """What has come for one request."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.head: _Head | None = None
        self.parts: dict[int, bytes] = {}

    def take(self, below: list[str], payload: bytes) -> None:
        if below == ["head"]:
            self.head = msgspec.json.decode(payload, type=_Head)
        elif below[:1] == ["part"] and _NUMBER.fullmatch(below[1]) and int(below[1]) < MOST_PARTS and len(payload) <= PART_BYTES:
            self.parts[int(below[1])] = payload

    @property
    def is_whole(self) -> bool:
        return self.head is not None and (not self.head.ok or len(self.parts) >= self.head.parts)

    def sealed(self) -> bytes | None:
        """The clip as the door sealed it; None where it has none. Raises Unfit for what is not what the door announced."""
        if self.head is None or not self.head.ok:
            return None
        raw = b"".join(self.parts.get(number, b"") for number in range(self.head.parts))
        if len(raw) != self.head.bytes or hashlib.blake2b(raw, digest_size=32).hexdigest() != self.head.hash:
            raise Unfit(502, "damaged", "the clip did not come whole: ask once more")
        return raw


class ClipDesk:
    """`start`, then `fetch` and `film` from any thread, and `stop`."""

    def __init__(
        self, engine: Engine, settings: Live, address: Address, clock: Clock, audit: AuditLog, key: SigningKey,
        client_id: str = "doorward-clips", why_away: Callable[[str, str], str] = lambda site, door: "",
    ) -> None:  # fmt: skip
        """`key`: the centre's, for whose public part doors seal their clips."""
        self._why_away = why_away
        self._engine, self._settings, self._clock, self._audit = engine, settings, clock, audit
        self._box = SealedBox(key.to_curve25519_private_key())
        self._arrived = threading.Condition()
        self._requests: dict[str, _Request] = {}
        self._out: deque[tuple[str, bytes]] = deque()
        self._forget_s = 0.0
        self._session = Session(address, client_id, self, clean=True)

    def start(self) -> None:
        """Raises StoreError."""
        self._forget()
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._session.stop(timeout_s)

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    def fetch(self, caller: Caller, site: str, door: str, event_n: int, why: str) -> bool:
        """Have the clip of an event here; False: the door has kept none. On record first. Raises Unfit, StoreError."""
        event = self._event(site, door, event_n)
        details = {"event_n": event_n, "event": event, "why": why}
        self._audit.write(caller.account, "clip.asked", f"{site}/{door}", details)
        if self._is_here(event_n):
            return True
        sealed = self._ask(caller.account, site, door, event, why)
        if sealed is None:
            return False
        self._opened(sealed, site, door, event)
        self._keep(event_n, site, door, event, caller.account, sealed)
        return True

    def film(self, caller: Caller, event_n: int) -> Clip:
        """What was fetched, to be looked at. Raises Unfit, StoreError."""
        with reading(self._engine) as connection:
            kept = select(CLIPS).where(CLIPS.c.event_n == event_n, CLIPS.c.fetched >= self._oldest())
            row = connection.execute(kept).one_or_none()
        if row is None or not caller.sees(row.site):
            raise Unfit(404, "no_clip", "no clip of this event is here: POST /clips has it fetched from the door")
        clip = self._opened(row.sealed, row.site, row.door, row.event)
        self._audit.write(caller.account, "clip.shown", f"{row.site}/{row.door}", {"event_n": event_n, "event": row.event})
        return clip

    # -- the database ----------------------------------------------------------------------------------------------------------

    def _event(self, site: str, door: str, event_n: int) -> str:
        columns = (EVENTS.c.site, EVENTS.c.door, EVENTS.c.id, EVENTS.c.data)
        with reading(self._engine) as connection:
            row = connection.execute(select(*columns).where(EVENTS.c.n == event_n)).one_or_none()
        if row is None or (row.site, row.door) != (site, door):
            raise Unfit(404, "no_event", f"door {site}/{door} has told of no event {event_n}")
        if row.data.get("forgotten") is True:
            raise Unfit(410, "forgotten", "whom this event was about was erased: the clip is nobody's to see any more")
        return str(row.id)

    def _is_here(self, event_n: int) -> bool:
        with reading(self._engine) as connection:
            return connection.execute(select(CLIPS.c.event_n).where(CLIPS.c.event_n == event_n)).first() is not None

    def _keep(self, event_n: int, site: str, door: str, event: str, who: str, sealed: bytes) -> None:
        self._forget()
        with writing(self._engine) as connection:
            connection.execute(delete(CLIPS).where(CLIPS.c.event_n == event_n))  # somebody else has fetched it meanwhile
            connection.execute(insert(CLIPS).values(event_n=event_n, site=site, door=door, event=event, who=who,
                                                    fetched=self._clock.wall(), sealed=sealed))  # fmt: skip

    def _forget(self) -> None:
        """What is too old goes."""
        with writing(self._engine) as connection:
            connection.execute(delete(CLIPS).where(CLIPS.c.fetched < self._oldest()))

    def _oldest(self) -> datetime:
        return self._clock.wall() - timedelta(days=self._settings.clip_days)

    def _opened(self, sealed: bytes, site: str, door: str, event: str) -> Clip:
        """Raises Unfit for what nobody sealed for this centre, or what is of another event."""
        try:
            if not sealed.startswith(MAGIC):
                raise ValueError("it does not begin as a clip does")
            clip = msgspec.msgpack.decode(self._box.decrypt(sealed[len(MAGIC) :]), type=Clip)
        except (CryptoError, ValueError, msgspec.MsgspecError) as error:
            raise Unfit(502, "damaged", f"the clip cannot be opened with this centre's key: {error}") from error
        if (clip.head.site, clip.head.door, clip.head.event) != (
            site,
            door,
            event,
        ) or clip.head.content_type not in CONTENT_TYPES:
            raise Unfit(502, "damaged", "the door sent the clip of another event")
        return clip

    # -- asking a door ---------------------------------------------------------------------------------------------------------

    def _ask(self, who: str, site: str, door: str, event: str, why: str) -> bytes | None:
        if not self.is_connected:
            raise Unfit(503, "no_broker", "the centre has no connection to its broker: try again in a moment")
        demand_there(self._why_away, site, door)
        name, now = str(uuid.uuid4()), self._clock.wall()
        wish = {"event": event, "who": who, "why": why, "issued": now, "expires": now + timedelta(seconds=VALID_S)}
        request = _Request(f"doorward/{site}/{door}/clip/{name}/")
        with self._arrived:
            self._requests[name] = request
        self._out.append((f"{request.base}want", msgspec.json.encode(wish)))
        self._session.wake()
        with self._arrived:
            came = self._arrived.wait_for(lambda: request.is_whole, self._settings.clip_answer_s)
            del self._requests[name]
        if not came:
            raise Unfit(
                504, "no_answer", f"the door did not send the clip within {self._settings.clip_answer_s:g} s: is it online?"
            )
        return request.sealed()

    # -- the session's thread --------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/clip/+/head", "doorward/+/+/clip/+/part/+")

    def turn(self, say: Say, now_s: float) -> float:
        while self._out:
            say.publish(*self._out.popleft())
        if now_s >= self._forget_s:
            self._forget_s = now_s + FORGET_EVERY_S
            try:
                self._forget()
            except StoreError as error:
                log.error("clips that are too old are not removed yet: %s", error)
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = topic.split("/")
        with self._arrived:
            request = self._requests.get(levels[4])
            if request is not None and not retained and topic.startswith(request.base):
                request.take(levels[5:], payload)
                self._arrived.notify_all()

    def leaving(self, say: Say) -> None:
        self.turn(say, 0.0)


def forget_person(db: Connection, person: str) -> dict[str, int]:
    """Films of a cardholder who is erased; to be called while their events still name them. The door's own cannot be asked for afterwards."""
    about = select(EVENTS.c.n).where(EVENTS.c.person == person)
    return {"clips": db.execute(delete(CLIPS).where(CLIPS.c.event_n.in_(about))).rowcount if person else 0}


def told(here: bool) -> dict[str, Any]:
    """For the page."""
    return {"state": "here"} if here else {"state": "none", "sentence": "the door has kept no clip of this event"}
