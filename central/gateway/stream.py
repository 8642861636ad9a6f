"""What happens, to whoever has the dashboard open: server-sent events, as browsers' EventSource reads them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from typing import Any

import anyio.to_thread
from msgspec import Struct
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from central.gateway.app import Desk, refusal
from central.gateway.asking import EVERYBODY, Caller, Endpoint, Role, Unfit
from central.gateway.door_book import DoorBook, DoorNow
from central.gateway.door_rows import Facts, row_of
from central.gateway.event_rows import event_row, may_see, sees_people, without_people
from central.gateway.hub import Hub, Listener, Word, word
from central.gateway.watch import Watch
from central.history.events import EventStore
from central.history.kept import Kept

log = logging.getLogger(__name__)

PING_S = 15.0
SEND_WAIT_S = 30.0
"""A browser that takes nothing for so long is gone."""
TOGETHER_S = 0.05
"""What comes within this goes out together."""
MOST_MISSED = 2000
"""Of more missed events the page is told that it missed some, and loads anew."""
PAGE = 500

_ENDPOINT = Endpoint(method="GET", path="/stream", allowed=EVERYBODY, work=lambda ask: None)
_PING = b": still here\n\n"


class Hello(Struct, frozen=True):
    """The first word, and again when the broker comes or goes."""

    n: int
    """The newest event."""
    broker: bool
    missed: bool = False
    """More was missed than is told again: load everything anew."""


class Stream:
    """`tell` from any thread; `route` for the web server."""

    def __init__(self, hub: Hub, watch: Watch, store: EventStore, book: DoorBook, facts: Facts) -> None:
        """Listens to `watch` and `book`: to be made before they start."""
        self._hub, self._watch, self._store, self._book, self._facts = hub, watch, store, book, facts
        self._broker, self._stores = False, True
        watch.on_events(self._happened)
        watch.each_turn(self._look_at_broker)
        book.on_change(self._changed)

    def tell(self, name: str, value: Any, site: str, roles: Collection[Role] = EVERYBODY) -> None:
        """A word of another room, as `alert`, to those with these roles who see the site."""
        self._hub.tell(word(name, value), lambda caller: caller.role in roles and caller.sees(site))

    def routes(self, desk: Desk) -> list[BaseRoute]:
        return [Route("/api/stream", _Open(self, self._hub, desk), methods=["GET"])]

    # -- in other threads --------------------------------------------------------------------------------------------------------

    def _happened(self, found: list[Kept]) -> None:
        for kept in found if len(self._hub) else ():
            site, kind = kept.told.site, kept.told.event.kind
            self._hub.tell(_event(kept), lambda caller, site=site, kind=kind: may_see(caller, site, kind))  # type: ignore[misc]

    def _changed(self, now: DoorNow) -> None:
        if len(self._hub):
            row = row_of(now, self._watch.last(now.site, now.door), self._facts, broker=self._book.is_connected)
            key = (now.site, now.door)
            self._hub.tell(word("door", row), lambda caller: caller.sees(now.site) and sees_people(caller), key)
            self._hub.tell(
                word("door", without_people(row)), lambda caller: caller.sees(now.site) and not sees_people(caller), key
            )

    def _look_at_broker(self) -> None:
        """Where the broker has gone, no door is known to be there any more."""
        if (self._book.is_connected, self._facts.stores()) != (self._broker, self._stores):
            self._broker, self._stores = self._book.is_connected, self._facts.stores()
            self._hub.tell(word("hello", self.hello()), lambda caller: True)
            for now in self._book.snapshot():
                self._changed(now)

    # -- for one stream ----------------------------------------------------------------------------------------------------------

    def hello(self, missed: bool = False) -> Hello:
        return Hello(self._watch.told, self._book.is_connected, missed)

    @property
    def newest(self) -> int:
        return self._watch.told

    def missed(self, caller: Caller, after: int, until: int) -> list[Word] | None:
        """Events behind `after` up to `until`; None: more than are told again. In a thread."""
        if until - after > MOST_MISSED:
            return None
        found: list[Kept] = []
        while page := self._store.events(after=found[-1].n if found else after, before=until + 1, limit=PAGE):
            found += page
        return [_event(kept) for kept in found if may_see(caller, kept.told.site, kept.told.event.kind)]


def _event(kept: Kept) -> Word:
    return word("event", event_row(kept), kept.n)


class _Open:
    """ASGI: opens a stream, talks until the browser goes, the session ends, or nothing is taken any more."""

    def __init__(self, stream: Stream, hub: Hub, desk: Desk) -> None:
        self._stream, self._hub, self._desk = stream, hub, desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request, bell = Request(scope, receive), asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            after = _number(request)
            caller = await self._desk.admit(request, _ENDPOINT, used=False)
            listener = self._hub.open(caller, lambda: _ring(loop, bell))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the browser gets an answer
            await refusal(error)(scope, receive, send)
            return
        try:
            await _until_either(_gone(receive), self._talk(request, listener, bell, after, send))
        finally:
            self._hub.close(listener)

    async def _talk(self, request: Request, listener: Listener, bell: asyncio.Event, after: int | None, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        newest = await self._greet(listener.caller, after, send)
        loop = asyncio.get_running_loop()
        doubt_s = loop.time() + PING_S
        while not listener.ended:
            bell.clear()
            told = [each for each in self._hub.take(listener) if not 0 < each.n <= newest]
            if told:
                await _send(send, b"".join(each.text for each in told))
                await asyncio.sleep(TOGETHER_S)
            if (
                listener.doubtful or loop.time() >= doubt_s
            ):  # another program, or time, may have ended the session, however busy it is
                if not await self._is_signed_in(request, listener):
                    break
                doubt_s = loop.time() + PING_S
            if not await _rings(bell):
                await _send(send, _PING)
        log.debug("stream ended account=%s why=%s", listener.caller.account, listener.ended or "session")
        await _send(send, b"", last=True)

    async def _greet(self, caller: Caller, after: int | None, send: Send) -> int:
        """Says hello and what was missed; returns the number up to which all is told."""
        newest = self._stream.newest
        told: list[Word] | None = []
        if after is not None and after < newest:
            told = await anyio.to_thread.run_sync(self._stream.missed, caller, after, newest)
        hello = word("hello", self._stream.hello(missed=told is None))
        await _send(send, b"retry: 2000\n\n" + hello.text + b"".join(each.text for each in told or ()))
        return newest

    async def _is_signed_in(self, request: Request, listener: Listener) -> bool:
        listener.doubtful = False
        try:
            return await self._desk.admit(request, _ENDPOINT, used=False) == listener.caller
        except Unfit:
            return False


def _number(request: Request) -> int | None:
    told = request.headers.get("last-event-id") or request.query_params.get("after") or ""
    if told and not (told.isascii() and told.isdigit() and len(told) <= 18):
        raise Unfit(400, "malformed", "Last-Event-ID: the number of an event is allowed")
    return int(told) if told else None


def _ring(loop: asyncio.AbstractEventLoop, bell: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the server has stopped
        loop.call_soon_threadsafe(bell.set)


async def _rings(bell: asyncio.Event) -> bool:
    try:
        await asyncio.wait_for(bell.wait(), PING_S)
    except asyncio.TimeoutError:
        return False
    return True


async def _send(send: Send, text: bytes, *, last: bool = False) -> None:
    await asyncio.wait_for(send({"type": "http.response.body", "body": text, "more_body": not last}), SEND_WAIT_S)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _until_either(*doing: Any) -> None:
    tasks = [asyncio.ensure_future(each) for each in doing]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, asyncio.TimeoutError):
                log.warning("stream fault error=%r", result)
