"""The centre's side of updates: orders are said to doors, pieces are sent as they are asked for, roll-outs go on by what doors say.

Two threads. `roll-outs` looks each second at what doors say of themselves (central.gateway.door_book) and takes the next step; everything
that it decides is in the database before it is said. The session's sends orders (retained) and pieces, no faster than the broker takes them.
Orders and roll-outs that another program writes (`doorward central update …`) are found at the next look.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from nacl.signing import SigningKey

from agent.clock import Clock
from agent.errors import DoorwardError
from agent.link.session import Address, Say, Session
from agent.updates.order import Order, signed_order
from central.access.serving import Wanted, send_pieces
from central.gateway.door_book import DoorBook, DoorNow
from central.updates.packages import Packages, Unfit
from central.updates.plan import Place, Said
from central.updates.store import Ordered, Rollouts

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
SETTLE_S = 5.0
"""So long after a connection everything retained has been heard: before that, nobody is taken for silent."""
_Count = Annotated[int, Meta(ge=0)]


class KindSaid(Struct, frozen=True):
    """What a door says of one kind (agent.updates.post.KindState), as far as it is needed here."""

    number: _Count = 0
    version: Annotated[str, Meta(max_length=60)] = ""
    former: _Count = 0
    former_version: Annotated[str, Meta(max_length=60)] = ""
    trial: bool = False
    shadow: _Count = 0
    shadow_version: Annotated[str, Meta(max_length=60)] = ""
    serial: _Count = 0
    parts_missing: _Count = 0
    parts: _Count = 0
    waits: bool = False
    refused: Annotated[str, Meta(max_length=2000)] = ""
    hindered: Annotated[str, Meta(max_length=2000)] = ""
    compared: dict[str, Any] | None = None


class UpdateDesk:
    """`start`, `stop`; the rest may be called from any thread."""

    def __init__(self, rollouts: Rollouts, packages: Packages, book: DoorBook, address: Address, centre: SigningKey, clock: Clock, *,
                 client_id: str = "doorward-updates") -> None:  # fmt: skip
        self.rollouts, self.packages, self._book, self._centre, self._clock = rollouts, packages, book, centre, clock
        self._lock = threading.Lock()
        self._said: dict[tuple[Place, str], int] = {}
        """Door and kind -> serial of the order that was said last."""
        self._unsaid: deque[tuple[str, bytes]] = deque()
        self._wanted = Wanted()
        self._first_seen: dict[Place, datetime] = {}
        self._connected_s: float | None = None
        self._look = threading.Event()
        self._stopping = False
        self._session = Session(address, client_id, self, clean=True, in_flight=1000)
        self._thread = threading.Thread(target=self._run, name="roll-outs", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping = True
        self._look.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._session.stop(timeout_s)

    def wake(self) -> None:
        """Something was decided: look now."""
        self._look.set()

    def says(self, place: Place, kind: str) -> KindSaid | None:
        """What a door says of one kind; None while it has said nothing that can be read."""
        now = self._book.now(*place)
        return _kind_said(now, kind) if now is not None else None

    # -- roll-outs

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except (DoorwardError, OSError) as error:
                log.error("updates not done error=%s", error)
            except Exception:
                log.exception("updates not done")
            self._look.wait(LOOK_EVERY_S)
            self._look.clear()

    def _turn(self) -> None:
        if self._has_settled():
            for id in self.rollouts.active():
                kind = self.rollouts.one(id).kind
                said = self._all_said(kind)
                self.rollouts.advance(id, said, lambda place, said=said: said[place].serial if place in said else 0)  # type: ignore[misc]
        self._say_orders()

    def _has_settled(self) -> bool:
        """What doors say may be believed to be what they say now."""
        if not (self._book.is_connected and self._session.is_connected):
            self._connected_s = None
            return False
        self._connected_s = self._connected_s if self._connected_s is not None else self._clock.mono_s()
        return self._clock.mono_s() - self._connected_s >= SETTLE_S

    def _all_said(self, kind: str) -> Mapping[Place, Said]:
        found = {}
        for now in self._book.snapshot():
            place = now.site, now.door
            since = now.since or self._first_seen.setdefault(place, self._clock.wall())
            found[place] = said_by(now, kind, since)
        return found

    def _say_orders(self) -> None:
        for ordered in self.rollouts.orders():
            if self._said.get((ordered.place, ordered.kind)) != ordered.serial:
                self._put(ordered)

    def _put(self, ordered: Ordered) -> None:
        site, door = ordered.place
        try:
            package = self.packages.ordered(ordered.package) if ordered.package is not None else None
        except Unfit as error:
            log.error("update order door=%s/%s kind=%s error=%s", site, door, ordered.kind, error)
            return
        order = Order(site=site, door=door, kind=ordered.kind, serial=ordered.serial, made=ordered.made, package=package,
                      shadow=ordered.shadow, back=ordered.back, new_embedder=ordered.new_embedder)  # fmt: skip
        raw = signed_order(order, self._centre)
        with self._lock:
            self._said[ordered.place, ordered.kind] = ordered.serial
            self._unsaid.append((f"doorward/{site}/{door}/update/order/{ordered.kind}", raw))
        self._session.wake()

    # -- the session's thread

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/update/want", qos=0)  # who gets no answer asks again
        with self._lock:
            self._said.clear()  # a broker that lost what it kept hears it again
        self._look.set()

    def turn(self, say: Say, now_s: float) -> float:
        with self._lock:
            unsaid, self._unsaid = self._unsaid, deque()
        for topic, raw in unsaid:
            say.publish(topic, raw, retain=True)
        return send_pieces(say, self._wanted, self._piece, "update/part")

    def _piece(self, place: Place, digest: bytes, number: int) -> bytes | None:
        return self.packages.piece(digest, number)  # the same for every door

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        _, site, door, *rest = topic.split("/")
        if rest == ["update", "want"] and not retained:
            self._wanted.add((site, door), payload)

    def leaving(self, say: Say) -> None:
        """Orders are retained; nothing is left to say."""


def said_by(now: DoorNow, kind: str, since: datetime) -> Said:
    """What a door's states mean to a roll-out of this kind."""
    told = _kind_said(now, kind)
    if told is None:
        return Said(online=now.online, since=since, faults=faults_of(now))
    return Said(online=now.online, since=since, serial=told.serial, number=told.number, shadow=told.shadow, trial=told.trial,
                refused=told.refused, faults=faults_of(now))  # fmt: skip


def _kind_said(now: DoorNow, kind: str) -> KindSaid | None:
    states = now.states.get("update")
    try:
        return msgspec.convert(states.get(kind), KindSaid) if isinstance(states, dict) and kind in states else None
    except msgspec.ValidationError as error:
        log.warning("updates state unreadable door=%s/%s error=%s", now.site, now.door, error)
        return None


def faults_of(now: DoorNow) -> frozenset[str]:
    """What is wrong at a door, in its own words."""
    health = now.states.get("health")
    if not isinstance(health, dict):
        return frozenset()
    vision = health.get("vision", "fresh")
    lists = [each for name in ("vision_faults", "journal_faults") for each in _texts(health.get(name))]
    inputs = (
        [f"input {name}: {fault}" for name, fault in health["input_faults"].items()]
        if isinstance(health.get("input_faults"), dict)
        else []
    )
    return frozenset([*lists, *inputs, *([] if vision == "fresh" else [f"vision is {vision}"])])


def _texts(value: object) -> list[str]:
    return [str(each)[:300] for each in value] if isinstance(value, list) else []
