"""`doorward central broker-check`: comes to the broker as a door, as a person and as a stranger, and finds out what each may do.

A broker that denies a publish acknowledges it all the same (MQTT 3.1.1), so what counts is what arrives: the centre listens. Everything
happens under doorward/broker-check, where no door is, and nothing of it is retained.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from agent.link.certificate import valid_span
from agent.link.session import Address, Say, Session
from central.certificates import SOON
from central.site.authority import Purpose, in_force
from central.site.files import OWNER_ONLY, alone, put
from central.site.folder import EVERYWHERE, Site
from central.site.names import PROBE, PROBE_PERSON, door_name
from central.site.running import LOCAL, centre_address

CONNECT_S = 10.0
ARRIVE_S = 5.0
DOOR = door_name(PROBE, PROBE)
PROBE_LIFE = timedelta(minutes=10)


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was tried."""

    what: str
    ok: bool
    detail: str = ""


class Visitor:
    """A connection that says things and remembers what it heard."""

    def __init__(self, address: Address, client_id: str, *topics: str) -> None:
        self._topics, self._where = topics, f"{address.host}:{address.port}"
        self._lock = threading.Condition()
        self._to_say: list[tuple[str, bytes]] = []
        self._heard: list[tuple[str, bytes]] = []
        self._is_here = threading.Event()
        self._session = Session(address, client_id, self)
        self._session.start()

    def is_let_in(self) -> bool:
        """Waits for the broker's yes or no, or its silence."""
        until_s = time.monotonic() + CONNECT_S
        while not self._session.errors and time.monotonic() < until_s:
            if self._is_here.wait(0.02):
                return True
        return False

    def why_not(self) -> str:
        said = self._session.last_error or "no answer"
        return f"{said}, at {self._where}; does the broker run there, with this folder's configuration?"

    def say(self, topic: str, payload: bytes) -> None:
        with self._lock:
            self._to_say.append((topic, payload))
        self._session.wake()

    def hears(self, topic: str, payload: bytes) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: (topic, payload) in self._heard, ARRIVE_S)

    def has_heard(self, payload: bytes) -> bool:
        """Whether it has arrived by now, under whatever topic."""
        with self._lock:
            return any(payload == heard for _, heard in self._heard)

    def leave(self) -> None:
        self._session.stop()

    def connected(self, say: Say) -> None:
        if self._topics:
            say.subscribe(*self._topics)
        self._is_here.set()

    def turn(self, say: Say, now_s: float) -> float:
        with self._lock:
            told, self._to_say = self._to_say, []
        for topic, payload in told:
            say.publish(topic, payload)
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        with self._lock:
            self._heard.append((topic, payload))
            self._lock.notify_all()

    def leaving(self, say: Say) -> None:
        """Nothing is left to say."""


def check(site: Site, now: datetime) -> list[Finding]:
    """Raises ConfigError when the folder cannot be read; what the broker does wrong is a finding."""
    with tempfile.TemporaryDirectory() as folder:
        centre = Visitor(centre_address(site), f"doorward-{PROBE}", f"doorward/{PROBE}/#")
        try:
            if not centre.is_let_in():
                return [Finding(what="the centre is let in", ok=False, detail=centre.why_not())]
            found = [Finding(what="the centre is let in", ok=True)]
            as_a_person = _as_a_person if site.cluster is None else _as_a_person_with_certificate
            return (
                found
                + _certificates(site, now)
                + _strangers(site)
                + _as_a_door(site, centre, Path(folder), now)
                + as_a_person(site, centre, Path(folder), now)
            )
        finally:
            centre.leave()


def _certificates(site: Site, now: datetime) -> list[Finding]:
    """What ends within central.certificates.SOON: `doorward central certificates` lists all."""
    lines = in_force(site.authority.issued(), now)
    soon = [f"{line.name} ({line.purpose}) {line.until:%Y-%m-%d}" for line in lines if line.until - now <= SOON]
    span = valid_span(str(site.centre / "centre.crt"))
    if span is not None and span[1] - now <= SOON:
        soon.append(f"centre {span[1]:%Y-%m-%d}")
    detail = f"{'; '.join(soon[:10])}: doorward central renew" if soon else ""
    return [Finding(what=f"no certificate ends within {SOON.days} days", ok=not soon, detail=detail)]


def _strangers(site: Site) -> list[Finding]:
    anybody = replace(_at_doors_listener(site), cert_file="", key_file="")
    return [Finding(what="who has no certificate is refused at the doors' listener", ok=not _is_answered(anybody))]


def _is_answered(address: Address) -> bool:
    """Whether the broker says a word of MQTT to this certificate, or to none. Under TLS 1.3 a refusal comes only after the handshake."""
    context = ssl.create_default_context(cafile=address.ca_file)
    if address.cert_file:
        context.load_cert_chain(address.cert_file, address.key_file)
    with (
        suppress(OSError),
        socket.create_connection((address.host, address.port), CONNECT_S) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as wire,
    ):
        wire.sendall(bytes.fromhex("100c00044d5154540402003c0000"))  # CONNECT of MQTT 3.1.1, no name, 60 s
        return bool(wire.recv(4))
    return False


