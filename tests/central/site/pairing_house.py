"""A site whose issuer and whose web server run as they do in the field; its clock is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.commission.pairing import Paired, pair
from central.gateway.pairing_routes import pairing_routes
from central.site.folder import Site
from central.site.pairing import REPLACED, Issuer, Made
from central.site.pairing_desk import PairingDesk
from central.site.pairing_wire import IssuerClient, IssuerServer
from tests.central.gateway.house import HandClock, House
from tests.central.site.sites import made


class PairingHouse:
    def __init__(self, folder: Path, **gateway: str) -> None:
        self.folder, self._before = folder, 0
        if not (folder / "site").exists():
            made(folder)
        self.site = Site.open(folder / "site")
        self.house = House(folder, **gateway)
        self.clock: HandClock = self.house.clock
        self.client = IssuerClient(self.site.root)
        self.desk = PairingDesk(self.client, self.house.audit, self.clock, self.house.book.now)
        self.house.gateway.add(self.desk.endpoints())
        self.house.gateway.add_routes(lambda desk: pairing_routes(desk, self.desk.hello, self.desk.prove))

    @contextmanager
    def open(self) -> Iterator[PairingHouse]:
        server = IssuerServer(Issuer(self.site, self.clock), self.site.root)
        server.start()
        try:
            with self.house.open():
                yield self
        finally:
            server.stop()

    def begin(self, folder: Path) -> PairingHouse:
        """A day later: no doors, no codes, an empty place for controllers. What is slow to start goes on."""
        self.clock.turn(86400)
        self.folder, self._before = folder, len(self.house.audit.rows(limit=1000))
        for door in self.site.doors.doors():
            self.site.doors.remove(door.site, door.door)
            self.site.authority.revoke(f"{door.site}/{door.door}", self.clock.wall())
        (self.site.root / REPLACED).unlink(missing_ok=True)
        return self

    @property
    def url(self) -> str:
        return self.house.gateway.url

    def code(self, door: str = "front", name: str = "Front door") -> Made:
        return self.client.make("hq", door, name, "mary")

    def controller(self, name: str = "controller") -> Path:
        """An empty /etc/doorward."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        return place

    def pair(self, code: str, controller: str = "controller", expects: str = "") -> Paired:
        return pair(self.url, code, self.controller(controller), expects=expects, clock=self.clock)

    def record(self) -> list[tuple[str, str]]:
        """What went on record since it began, oldest first."""
        rows = list(reversed(self.house.audit.rows(limit=1000)))
        return [(row.what, row.about) for row in rows[self._before :]]
