"""Between the centre and the issuer: one question and one answer a connection, each a line of JSON, on a Unix socket in the site's folder.

The issuer alone reads the authority's key. The centre, which speaks with browsers and with doors, asks it; whoever takes the centre over can
ask for codes as a manager can, which stands in the issuer's log, but carries no key away.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import socketserver
import threading
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from agent import first_use
from agent.errors import ConfigError, DoorwardError
from agent.identity.messages import Answer
from agent.local_socket import MAX_PATH_BYTES
from agent.pairing.messages import Hello, Met, Proof
from central.site.doors import Revoked
from central.site.pairing import CodeRow, Issuer, Made, Outcome, Replaced

log = logging.getLogger(__name__)

SOCKET, LOCK = "issuer.sock", ".issuer.lock"
MOST_BYTES = 256 * 1024
WAIT_S = 30.0
AWAY = "no issuer runs beside this centre, and nobody else lets doors in: systemctl start doorward-issuer (doorward central issuer {folder})"

T = TypeVar("T")


class IssuerAway(DoorwardError, OSError):
    """Nobody answers at the issuer's socket; the sentence says what starts it."""


class Make(Struct, frozen=True, kw_only=True, tag="make"):
    site: str
    door: str
    name: str
    by: str

    def done_by(self, issuer: Issuer) -> Made:
        made = issuer.make(self.site, self.door, self.name, self.by)
        log.info("issuer code made site=%s door=%s by=%r", self.site, self.door, self.by[:100])
        return made


class Withdraw(Struct, frozen=True, kw_only=True, tag="withdraw"):
    id: str

    def done_by(self, issuer: Issuer) -> bool:
        return issuer.withdraw(self.id)


class Rows(Struct, frozen=True, kw_only=True, tag="rows"):
    def done_by(self, issuer: Issuer) -> list[CodeRow]:
        return issuer.rows()


class Waiting(Struct, frozen=True, kw_only=True, tag="replaced"):
    def done_by(self, issuer: Issuer) -> list[Replaced]:
        return issuer.replaced()


class Greeted(Struct, frozen=True, kw_only=True, tag="hello"):
    told: Hello

    def done_by(self, issuer: Issuer) -> Met:
        return issuer.hello(self.told)


class Proved(Struct, frozen=True, kw_only=True, tag="proof"):
    told: Proof

    def done_by(self, issuer: Issuer) -> Outcome:
        return _logged(issuer.prove(self.told))


class Heard(Struct, frozen=True, kw_only=True, tag="heard"):
    told: Replaced

    def done_by(self, issuer: Issuer) -> Revoked | None:
        return issuer.heard(self.told)


class Renew(Struct, frozen=True, kw_only=True, tag="renew"):
    site: str
    door: str
    asked: bytes

    def done_by(self, issuer: Issuer) -> Answer:
        log.info("issuer renews site=%s door=%s", self.site[:40], self.door[:40])
        return issuer.renew(self.site, self.door, self.asked)


Question = Make | Withdraw | Rows | Waiting | Greeted | Proved | Heard | Renew


class _Answer(Struct, frozen=True, kw_only=True):
    ok: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


class IssuerClient:
    """`folder`: the site's. Every call raises IssuerAway, and ConfigError with the issuer's own sentence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, site: str, door: str, name: str, by: str) -> Made:
        return self._ask(Make(site=site, door=door, name=name, by=by), Made)

    def withdraw(self, identity: str) -> bool:
        return self._ask(Withdraw(id=identity), bool)

    def rows(self) -> list[CodeRow]:
        return self._ask(Rows(), list[CodeRow])

    def hello(self, told: Hello) -> Met:
        return self._ask(Greeted(told=told), Met)

    def prove(self, told: Proof) -> Outcome:
        return self._ask(Proved(told=told), Outcome)

    def renew(self, site: str, door: str, asked: bytes) -> Answer:
        """What a door asked for its own certificates."""
        return self._ask(Renew(site=site, door=door, asked=asked), Answer)

    def replaced(self) -> list[Replaced]:
        return self._ask(Waiting(), list[Replaced])

    def heard(self, told: Replaced) -> Revoked | None:
        return self._ask(Heard(told=told), Revoked | None)  # type: ignore[arg-type]

    def _ask(self, question: Question, kind: type[T]) -> T:
        try:
            with socket.socket(socket.AF_UNIX) as wire:
                wire.settimeout(WAIT_S)
                wire.connect(str(_path(self._folder)))
                wire.sendall(msgspec.json.encode(question) + b"\n")
                with wire.makefile("rb") as file:
                    answer = msgspec.json.decode(file.readline(MOST_BYTES), type=_Answer)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise IssuerAway(AWAY.format(folder=self._folder)) from error
        if answer.error:
            raise ConfigError(answer.error)
        return msgspec.json.decode(answer.ok, type=kind)


class IssuerServer:
    """`start`, `stop`."""

    def __init__(self, issuer: Issuer, folder: Path) -> None:
        """Raises ConfigError, also when another issuer serves this folder."""
        self._path = _path(folder)
        self._lock = _only_one(folder)
        try:
            self._path.unlink(missing_ok=True)
            self._server = _Server(str(self._path), issuer)
            self._path.chmod(0o600)
            keys = folder / "keys"
            if os.geteuid() == 0 and keys.exists():  # the centre runs under the account that its keys belong to
                os.chown(self._path, keys.stat().st_uid, -1)
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be made: {error}") from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="issuer", daemon=True)

    def start(self) -> None:
        first_use.ready()  # visitors are threads
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(5.0)
        self._server.server_close()
        self._path.unlink(missing_ok=True)
        os.close(self._lock)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 32

    def __init__(self, path: str, issuer: Issuer) -> None:
        self.issuer = issuer
        super().__init__(path, _Visit)


class _Visit(socketserver.StreamRequestHandler):
    timeout = 10.0
    server: _Server

    def handle(self) -> None:
        try:
            raw = self.rfile.readline(MOST_BYTES)
            self.wfile.write(msgspec.json.encode(answer_to(self.server.issuer, raw)) + b"\n")
        except OSError as error:
            log.warning("issuer visitor lost error=%s", error)


def answer_to(issuer: Issuer, raw: bytes) -> _Answer:
    """Whatever is asked, the issuer goes on."""
    try:
        question = msgspec.json.decode(raw, type=Question)
        return _Answer(ok=msgspec.Raw(msgspec.json.encode(question.done_by(issuer))))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _Answer(error=f"the issuer was asked what it does not know: {error}")
    except DoorwardError as error:
        log.warning("issuer refused error=%s", error)
        return _Answer(error=str(error)[:1000])
    except Exception:
        log.exception("issuer fault")
        return _Answer(error="something unexpected happened; the issuer's log says what")


def _logged(outcome: Outcome) -> Outcome:
    news = outcome.news
    if news.kind != "none":
        log.info("issuer %s site=%s door=%s wrong_tries=%d %s", news.kind, news.site, news.door, news.tries, news.detail)
    return outcome


def _path(folder: Path) -> Path:
    path = folder.absolute() / SOCKET
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise ConfigError(f"{path}: the name of a socket has at most {MAX_PATH_BYTES} bytes; use a shorter folder")
    return path


def _only_one(folder: Path) -> int:
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error}; run this as root") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(f"{folder}: another issuer serves this site already") from error
    return descriptor
