"""One MQTT 3.1.1 connection that keeps coming back, in one thread of its own.

The network loop is ours, over paho's `loop_read`, `loop_write` and `loop_misc`: everything that touches the client happens in this thread,
so no lock is shared with whoever has something to say, a word is written to the wire the moment `wake` is called, and anything that goes
wrong in a broker's bytes ends one connection and not the program. Each connection has a fresh client: what must survive a connection
is the caller's business (a journal), never the memory of a library.
"""

from __future__ import annotations

import logging
import os
import random
import select
import ssl
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as paho
from msgspec import Struct
from msgspec.structs import replace
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from agent.errors import ConfigError
from agent.link.buffered import BufferedClient, BufferedSocket
from agent.link.certificate import why_refused

log = logging.getLogger(__name__)

BACKOFF_MIN_S = 0.2
BACKOFF_MAX_S = 15.0
CONNACK_WAIT_S = 10.0
CONNECT_WAIT_S = 5.0
HUNG_S = 600.0
"""Finding a name, connecting, TLS and the broker's word each end long before: a thread that has not come round for so long never will."""
_IDLE_S = 1.0
NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME (OpenSSL 1.1.0, x509_vfy.h), which Python has no name for. A certificate of the site's own authority that is not
valid yet proves that the clock here is wrong, and not that the certificate is; when it ends is compared with what the time is at least."""
_MOST_TOPICS = 5_000
"""Whose fitting is remembered: a historian hears the same few thousand again and again, and looking costs a tenth of its time."""
_PACKETS_AT_ONCE = 100


class Address(Struct, frozen=True, kw_only=True):
    """Where the broker is and who we are to it. The field names are those of the configuration's [link]."""

    host: str = "127.0.0.1"
    port: int = 1883
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: int = 15
    other_hosts: tuple[str, ...] = ()
    """Further nodes of a cluster, at the same port: when a connection ends, the next one is tried."""
    qos: int = 1
    """The most that is asked of the broker. 0 where our own acknowledgements alone are to count: docs/NATS.md."""


class Own(Protocol):
    """What this side shows, and what it knows of the time: both may change between two connections."""

    def files(self) -> tuple[str, str]:
        """Certificate and key; no key file: it stands in the same file."""

    def is_sure(self) -> bool:
        """Whether the hour of the day may be gone by."""

    def not_before(self) -> datetime:
        """It is this time at least."""


class Will(Struct, frozen=True):
    """What the broker says, retained, when we are gone."""

    topic: str
    payload: bytes


class Handler(Protocol):
    """What a session is for. All of it is called in the session's thread."""

    def connected(self, say: Say) -> None:
        """A connection stands: subscribe, and say what must be said again."""

    def turn(self, say: Say, now_s: float) -> float:
        """Say what there is to say; returns for how many seconds there is nothing more."""

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        """Something arrived."""

    def leaving(self, say: Say) -> None:
        """The session ends on purpose: last words."""


class Say:
    """The two things that may be done on a standing connection."""

    def __init__(self, client: paho.Client, most_qos: int = 1) -> None:
        self._client, self._most_qos = client, most_qos
        self._filters: list[str] = []
        self._fits: dict[str, bool] = {}

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=min(qos, self._most_qos), retain=retain)

    @property
    def is_behind(self) -> bool:
        """Bytes wait for the wire: whoever has much to say waits with more, so that it need not lie in memory."""
        sock = self._client.socket()
        if isinstance(sock, BufferedSocket):
            sock.flush()
            return sock.unsent > 0 or self._client.want_write()
        return True

    def subscribe(self, *topics: str, qos: int = 1) -> None:
        """With `qos` 0 the broker keeps nothing of it for a session that is away."""
        self._filters += topics
        self._fits.clear()
        self._client.subscribe([(topic, min(qos, self._most_qos)) for topic in topics])

    def asked_for(self, topic: str) -> bool:
        """Whether some subscription of this connection fits. Brokers have been seen to hand one client another's messages."""
        fits = self._fits.get(topic)
        if fits is None:
            if len(self._fits) >= _MOST_TOPICS:
                self._fits.clear()
            fits = self._fits[topic] = any(paho.topic_matches_sub(each, topic) for each in self._filters)
        return fits


