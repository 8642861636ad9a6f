"""One film through a chain: each frame is seen, counted, told and drawn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from agent.analysis.draw import drawn
from agent.analysis.film import Film
from agent.analysis.output import Nowhere, Output
from agent.analysis.summary import Summary, Tally
from agent.core.messages import Observation
from agent.vision.chain import Chain
from hw.interfaces import Frame

Profile = Literal["workplace-eu", "standard"]


def analyse(film: Film, chain: Chain, output: Output, tell: Callable[[Observation], None], profile: Profile) -> Summary:
    """What a film showed. `tell` hears each frame's observation, times counted from the film's first frame.

    Raises FilmError when the film holds no usable frame or the output cannot be written.
    """
    tally = Tally()
    began_s = time.perf_counter()
    for frame in film.frames():
        _see(frame, chain, output, tell, tally)
    worked_s = time.perf_counter() - began_s
    return tally.summary(str(film.path), not film.lacking(), worked_s, profile)


def _see(frame: Frame, chain: Chain, output: Output, tell: Callable[[Observation], None], tally: Tally) -> None:
    chain.times.clear()
    observation = chain.process(frame, frame.taken_s)
    tally.take(observation, chain.times.total_s)
    for fault in chain.faults():
        tally.fault(fault)
    tell(observation)
    if not isinstance(output, Nowhere):
        output.put(drawn(frame.pixels, observation), frame.taken_s)
