"""One film through a chain: each frame is seen, counted, told and drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from agent.analysis.draw import drawn
from agent.analysis.measuring import Measuring
from agent.analysis.output import Nowhere, Output
from agent.analysis.summary import Summary, Tally
from agent.core.conduct import Conduct
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


Tell = Callable[[Observation, Conduct | None], None]


def analyse(
    film: Source, chain: Chain, output: Output, tell: Tell, profile: Profile, measuring: Measuring | None = None
) -> Summary:
    """What a film showed. `tell` hears each frame's observation, times counted from the film's first frame, and what is known of people's
    conduct when that is told. `measuring` None: what people do is not measured.

    Raises FilmError when the film holds no usable frame or the output cannot be written.
    """
    tally = Tally()
    began_s = time.perf_counter()
    for frame in film.frames():
        _see(frame, chain, output, tell, tally, measuring)
    worked_s = time.perf_counter() - began_s
    if not tally.frames:
        raise FilmError(f"{film.name}: no frame was looked at")
    behaviour = None if measuring is None else measuring.behaviour()
    return tally.summary(film.name, not film.lacking(), worked_s, profile, behaviour)


def _see(frame: Frame, chain: Chain, output: Output, tell: Tell, tally: Tally, measuring: Measuring | None) -> None:
    chain.times.clear()
    observation = chain.process(frame, frame.taken_s)
    began_s = time.perf_counter()
    conduct = None if measuring is None else measuring.take(observation, frame.pixels)
    behaviour_s = {} if measuring is None else {"behaviour": time.perf_counter() - began_s}
    tally.take(observation, {**chain.times.total_s, **behaviour_s})
    for fault in chain.faults():
        tally.fault(fault)
    tell(observation, conduct)
    if not isinstance(output, Nowhere):
        known = (None, None) if measuring is None else (measuring.newest, measuring.plan)
        output.put(drawn(frame.pixels, observation, *known), frame.taken_s)
