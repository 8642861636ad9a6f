"""Doors renew their certificates by themselves: they ask over the broker, the issuer (which alone has the authority's key) looks and signs.

What is believed of an ask is what the door's certified key has signed (agent/identity/messages.py); the topic only says who gets the answer.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from queue import Empty, Full, Queue
from threading import Event, Thread

import msgspec

from agent.clock import Clock
from agent.errors import DoorwardError, WireError
from agent.identity.messages import ANSWER, ASK, MOST_BYTES, Answer, ask_of
from agent.link.session import Address, Say, Session
from central.gateway.audit import AuditLog
from central.site.pairing_wire import IssuerClient

log = logging.getLogger(__name__)

CLIENT_ID = "doorward-renewals"
MOST_WAITING = 1000
EVERY_S = 600.0
"""A door that asks more often waits: each answer is a line in the list of what was issued."""
MOST_REMEMBERED = 10_000


class Renewals:
    """`start`, `stop`."""

    def __init__(self, address: Address, issuer: IssuerClient, audit: AuditLog, clock: Clock) -> None:
        self._issuer, self._audit, self._clock = issuer, audit, clock
        self._asked: Queue[tuple[str, str, bytes]] = Queue(MOST_WAITING)
        self._answers: deque[tuple[str, bytes]] = deque()
        self._last_s: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._stopping = Event()
        self._session = Session(address, CLIENT_ID, self, clean=True)
        self._thread = Thread(target=self._run, name="renewals", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._session.stop(timeout_s)

    # -- the session's thread ------------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        say.subscribe(f"doorward/+/+/{ASK}", qos=0)

    def turn(self, say: Say, now_s: float) -> float:
        while self._answers:
            say.publish(*self._answers.popleft(), qos=0)
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        _, site, door, *_ = topic.split("/")
        if retained or len(payload) > MOST_BYTES:
            return
        try:
            self._asked.put_nowait((site, door, payload))
        except Full:
            log.warning("renewals too many at once: doors ask again")

    def leaving(self, say: Say) -> None:
        """Nothing is left to say."""

    # -- its own thread ------------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                site, door, payload = self._asked.get(timeout=0.5)
            except Empty:
                continue
            try:
                self._take(site, door, payload)
            except Exception:
                log.exception("renewal fault site=%s door=%s", site, door)

    def _take(self, site: str, door: str, payload: bytes) -> None:
        try:
            _, wish = ask_of(payload)
        except WireError as error:
            log.warning("renewal unreadable site=%s door=%s error=%s", site, door, error)
            return
        answer = self._answer(site, door, wish.id, payload)
        self._answers.append((f"doorward/{site}/{door}/{ANSWER}", msgspec.json.encode(answer)))
        self._session.wake()

    def _answer(self, site: str, door: str, identity: str, payload: bytes) -> Answer:
        now_s, last_s = self._clock.mono_s(), self._last_s.get((site, door))
        if last_s is not None and now_s - last_s < EVERY_S:
            return Answer(id=identity, refused=f"asked twice within {EVERY_S / 60:.0f} minutes")
        try:
            answer = self._issuer.renew(site, door, payload)
        except DoorwardError as error:
            self._audit.write("door", "renew, refused", f"{site}/{door}", {"detail": str(error)[:300]})
            return Answer(id=identity, refused=str(error)[:500])
        self._note(site, door, now_s)
        self._audit.write("door", "renew", f"{site}/{door}", {})
        return answer

    def _note(self, site: str, door: str, now_s: float) -> None:
        self._last_s[site, door] = now_s
        self._last_s.move_to_end((site, door))
        if len(self._last_s) > MOST_REMEMBERED:
            self._last_s.popitem(last=False)
