"""How far a long command is, on standard error: a bar with the time left on a terminal, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

BAR = 24
REDRAW_S = 0.2


class Progress:
    """`clock` gives seconds of a monotonic clock. A `total` of 0 means that nobody knows."""

    def __init__(self, total: int, what: str, stream: TextIO, clock: Callable[[], float]) -> None:
        self._total, self._what, self._stream, self._clock = total, what, stream, clock
        self._done, self._worked = 0, 0
        self._began_s = self._drawn_s = clock()
        self._visible = stream.isatty()

    def step(self, *, worked: bool = True) -> None:
        """One more is done. What was only remembered (`worked` false) does not count for the time left."""
        self._done += 1
        self._worked += worked
        now_s = self._clock()
        if self._visible and (now_s - self._drawn_s >= REDRAW_S or self._done == self._total):
            self._drawn_s = now_s
            self._stream.write(f"\r\x1b[K{self.line(now_s)}")
            self._stream.flush()

    def line(self, now_s: float) -> str:
        """The bar as text. A total is a promise, and a film's header may break it."""
        if not self._total:
            return f"{self._done} {self._what}"
        full = min(BAR, BAR * self._done // self._total)
        return f"[{'#' * full}{'.' * (BAR - full)}] {self._done}/{self._total} {self._what}{self._left(now_s)}"

    def note(self, text: str) -> None:
        """A line of its own, above the bar."""
        self._stream.write(f"\r\x1b[K{text}\n" if self._visible else f"{text}\n")
        self._stream.flush()

    def finish(self) -> None:
        """Leaves a clean line."""
        if self._visible:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _left(self, now_s: float) -> str:
        if not self._worked or self._done >= self._total:
            return ""
        left_s = (now_s - self._began_s) / self._worked * (self._total - self._done)
        return f", {round(left_s)} s left" if left_s < 100 else f", {round(left_s / 60)} min left"
