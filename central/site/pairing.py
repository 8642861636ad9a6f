"""Codes for doors, and what becomes of them: one use, fifteen minutes, three tries. docs/PAIRING.md.

Codes and runs are kept in memory alone: whoever restarts the issuer asks for a new code. Every run costs the other side one message that
shows whether it knew the code; until then nothing that we say depends on it, and a code that nobody made is answered as any other.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from agent.clock import Clock
from agent.errors import ConfigError, WireError
from agent.identity.messages import Answer
from agent.pairing import code as codes
from agent.pairing.messages import Grant, Granted, Hello, Met, Proof, Refusal, Request, bound_by, seal, unseal
from agent.pairing.spake2 import Agreed, Begun, begin, finish
from central.site.authority import RequestError
from central.site.doors import Admitted, Requests, Revoked, admit, revoke_older
from central.site.files import FOR_ALL, put
from central.site.folder import Site
from central.site.names import level
from central.site.renewing import renew_asked

CodeState = Literal["waiting", "paired", "dead", "expired", "withdrawn"]
NewsKind = Literal["none", "paired", "wrong_code", "refused", "used_again"]

MOST_WAITING = 50
MOST_SHOWN = 200
SHOWN_S = 3600.0
MOST_RUNS = 4096
RUN_S = 120.0
"""So long a door may take from its first message to its second."""
REPLACED = "replaced.json"
"""In the site's folder: doors with a new controller, whose older certificates wait for it to be heard."""


class Made(Struct, frozen=True, kw_only=True):
    """A code, told to whoever asked for it and to nobody else."""

    id: str
    code: str
    until: datetime
    valid_s: float
    replaces: bool
    """The door has a controller already."""


class CodeRow(Struct, frozen=True, kw_only=True):
    """A code without its characters."""

    id: str
    site: str
    door: str
    name: str
    by: str
    """Whose account asked for it."""
    until: datetime
    left_s: float
    state: CodeState
    tries: int
    """Wrong ones."""
    replaces: bool
    certificate_until: datetime | None = None
    """Of the controller that came: when its certificate ends."""
    reloaded: bool = True
    """False: it has come, and the broker has to be told by hand to read its lists again."""


class News(Struct, frozen=True, kw_only=True):
    """What has to go on record."""

    kind: NewsKind = "none"
    site: str = ""
    door: str = ""
    by: str = ""
    tries: int = 0
    detail: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """Of a door's second message. `granted` None: refused, with the same words whatever the reason."""

    granted: Granted | None = None
    news: News = News()


class Replaced(Struct, frozen=True, kw_only=True):
    """A door whose new controller has not been heard yet."""

    site: str
    door: str
    certificate_until: datetime


class _Code(Struct):
    id: str
    code: str
    site: str
    door: str
    name: str
    by: str
    until: datetime
    until_s: float
    replaces: bool
    state: CodeState = "waiting"
    tries: int = 0
    answers: dict[bytes, Granted] = {}
    """What was answered to a message that was right, by its digest: whoever lost the answer asks again with the same bytes."""
    certificate_until: datetime | None = None
    reloaded: bool = True


class _Run(Struct, frozen=True):
    begun: Begun
    met: Met
    other: bytes
    code: _Code
    until_s: float