def reach(site: Site) -> str:
    """The address by which this machine reaches its broker: it may not know itself by the name that others use."""
    bind = site.settings.listeners.bind
    return LOCAL if bind in EVERYWHERE else bind


def _at_doors_listener(site: Site) -> Address:
    """Without a certificate, or with the centre's, which a cluster lets in there."""
    if site.cluster is not None:
        return centre_address(site)
    return Address(host=reach(site), port=site.settings.listeners.doors_port, ca_file=str(site.root / "ca.crt"))


def _with_certificate(site: Site, purpose: Purpose, name: str, folder: Path, now: datetime) -> Address:
    with alone(site.root):
        pair = site.authority.issue(purpose, name, now, life=PROBE_LIFE)
    put(folder / f"{purpose}.crt", pair.certificate, OWNER_ONLY)
    put(folder / f"{purpose}.key", pair.key, OWNER_ONLY)
    own = {"cert_file": str(folder / f"{purpose}.crt"), "key_file": str(folder / f"{purpose}.key")}
    return replace(_at_doors_listener(site), **own)


def _as_a_door(site: Site, centre: Visitor, folder: Path, now: datetime) -> list[Finding]:
    address = _with_certificate(site, "door", DOOR, folder, now)
    with _visiting(
        Visitor(address, f"doorward-{PROBE}-door", f"doorward/{DOOR}/cmd/+/+", f"doorward/{PROBE}/other/cmd/+/+")
    ) as door:
        if not door.is_let_in():
            return [Finding(what="a door of this site is let in", ok=False, detail=door.why_not())]
        found = [Finding(what="a door of this site is let in", ok=True)]
        found += _may(centre, door, "a door speaks for itself", f"doorward/{DOOR}/result/x",
                      "a door cannot speak for another", f"doorward/{PROBE}/other/result/x")  # fmt: skip
        found += _may(door, centre, "a door hears commands to it", f"doorward/{DOOR}/cmd/{PROBE}/assist",
                      "a door does not hear commands to another", f"doorward/{PROBE}/other/cmd/{PROBE}/assist")  # fmt: skip
        if site.cluster is not None:
            return found
        at_centre = replace(address, host=centre_address(site).host, port=site.settings.listeners.centre_port)
        return [*found, Finding(what="a door is refused at the centre's listener", ok=not _is_answered(at_centre))]


def _as_a_person_with_certificate(site: Site, centre: Visitor, folder: Path, now: datetime) -> list[Finding]:
    with _visiting(Visitor(_with_certificate(site, "person", PROBE_PERSON, folder, now), f"doorward-{PROBE}-person")) as guard:
        return _as_a_guard(centre, guard)


def _as_a_person(site: Site, centre: Visitor, folder: Path, now: datetime) -> list[Finding]:
    for name, password in (("right", site.probe_password()), ("wrong", "not the password")):
        put(folder / name, password.encode("utf-8"), OWNER_ONLY)
    address = Address(host=reach(site), port=site.settings.listeners.people_port, user=PROBE, password_file=str(folder / "right"),
                      ca_file=str(site.root / "ca.crt"))  # fmt: skip
    with _visiting(Visitor(address, "x", f"doorward/{DOOR}/result/+")) as guard:
        found = _as_a_guard(centre, guard)
        if not found[0].ok:
            return found
    wrong = replace(address, password_file=str(folder / "wrong"))
    with _visiting(Visitor(wrong, "x")) as stranger:
        return [*found, Finding(what="a person with a wrong password is refused", ok=not stranger.is_let_in())]


def _as_a_guard(centre: Visitor, guard: Visitor) -> list[Finding]:
    base, what = f"doorward/{DOOR}/cmd", "a person's program is let in"
    if not guard.is_let_in():
        return [Finding(what=what, ok=False, detail=guard.why_not())]
    found = [Finding(what=what, ok=True)]
    found += _may(centre, guard, "a guard gives a command of guards", f"{base}/{PROBE}/unlock",
                  "a guard gives none of managers", f"{base}/{PROBE}/hold_unlocked")  # fmt: skip
    found += _may(centre, guard, "a guard gives a command again", f"{base}/{PROBE}/unlock",
                  "a guard gives none under another's name", f"{base}/somebody/unlock")[1:]  # fmt: skip
    return found


def _may(listener: Visitor, speaker: Visitor, may: str, topic: str, may_not: str, denied: str) -> list[Finding]:
    """Say what is denied, then what is allowed: when the second has arrived, the first would have, too."""
    bad, good = (f'{{"id":"{uuid.uuid4()}"}}'.encode("ascii") for _ in range(2))
    speaker.say(denied, bad)
    speaker.say(topic, good)
    arrived = listener.hears(topic, good)
    return [Finding(what=may, ok=arrived, detail="" if arrived else f"{topic}: nothing arrives"),
            Finding(what=may_not, ok=arrived and not listener.has_heard(bad), detail=denied)]  # fmt: skip


@contextmanager
def _visiting(visitor: Visitor) -> Iterator[Visitor]:
    try:
        yield visitor
    finally:
        visitor.leave()
