"""From endpoints to a web application: who asks, may they, is it of the right size; then the work, in a thread, and the record of it."""

from __future__ import annotations

import contextlib
import gzip
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from agent.clock import Clock
from central.database.engine import StoreError
from central.gateway.accounts import Accounts, SignedIn, TooMany, csrf_of, digest_of
from central.gateway.asking import Ask, Caller, Endpoint, Reply, Unfit
from central.gateway.audit import AuditLog
from central.gateway.fence import Fence, Origins, is_ours
from central.gateway.pages import DIST, page_route
from central.gateway.throttle import MOST_KEYS, Bucket

log = logging.getLogger(__name__)

COOKIE = "doorward_session"
CSRF = "x-doorward-csrf"
MOST_QUERY, MOST_WORDS = 1000, 30
"""Characters of one value of a query; values in it."""
BODY_WAIT_S = 60.0
"""A body that takes longer is nobody's: the largest is some megabytes."""
THREADS, WAITING_THREADS, OUTSIDE_THREADS = 24, 64, 8
"""The last ones are all that whoever has not signed in may keep busy: a flood of sign-ins holds up no command of a guard."""
ADMITTING_THREADS, MOST_AT_ONCE = 8, 16
"""Threads that only look who asks; requests of one account. A browser makes six at a time."""
PACKED_FROM_BYTES = 8 * 1024
BURST, PER_S = 400.0, 60.0
"""Requests of one session: more is a page that has gone wild."""

