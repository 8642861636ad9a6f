"""A day of the whole fleet with its storms, and then as much as goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from agent.clock import Clock
from agent.errors import DoorwardError
from agent.progress import Progress
from tools.fleet.doors import CALM_NEVER_S, Fleet
from tools.fleet.report import Moment, Storm

TICK_S, LOOK_S, SECOND_S = 0.05, 0.5, 1.0
PATIENCE_S = 120.0
"""So long nothing may be acknowledged and no door come back."""


class Day:
    """`begin`, then `run`, then `saturate`, each once. All raise DoorwardError when it does not go on."""

    def __init__(self, fleet: Fleet, day_s: float, clock: Clock, progress: Progress) -> None:
        self._fleet, self._day_s, self._clock, self._progress = fleet, day_s, clock, progress
        self.storms: list[Storm] = []
        self.moments: list[Moment] = []
        """One a second of the day."""
        self.all_there_s = self.all_heard_s = 0.0
        self._day_began_s: float | None = None
        self._committed = self._told = 0

    async def begin(self) -> None:
        """From nothing until all doors are there, and until the centre has what they said first."""
        began_s = self._clock.mono_s()
        self._fleet.begin()
        await self._until(lambda: self._fleet.away == 0, "not all doors reach the broker")
        self.all_there_s = self._clock.mono_s() - began_s
        await self._until(lambda: self._fleet.waiting == 0, "the centre acknowledges nothing")
        self.all_heard_s = self._clock.mono_s() - began_s

    async def run(self, storms: Sequence[tuple[str, Callable[[], Awaitable[None]]]]) -> None:
        """The day, its storms spread over it; returns when everything is acknowledged."""
        self._day_began_s = began_s = self._fleet.calm_since_s = self._clock.mono_s()
        self._committed = self._fleet.committed
        for number, (what, strike) in enumerate(storms, 1):
            await self._until_moment(began_s + self._day_s * number / (len(storms) + 1))
            await self._storm(what, strike, began_s)
        await self._until_moment(began_s + self._day_s)
        self._fleet.live(self._day_s)
        self._day_began_s, now_s = None, self._clock.mono_s()
        await self._until(lambda: self._fleet.is_empty(now_s), "events wait for their acknowledgement")

    async def saturate(self, each: int) -> float:
        """All doors have much to say at once; events a second from the first to the last acknowledgement."""
        self._fleet.calm_since_s = CALM_NEVER_S
        began_s = self._clock.mono_s()
        for number in range(each):
            for door in self._fleet.doors:
                read = {"key": f"H10301:1:{number}"}
                door.say("access.denied", {"reasons": ["unknown_credential"], "read": read, "decided_ms": 0.6})
            await asyncio.sleep(0)
        await self._until(lambda: self._fleet.waiting == 0, "events wait for their acknowledgement after saturation")
        return len(self._fleet.doors) * each / (self._clock.mono_s() - began_s)

    async def _storm(self, what: str, strike: Callable[[], Awaitable[None]], day_began_s: float) -> None:
        fleet, began_s, cuts = self._fleet, self._clock.mono_s(), self._fleet.cuts
        fleet.calm_since_s = CALM_NEVER_S
        await strike()
        fleet.doors[0].say("door.warned", {"after_s": 30.0})  # something happens in each storm, or nobody could catch up
        away = 0 if what == "central" else len(fleet.doors)
        await self._until(lambda: fleet.cuts - cuts >= away, f"not all doors notice that they are cut off after {what}")
        await self._until(lambda: fleet.away == 0, f"not all doors are back after {what}")
        back_s = self._clock.mono_s()
        await self._until(lambda: fleet.is_empty(back_s), f"events wait for their acknowledgement after {what}")
        now_s = fleet.calm_since_s = self._clock.mono_s()
        self.storms.append(Storm(what=what, at_s=round(began_s - day_began_s, 1), away=away, all_back_s=round(back_s - began_s, 2),
                                 caught_up_s=round(now_s - began_s, 2)))  # fmt: skip

    async def _until_moment(self, due_s: float) -> None:
        await self._until(lambda: self._clock.mono_s() >= due_s, "", patience_s=float("inf"))

    async def _until(self, is_so: Callable[[], bool], what: str, *, patience_s: float = PATIENCE_S) -> None:
        """Life at the doors goes on meanwhile."""
        far, moved_s, looked_s = (-1, -1), self._clock.mono_s(), 0.0
        while not is_so():
            now_s = self._clock.mono_s()
            self._live(now_s)
            if now_s - looked_s >= LOOK_S:
                looked_s = now_s
                self._fleet.look_after()
                if (now_far := (self._fleet.present, self._fleet.committed)) != far:
                    far, moved_s = now_far, now_s
            if now_s - moved_s > patience_s:
                raise DoorwardError(f"nothing has moved for {patience_s:.0f} s: {what}; {self._fleet.away} doors are away, "
                                    f"{self._fleet.waiting} events wait")  # fmt: skip
            await asyncio.sleep(TICK_S)

    def _live(self, now_s: float) -> None:
        if self._day_began_s is None:
            return
        day_now_s = min(self._day_s, now_s - self._day_began_s)
        self._fleet.live(day_now_s)
        if day_now_s - (self.moments[-1].at_s if self.moments else 0.0) >= SECOND_S:
            self._note(day_now_s)

    def _note(self, day_now_s: float) -> None:
        fleet, before = self._fleet, self.moments[-1].at_s if self.moments else 0.0
        per_s = (fleet.committed - self._committed) / (day_now_s - before)
        self._committed = fleet.committed
        self.moments.append(Moment(round(day_now_s, 2), round(per_s, 1), fleet.present, fleet.waiting))
        while self._told < min(int(day_now_s), int(self._day_s)):
            self._told += 1
            self._progress.step()
