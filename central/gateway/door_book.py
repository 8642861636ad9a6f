"""How every door is now: its retained topics, as the broker tells them. What happened is in the history; this is what stands."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import msgspec
from msgspec import Struct

from agent.clock import Clock
from agent.link.session import Address, Say, Session

log = logging.getLogger(__name__)

CLIENT_ID = "doorward-gateway"
MOST_DOORS = 20_000
MOST_STATES = 40
MOST_BYTES = 32 * 1024
NOT_KEPT = frozenset(("norms",))
"""Large, of nobody's interest every second, and kept by whoever makes norms."""

_TOPIC = re.compile(r"doorward/([a-z0-9_-]{1,40})/([a-z0-9_-]{1,40})/(?:(online)|state/([a-z0-9_-]{1,40}))")

Key = tuple[str, str]
"""Site and door."""


class DoorNow(Struct, frozen=True, kw_only=True):
    """A door as it stands, or as it stood when it was heard last."""

    site: str
    door: str
    online: bool = False
    since: datetime | None = None
    """When it came or went, by the centre's clock; None when that was before the centre listened."""
    states: dict[str, Any] = {}
    """The values of `state/NAME`, by NAME: lock, contact, alarm, mode, risk, people, health, access. Of whatever shape the door sent."""
    heard: datetime


class _State(Struct):
    value: Any


class DoorBook:
    """`start`, `stop`, and from any thread `snapshot`, `now`. A handler of agent.link.session."""

    def __init__(self, address: Address, clock: Clock) -> None:
        """Raises ConfigError when a file of `address` cannot be read."""
        self._clock, self._lock = clock, threading.Lock()
        self._doors: dict[Key, DoorNow] = {}
        self._on_change: list[Callable[[DoorNow], None]] = []
        self._session = Session(address, CLIENT_ID, self)

    def start(self) -> None:
        self._session.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._session.stop(timeout_s)

    def on_change(self, callback: Callable[[DoorNow], None]) -> None:
        """Rings in the session's thread with the door as it is now; to be called before `start`."""
        self._on_change.append(callback)

    @property
    def is_connected(self) -> bool:
        """While the broker is away, doors stand here as they were known last."""
        return self._session.is_connected

    @property
    def last_error(self) -> str:
        return self._session.last_error

    def snapshot(self) -> list[DoorNow]:
        """All doors that were ever heard, by site and name."""
        with self._lock:
            return [self._doors[key] for key in sorted(self._doors)]

    def now(self, site: str, door: str) -> DoorNow | None:
        with self._lock:
            return self._doors.get((site, door))

    def broker_until(self) -> datetime | None:
        """Until when the broker's certificate is good; None where it shows none."""
        return self._session.broker_until

    def why_away(self, site: str, door: str) -> str:
        """Why nothing can be asked of a door now, in a sentence; empty where it is there, or where that is not known."""
        now = self.now(site, door)
        if now is None or now.online or not self.is_connected:
            return ""
        since = f"{now.since.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC" if now.since else "before the centre started"
        return f"the door is offline since {since}: it decides by itself meanwhile, and can be asked for nothing"

    # -- the session's thread ----------------------------------------------------------------------------------------------------

    def connected(self, say: Say) -> None:
        # With QoS 1 a broker queues so many retained messages for us and drops the rest, unsaid: Mosquitto 20,000, the states of 2,000 doors.
        # Nothing is lost by QoS 0: what comes while we are away stands retained, and is heard with the next connection.
        say.subscribe("doorward/+/+/online", "doorward/+/+/state/+", qos=0)

    def turn(self, say: Say, now_s: float) -> float:
        return 60.0

    def leaving(self, say: Say) -> None:
        """Nothing is owed."""

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        """What is no state of a door is left."""
        found = _TOPIC.fullmatch(topic)
        if found is None or len(payload) > MOST_BYTES or found[4] in NOT_KEPT:
            return
        changed = self._take((found[1], found[2]), found[4] or "", payload, retained)
        for ring in self._on_change if changed is not None else ():
            ring(changed)  # type: ignore[arg-type]

    def _take(self, key: Key, state: str, payload: bytes, retained: bool) -> DoorNow | None:
        now = self._clock.wall()
        with self._lock:
            before = self._doors.get(key)
            if before is None and len(self._doors) >= MOST_DOORS:
                return None
            door = before or DoorNow(site=key[0], door=key[1], heard=now)
            after = _with_state(door, state, payload) if state else _with_online(door, payload == b"true", retained, now)
            if after is None or (after == before and before is not None):
                return None
            self._doors[key] = msgspec.structs.replace(after, heard=now)
            return self._doors[key]


def _with_online(door: DoorNow, online: bool, retained: bool, now: datetime) -> DoorNow:
    """A retained word says how it is, and not since when."""
    if online == door.online and (door.since is not None or retained):
        return door
    return msgspec.structs.replace(door, online=online, since=None if retained else now)


def _with_state(door: DoorNow, name: str, payload: bytes) -> DoorNow | None:
    """None: it cannot be read, or there are too many. An empty payload is a state that was taken back."""
    if not payload:
        return msgspec.structs.replace(door, states={key: value for key, value in door.states.items() if key != name})
    if name not in door.states and len(door.states) >= MOST_STATES:
        return None
    try:
        value = msgspec.json.decode(payload, type=_State).value
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        log.warning("doors state unreadable site=%s door=%s state=%s error=%s", door.site, door.door, name, error)
        return None
    return msgspec.structs.replace(door, states={**door.states, name: value})