T = TypeVar("T")


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What the sign-in page sends."""

    account: Annotated[str, Meta(max_length=100)]
    password: Annotated[str, Meta(max_length=500)]
    code: Annotated[str, Meta(max_length=20)] = ""


class Awake(Struct, frozen=True, forbid_unknown_fields=True):
    """What a page that is in view says now and then."""

    quiet_s: Annotated[float, Meta(ge=0, le=1e7)]
    """Nobody has moved a hand before it for so long."""


class Lasts(Struct, frozen=True):
    """So long the session lasts if nobody does."""

    lasts_s: float


class Session(Struct, frozen=True, kw_only=True):
    """What the page is told of whoever has signed in."""

    account: str
    name: str
    role: str
    csrf: str
    sites: tuple[str, ...]


def app(endpoints: Iterable[Endpoint], *, accounts: Accounts, audit: AuditLog, clock: Clock, origins: Origins,
        routes: Callable[[Desk], Sequence[BaseRoute]] = lambda desk: (), dist: Path = DIST) -> ASGIApp:  # fmt: skip
    """The whole application. `routes`: what is no endpoint, as the stream. The endpoints' paths lie below /api."""
    desk = Desk(accounts, audit, clock, origins)
    listed: list[BaseRoute] = [
        Route("/api/session", desk.sign_in, methods=["POST"]),
        Route("/api/session", desk.session, methods=["GET"]),
        Route("/api/session", desk.sign_out, methods=["DELETE"]),
        Route("/api/session/awake", desk.awake, methods=["POST"]),
        *routes(desk),
        *(Route(f"/api{each.path}", desk.serving(each), methods=[each.method]) for each in endpoints),
        Route("/api/{path:path}", _nothing_there, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        page_route(dist),
    ]
    return Fence(Starlette(routes=listed, exception_handlers={HTTPException: _http_error, Exception: _fault}), origins)


class Desk:
    """What all requests pass."""

    def __init__(self, accounts: Accounts, audit: AuditLog, clock: Clock, origins: Origins) -> None:
        self._accounts, self._audit, self._clock, self._origins = accounts, audit, clock, origins
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._threads: dict[str, anyio.CapacityLimiter] = {}
        self._under_way: Counter[str] = Counter()

    # -- sessions ----------------------------------------------------------------------------------------------------------------

    async def sign_in(self, request: Request) -> Response:
        try:
            self.demand_ours(request)
            wanted = Ask(caller=Caller("-", "guard"), now=self._clock.wall(), body=await read_body(request, 4096)).json(SignIn)
            address = request.client.host if request.client else ""
            begun = await self.outside(lambda: self._accounts.sign_in(wanted.account, wanted.password, wanted.code, address))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the browser gets an answer in JSON
            return refusal(error)
        response = _json(_session(begun.caller, begun.token))
        self.give_cookie(response, begun)
        return response

    async def session(self, request: Request) -> Response:
        try:
            token = _token(request)
            caller = await self.in_thread(lambda: self._caller(token))
        except Exception as error:  # noqa: BLE001
            return refusal(error)
        return _json(_session(caller, token))

    async def sign_out(self, request: Request) -> Response:
        try:
            token = _token(request)
            await self.in_thread(lambda: self._caller(token))
            self._demand_csrf(request, token)
            await self.in_thread(lambda: self._accounts.sign_out(token))
        except Exception as error:  # noqa: BLE001
            return refusal(error)
        response = _json(None)
        response.delete_cookie(COOKIE, path="/", secure=self._origins.secure, httponly=True, samesite="strict")
        return response

    async def awake(self, request: Request) -> Response:
        """To watch is work, too: a page that is in view may say that somebody is there."""
        try:
            token = _token(request)
            self._demand_csrf(request, token)
            self._demand_room(token)
            told = Ask(caller=Caller("-", "guard"), now=self._clock.wall(), body=await read_body(request, 256)).json(Awake)
            lasts = await self.in_thread(lambda: self._accounts.stay_awake(token, timedelta(seconds=told.quiet_s)))
        except Exception as error:  # noqa: BLE001
            return refusal(error)
        return _json(Lasts(round(lasts.total_seconds(), 1)))

    @property
    def secure(self) -> bool:
        """Whether browsers come by https."""
        return self._origins.secure

    def told(self, answer: Any) -> Response:
        """An answer in JSON."""
        return _json(answer)

    def give_cookie(self, response: Response, begun: SignedIn) -> None:
        response.set_cookie(COOKIE, begun.token, path="/", secure=self._origins.secure, httponly=True, samesite="strict")

    def _caller(self, token: str, *, used: bool = True) -> Caller:
        caller = self._accounts.caller_of(token, used=used) if token else None
        if caller is None:
            raise Unfit(401, "signed_out", "nobody is signed in, or the session has ended: sign in")
        return caller

    # -- endpoints ---------------------------------------------------------------------------------------------------------------

    def serving(self, endpoint: Endpoint) -> Callable[[Request], Any]:
        """What answers an endpoint's requests."""

        async def serve(request: Request) -> Response:
            try:
                return await self._serve(endpoint, request)
            except Exception as error:  # noqa: BLE001 - whatever a room raises, the server and the others go on
                return refusal(error)

        return serve

    async def _serve(self, endpoint: Endpoint, request: Request) -> Response:
        caller = await self.admit(request, endpoint)
        with self._turn_of(caller):
            return await self._answer(endpoint, request, caller)

    @contextlib.contextmanager
    def _turn_of(self, caller: Caller) -> Iterator[None]:
        """In the server's own thread. Whoever asks for much at once, reports or doors that do not answer, holds up nobody else."""
        if self._under_way[caller.account] >= MOST_AT_ONCE:
            raise Unfit(429, "too_many", f"{MOST_AT_ONCE} requests of this account are under way: wait for one of them")
        self._under_way[caller.account] += 1
        try:
            yield
        finally:
            self._under_way[caller.account] -= 1
            if not self._under_way[caller.account]:
                del self._under_way[caller.account]

    async def _answer(self, endpoint: Endpoint, request: Request, caller: Caller) -> Response:
        body = b"" if endpoint.method == "GET" else await read_body(request, endpoint.max_bytes)
        ask = Ask(caller=caller, now=self._clock.wall(), path=_told(request.path_params, "path"), query=_told(_query(request), "query"),
                  body=_clean(body, request), content_type=request.headers.get("content-type", "")[:200])  # fmt: skip
        _demand_site(ask)
        packs = "gzip" in request.headers.get("accept-encoding", "")
        return await self.in_thread(lambda: _packed(self._work(endpoint, ask), packs=packs), waits=endpoint.waits)

    async def admit(self, request: Request, endpoint: Endpoint, *, used: bool = True) -> Caller:
        """Who asks, if they may. Raises Unfit, StoreError."""
        token = _token(request)
        caller = await self._among("admits", ADMITTING_THREADS, lambda: self._caller(token, used=used))
        self._demand_room(token)
        if endpoint.method != "GET":
            self._demand_csrf(request, token)
        if caller.role not in endpoint.allowed:
            await self.in_thread(lambda: self._record(endpoint, caller, request.url.path, {"status": 403}))
            raise Unfit(403, "not_allowed", f"the role {caller.role} may not do this; {', '.join(sorted(endpoint.allowed))} may")
        return caller

    def _work(self, endpoint: Endpoint, ask: Ask) -> Response:
        """In a thread. Looking at what is recorded is on record before it is shown; a change when it has been made."""
        recorded = endpoint.method != "GET" if endpoint.recorded is None else endpoint.recorded
        about, details = "/".join(ask.path.values()), {"query": dict(ask.query)} if ask.query else {}
        if recorded and endpoint.method == "GET":
            self._record(endpoint, ask.caller, about, details)
        answer = endpoint.work(ask)
        if recorded and endpoint.method != "GET":
            self._record(endpoint, ask.caller, about, details)
        return _reply(answer) if isinstance(answer, Reply) else _json(answer)

    def _record(self, endpoint: Endpoint, caller: Caller, about: str, details: dict[str, Any]) -> None:
        self._audit.write(caller.account, f"{endpoint.method} {endpoint.path}", about, details)

    def demand_ours(self, request: Request) -> None:
        if not is_ours(request.headers, self._origins):
            raise Unfit(403, "other_origin", "this request came from a page of another address")

    def _demand_csrf(self, request: Request, token: str) -> None:
        self.demand_ours(request)
        if request.headers.get(CSRF) != csrf_of(token):
            raise Unfit(403, "no_csrf", f"a change needs the header {CSRF} with the csrf that GET /api/session tells")

    def _demand_room(self, token: str) -> None:
        key, now_s = digest_of(token), self._clock.mono_s()
        with self._lock:
            bucket = self._buckets.setdefault(key, Bucket(BURST, PER_S, BURST, now_s))
            self._buckets.move_to_end(key)
            if len(self._buckets) > MOST_KEYS:
                self._buckets.popitem(last=False)
            wait_s = bucket.take(now_s)
        if wait_s > 0:
            raise TooMany(wait_s)

    async def in_thread(self, work: Callable[[], T], *, waits: bool = False) -> T:
        return await self._among("waits" if waits else "works", WAITING_THREADS if waits else THREADS, work)

    async def outside(self, work: Callable[[], T]) -> T:
        """For somebody who has not signed in."""
        return await self._among("outside", OUTSIDE_THREADS, work)

    async def _among(self, kind: str, most: int, work: Callable[[], T]) -> T:
        """In a thread, of so many of this kind."""
        if kind not in self._threads:
            self._threads[kind] = anyio.CapacityLimiter(most)
        return await anyio.to_thread.run_sync(work, limiter=self._threads[kind])


# -- what came in ------------------------------------------------------------------------------------------------------------------


def _token(request: Request) -> str:
    return request.cookies.get(COOKIE, "")[:200]


def _query(request: Request) -> dict[str, str]:
    pairs = request.query_params.multi_items()
    if len(pairs) > MOST_WORDS or len(pairs) != len({key for key, _ in pairs}):
        raise Unfit(400, "malformed", f"query: up to {MOST_WORDS} values are allowed, each once")
    return dict(pairs)


def _told(words: Any, where: str) -> dict[str, str]:
    """What stands in the address: bounded, and free of what no database keeps."""
    for key, value in words.items():
        if (
            len(value) > MOST_QUERY
            or len(key) > 40
            or any(ord(each) < 32 or 0xD800 <= ord(each) < 0xE000 for each in value + key)
        ):
            raise Unfit(
                400, "malformed", f"{where}: {key[:40]!r} is up to {MOST_QUERY} characters, none of them a control character"
            )
    return dict(words)


def _demand_site(ask: Ask) -> None:
    for site in (ask.path.get("site"), ask.query.get("site")):
        if site and not ask.caller.sees(site):
            raise Unfit(404, "unknown_site", "there is no such site among those that this account may see")


def _clean(body: bytes, request: Request) -> bytes:
    """No text of ours holds a NUL, and PostgreSQL takes none."""
    if b"\\u0000" in body and "json" in request.headers.get("content-type", "json"):
        raise Unfit(400, "malformed", "the request's body: a text holds the character NUL")
    return body


async def read_body(request: Request, most: int) -> bytes:
    """Never more than `most` bytes in memory. Raises Unfit."""
    told = request.headers.get("content-length", "0")
    too_long = Unfit(413, "too_long", f"the request's body is too long: at most {most} bytes are allowed")
    if not told.isascii() or not told.isdigit() or len(told) > 15 or int(told) > most:
        raise too_long
    body = bytearray()
    with anyio.move_on_after(BODY_WAIT_S) as scope:
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                raise too_long
    if scope.cancelled_caught:
        raise Unfit(408, "too_slow", f"the request's body did not come within {BODY_WAIT_S:g} s")
    return bytes(body)


# -- what goes out -----------------------------------------------------------------------------------------------------------------


def _session(caller: Caller, token: str) -> Session:
    return Session(account=caller.account, name=caller.name, role=caller.role, csrf=csrf_of(token), sites=caller.sites)


def _json(answer: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status, {"cache-control": "no-store"}, "application/json")


def _reply(reply: Reply) -> Response:
    headers = {"cache-control": reply.cache}
    if reply.file_name:
        name = "".join(each if each.isascii() and (each.isalnum() or each in "-_.") else "_" for each in reply.file_name)
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return Response(reply.body, reply.status, headers, reply.content_type)


def _packed(response: Response, *, packs: bool) -> Response:
    """500 doors are 260 kB, and 15 kB on the way to a phone."""
    if packs and len(response.body) > PACKED_FROM_BYTES and response.media_type == "application/json":
        response.body = gzip.compress(response.body, 1)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
    return response


def refusal(error: Exception) -> Response:
    """The answer to whatever a request ended in."""
    if isinstance(error, Unfit):
        response = error_of(error.status, error.code, error.sentence, error.field)
        if isinstance(error, TooMany):
            response.headers["retry-after"] = str(error.retry_after_s)
        return response
    if isinstance(error, StoreError):
        log.error("gateway database error=%s", error)
        return error_of(503, "database", "the centre's database does not answer: try again in a moment")
    if isinstance(error, ClientDisconnect):
        return error_of(400, "gone", "the request ended before its body did")
    if isinstance(error, RecursionError):
        return error_of(400, "malformed", "the request's body: lists and tables lie too deep in each other")
    log.error("gateway fault", exc_info=error)
    return error_of(500, "fault", "something unexpected happened; the centre's log says what")


def error_of(status: int, code: str, sentence: str, field: str = "") -> Response:
    return _json({"error": code, "sentence": sentence} | ({"field": field} if field else {}), status)


async def _nothing_there(request: Request) -> Response:
    return error_of(404, "not_found", f"there is nothing at {request.url.path[:100]}")


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    word = {404: "not_found", 405: "wrong_method"}.get(status, "refused")
    response = error_of(status, word, f"{request.method} {request.url.path[:100]}: {word.replace('_', ' ')}")
    response.headers.update(getattr(error, "headers", None) or {})
    return response


async def _fault(request: Request, error: Exception) -> Response:
    return refusal(error)
