"""How doors stand at the broker when all is over: retained states, and last wills when nobody is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agent.clock import Clock
from agent.link.session import Address
from central.gateway.door_book import DoorBook, DoorNow
from tools.fleet.door import FleetDoor

PATIENCE_S, LOOK_S = 20.0, 0.2
"""So long nothing may become right before what is wrong counts."""


def wrong_states(found: Sequence[DoorNow], doors: Sequence[FleetDoor]) -> int:
    """States that stand otherwise than the door said last, those of doors that are not there at all included."""
    known = {now.door: now.states for now in found}
    return sum(known.get(door.name, {}).get(name) != value for door in doors for name, value in door.states.items())


def not_online(found: Sequence[DoorNow], doors: Sequence[FleetDoor], *, online: bool) -> int:
    """Doors of which the broker does not say that they are (`online`), or are not, there."""
    known = {now.door: now.online for now in found}
    return sum(known.get(door.name) is not online for door in doors)


class Standing:
    """`open`, questions, `close`. The centre's own book of doors, under the centre's own name: the centre must be gone."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self._book, self._clock = DoorBook(address, clock), clock

    def open(self) -> None:
        self._book.start()

    def close(self) -> None:
        self._book.stop()

    async def wrong(self, doors: Sequence[FleetDoor]) -> int:
        """Retained words that are wrong, after a while for them to come."""
        return await self._settled(lambda found: wrong_states(found, doors) + not_online(found, doors, online=True))

    async def not_gone(self, doors: Sequence[FleetDoor]) -> int:
        """Doors whose last will was not said."""
        return await self._settled(lambda found: not_online(found, doors, online=False))

    async def _settled(self, count: Callable[[list[DoorNow]], int]) -> int:
        fewest, until_s = count(self._book.snapshot()), self._clock.mono_s() + PATIENCE_S
        while fewest and self._clock.mono_s() < until_s:
            await asyncio.sleep(LOOK_S)
            if (wrong := count(self._book.snapshot())) < fewest:
                fewest, until_s = wrong, self._clock.mono_s() + PATIENCE_S
        return fewest
