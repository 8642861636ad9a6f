"""What is known of one visit -> numbers by kind of evidence (agent.core.evidence.KINDS), and what could not be measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from agent.behaviour.floor import FloorPlan, Zone
from agent.behaviour.glances import Glances
from agent.behaviour.paths import Motion
from agent.behaviour.stress import Stress
from agent.behaviour.visits import Visit
from agent.behaviour.zones import ZoneState
from agent.core.messages import BriefChanges

BEFORE_DOOR = ("approach", "threshold")
"""Kinds of zones in which somebody is before the door."""
HARDLY = 0.05
"""A measurement with less confidence is none."""


class Measured(NamedTuple):
    """A value with the time it was measured over, how well (0..1), and more in words."""

    value: float
    over_s: float = 0.0
    confidence: float = 1.0
    detail: str = ""


class Account(NamedTuple):
    """Everything that a visit shows now."""

    values: dict[str, Measured]
    """By kind of evidence."""
    abstained: tuple[str, ...]
    motion: Motion | None
    zone: ZoneState


def account(visit: Visit, plan: FloorPlan, now_s: float, wall: datetime) -> Account:
    """What a visit shows; `wall` is local time, for zones in which nobody may linger at some hours."""
    zone, motion, glances = visit.zones.state(now_s), visit.path.motion(now_s), visit.glances.glances(now_s)
    values = dict(_sound((*_of_motion(motion), *_of_zones(zone, plan, wall), *_of_glances(glances), *_of_returns(visit, now_s))))
    if visit.stress is not None and (stress := visit.stress.stress(now_s, motion)) is not None:
        values.update(_sound(_of_stress(stress)))
    if visit.brief is not None:
        values.update(_sound(_of_brief(visit.brief)))
    return Account(values, tuple(_abstained(motion, glances)), motion, zone)


def _sound(measured: Iterable[tuple[str, Measured]]) -> Iterator[tuple[str, Measured]]:
    return ((kind, each) for kind, each in measured if each.confidence >= HARDLY)


def _of_motion(motion: Motion | None) -> Iterator[tuple[str, Measured]]:
    if motion is None:
        return
    over_s, sure = motion.over_s, motion.confidence
    yield "speed", Measured(motion.speed_median_m_s, over_s, sure)
    yield "running", Measured(motion.running_s, over_s, sure)
    yield "turned_back", Measured(motion.turned_back, over_s, sure)
    yield "pacing", Measured(motion.pacing_legs, over_s, sure)
    if motion.jerk_m_s3 is not None:
        yield "abruptness", Measured(motion.jerk_m_s3, over_s, sure)
    if motion.heading_deg_per_m is not None:
        yield "inconsistency", Measured(motion.heading_deg_per_m, over_s, sure)


def _of_zones(zone: ZoneState, plan: FloorPlan, wall: datetime) -> Iterator[tuple[str, Measured]]:
    stays = [(known, seconds) for name, seconds in zone.dwell_s.items() if (known := plan.zone(name)) is not None]
    before_s = sum(seconds for known, seconds in stays if known.kind in BEFORE_DOOR)
    if stays:
        yield "dwell", Measured(before_s, before_s)
    lingers = [(seconds, known.name) for known, seconds in stays if seconds > _patience_s(known, wall)]
    if lingers:
        yield "no_linger", Measured(max(lingers)[0], max(lingers)[0], detail=max(lingers)[1])


def _patience_s(zone: Zone, wall: datetime) -> float:
    patience_s = zone.lingers_after_s(wall)
    return float("inf") if patience_s is None else patience_s


def _of_glances(glances: Glances) -> Iterator[tuple[str, Measured]]:
    sides = (("left", glances.left), ("right", glances.right), ("up", glances.up), ("of these over the shoulder", glances.back))
    told = ", ".join(f"{count} {side}" for side, count in sides if count)
    yield "glances", Measured(glances.count, glances.over_s, glances.confidence, told)
    if glances.away_share is not None:
        yield "away_share", Measured(glances.away_share, glances.measured_s, glances.confidence)


def _of_returns(visit: Visit, now_s: float) -> Iterator[tuple[str, Measured]]:
    if visit.came_before:
        yield "came_again", Measured(len(visit.came_before), now_s - visit.came_before[0])
    elif visit.known:
        yield "came_again", Measured(0.0)


def _of_stress(stress: Stress) -> Iterator[tuple[str, Measured]]:
    rate = "" if stress.blinks_per_min is None else f"{stress.blinks_per_min:.0f} blinks a minute"
    yield "stress_signs", Measured(stress.stress_signs, stress.over_s, stress.confidence, rate)
    if stress.aggression_signs is not None:
        yield "aggression_signs", Measured(stress.aggression_signs, stress.over_s, stress.confidence)
    if stress.panic_signs is not None:
        yield "panic_signs", Measured(stress.panic_signs, stress.over_s, stress.confidence)


def _of_brief(brief: BriefChanges) -> Iterator[tuple[str, Measured]]:
    """Experimental, and of no weight."""
    if brief.over_s > 0:
        yield "micro_expressions", Measured(brief.count, brief.over_s, 0.5 * min(brief.over_s / 10, 1.0))


def _abstained(motion: Motion | None, glances: Glances) -> Iterator[str]:
    if motion is None:
        yield "movement: not followed for long enough"
    else:
        yield from (f"movement: {why}" for why in motion.abstained)
    if glances.abstained:
        yield f"glances: {glances.abstained}"
