"""A door renews its certificates by itself, long before they end: new keys made here, requests to the centre, certificates back, a trial.

What it had goes on until a broker has taken what is new; whatever goes wrong leaves it as it was, and is tried again later. A sealed key
stays (only root can seal another one) and gets a new certificate.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.errors import WireError
from agent.identity.messages import ASK, MAGIC, Answer, Ask, Wish, answer_of
from agent.identity.openssl import new_key, request_for, signature_by
from agent.identity.own import OwnCertificate
from agent.link.certificate import valid_span
from agent.link.session import Address
from agent.link.trial import shake_hands

log = logging.getLogger(__name__)

DUE_SHARE = 2 / 3
"""Of a certificate's life: one of five years is renewed when twenty months are left, and a door may be away for so long."""
LOOK_EVERY_S, FIRST_LOOK_S = 3600.0, 60.0
ANSWER_S, COME_BACK_S = 60.0, 60.0


class Broker(Protocol):
    """The part of a link that a renewal needs."""

    @property
    def is_connected(self) -> bool: ...
    @property
    def connections(self) -> int: ...
    def ask(self, name: str, payload: bytes) -> None: ...
    def show_anew(self) -> None: ...
    def note_certificates(self) -> None: ...


class Place(Struct, frozen=True):
    """Who asks, and where the broker is."""

    site: str
    door: str
    address: Address


class Program(Struct, frozen=True):
    """A program with a certificate of its own."""

    own: OwnCertificate
    is_sealed: bool
    """Its key stays."""


def is_due(span: tuple[datetime, datetime] | None, now: datetime) -> bool:
    """Pure. A certificate that has ended is past helping: no broker lets it ask."""
    if span is None:
        return False
    since, until = span
    return since + (until - since) * DUE_SHARE <= now < until


class Renewer:
    """`start`, `stop`; `heard` in the link's thread. `tell` is given an event's kind and data, in a thread of its own."""

    def __init__(self, place: Place, programs: Sequence[Program], broker: Broker, now: Callable[[], datetime | None],
                 tell: Callable[[str, dict[str, Any]], None]) -> None:  # fmt: skip
        """`programs`: link first, media behind it where the door has it. `now`: None while the time is not known."""
        self._place, self._programs, self._broker, self._now, self._tell = place, tuple(programs), broker, now, tell
        self._answers: dict[str, Answer] = {}
        self._answered = threading.Condition()
        self._awaited = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="identity", daemon=True)
        self._said = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        with self._answered:
            self._answered.notify_all()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def heard(self, payload: bytes) -> None:
        """The centre's answer. Anything else is dropped."""
        try:
            answer = answer_of(payload)
        except WireError as error:
            log.warning("identity answer unreadable error=%s", error)
            return
        with self._answered:
            if answer.id == self._awaited:
                self._answers[answer.id] = answer
                self._answered.notify_all()

    def _run(self) -> None:
        for program in self._programs:
            program.own.drop()  # what a power cut left of a trial
        wait_s = FIRST_LOOK_S
        while not self._stopping.wait(wait_s * random.uniform(0.5, 1.5)):  # noqa: S311 - spreads doors, hides nothing
            wait_s = LOOK_EVERY_S
            self.look()

    def look(self) -> bool:
        """Renew, if it is time to. Whether it was done."""
        now = self._now()
        spans = [valid_span(program.own.in_force().certificate) for program in self._programs]
        if now is None or not self._broker.is_connected or not any(is_due(span, now) for span in spans):
            return False
        try:
            until = self.renew()
        except (WireError, OSError) as error:
            for program in self._programs:
                program.own.drop()
            if str(error) != self._said:
                self._said = str(error)
                self._tell("certificate.not_renewed", {"error": self._said})
            return False
        self._said = ""
        self._tell("certificate.renewed", {"until": until.isoformat()})
        return True

    def renew(self) -> datetime:
        """Now. Until when the new ones are good. Raises WireError, OSError; what was in force is in force then."""
        keys = [self._key_of(program) for program in self._programs]
        answer = self._ask([request_for(key) for key in keys])
        told = (answer.link, answer.media)
        for program, key, certificate in zip(self._programs, keys, told, strict=False):
            if not certificate:
                raise WireError("the centre's answer lacks a certificate")
            pem = certificate.encode("ascii", "replace")
            shown = program.own.put(pem if program.is_sealed else pem + b"\n" + key)
            self._demand_believed(replace(self._place.address, cert_file=shown.certificate, key_file=shown.key))
        return self._switch()

    def _key_of(self, program: Program) -> bytes:
        if not program.is_sealed:
            return new_key()
        with open(program.own.key_file(), "rb") as file:
            return file.read()

    def _ask(self, requests: list[str]) -> Answer:
        place, current = self._place, self._programs[0].own.in_force()
        wish = Wish(site=place.site, door=place.door, id=os.urandom(16).hex(), link=requests[0], media="".join(requests[1:2]))
        raw = msgspec.json.encode(wish)
        with open(current.certificate, encoding="ascii") as file:
            certificate = _certificate_in(file.read())
        signature = signature_by(self._programs[0].own.key_file(), MAGIC + raw)
        with self._answered:
            self._awaited = wish.id
            self._broker.ask(ASK, msgspec.json.encode(Ask(wish=raw, certificate=certificate, signature=signature)))
            self._answered.wait_for(lambda: wish.id in self._answers or self._stopping.is_set(), ANSWER_S)
            answer, self._awaited = self._answers.pop(wish.id, None), ""
        if answer is None:
            raise WireError("the centre has not answered: does doorward-issuer run there?")
        if answer.refused:
            raise WireError(f"the centre refuses: {answer.refused}")
        return answer

    def _demand_believed(self, address: Address) -> None:
        """Each key fits its certificate, and a broker takes both: before anything is changed."""
        failed, error, _ = shake_hands(address)
        if failed:
            raise WireError(f"the new certificate was tried and not taken: {error}")

    def _switch(self) -> datetime:
        link, before = self._programs[0].own, self._broker.connections
        link.begin_trial()
        self._broker.show_anew()
        if not self._comes_back(before):
            link.drop()
            self._broker.show_anew()
            raise WireError("the link did not come up with the new certificate; the one before counts again")
        for program in reversed(self._programs):  # the link's last: when the centre hears of it, the others are there as well
            program.own.keep()
        self._broker.note_certificates()
        spans = [span for program in self._programs if (span := valid_span(program.own.in_force().certificate)) is not None]
        return min(span[1] for span in spans)

    def _comes_back(self, before: int) -> bool:
        for _ in range(int(COME_BACK_S / 0.1)):
            if self._broker.connections > before and self._broker.is_connected:
                return True
            if self._stopping.wait(0.1):
                return False
        return False


def _certificate_in(pem: str) -> str:
    """Without the key that may stand in the same file. Raises WireError."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    at = pem.find(begin)
    if at < 0 or end not in pem[at:]:
        raise WireError("this door's certificate cannot be read")
    return pem[at : pem.index(end, at) + len(end)] + "\n"
