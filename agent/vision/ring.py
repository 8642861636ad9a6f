"""The last frames with what was seen in them, so that a decision's picture can be kept after the decision was taken."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from agent.core.messages import Observation
from hw.interfaces import Frame


class Moment(NamedTuple):
    """A frame and what was seen in it."""

    frame: Frame
    observation: Observation


class Ring:
    """Holds references, copies nothing. Bounded by count and by bytes: whichever is reached first."""

    def __init__(self, most: int = 8, most_bytes: int = 16 * 1024 * 1024) -> None:
        self._moments: deque[Moment] = deque()
        self._most, self._most_bytes = most, most_bytes
        self._bytes = 0

    def put(self, moment: Moment) -> None:
        """Take a moment; the oldest go. The newest always stays, even when it is larger than the limit by itself."""
        self._moments.append(moment)
        self._bytes += moment.frame.pixels.nbytes
        while len(self._moments) > 1 and (len(self._moments) > self._most or self._bytes > self._most_bytes):
            self._bytes -= self._moments.popleft().frame.pixels.nbytes

    def at(self, taken_s: float) -> Moment | None:
        """The moment nearest to a time; None while the ring is empty."""
        return min(self._moments, key=lambda moment: abs(moment.frame.taken_s - taken_s), default=None)

    def __len__(self) -> int:
        return len(self._moments)
