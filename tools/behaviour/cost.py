"""What behaviour costs: its share of the chain's time on the same frames in one process, its memory, the size of its norms."""

from __future__ import annotations

import gc
import time
import tracemalloc
from statistics import median

from msgspec import Struct

from agent.behaviour.norms import Norms
from agent.behaviour.watch import Watcher
from agent.core.messages import Observation
from demo.people import fetch_people, find
from demo.scene import Scene
from demo.view import View
from demo.ways import Go, Wait, way
from hw.interfaces import Frame
from tools.behaviour.judged import plan_of
from tools.behaviour.ordinary import MONDAY, passes
from tools.behaviour.runs import experience
from tools.behaviour.seen import FRAMES_PER_S, Camera, Observer, measured_noise

SEED = 20
SIZE = (640, 480)


class Cost(Struct, frozen=True, kw_only=True):
    """Milliseconds of one frame, medians; `share` is the median of the frames' ratios, `mean_share` the ratio of all time."""

    chain_ms: float
    behaviour_ms: float
    share: float
    mean_share: float
    frames: int
    memory_mb: float
    """Held by watcher and norms at the most, over `passes` visits, as Python counts it."""
    passes: int
    norms_kb: float


def cost(frames: int, visits: int) -> Cost:
    """Two people in view for most of `frames`; then the memory over `visits` simulated passes."""
    chain_ms, behaviour_ms = _times(frames)
    _, known = experience()
    return Cost(
        chain_ms=median(chain_ms), behaviour_ms=median(behaviour_ms), frames=len(chain_ms),
        share=median(b / c for b, c in zip(behaviour_ms, chain_ms, strict=True)), mean_share=sum(behaviour_ms) / sum(chain_ms),
        memory_mb=_memory_mb(visits), passes=visits, norms_kb=len(known) / 1000,
    )  # fmt: skip


def _times(frames: int) -> tuple[list[float], list[float]]:
    from tools.behaviour.filmed import chain_maker

    people = fetch_people(progress=lambda text: None)
    walks = (way(find(people, "owner"), (-0.3, 4.0), [Go((-0.25, 1.2), 1.3), Wait(60.0)]),
             way(find(people, "visitor"), (0.5, 4.5), [Go((0.35, 1.7), 1.2), Wait(60.0)]))  # fmt: skip
    scene, chain = Scene(*SIZE, SEED, walks), chain_maker()()
    watcher = Watcher(plan_of(View()), Norms.decode(experience()[1]))
    chain_ms, behaviour_ms = [], []
    for number in range(frames):
        at_s = number / FRAMES_PER_S
        frame = Frame(scene.frame(at_s), at_s)
        began_s = time.perf_counter()
        seen = chain.process(frame, at_s)
        between_s = time.perf_counter()
        watcher.see(seen, MONDAY)
        ended_s = time.perf_counter()
        chain_ms.append(1000 * (between_s - began_s))
        behaviour_ms.append(1000 * (ended_s - between_s))
    return chain_ms, behaviour_ms


def _memory_mb(visits: int) -> float:
    """All observations are made beforehand, so that only what the watcher holds is counted."""
    weeks = [(episode.wall, _seen(episode.walks, episode.seed, episode.ends_s)) for episode in passes(visits, SEED)]
    gc.collect()
    tracemalloc.start()
    watcher = Watcher(plan_of(View()), Norms("simulated"))
    offset_s = 0.0
    for wall, seen in weeks:
        for each in seen:
            watcher.see(_later(each, offset_s), wall)
        offset_s += seen[-1].taken_s + 5.0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def _seen(walks: tuple, seed: int, ends_s: float) -> list[Observation]:  # type: ignore[type-arg]
    return list(Observer(Camera(noise=measured_noise()), walks, seed).all(0.0, ends_s))


def _later(seen: Observation, offset_s: float) -> Observation:
    from msgspec.structs import replace

    return replace(seen, taken_s=seen.taken_s + offset_s)
