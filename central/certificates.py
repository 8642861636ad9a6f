"""Certificates that end soon: of doors, as they say themselves, of the centre and of its broker. Said while there is time to renew them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from msgspec import Struct

from agent.link.certificate import valid_span

SOON = timedelta(days=30)
STEPS = (timedelta(days=30), timedelta(days=7), timedelta(days=1))
"""So long before the end somebody is told, and told again more urgently."""


class Ending(Struct, frozen=True, kw_only=True):
    """A certificate and what renews it."""

    what: str
    until: datetime
    mend: str

    def step(self, now: datetime) -> int:
        """How many of STEPS have begun."""
        return sum(self.until - now <= each for each in STEPS)

    def sentence(self, now: datetime) -> str:
        days = (self.until - now).days
        when = f"ends on {self.until:%Y-%m-%d}, in {days} days" if days >= 1 else f"ends on {self.until:%Y-%m-%d at %H:%M} UTC"
        told = when if self.until > now else f"ended on {self.until:%Y-%m-%d}"
        return f"{self.what} {told}; renew it: {self.mend}"


def of_door(site: str, door: str, states: Mapping[str, Any]) -> Ending | None:
    """What a door says of its own in `state/health`; None where it says nothing that can be read."""
    health = states.get("health")
    link = health.get("link") if isinstance(health, Mapping) else None
    told = link.get("certificate_until") if isinstance(link, Mapping) else None
    try:
        until = msgspec.convert(told, datetime) if isinstance(told, str) else None
    except msgspec.ValidationError:
        return None
    if until is None or until.tzinfo is None:
        return None
    mend = f"doorward central renew FOLDER --door {site}/{door} --out DIR"
    return Ending(what="the door's certificate", until=until.astimezone(timezone.utc), mend=mend)


class OwnCertificates:
    """The centre's, its web server's, and its broker's."""

    def __init__(self, centre: str, gateway: str, broker_until: Callable[[], datetime | None]) -> None:
        """`centre`, `gateway`: files of their certificates, empty where there are none. `broker_until`: what the broker showed last."""
        self._centre, self._gateway, self._broker_until = centre, gateway, broker_until

    def __call__(self) -> Iterator[Ending]:
        for file, what, mend in (
            (self._centre, "the centre's certificate at its broker", "doorward central renew FOLDER --centre"),
            (self._gateway, "the dashboard's certificate", "put a new one at gateway.cert_file, and restart the centre"),
        ):
            if file and (span := valid_span(file)) is not None:
                yield Ending(what=what, until=span[1], mend=mend)
        if (until := self._broker_until()) is not None:
            yield Ending(what="the broker's certificate", until=until, mend="doorward central renew FOLDER --broker")