class Session:
    """`start`, `wake` from any thread, `stop`."""

    def __init__(self, address: Address, client_id: str, handler: Handler, *, will: Will | None = None, clean: bool = True,
                 in_flight: int = 100, jitter: random.Random | None = None, own: Own | None = None) -> None:  # fmt: skip
        """`own` None: the address's files, and a clock that is right. Raises ConfigError when password or certificate cannot be read."""
        self._address, self._client_id, self._handler, self._will = address, client_id, handler, will
        self._own = own
        self._anew = threading.Event()
        self._clean, self._in_flight, self._jitter = clean, in_flight, jitter or random.Random()  # noqa: S311 - spreads load, hides nothing
        self._hosts = (address.host, *address.other_hosts)
        self._next_host = self._jitter.randrange(len(self._hosts)) if address.other_hosts else 0  # doors spread over the nodes
        self._password = _password(address)
        self._bell_lock = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = threading.Event()
        self._say: Say | None = None
        self._broken = ""
        self._errors = 0
        self._connections = 0
        self._broker_until: datetime | None = None
        self._turned_s: float | None = None
        self._make_client()  # what is wrong with the files is said before anything runs
        self._thread = threading.Thread(target=self._run, name=f"mqtt {client_id}", daemon=True)

    @property
    def is_connected(self) -> bool:
        return self._say is not None

    @property
    def errors(self) -> int:
        """Messages and connections that ended in an exception."""
        return self._errors

    @property
    def connections(self) -> int:
        """How many connections have stood so far."""
        return self._connections

    @property
    def last_error(self) -> str:
        return self._broken

    @property
    def broker_until(self) -> datetime | None:
        """Until when the certificate is good that the broker showed last."""
        return self._broker_until

    def start(self) -> None:
        self._turned_s = time.monotonic()
        self._thread.start()

    def hung(self) -> str:
        """What does not move, in words: its thread has ended, or has not come round for HUNG_S. No fault of a network looks like that."""
        if self._turned_s is None or self._stopping.is_set():
            return ""
        if not self._thread.is_alive():
            return "nobody looks after the connection any more"
        away_s = time.monotonic() - self._turned_s
        return f"has not moved for {away_s / 60:.0f} min" if away_s > HUNG_S else ""

    def wake(self) -> None:
        """There is something to say."""
        with self._bell_lock:
            if self._bell >= 0:
                os.eventfd_write(self._bell, 1)

    def again(self) -> None:
        """End this connection and make another, with the files as they are by then."""
        self._anew.set()
        self.wake()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._close_bell()

    def _close_bell(self) -> None:
        with self._bell_lock:  # the number may belong to another file a moment later: nobody may ring it then
            if self._bell >= 0:
                os.close(self._bell)
            self._bell = -1

    # -- the session's thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._turned_s = time.monotonic()
            before = self._connections
            try:
                self._visit()
            except Exception as error:  # noqa: BLE001 - no byte of a broker may end the thread; it is counted and told
                told = self._why_refused(error) if isinstance(error, ssl.SSLError) else ""
                self._note(told or f"{type(error).__name__}: {error}")
            self._say = None
            failures = 0 if self._connections > before else failures + 1
            self._stopping.wait(self._backoff_s(failures))

    def _backoff_s(self, failures: int) -> float:
        """Doubles to a limit; jitter keeps the doors of a site from coming back all at once."""
        longest_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2 ** min(failures, 10))
        return float(longest_s * self._jitter.uniform(0.5, 1.0))

    def _visit(self) -> None:
        """One connection, from CONNECT to its end."""
        self._anew.clear()
        client = self._make_client()
        host = self._hosts[self._next_host]
        self._next_host = (self._next_host + 1) % len(self._hosts)
        client.connect(host, self._address.port, self._address.keepalive_s)
        sock = client.socket()
        if isinstance(sock, BufferedSocket):
            sock.send_at_once()
        self._demand_lasting(sock)
        before = self._connections, self._errors
        try:
            self._attend(client)
            if (self._connections, self._errors) == before and client.socket() is None:
                self._not_let_in(sock)
        finally:
            self._say = None
            # closed without DISCONNECT, unless `_leave` has sent it: the broker then publishes our last will
            if (sock := client.socket()) is not None:
                sock.close()

    def _not_let_in(self, sock: Any) -> None:
        """With TLS a refusal comes behind the handshake, and says little."""
        if why := self._why_refused(sock.fault if isinstance(sock, BufferedSocket) else None):
            self._note(why)

    def _shown(self) -> Address:
        """With the files that count now."""
        if self._own is None:
            return self._address
        certificate, key = self._own.files()
        return replace(self._address, cert_file=certificate, key_file=key)

    def _demand_lasting(self, sock: Any) -> None:
        """Of a broker whose certificate was not held against the clock, for the clock may be anything. Raises ConnectionError."""
        if self._own is None or self._own.is_sure() or not isinstance(sock, BufferedSocket):
            return
        until = sock.peer_until()
        if until is not None and until < self._own.not_before():
            raise ConnectionError(
                f"the broker's certificate ended on {until:%Y-%m-%d}: it is later than that, whatever the clock says"
            )

    def _why_refused(self, error: BaseException | None) -> str:
        if not self._address.ca_file:
            return ""
        return why_refused(error, self._shown().cert_file, datetime.now(timezone.utc))

    def _attend(self, client: paho.Client) -> None:
        started_s = time.monotonic()
        while client.socket() is not None:
            wait_s = _IDLE_S
            if self._say is not None:
                if self._stopping.is_set():
                    self._leave(client)
                    return
                if self._anew.is_set():
                    client.disconnect()
                    return
                wait_s = self._handler.turn(self._say, time.monotonic())
            elif self._stopping.is_set() or time.monotonic() - started_s > CONNACK_WAIT_S:
                return
            if not self._pump(client, min(_IDLE_S, wait_s)):
                return

    def _pump(self, client: paho.Client, wait_s: float) -> bool:
        """Wait for the wire or the bell and serve both. False: the connection is gone."""
        sock = client.socket()
        if not isinstance(sock, BufferedSocket):
            return False
        if sock.unsent:
            sock.flush()
        events = _wait(sock, self._bell, sock.unsent > 0 or client.want_write(), 0.0 if sock.pending() else wait_s)
        result = MQTTErrorCode.MQTT_ERR_SUCCESS
        if events & select.POLLIN or sock.pending():
            result = _read(client, sock)
        if result == MQTTErrorCode.MQTT_ERR_SUCCESS and client.want_write():
            result = client.loop_write()
        if result == MQTTErrorCode.MQTT_ERR_SUCCESS:
            result = client.loop_misc()
        return result in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN)

    def _leave(self, client: paho.Client) -> None:
        """Last words, and a short while for the broker to take them."""
        if self._say is not None:
            self._handler.leaving(self._say)
        until_s = time.monotonic() + 1.0
        while client._out_messages and time.monotonic() < until_s:  # paho has no public name for 'still unacknowledged'
            if not self._pump(client, 0.05):
                return
        client.disconnect()

    def _make_client(self) -> paho.Client:
        client = BufferedClient(CallbackAPIVersion.VERSION2, client_id=self._client_id, clean_session=self._clean,
                             protocol=MQTTProtocolVersion.MQTTv311, reconnect_on_failure=False)  # fmt: skip
        client.connect_timeout = CONNECT_WAIT_S
        client.max_inflight_messages_set(self._in_flight + 20)
        if self._address.user:
            client.username_pw_set(self._address.user, self._password)
        if self._address.ca_file:
            client.tls_set_context(_tls(self._shown(), self._own is None or self._own.is_sure()))
        if self._will:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(self, client: paho.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._note(f"the broker refuses {self._client_id}: {reason}")
            return
        self._connections += 1
        self._broken = ""
        sock = client.socket()
        self._broker_until = sock.peer_until() if isinstance(sock, BufferedSocket) else None
        log.info("link connected client=%s host=%s port=%d", self._client_id, client.host, self._address.port)
        say = Say(client, self._address.qos)
        self._handler.connected(say)
        self._say = say

    def _on_disconnect(self, _client: paho.Client, _user: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._say = None
        if not self._stopping.is_set():
            log.warning("link lost client=%s reason=%s", self._client_id, reason)

    def _on_message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        say = self._say
        try:
            if say is not None and not say.asked_for(message.topic):
                log.warning("link unasked client=%s topic=%s: dropped", self._client_id, message.topic[:200])
                return
            self._handler.message(message.topic, bytes(message.payload), bool(message.retain))
        except Exception as error:  # noqa: BLE001 - whatever somebody publishes, the link stays
            self._note(f"message: {type(error).__name__}: {error}")

    def _note(self, text: str) -> None:
        self._errors += 1
        if text != self._broken:
            log.warning("link fault client=%s %s", self._client_id, text)
        self._broken = text


def _read(client: paho.Client, sock: BufferedSocket) -> MQTTErrorCode:
    """What has come, but no more than so many packets in a row: there may be something to say."""
    for _ in range(_PACKETS_AT_ONCE):
        result = client.loop_read()
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS or client.socket() is None or not sock.pending():
            break
    return result


def _wait(sock: Any, bell: int, wants_write: bool, wait_s: float) -> int:
    poll = select.poll()
    poll.register(sock, select.POLLIN | (select.POLLOUT if wants_write else 0))
    poll.register(bell, select.POLLIN)
    found = dict(poll.poll(max(0.0, wait_s) * 1000))
    if bell in found:
        os.eventfd_read(bell)
    events = found.get(sock.fileno(), 0)
    # an end or an error of the wire is found by reading it
    return events | select.POLLIN if events & (select.POLLHUP | select.POLLERR) else events


def _password(address: Address) -> str | None:
    if not address.password_file:
        return None
    try:
        return Path(address.password_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"link.password_file {address.password_file}: cannot be read: {error}") from error


def _tls(address: Address, is_sure: bool) -> ssl.SSLContext:
    """Raises ConfigError."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the name is checked, and no certificate is taken unseen
        context.load_verify_locations(address.ca_file)
        if address.cert_file:
            context.load_cert_chain(address.cert_file, address.key_file or None)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"link.ca_file {address.ca_file}, cert_file {address.cert_file or '-'}: cannot be used: {error}"
        ) from error
    if not is_sure:
        context.verify_flags |= NO_CHECK_TIME
    return context
