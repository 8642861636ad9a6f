"""Loops supervised by two resistors: what an analogue reading says of a switch and of the wire to it.

Pure. `series` lies in line with the switch and `parallel` across it, both at the far end, in the switch's own housing; `pull_up` goes from
the reference voltage to the input of the converter. With the loop's resistance R the converter reads the share R / (R + pull_up) of its
reference, whatever the voltage is:

    switch closed   R = series               wire shorted   R = 0, share 0
    switch open     R = series + parallel    wire cut       R = infinite, share 1

A reading belongs to the nearest of the four; the borders lie half-way between them. With the defaults (2.2, 1 and 3.3 kohm) the four are
0, 0.3125, 0.6615 and 1 and the borders 0.156, 0.487 and 0.831: resistors 10 % off, or 100 ohm of cable, stay far inside.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from msgspec import Struct

Reading = Literal["shorted", "closed", "open", "cut"]
Trouble = Literal["", "shorted", "cut"]
READINGS: tuple[Reading, ...] = ("shorted", "closed", "open", "cut")

LEAST_APART = 0.10
"""Readings closer than this share of the reference are not told apart with ordinary resistors on a long cable."""

HYSTERESIS = 0.02
"""A border counts as crossed when it is passed by this share: 20 steps of a ten-bit converter."""

STILL_S = 0.1
"""A fault of the wire counts once it has stood so long: a switch on its way passes through other readings."""


class Loop(Struct, frozen=True, kw_only=True):
    """The resistors of one loop, in ohm. Raises ValueError when the four readings could not be told apart."""

    pull_up_ohm: float = 2200.0
    series_ohm: float = 1000.0
    parallel_ohm: float = 3300.0

    def __post_init__(self) -> None:
        shares = self.shares
        closest = min(above - below for below, above in pairwise(shares))
        if not closest >= LEAST_APART:
            raise ValueError(
                f"with pull_up_ohm {self.pull_up_ohm:g}, series_ohm {self.series_ohm:g} and parallel_ohm {self.parallel_ohm:g} the"
                f" readings {', '.join(f'{share:.3f}' for share in shares)} lie closer than {LEAST_APART}; take 2200, 1000 and 3300"
            )

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """What the converter reads, as a share of its reference: shorted, closed, open, cut."""
        closed, opened = self.series_ohm, self.series_ohm + self.parallel_ohm
        return 0.0, closed / (closed + self.pull_up_ohm), opened / (opened + self.pull_up_ohm), 1.0

    @property
    def borders(self) -> tuple[float, float, float]:
        """Between one reading and the next."""
        shorted, closed, opened, cut = self.shares
        return (shorted + closed) / 2, (closed + opened) / 2, (opened + cut) / 2

    def reading(self, share: float, before: Reading | None = None) -> Reading:
        """What this share means; `before` is kept until its border is well passed."""
        if before is not None:
            place = READINGS.index(before)
            low = self.borders[place - 1] - HYSTERESIS if place else float("-inf")
            high = self.borders[place] + HYSTERESIS if place < len(self.borders) else float("inf")
            if low <= share <= high:
                return before
        return READINGS[sum(share > border for border in self.borders)]


class SupervisedInput:
    """One input on such a loop. A contact of a closed loop counts as active when its wire is shorted or cut, besides being named."""

    def __init__(self, loop: Loop, pressed_when_closed: bool = False) -> None:
        """`pressed_when_closed`: a push button, normally open. Of a damaged wire to one nobody can say that it is pressed: whoever
        shorts it from outside is not let in, and whoever leaves has the button's second pole, in wire."""
        self._loop = loop
        self._button = pressed_when_closed
        self._reading: Reading | None = None
        self._since_s = 0.0
        self._told: Trouble = ""

    def sample(self, share: float, at_s: float) -> None:
        """Take a reading of the converter, 0 to 1. Times must not go backwards."""
        reading = self._loop.reading(share, self._reading)
        if reading != self._reading:
            self._reading, self._since_s = reading, at_s

    def blind(self, at_s: float) -> None:
        """The converter itself did not answer: nobody sees the switch, as if the wire were cut."""
        self.sample(1.0, at_s)

    @property
    def active(self) -> bool | None:
        """'Door open', 'fire', 'tampered', 'pressed'; None before the first sample."""
        if self._reading is None:
            return None
        return self._reading == "closed" if self._button else self._reading != "closed"

    @property
    def since_s(self) -> float:
        """When it last read otherwise."""
        return self._since_s

    def trouble(self, now_s: float) -> Trouble | None:
        """What is newly wrong with the wire, "" when it is sound again, None when there is no news."""
        now: Trouble = "shorted" if self._reading == "shorted" else "cut" if self._reading == "cut" else ""
        if now == self._told or now_s < self._since_s + STILL_S:
            return None
        self._told = now
        return now
