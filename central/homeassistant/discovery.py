"""Tells Home Assistant of the doors, retained, and takes back what it is to know no longer; gives doors its commands, where that is allowed.

Its session says configurations, problems and events. A thread beside it gives commands one after the other, for each waits for the door.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque

from sqlalchemy import Engine

from agent.clock import Clock
from agent.link.session import Address, Say, Session
from central.commands import Commander
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook, DoorNow
from central.gateway.door_rows import Facts, row_of
from central.gateway.watch import Watch
from central.history.kept import Kept
from central.homeassistant.entities import PREFIX, Place, config_topics, event, messages, own_topic, place_in, problem
from central.settings import HomeAssistant

log = logging.getLogger(__name__)

CLIENT_ID = "doorward-homeassistant"
LOOK_EVERY_S = 20.0
MOST_WAITING = 8
MOST_EVENTS = 500
COMMANDS = {b"LOCK": "lock", b"UNLOCK": "unlock"}


class Discovery:
    """`start`, `stop`; `wake` when events were committed. A handler of agent.link.session."""

    def __init__(self, address: Address, settings: HomeAssistant, engine: Engine, clock: Clock, audit: AuditLog, book: DoorBook,
                 facts: Facts) -> None:  # fmt: skip
        """`facts.doors` are the doors that there are. To be made before `book` starts. Raises ConfigError."""
        self._settings, self._audit, self._book, self._facts = settings, audit, book, facts
        self._address, self._clock = address, clock
        self._told: dict[str, bytes] = {}
        self._others: set[str] = set()
        self._out: deque[tuple[str, bytes]] = deque(maxlen=MOST_EVENTS)
        self._orders: queue.Queue[tuple[str, str, str] | None] = queue.Queue(MOST_WAITING)
        self._session = Session(address, CLIENT_ID, self)
        self._watch = Watch(engine)
        self._watch.on_events(self._happened)
        self._worker = threading.Thread(target=self._give_commands, name="home assistant commands", daemon=True)
        book.on_change(self._changed)

    def start(self) -> None:
        self._watch.start()
        self._worker.start()
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._watch.stop(timeout_s)
        self._session.stop(timeout_s)
        if self._worker.is_alive():
            self._orders.put(None)
            self._worker.join(timeout_s)

    def wake(self, *told: object) -> None:
        self._watch.wake()

    # -- the session's thread, and those that ring ---------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        self._told, self._others = {}, set()
        say.subscribe(config_topics(PREFIX))
        if self._settings.commands:
            say.subscribe(f"{PREFIX}/doorward/+/+/lock")

    def turn(self, say: Say, now_s: float) -> float:
        wanted = self._wanted()
        for topic, raw in wanted.items():
            if self._told.get(topic) != raw:
                say.publish(topic, raw, retain=True)
                self._told[topic] = raw
        for topic in (self._others | self._told.keys()) - wanted.keys():
            say.publish(topic, b"", retain=True)
            self._told.pop(topic, None)
        self._others.clear()
        while self._out:
            say.publish(*self._out.popleft())
        return LOOK_EVERY_S

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic.endswith("/config"):
            if payload and topic not in self._wanted():
                self._others.add(topic)
                self._session.wake()
            return
        door, command = place_in(PREFIX, topic), COMMANDS.get(payload)
        if retained or door is None or command not in self._settings.commands or not self._is_listed(*door):
            log.warning("homeassistant command refused topic=%s retained=%s", topic[:120], retained)
            return
        try:
            self._orders.put_nowait((*door, command))
        except queue.Full:
            log.warning("homeassistant too many commands topic=%s", topic[:120])

    def leaving(self, say: Say) -> None:
        """What is retained stays: Home Assistant is to know the doors while the centre restarts."""

    def _wanted(self) -> dict[str, bytes]:
        places = self._places()
        told = messages(PREFIX, places, self._address.qos)
        for place in places:
            now = self._book.now(place.site, place.door)
            if now is not None:
                told[own_topic(PREFIX, place, "problem")] = problem(row_of(now, None, self._facts, broker=True).health.faults)
        return told

    def _places(self) -> list[Place]:
        doors = {*self._facts.doors(), *((now.site, now.door) for now in self._book.snapshot())}
        commands = bool(self._settings.commands)
        return [
            Place(site, door, self._facts.name(site, door), self._facts.zone(site, door), commands)
            for site, door in sorted(doors)
            if self._is_listed(site, door)
        ]

    def _is_listed(self, site: str, door: str) -> bool:
        return not self._settings.doors or f"{site}/{door}" in self._settings.doors

    def _changed(self, now: DoorNow) -> None:
        self._session.wake()

    def _happened(self, kept: list[Kept]) -> None:
        for told in (each.told for each in kept):
            if self._is_listed(told.site, told.door):
                self._out.append((own_topic(PREFIX, Place(told.site, told.door, ""), "event"), event(told.event.kind)))
        self._session.wake()

    # -- the thread that gives commands ---------------------------------------------------------------------------------------------

    def _give_commands(self) -> None:
        if not self._settings.commands:
            return
        commander = Commander(self._address, self._clock, f"{CLIENT_ID}-commands")
        try:
            for site, door, command in iter(self._orders.get, None):
                self._give(commander, site, door, command)
        finally:
            commander.close()

    def _give(self, commander: Commander, site: str, door: str, command: str) -> None:
        user = self._settings.user
        try:
            answer = commander.give(site, door, user, command, "Home Assistant")
            self._audit.write(user, "door.command", f"{site}/{door}", {"command": command, "answer": answer.reason})
        except Exception:
            log.exception("homeassistant command failed door=%s/%s command=%s", site, door, command)
