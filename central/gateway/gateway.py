"""The gateway as one piece: put together here, started and stopped by the centre."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from starlette.routing import BaseRoute

from agent.clock import Clock
from agent.core.norms_word import DoorNorms
from central import settings
from central.commands import Commander
from central.gateway import account_endpoints
from central.gateway.accounts import Accounts, Limits
from central.gateway.app import Desk, app
from central.gateway.asking import EVERYBODY, Endpoint, Role
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook
from central.gateway.door_endpoints import ANSWER_WAIT_S, Doors
from central.gateway.door_rows import Facts
from central.gateway.event_endpoints import Happenings, NamesOf
from central.gateway.hub import Hub
from central.gateway.oidc import SingleSignOn
from central.gateway.oidc_routes import oidc_routes
from central.gateway.pages import DIST
from central.gateway.server import WebServer
from central.gateway.stream import Stream
from central.gateway.watch import Watch
from central.history.events import EventStore

COMMANDER_ID = "doorward-gateway-commands"


def limits_of(settings: settings.Gateway) -> Limits:
    return Limits(idle=timedelta(minutes=settings.idle_min), watch=timedelta(minutes=settings.watch_idle_min),
                  longest=timedelta(hours=settings.longest_h))  # fmt: skip


class Gateway:
    """`add` every room's endpoints, then `start`; `stop`. `wake` is for the historian's on_commit, `tell` for other rooms' news."""

    def __init__(self, settings: settings.Gateway, engine: Engine, clock: Clock, *, audit: AuditLog, accounts: Accounts, book: DoorBook,
                 commander: Commander, facts: Facts | None = None, names_of: NamesOf = lambda ids: {},
                 norms_of: Callable[[str, str], DoorNorms | None] = lambda site, door: None, dist: Path = DIST,
                 answer_wait_s: float = ANSWER_WAIT_S) -> None:  # fmt: skip
        """Listens at once, so that an address that is taken or unsafe is told before anything runs. Raises ConfigError.

        `book` is to be started after this was made. `names_of` cardholders' ids, as people know them; `norms_of` a door, what it told last.
        """
        self._clock, self._audit, self._accounts, self._dist = clock, audit, accounts, dist
        self._web = WebServer(settings)
        store, facts = EventStore(engine), facts or Facts()
        self._watch, self._hub = Watch(engine), Hub()
        self._stream = Stream(self._hub, self._watch, store, book, facts)
        self._sso = SingleSignOn(settings.oidc, self._web.url, clock) if settings.oidc.issuer else None
        self._watch.each_turn(audit.anchor)
        accounts.on_end(self._hub.doubt)
        self._also: list[Callable[[Desk], list[BaseRoute]]] = []
        self._endpoints = [
            *Doors(book, self._watch, store, facts, commander, audit, answer_wait_s).endpoints(),
            *Happenings(store, audit, names_of=names_of, norms_of=norms_of).endpoints(),
            *account_endpoints.endpoints(accounts, audit),
        ]

    @property
    def url(self) -> str:
        """How browsers reach it; links in alerts begin so."""
        return self._web.url

    @property
    def port(self) -> int:
        """What it listens on; of port 0 the one that was found free."""
        return self._web.port

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them, for whoever lists or tests them."""
        return tuple(self._endpoints)

    def add(self, endpoints: Iterable[Endpoint]) -> None:
        """Another room's; before `start`."""
        self._endpoints += endpoints

    def add_routes(self, routes: Callable[[Desk], list[BaseRoute]]) -> None:
        """For those who are not signed in; before `start`."""
        self._also.append(routes)

    def wake(self, *told: object) -> None:
        """The historian has committed something."""
        self._watch.wake()

    def watching(self) -> frozenset[str]:
        """Accounts that have the dashboard open: what is told on the stream reaches them."""
        return self._hub.accounts()

    def tell(self, name: str, value: Any, site: str, roles: Collection[Role] = EVERYBODY) -> None:
        """A word to every open dashboard of these roles that sees the site, as `tell('alert', row, site, {'guard', 'manager'})`."""
        self._stream.tell(name, value, site, roles)

    def start(self) -> None:
        """Returns when it answers. Raises ConfigError, StoreError."""
        self._watch.start()
        self._web.start(
            app(self._endpoints, accounts=self._accounts, audit=self._audit, clock=self._clock, origins=self._web.origins,
                routes=self._routes, dist=self._dist)
        )  # fmt: skip

    def _routes(self, desk: Desk) -> list[BaseRoute]:
        also = [route for routes in self._also for route in routes(desk)]
        return [*self._stream.routes(desk), *oidc_routes(desk, self._accounts, self._sso), *also]

    def stop(self, timeout_s: float = 5.0) -> None:
        self._hub.stop()
        self._web.stop(timeout_s)
        self._watch.stop(timeout_s)