class Issuer:
    """From any thread."""

    def __init__(self, site: Site, clock: Clock) -> None:
        self._site, self._clock = site, clock
        self._lock = threading.Lock()
        self._codes: OrderedDict[str, _Code] = OrderedDict()
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    # -- for people ----------------------------------------------------------------------------------------------------------------

    def make(self, site: str, door: str, name: str, by: str) -> Made:
        """A code for this door; one that it had before counts no more. Raises ConfigError."""
        level("site", site), level("door", door)
        if len(name) > 100 or not name.isprintable():
            raise ConfigError("name: up to 100 printable characters are allowed")
        with self._lock:
            self._tidy()
            waiting = [each for each in self._codes.values() if each.state == "waiting"]
            for each in waiting:
                if (each.site, each.door) == (site, door):
                    each.state = "withdrawn"
            if len(waiting) >= MOST_WAITING:
                raise ConfigError(f"{MOST_WAITING} codes wait for their doors already: withdraw some, or wait until they end")
            made = self._fresh(site, door, name, by, {codes.label(each.code) for each in self._codes.values()})
            self._codes[made.id] = made
        return Made(id=made.id, code=made.code, until=made.until, valid_s=codes.VALID_S, replaces=made.replaces)

    def _fresh(self, site: str, door: str, name: str, by: str, taken: set[str]) -> _Code:
        code = next(each for each in iter(codes.fresh, "") if codes.label(each) not in taken)
        until, until_s = self._clock.wall() + timedelta(seconds=codes.VALID_S), self._clock.mono_s() + codes.VALID_S
        replaces = self._site.doors.door(site, door) is not None
        return _Code(id=secrets.token_hex(8), code=code, site=site, door=door, name=name, by=by, until=until, until_s=until_s,
                     replaces=replaces)  # fmt: skip

    def withdraw(self, identity: str) -> bool:
        """Whether there was one that waited."""
        with self._lock:
            self._tidy()
            code = self._codes.get(identity)
            if code is None or code.state != "waiting":
                return False
            code.state = "withdrawn"
            return True

    def rows(self) -> list[CodeRow]:
        """Of the last hour, newest first."""
        with self._lock:
            self._tidy()
            now_s = self._clock.mono_s()
            return [_row(code, now_s) for code in reversed(self._codes.values())]

    def _tidy(self) -> None:
        now_s = self._clock.mono_s()
        for code in [each for each in self._codes.values() if now_s >= each.until_s]:
            if code.state == "waiting":
                code.state = "expired"
            if now_s >= code.until_s + SHOWN_S:
                del self._codes[code.id]
        for code in list(self._codes.values())[: max(0, len(self._codes) - MOST_SHOWN)]:
            del self._codes[code.id]
        while self._runs and (len(self._runs) > MOST_RUNS or now_s >= next(iter(self._runs.values())).until_s):
            self._runs.popitem(last=False)

    # -- for doors -----------------------------------------------------------------------------------------------------------------

    def hello(self, told: Hello) -> Met:
        """The first message. For a label that nobody has the same is done as for any other, with a code that nobody knows."""
        with self._lock:
            self._tidy()
            code = next((each for each in self._codes.values() if codes.label(each.code) == told.label), None) or self._nobodys(
                told.label
            )
            begun = begin("centre", code.code)
            met = Met(session=secrets.token_hex(16), share=begun.share)
            self._runs[met.session] = _Run(begun, met, told.share, code, self._clock.mono_s() + RUN_S)
            return met

    def _nobodys(self, label: str) -> _Code:
        """A code that counts for nothing, whatever is guessed."""
        code = label + codes.fresh()[codes.LABEL :]
        return _Code(
            id="",
            code=code,
            site="",
            door="",
            name="",
            by="",
            until=self._clock.wall(),
            until_s=0.0,
            replaces=False,
            state="dead",
        )

    def prove(self, told: Proof) -> Outcome:
        """The second message: whoever knew the code gets what a door needs, once. Raises ConfigError when the site's folder fails us."""
        with self._lock:
            self._tidy()
            run = self._runs.get(told.session)
            agreed = None if run is None else _agreed(run)
            if run is None or agreed is None:
                return Outcome()
            if not hmac.compare_digest(told.confirms, agreed.door_confirms):
                del self._runs[told.session]
                return Outcome(news=self._wrong(run.code))
            return self._right(run, agreed, told)

    def _wrong(self, code: _Code) -> News:
        """Counted before anything is said. A code that was used or has ended cannot be hurt by it."""
        if code.state != "waiting":
            return News()
        code.tries += 1
        if code.tries >= codes.TRIES:
            code.state = "dead"
        return _news(code, "wrong_code")

    def _right(self, run: _Run, agreed: Agreed, told: Proof) -> Outcome:
        code, digest = run.code, hashlib.sha256(msgspec.json.encode(told)).digest()
        if digest in code.answers:
            return Outcome(granted=code.answers[digest])
        if code.state != "waiting":
            used = code.state == "paired"
            return Outcome(news=_news(code, "used_again") if used else News())
        answer: Grant | Refusal
        try:
            answer, news = self._let_in(code, unseal(agreed.door_seals, told.sealed, Request, "the door's request"))
        except (WireError, RequestError) as error:
            answer, news = Refusal(sentence=str(error)[:500]), _news(code, "refused", str(error)[:300])
        granted = Granted(confirms=agreed.centre_confirms, sealed=seal(agreed.centre_seals, answer))
        code.answers = {**code.answers, digest: granted}
        return Outcome(granted=granted, news=news)

    def _let_in(self, code: _Code, asked: Request) -> tuple[Grant, News]:
        door = f"{code.site}/{code.door}"
        if asked.expects not in ("", door):
            raise RequestError(f"this code is for {door}, and this controller was told that it is {asked.expects}")
        now = self._clock.wall()
        requests = Requests(link=asked.link.encode(), media=asked.media.encode(), public_key=asked.public_key)
        done = admit(self._site, code.site, code.door, code.name, requests, now)
        code.state, code.certificate_until, code.reloaded = "paired", done.enrolled.valid_until, done.enrolled.reloaded
        if done.replaces:
            self._remember(Replaced(site=code.site, door=code.door, certificate_until=done.enrolled.valid_until))
        return _grant(done, now), _news(code, "paired", f"certificate {done.enrolled.serial}")

    def renew(self, site: str, door: str, asked: bytes) -> Answer:
        """New certificates for a door that proves that it is this one; what it had counts until it is heard with them. Raises ConfigError,
        RequestError, WireError."""
        with self._lock:
            renewed = renew_asked(self._site, site, door, asked, self._clock.wall())
            self._remember(Replaced(site=site, door=door, certificate_until=renewed.until))
        return renewed.answer

    # -- a controller was replaced ---------------------------------------------------------------------------------------------------

    def replaced(self) -> list[Replaced]:
        """Raises ConfigError."""
        path = self._site.root / REPLACED
        try:
            return msgspec.json.decode(path.read_bytes(), type=list[Replaced])
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
            raise ConfigError(
                f"{path}: cannot be read: {error}; delete it, and revoke by hand: renew FOLDER --only-newest SITE/DOOR"
            ) from error

    def heard(self, told: Replaced) -> Revoked | None:
        """The new controller of a door is at the broker, by the end of the certificate that it says it has: now the older ones go. None for a
        door that does not wait for this. Raises ConfigError."""
        with self._lock:
            if told not in self.replaced():
                return None
            gone = revoke_older(self._site, told.site, told.door, self._clock.wall(), throws=False)
            self._keep([each for each in self.replaced() if (each.site, each.door) != (told.site, told.door)])
            return gone

    def _remember(self, told: Replaced) -> None:
        self._keep([*(each for each in self.replaced() if (each.site, each.door) != (told.site, told.door)), told])

    def _keep(self, told: list[Replaced]) -> None:
        put(self._site.root / REPLACED, msgspec.json.encode(told) + b"\n", FOR_ALL)


def _agreed(run: _Run) -> Agreed | None:
    """None: what the door sent as its share is no point of the group."""
    try:
        return finish(run.begun, run.other, bound_by(codes.label(run.code.code), run.met.session))
    except WireError:
        return None


def _grant(done: Admitted, now: datetime) -> Grant:
    entry, files = done.entry, {name: raw.decode("utf-8") for name, raw in done.files.items()}
    return Grant(site=entry.site, door=entry.door, name=entry.name, at=now, valid_until=done.enrolled.valid_until,
                 replaces=done.replaces, files=files)  # fmt: skip


def _row(code: _Code, now_s: float) -> CodeRow:
    left_s = max(0.0, round(code.until_s - now_s, 1)) if code.state == "waiting" else 0.0
    return CodeRow(id=code.id, site=code.site, door=code.door, name=code.name, by=code.by, until=code.until, left_s=left_s, state=code.state,
                   tries=code.tries, replaces=code.replaces, certificate_until=code.certificate_until, reloaded=code.reloaded)  # fmt: skip


def _news(code: _Code, kind: NewsKind, detail: str = "") -> News:
    return News(kind=kind, site=code.site, door=code.door, by=code.by, tries=code.tries, detail=detail)
