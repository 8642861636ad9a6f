"""The door's link: events up until the historian has them, commands down, retained states.

An event leaves the journal only when the historian says that it has committed it; the broker's PUBACK proves nothing (brokers lose what they
acknowledged when they are killed). What is under way and not acknowledged in time is sent again (flight.py); the historian drops duplicates.

The session is kept by the broker (clean_session false): a lock-down that a guard orders while this door is away for two seconds then
arrives with the connection, still within its expiry. Older ones arrive too and are refused as stale, which is worth knowing.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from agent.clock import Clock, SystemClock
from agent.config import Config
from agent.core.commands import Command, CommandLimits, Refusal, SeenCommands, admit
from agent.errors import WireError
from agent.link.acks import as_ranges, parse_ack
from agent.link.certificate import valid_span
from agent.link.cloudevents import to_cloudevent
from agent.link.flight import Flight
from agent.link.session import Address, Own, Say, Session, Will
from agent.records.journal import Pending

log = logging.getLogger(__name__)

OnCommand = Callable[[Command | Refusal], None]
"""Called in the link's thread: put it into an inbox and return."""
OnNorms = Callable[[bytes], None]
"""Called in the link's thread with the centre's word about norms; may take as long as writing a small file."""

OnEnrol = Callable[[str, str, bytes, bool], None]
"""Called in the link's thread with a session's name, `begin` or `end`, the payload, and whether the broker had kept it."""

MAX_RESULTS = 200
MAX_QUESTIONS = 16
KEPT_COMES_WITHIN_S = 5.0
"""What the broker kept for this session comes at once with a connection; whatever comes later is of now, give or take a stalled network that
the keep-alive has not yet noticed."""


class Source(Protocol):
    """The part of a journal that a link needs."""

    def pending(self, after: int = 0, limit: int = 100) -> list[Pending]: ...

    def acknowledge(self, ranges: Sequence[tuple[int, int]], journal: str | None = None) -> None: ...

    def listen(self, listener: Callable[[], None]) -> None: ...


class AccessNews(Protocol):
    """What takes the centre's word about who may pass, or about updates. Called in the link's thread."""

    def connected(self) -> None:
        """A connection stands: what was asked on the one before is answered by nobody."""

    def received(self, name: str, payload: bytes) -> None:
        """`name` is what follows `access/`, or `update/`, in the topic."""


_encode = msgspec.json.Encoder(enc_hook=repr).encode


