"""What people call doors and cardholders, for rooms that know only their ids."""

from __future__ import annotations

import threading

from msgspec import Struct

from agent.clock import Clock
from agent.errors import DoorwardError
from central.people.people import People
from central.places.maps import Places

RENEW_S = 3.0
"""So old a name may be: a list of five hundred doors asks for each of them."""

Place = tuple[str, str]


class _Plates(Struct, frozen=True):
    at_s: float
    names: dict[Place, str]
    zones: dict[Place, str]


class Nameplates:
    """From any thread."""

    def __init__(self, people: People, places: Places, clock: Clock) -> None:
        self._people, self._places, self._clock = people, places, clock
        self._lock = threading.Lock()
        self._plates: _Plates | None = None

    def door(self, site: str, door: str) -> str:
        """A door without a name is called by its topic."""
        return self._now().names.get((site, door)) or f"{site}/{door}"

    def zone(self, site: str, door: str) -> str:
        """The zone of a map that the door belongs to; empty when it is in none."""
        return self._now().zones.get((site, door), "")

    def doors(self) -> list[Place]:
        """All that were enrolled, heard or not."""
        return list(self._now().names)

    def person(self, id: str) -> str:
        """A cardholder who is gone has only the id."""
        try:
            return self._people.person(id).person.name or id
        except DoorwardError:
            return id

    def _now(self) -> _Plates:
        now_s = self._clock.mono_s()
        with self._lock:
            if self._plates is None or now_s - self._plates.at_s > RENEW_S:
                names = {(each.site, each.door): each.name for each in self._people.doors()}
                self._plates = _Plates(now_s, names, self._zones())
            return self._plates

    def _zones(self) -> dict[Place, str]:
        zones: dict[Place, str] = {}
        for zone in (zone for each in self._places.maps() for zone in each.zones):
            for topic in zone.doors:
                site, _, door = topic.partition("/")
                zones.setdefault((site, door), zone.name)
        return zones
