"""The centre, put together on one screen: every room gets what it needs from the others, and is started and stopped in one order.

What doors need comes first: historian and bundles run before anything that people look at, and end after it. Nothing here decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from agent import first_use
from agent.clock import Clock
from agent.core.norms_word import MOST_WITHDRAWN
from agent.records.keys import centre_private
from central.access.desk import BundleDesk
from central.accounts_cli import ANCHOR
from central.alerts import endpoints as alert_endpoints
from central.alerts import store as alert_store
from central.alerts.alert import Alert
from central.alerts.desk import AlertDesk
from central.alerts.vapid import ensure_vapid, load_vapid
from central.certificates import OwnCertificates
from central.commands import Commander
from central.database.opening import open_to_write
from central.enrolment import endpoints as enrolment_endpoints
from central.enrolment.at_door import DoorCameras
from central.enrolment.consent import Consents, load_text, norms_withdrawn
from central.enrolment.desk import EnrolmentDesk, open_networks
from central.enrolment.erasure import Erasures, Place
from central.gateway.accounts import Accounts
from central.gateway.audit import AuditLog
from central.gateway.door_book import DoorBook
from central.gateway.door_rows import Facts
from central.gateway.gateway import COMMANDER_ID, Gateway, limits_of
from central.gateway.pairing_routes import pairing_routes
from central.gateway.passwords import seal_in
from central.history import forgetting
from central.history.historian import Historian
from central.history.retention import Keeper
from central.homeassistant.discovery import Discovery
from central.live import endpoints as live_endpoints
from central.live.clips import ClipDesk
from central.live.clips import forget_person as forget_clips
from central.live.desk import LiveDesk
from central.metrics import CentreCollector, MetricsServer
from central.nameplates import Nameplates
from central.norms_room import NormsRoom, kinds_of
from central.people import endpoints as people_endpoints
from central.people.people import People
from central.people.turnover import Turnover
from central.people.vault import open_vault
from central.places import endpoints as place_endpoints
from central.places.maps import Places
from central.renewals import Renewals
from central.settings import CentralConfig
from central.site.pairing_desk import PairingDesk
from central.site.pairing_wire import IssuerClient
from central.site.registry import DoorRegistry
from central.updates import endpoints as update_endpoints
from central.updates.desk import UpdateDesk
from central.updates.packages import Packages
from central.updates.store import Rollouts

log = logging.getLogger(__name__)

BUNDLES, NORMS = "bundles", "norms.db"


class Room(Protocol):
    """A part of the centre with a life of its own."""

    def start(self) -> None: ...

    def stop(self, timeout_s: float = 5.0) -> None: ...


class Centre:
    """`start`, `stop`. `url` is where the dashboard answers."""

    def __init__(
        self, config: CentralConfig, state: Path, clock: Clock, guard: Callable[[Engine], None] = lambda engine: None
    ) -> None:
        """`state`: a folder of the centre's own, for what can be made or learned anew. `guard` is given the database before anything else:
        where two centres share one, it keeps the other out. Raises ConfigError and StoreError."""
        keys, address = Path(config.keys.folder), config.broker.address()
        centre_key = centre_private(keys / "centre.key")
        self._engine = engine = open_to_write(config.database.url)
        guard(engine)
        audit = AuditLog(engine, clock, keys / ANCHOR)
        accounts = Accounts(engine, clock, audit, seal_in(keys), limits=limits_of(config.gateway))

        self._people = people = People(engine, clock, audit, open_vault(keys), DoorRegistry(keys.parent))
        self._bundles = BundleDesk(people, address, keys, state / BUNDLES, clock)
        forget = (forget_clips, forgetting.forget_person, alert_store.forget_person)  # clips first: they are found by the events
        nights = Turnover(people, config.people.nightly, config.history.zone)
        erasures = Erasures(people, self._followed_by, forget)
        consents = Consents(people, load_text(config.people.consent_file))
        places, book = Places(engine, clock), DoorBook(address, clock)
        plates = Nameplates(people, places, clock)
        norms = NormsRoom(state / NORMS, centre_key, address, clock, kinds_of(config.norms.alike), self._withdrawn)

        self._commander = Commander(address, clock, COMMANDER_ID)
        facts = Facts(name=plates.door, zone=plates.zone, behind=self._bundles.behind, doors=plates.doors,
                      stores=lambda: self._historian.stores)  # fmt: skip
        self._gateway = gateway = Gateway(
            config.gateway, engine, clock, audit=audit, accounts=accounts, book=book, commander=self._commander,
            facts=facts,
            names_of=people.names_of, norms_of=norms.of,
        )  # fmt: skip
        own = OwnCertificates(config.broker.cert_file, config.gateway.cert_file, book.broker_until)
        self._alerts = AlertDesk(engine, config.alerts, clock, audit, book, load_vapid(ensure_vapid(keys), config.alerts.contact),
                                 base_url=gateway.url, place=plates.door, person=plates.person, area=plates.zone,
                                 watching=gateway.watching, site=config.site,
                                 own_certificates=own)  # fmt: skip
        self._alerts.on_change(self._tell_alerts)
        live = LiveDesk(engine, config.live, address, clock, audit, why_away=book.why_away)
        clips = ClipDesk(engine, config.live, address, clock, audit, centre_key, why_away=book.why_away)
        packages = Packages(engine, clock, audit, state)
        updates = UpdateDesk(Rollouts(engine, clock, audit, packages), packages, book, address, centre_key, clock)
        enrolments = EnrolmentDesk(people, open_networks, lambda: consents.text.edition)
        issuer = IssuerClient(keys.parent)
        pairing = PairingDesk(issuer, audit, clock, book.now)
        cameras = DoorCameras(enrolments, people, address, clock, centre_key)
        for endpoints in (
            people_endpoints.endpoints(people),
            enrolment_endpoints.endpoints(people, consents, enrolments, erasures, config.people.keep_years),
            enrolment_endpoints.at_door_endpoints(cameras),
            place_endpoints.endpoints(places, config.site),
            alert_endpoints.endpoints(self._alerts),
            live_endpoints.endpoints(live, clips),
            update_endpoints.endpoints(updates, plates.doors, plates.door),
            pairing.endpoints(),
        ):
            gateway.add(endpoints)
        gateway.add_routes(lambda desk: pairing_routes(desk, pairing.hello, pairing.prove))
        self._historian = Historian(address, engine, clock, zone=config.history.zone, on_commit=self._committed)
        self._discovery = None
        if config.homeassistant.enabled:
            self._discovery = Discovery(address, config.homeassistant, engine, clock, audit, book, facts)
        optional: list[Room] = [] if self._discovery is None else [self._discovery]
        if config.metrics.port:
            collector = CentreCollector(engine, clock, lambda: self._historian.totals, book, facts)
            optional.append(MetricsServer(config.metrics.port, collector))
        self._rooms: tuple[Room, ...] = (
            self._historian, people, nights, self._bundles, norms, erasures, book, self._alerts, live, clips, cameras, pairing,
            updates, Renewals(address, issuer, audit, clock), Keeper(engine, config.history, clock), *optional, gateway,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return self._gateway.url

    def start(self) -> None:
        """Returns when all of it runs. Raises ConfigError and StoreError; what had begun is stopped again."""
        first_use.ready()
        started: list[Room] = []
        try:
            for room in self._rooms:
                room.start()
                started.append(room)
        except BaseException:
            self._stop(started)
            raise

    def stop(self) -> None:
        self._stop(self._rooms)

    def _stop(self, rooms: Sequence[Room]) -> None:
        """A room that cannot end in order holds up none of the others."""
        for room in reversed(rooms):
            try:
                room.stop()
            except Exception:
                log.exception("central room not stopped room=%s", type(room).__name__)
        self._commander.close()
        self._engine.dispose()

    # -- what rooms tell each other ------------------------------------------------------------------------------------------------

    def _committed(self, *told: object) -> None:
        """Only a bell: whoever acts on events reads them from the database, so a killed centre misses none."""
        self._gateway.wake()
        self._alerts.wake()
        if self._discovery is not None:
            self._discovery.wake()

    def _tell_alerts(self, alerts: list[Alert]) -> None:
        for alert in alerts:
            self._gateway.tell("alert", alert_endpoints.desk_row(self._alerts, alert), alert.site, alert_endpoints.WATCH)

    def _followed_by(self, place: Place) -> int | None:
        """The revision of people that a door follows, by its own word."""
        heard = self._bundles.confirmed.of(place)
        return None if heard is None else heard.as_of

    def _withdrawn(self) -> tuple[str, ...]:
        return norms_withdrawn(self._people, MOST_WITHDRAWN)
