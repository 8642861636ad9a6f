"""Pairing as the centre sees it: what people ask, what doors say, what goes on record, and when an old controller's time is over."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from agent.clock import Clock
from agent.errors import ConfigError, DoorwardError
from agent.pairing.messages import Granted, Hello, Met, Proof
from central.certificates import of_door
from central.gateway.asking import Ask, Endpoint, Role, Unfit
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorNow
from central.gateway.throttle import MOST_KEYS, Bucket, retry_after
from central.site.pairing import CodeRow, Made, News, Replaced
from central.site.pairing_wire import IssuerAway, IssuerClient

log = logging.getLogger(__name__)

ADDS: frozenset[Role] = frozenset({"manager", "installer"})
LOOK_EVERY_S = 5.0
BURST, PER_S = 20.0, 0.5
"""Messages of one address: a pairing has two."""
BURST_ALL, PER_S_ALL = 200.0, 5.0
DEEDS = {"paired": "pair", "wrong_code": "pair, wrong code", "refused": "pair, refused", "used_again": "pair, code used again"}

T = TypeVar("T")
NowOf = Callable[[str, str], DoorNow | None]


class New(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /pair/codes/{site}/{door}."""

    name: Annotated[str, Meta(max_length=100)] = ""
    """As people call the door; empty: as it was called before."""


class Shown(Struct, frozen=True, kw_only=True):
    """A code as GET /pair/codes tells it; its characters are told once, to whoever asked for it."""

    code: CodeRow
    here: bool
    """The controller that came by it is at the broker now."""


class PairingDesk:
    """`start`, `stop`; the rest from any thread."""

    def __init__(self, issuer: IssuerClient, audit: AuditLog, clock: Clock, now_of: NowOf) -> None:
        """`now_of`: how a door stands, by site and door."""
        self._issuer, self._audit, self._clock, self._now_of = issuer, audit, clock, now_of
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._all = Bucket(BURST_ALL, PER_S_ALL, BURST_ALL, clock.mono_s())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pairing", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    # -- for people ----------------------------------------------------------------------------------------------------------------

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(method="GET", path="/pair/codes", allowed=ADDS, work=self._listed),
            Endpoint(method="POST", path="/pair/codes/{site}/{door}", allowed=ADDS, work=self._make, max_bytes=4096),
            Endpoint(method="DELETE", path="/pair/codes/{id}", allowed=ADDS, work=self._withdraw),
        ]

    def _listed(self, ask: Ask) -> list[Shown]:
        rows = _fit(self._issuer.rows)
        return [Shown(code=row, here=self._is_here(row)) for row in rows if ask.caller.sees(row.site)]

    def _make(self, ask: Ask) -> Made:
        site, door, name = ask.path["site"], ask.path["door"], ask.json(New).name.strip()
        return _fit(lambda: self._issuer.make(site, door, name, ask.caller.account))

    def _withdraw(self, ask: Ask) -> None:
        row = next((row for row in _fit(self._issuer.rows) if row.id == ask.path["id"]), None)
        if row is None or not ask.caller.sees(row.site) or not _fit(lambda: self._issuer.withdraw(row.id)):
            raise Unfit(404, "no_such_code", "there is no such code, or it does not count any more")

    def _is_here(self, row: CodeRow) -> bool:
        until = row.certificate_until
        return until is not None and self._comes_with(Replaced(site=row.site, door=row.door, certificate_until=until))

    def _comes_with(self, told: Replaced) -> bool:
        """Whether a door is there with this certificate: its own word, over a connection that only a certificate of this door opens."""
        now = self._now_of(told.site, told.door)
        ending = of_door(told.site, told.door, now.states) if now is not None and now.online else None
        return ending is not None and abs((ending.until - told.certificate_until).total_seconds()) < 1

    # -- for doors -----------------------------------------------------------------------------------------------------------------

    def hello(self, told: Hello, address: str) -> Met:
        """Raises Unfit."""
        self._demand_room(address)
        return _fit(lambda: self._issuer.hello(told))

    def prove(self, told: Proof, address: str) -> Granted:
        """Raises Unfit, with the same words for whatever is wrong with a code."""
        self._demand_room(address)
        outcome = _fit(lambda: self._issuer.prove(told))
        self._record(outcome.news, address)
        if outcome.granted is None:
            raise Unfit(403, "not_paired", "this code does not count: it is wrong, used or old, or its tries are over")
        return outcome.granted

    def _record(self, news: News, address: str) -> None:
        if news.kind == "none":
            return
        details = {"address": address, "code_by": news.by, "wrong_tries": news.tries, "detail": news.detail}
        self._audit.write("door", DEEDS[news.kind], f"{news.site}/{news.door}", details)

    def _demand_room(self, address: str) -> None:
        now_s = self._clock.mono_s()
        with self._lock:
            bucket = self._buckets.setdefault(address, Bucket(BURST, PER_S, BURST, now_s))
            self._buckets.move_to_end(address)
            if len(self._buckets) > MOST_KEYS:
                self._buckets.popitem(last=False)
            wait_s = bucket.take(now_s) or self._all.take(now_s)
        if wait_s > 0:
            raise Unfit(429, "too_many", f"too many tries from there: again in {retry_after(wait_s)} s")

    # -- an old controller's time is over --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                self.look()
            except IssuerAway:
                continue
            except DoorwardError as error:
                log.error("pairing not looked at error=%s", error)
            except Exception:
                log.exception("pairing not looked at")

    def look(self) -> None:
        """Revoke what replaced controllers had, once the new ones are heard. Raises DoorwardError."""
        for told in self._issuer.replaced():
            if not self._comes_with(told):
                continue
            gone = self._issuer.heard(told)
            if gone is not None:
                about = {"serials": gone.serials, "reloaded": gone.reloaded}
                self._audit.write("centre", "revoke older certificates", f"{told.site}/{told.door}", about)


def _fit(work: Callable[[], T]) -> T:
    try:
        return work()
    except IssuerAway as error:
        raise Unfit(503, "no_issuer", str(error)) from error
    except ConfigError as error:
        raise Unfit(400, "not_allowed", str(error)) from error
