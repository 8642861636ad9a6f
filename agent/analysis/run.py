"""One film through a chain: each frame is seen, counted, told and drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from agent.analysis.draw import drawn
from agent.analysis.output import Nowhere, Output
from agent.analysis.summary import Summary, Tally
from agent.core.messages import Observation
from agent.errors import FilmError
from agent.vision.chain import Chain
from hw.interfaces import Frame

Profile = Literal["workplace-eu", "standard"]


class Source(Protocol):
    """A film, or a camera looked at for a while."""

    name: str
    rate: float
    """Frames a second, at most."""

    @property
    def expected(self) -> int:
        """How many frames will come; 0 when nobody knows."""
        ...

    def frames(self) -> Iterator[Frame]:
        """In order, `taken_s` counted from the first; raises FilmError when there are none."""
        ...

    def lacking(self) -> str:
        """Why it ended before its end; empty when it did not."""
        ...


def analyse(film: Source, chain: Chain, output: Output, tell: Callable[[Observation], None], profile: Profile) -> Summary:
    """What a film showed. `tell` hears each frame's observation, times counted from the film's first frame.

    Raises FilmError when the film holds no usable frame or the output cannot be written.
    """
    tally = Tally()
    began_s = time.perf_counter()
    for frame in film.frames():
        _see(frame, chain, output, tell, tally)
    worked_s = time.perf_counter() - began_s
    if not tally.frames:
        raise FilmError(f"{film.name}: no frame was looked at")
    return tally.summary(film.name, not film.lacking(), worked_s, profile)


def _see(frame: Frame, chain: Chain, output: Output, tell: Callable[[Observation], None], tally: Tally) -> None:
    chain.times.clear()
    observation = chain.process(frame, frame.taken_s)
    tally.take(observation, chain.times.total_s)
    for fault in chain.faults():
        tally.fault(fault)
    tell(observation)
    if not isinstance(output, Nowhere):
        output.put(drawn(frame.pixels, observation), frame.taken_s)
