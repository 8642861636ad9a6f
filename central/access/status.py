"""Which door has which rules, from the broker's retained messages alone: it needs neither the database nor the running centre."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from msgspec import Struct

from agent.errors import ConfigError, DoorwardError
from agent.link.session import Address, Say, Session
from agent.records.access_offer import Offer, offer_in
from central.access.confirmed import Heard, parse_state
from central.access.shelf import Place


class DoorStatus(Struct, frozen=True, kw_only=True):
    """What a door is offered and what it says it has."""

    site: str
    door: str
    offered: int
    version: int | None
    """None: it never said."""
    credentials: int
    withdrawn: int
    behind: bool
    behind_since: datetime | None
    """When what it does not have was offered."""
    refused: str


class _Ear:
    """Hears offers and states."""

    def __init__(self) -> None:
        self.offers: dict[Place, Offer] = {}
        self.heard: dict[Place, Heard] = {}

    def connected(self, say: Say) -> None:
        say.subscribe("doorward/+/+/access/version", "doorward/+/+/state/access")

    def turn(self, say: Say, now_s: float) -> float:
        return 60.0

    def message(self, topic: str, payload: bytes, retained: bool) -> None:
        _, site, door, *rest = topic.split("/")
        try:
            if rest == ["access", "version"]:
                self.offers[site, door] = offer_in(payload)
            else:
                self.heard[site, door] = parse_state(payload, datetime.now(timezone.utc))
        except DoorwardError:
            return  # of a door that is none any more, or somebody's rubbish: nothing is known of it

    def leaving(self, say: Say) -> None:
        """Nothing was said."""


def look(address: Address, client_id: str, wait_s: float) -> list[DoorStatus]:
    """Listen for so long. Raises ConfigError when the broker cannot be reached."""
    ear = _Ear()
    session = Session(address, client_id, ear)
    session.start()
    time.sleep(wait_s)
    reached, trouble = session.connections > 0, session.last_error
    session.stop()
    if not reached:
        raise ConfigError(f"the broker {address.host}:{address.port} cannot be reached: {trouble}")
    return [status_of(place, ear.offers.get(place), ear.heard.get(place)) for place in sorted({*ear.offers, *ear.heard})]


def status_of(place: Place, offer: Offer | None, heard: Heard | None) -> DoorStatus:
    """What is known of a door put together."""
    version, offered = heard.version if heard is not None else None, offer.version if offer is not None else 0
    behind = offered > (version or 0)
    return DoorStatus(
        site=place[0], door=place[1], offered=offered, version=version, credentials=heard.credentials if heard is not None else 0,
        withdrawn=heard.withdrawn if heard is not None else 0, behind=behind,
        behind_since=offer.made if offer is not None and behind else None, refused=heard.refused if heard is not None else "",
    )  # fmt: skip