class Link:
    """What the door says to the world. `publish_state`, `result` and `health` never wait for the network."""

    def __init__(self, config: Config, journal: Source, on_command: OnCommand, *, clock: Clock | None = None,
                 jitter: random.Random | None = None, own: Own | None = None,
                 certificates: Callable[[], list[str]] | None = None, is_sure: Callable[[], bool] = lambda: True) -> None:  # fmt: skip
        """`own`: what is shown to the broker, where that may change; `certificates`: files of this door's, its media program's among them;
        `is_sure`: whether commands may be judged by the hour."""
        self._is_sure = is_sure
        self._connected_s = 0.0
        self._base = f"doorward/{config.site}/{config.door}"
        self._site, self._door, self._config = config.site, config.door, config.link
        self._journal, self._on_command, self._clock = journal, on_command, clock or SystemClock()
        self._on_norms: OnNorms | None = None
        self._called_gone = False
        self._access: AccessNews | None = None
        self._on_enrol: OnEnrol | None = None
        self._updates: AccessNews | None = None
        self._seen = SeenCommands()
        self._limits = CommandLimits(max_valid_s=config.link.max_command_s, started=self._clock.wall())
        self._lock = threading.Lock()
        self._states: dict[str, tuple[Any, bytes]] = {}
        self._unsaid: dict[str, bytes] = {}
        self._results: deque[tuple[str, bytes]] = deque(maxlen=MAX_RESULTS)
        self._questions: deque[tuple[str, bytes]] = deque(maxlen=MAX_QUESTIONS)
        self._flight = Flight(config.link.ack_timeout_s)
        self._cursor = 0
        self._look = True
        self._looked_s = 0.0
        self._counts = {"sent": 0, "resent": 0, "acknowledged": 0, "unreadable": 0}
        address = msgspec.convert(msgspec.to_builtins(config.link), Address)
        named = [file for file in (config.link.cert_file, config.live.cert_file if config.live.enabled else "") if file]
        self._certificates = certificates or (lambda: named)
        self._on_renewal: Callable[[bytes], None] | None = None
        self._certificate_until = self._ends()
        self._session = Session(address, f"doorward-{config.site}-{config.door}", self, clean=False, in_flight=config.link.window,
                                will=Will(f"{self._base}/online", b"false"), jitter=jitter, own=own)  # fmt: skip
        journal.listen(self._committed)

    # -- for the door's loop -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._session.start()

    def listen_for_norms(self, on_norms: OnNorms) -> None:
        """Also take the centre's word about norms; to be called before `start`."""
        self._on_norms = on_norms

    def listen_for_access(self, access: AccessNews) -> None:
        """Also take the centre's word about who may pass; to be called before `start`."""
        self._access = access

    def listen_for_enrolment(self, on_enrol: OnEnrol) -> None:
        """Also take the centre's word that somebody is to be enrolled here; to be called before `start`."""
        self._on_enrol = on_enrol

    def listen_for_updates(self, updates: AccessNews) -> None:
        """Also take the centre's orders about models, rules and programs; to be called before `start`."""
        self._updates = updates

    def listen_for_renewal(self, on_renewal: Callable[[bytes], None]) -> None:
        """Also take the centre's answers about certificates; to be called before `start`."""
        self._on_renewal = on_renewal

    @property
    def is_connected(self) -> bool:
        return self._session.is_connected

    @property
    def connections(self) -> int:
        """How many have stood so far."""
        return self._session.connections

    def show_anew(self) -> None:
        """Make another connection, with the certificate that counts by then."""
        self._session.again()

    def note_certificates(self) -> None:
        """They were renewed: from now on the centre hears until when the new ones are good."""
        self._certificate_until = self._ends()

    def tell(self, name: str, payload: bytes) -> None:
        """Say something that must arrive, as answers do."""
        with self._lock:
            self._results.append((f"{self._base}/{name}", payload))
        self._session.wake()

    def ask(self, name: str, payload: bytes) -> None:
        """Say something once, to whoever listens now; whoever asks must ask again when no answer comes."""
        with self._lock:
            self._questions.append((f"{self._base}/{name}", payload))
        self._session.wake()

    def close(self, timeout_s: float = 5.0) -> None:
        self._session.stop(timeout_s)

    def publish_state(self, name: str, value: Any) -> None:
        """Make a retained state known. The same value again says nothing."""
        with self._lock:
            known = self._states.get(name)
            if known is not None and known[0] == value:
                return
            raw = _encode({"value": value, "at": self._clock.wall()})
            self._states[name] = (value, raw)
            self._unsaid[name] = raw
        self._session.wake()

    def result(self, command_id: str | None, ok: bool, reason: str, user: str | None) -> None:
        """Answer a command. One whose id could not be read has nobody to answer to: its event is all there is."""
        if command_id is None:
            return
        told = {"id": command_id, "ok": ok, "reason": reason, "user": user, "at": self._clock.wall()}
        self.tell(f"result/{command_id}", _encode(told))

    def hung(self) -> str:
        """What of it does not move, in words; '' when all does."""
        return self._session.hung()

    def health(self) -> dict[str, Any]:
        """How the link is, for the door's health state."""
        return {"connected": self._session.is_connected, "connections": self._session.connections, "in_flight": len(self._flight),
                **self._counts, "errors": self._session.errors, "error": self._session.last_error,
                "certificate_until": self._certificate_until}  # fmt: skip

    # -- the session's thread ------------------------------------------------------------------------------------------------

    def _ends(self) -> datetime | None:
        """When the first of this door's certificates ends, its media program's among them."""
        spans = [valid_span(file) for file in self._certificates()]
        return min((span[1] for span in spans if span is not None), default=None)

    def _committed(self) -> None:
        self._look = True
        self._session.wake()

    def connected(self, say: Say) -> None:
        self._connected_s = self._clock.mono_s()
        self._certificate_until = self._ends()  # files are read anew with each connection, and may have been renewed
        say.subscribe(f"{self._base}/ack", f"{self._base}/cmd/+/+")
        say.subscribe(f"{self._base}/online", qos=0)  # our own last will need not wait for us
        if self._on_norms is not None:
            say.subscribe(f"{self._base}/norms/prior")
        if self._access is not None:
            # Nothing of it need wait for us at the broker: the offer is retained, and comes with each connection
            say.subscribe(f"{self._base}/access/version", f"{self._base}/access/part/+/+", qos=0)
            self._access.connected()
        if self._updates is not None:
            say.subscribe(f"{self._base}/update/order/+", f"{self._base}/update/part/+/+", qos=0)  # orders are retained
            self._updates.connected()
        if self._on_enrol is not None:
            say.subscribe(f"{self._base}/enrol/+/begin", f"{self._base}/enrol/+/end", qos=0)  # an old one is of no use
        if self._on_renewal is not None:
            say.subscribe(f"{self._base}/renew/answer", qos=0)
        say.publish(f"{self._base}/online", b"true", retain=True)
        with self._lock:
            self._unsaid = {name: raw for name, (_, raw) in self._states.items()}
        self._flight.again()

    def turn(self, say: Say, now_s: float) -> float:
        if self._called_gone:
            self._called_gone = False
            say.publish(f"{self._base}/online", b"true", retain=True)
        self._say_states(say)
        self._fill()
        self._send(say, now_s)
        return self._flight.wait_s(now_s) if self._flight else self._look_again(now_s)

    def leaving(self, say: Say) -> None:
        self._say_states(say)
        say.publish(f"{self._base}/online", b"false", retain=True)

    def _say_states(self, say: Say) -> None:
        with self._lock:
            states, self._unsaid = self._unsaid, {}
            results, questions = list(self._results), list(self._questions)
            self._results.clear()
            self._questions.clear()
        for name, raw in states.items():
            say.publish(f"{self._base}/state/{name}", raw, retain=True)
        for topic, raw in results:
            say.publish(topic, raw)
        for topic, raw in questions:
            say.publish(topic, raw, qos=0)

    def _fill(self) -> None:
        """Take what waits, as far as the window allows."""
        while self._look and (room := self._flight.room(self._config.window)) > 0:
            self._look = False  # before reading: what is committed from here on rings again
            found = self._journal.pending(self._cursor, room)
            if len(found) == room:  # not `|=`, which could write back what it read before somebody rang
                self._look = True
            for pending in found:
                self._cursor = pending.position
                raw = to_cloudevent(pending.event, self._site, self._door)
                self._flight.put(pending.position, pending.event.journal, pending.event.sequence, raw)
                self._counts["sent"] += 1

    def _look_again(self, now_s: float) -> float:
        """Nothing is under way: a journal that could not be read a moment ago rings no bell, so it is read again from its beginning now and
        then. Returns the seconds until that."""
        if now_s - self._looked_s >= self._config.ack_timeout_s:
            self._looked_s = now_s
            self._cursor, self._look = 0, True
        return self._looked_s + self._config.ack_timeout_s - now_s

    def _send(self, say: Say, now_s: float) -> None:
        for sent in self._flight.due(now_s):
            say.publish(f"{self._base}/evt", sent.payload)
            self._counts["resent"] += sent.times > 1

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        levels = tuple(topic.split("/"))
        if levels[3:4] == ("cmd",):
            live = self._clock.mono_s() - self._connected_s >= KEPT_COMES_WITHIN_S
            self._on_command(
                admit(levels, payload, retained, self._clock.wall(), self._seen, self._limits, self._is_sure(), live)
            )
        elif levels[3:] == ("ack",) and not retained:
            self._take_ack(payload)
        elif levels[3:] == ("renew", "answer") and self._on_renewal is not None and not retained:
            self._on_renewal(payload)
        elif levels[3:] == ("online",):
            # The last will of a connection that we had before can come late: from a node of a cluster that stood still meanwhile
            self._called_gone = payload == b"false" and not retained
        elif levels[3:] == ("norms", "prior") and self._on_norms is not None:
            self._on_norms(payload)
        elif levels[3:4] == ("access",) and self._access is not None:
            self._access.received("/".join(levels[4:]), payload)
        elif levels[3:4] == ("update",) and self._updates is not None:
            self._updates.received("/".join(levels[4:]), payload)
        elif levels[3:4] == ("enrol",) and self._on_enrol is not None:
            self._on_enrol(levels[4], levels[5], payload, retained)

    def _take_ack(self, payload: bytes) -> None:
        try:
            ack = parse_ack(payload)
        except WireError as error:
            self._counts["unreadable"] += 1
            log.warning("link ack unreadable bytes=%d error=%s", len(payload), error)
            return
        if ack.resend:
            self._flight.again()
        # Only what was sent can have been committed: an acknowledgement of anything else deletes nothing
        done = self._flight.take(ack)
        if not done:
            return
        self._journal.acknowledge(as_ranges([gone.sequence for gone in done]), ack.journal)
        self._counts["acknowledged"] += len(done)
        self._look = True
