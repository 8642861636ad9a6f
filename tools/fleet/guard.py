"""A guard who opens doors all day long, by the same program part as the dashboard: how soon do doors answer?"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from agent.clock import Clock
from agent.link.session import Address
from central.commands import Answer, Commander
from tools.fleet.site import SITE

VALID_S = 10.0


class Guard:
    """`run` until cancelled, then `close`."""

    def __init__(self, address: Address, doors: Sequence[str], pause_s: float, clock: Clock, rng: random.Random) -> None:
        self._commander = Commander(address, clock, "doorward-fleet-guard")
        self._doors, self._pause_s, self._clock, self._rng = doors, pause_s, clock, rng
        self.answered: list[float] = []
        """How long each took, in seconds."""
        self.unanswered = 0
        """The door said nothing before the order had expired: while it was away, or the broker."""
        self.wrong = 0
        """Answered otherwise than by doing it."""

    async def run(self) -> None:
        waiting: set[asyncio.Task[None]] = set()
        while True:
            task = asyncio.create_task(self._order(self._rng.choice(self._doors)))
            waiting.add(task)  # or nobody holds it
            task.add_done_callback(waiting.discard)
            await asyncio.sleep(self._pause_s)

    async def _order(self, door: str) -> None:
        began_s = self._clock.mono_s()
        answer: Answer = await asyncio.to_thread(self._commander.give, SITE, door, "guard", "unlock", "a delivery", VALID_S)
        if answer.ok:
            self.answered.append(self._clock.mono_s() - began_s)
        elif answer.reason == "no_answer":
            self.unanswered += 1
        else:
            self.wrong += 1

    def close(self) -> None:
        self._commander.close()
