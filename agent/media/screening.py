"""What is to be seen now: takes the newest frame from vision while somebody watches, and makes of it what each viewer may see.

One picture for each way of looking at it (masked or not, whole or following), however many viewers: whoever asks gets the newest, and what
came late is never shown. All of it in one asyncio loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from agent.core.live import Alerted
from agent.media.focus import WHOLE, Window, person_box, step
from agent.media.overlay import overlay
from agent.media.picture import conceal, cut, no_picture, size_for
from agent.media.veil import NOBODY, Hidden, Subject, Veil
from agent.shared_view import Glance, ViewReader
from hw.interfaces import Pixels

log = logging.getLogger(__name__)

POLL_S = 0.01
WISH_S = 3.0
RENEW_S = 1.0
BLANK_S = 1.0
"""Without a new frame for so long nothing is shown any more."""
SUBJECT_S = 120.0
"""So long an alert's person is the one concerned."""
EARLY_S = 0.02
"""A frame may come a little before its turn: a camera of 15 a second is not let down to 7.5 for a wish of 14."""


class Look(NamedTuple):
    """A way of looking."""

    unmasked: bool
    follow: bool


class Shot(NamedTuple):
    """A picture for a viewer. `number` grows with each."""

    number: int
    at_s: float
    pixels: Pixels


class Screening:
    """`watch` and `leave`; `next` gives pictures; `run` is the task behind it."""

    def __init__(
        self, reader: ViewReader, mono_s: Callable[[], float], frames_per_s: float, most_wide_px: int, emotional_allowed: bool
    ) -> None:
        self._reader, self._mono_s, self._interval_s, self._most_wide_px = reader, mono_s, 1.0 / frames_per_s, most_wide_px
        self._emotional_allowed = emotional_allowed
        self._watching = 0
        self._arrived = asyncio.Event()
        self._number = 0
        self._glance: Glance | None = None
        self._at_s = self._due_s = self._renew_s = float("-inf")
        self._veil, self._hidden = Veil(), Hidden(everything=True)
        self._window: Window = WHOLE
        self._alerted: Alerted | None = None
        self._made: dict[Look, Pixels] = {}
        self.on_glance: Callable[[Glance], None] = lambda glance: None
        """Gets each frame that is taken: the ring of the evidence clips."""
        self.fault = ""

    def watch(self) -> None:
        """One more wants pictures."""
        self._watching += 1
        self._renew()

    def leave(self) -> None:
        self._watching -= 1
        if self._watching == 0:
            self._reader.close()
            self._glance = None

    def alert(self, alerted: Alerted) -> None:
        """People are told of somebody: that one is shown, and followed."""
        self._alerted = alerted

    @property
    def subject(self) -> Subject:
        alerted = self._alerted
        if alerted is None or self._mono_s() - alerted.at_s > SUBJECT_S:
            return NOBODY
        return Subject(alerted.face, alerted.body)

    async def run(self) -> None:
        """For ever. What goes wrong is told in `fault`, and tried again."""
        while True:
            try:
                self._turn()
                self.fault = ""
            except Exception as error:
                if not self.fault:
                    log.exception("screening failed")
                self.fault = f"{type(error).__name__}: {error}"
            await asyncio.sleep(POLL_S if self._watching else 10 * POLL_S)

    async def next(self, look: Look, after: int) -> Shot:
        """The newest picture whose number is above `after`; waits for it."""
        while self._number <= after:
            await self._arrived.wait()
        return Shot(self._number, self._at_s, self._picture(look))

    def overlay(self, look: Look) -> dict[str, Any]:
        """What is to be drawn over it; nothing while there is no picture."""
        if self._glance is None:
            return {"looked_at": False, "faces": [], "persons": [], "scene": []}
        return overlay(self._glance.sight, self._window_of(look), self.subject, self._emotional_allowed)

    # -- the task -------------------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        if not self._watching:
            return
        now_s = self._mono_s()
        if now_s - self._renew_s >= RENEW_S:
            self._renew()
        if now_s >= self._due_s and (glance := self._reader.read()) is not None:
            self._due_s = now_s + self._interval_s - EARLY_S
            self._take(glance, now_s)
        elif now_s - self._at_s >= BLANK_S:
            self._show(None, now_s)

    def _renew(self) -> None:
        self._renew_s = self._mono_s()
        self._reader.want(self._renew_s + WISH_S)

    def _take(self, glance: Glance, now_s: float) -> None:
        subject, sight = self.subject, glance.sight
        target = person_box(sight, subject.face, subject.body)
        self._window = step(self._window, target, sight.frame_px, min(1.0, now_s - self._at_s))
        self._hidden = self._veil.over(sight, subject)
        self.on_glance(glance)
        self._show(glance, now_s)

    def _show(self, glance: Glance | None, now_s: float) -> None:
        self._glance, self._at_s = glance, now_s
        self._made.clear()
        self._number += 1
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    # -- pictures -------------------------------------------------------------------------------------------------------------

    def _window_of(self, look: Look) -> Window:
        return self._window if look.follow else WHOLE

    def _picture(self, look: Look) -> Pixels:
        if look not in self._made:
            self._made[look] = self._make(look)
        return self._made[look]

    def _make(self, look: Look) -> Pixels:
        if self._glance is None:
            return no_picture(self._size_px)
        frame_px = self._glance.sight.frame_px
        self._size_px = size_for(frame_px, self._most_wide_px)
        pixels = self._glance.pixels
        if not look.unmasked:
            pixels = pixels.copy()
            conceal(pixels, self._hidden)
        return cut(pixels, self._window_of(look).box_px(frame_px), self._size_px)

    _size_px = (640, 480)
