"""Whether what was put in force is good, by what vision says of itself afterwards: pure, time is an argument.

Good is: vision runs with it, and for a while tells of no fault that it did not have before. Not good is: vision cannot start with it, falls
silent, or has a new fault that stays.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from agent.core.messages import VisionHealth


class Patience(Struct, frozen=True, kw_only=True):
    """How long is waited, in seconds."""

    comes_up_s: float = 45.0
    """For vision to say something again: its networks take seconds to open. While it still runs with what was before, it waits for a moment
    with nobody before the camera, and is not hurried."""
    stays_good_s: float = 20.0
    fault_stays_s: float = 4.0


class Trial(Struct, frozen=True, kw_only=True):
    """One version on trial. `faults_before`: what vision complained of anyway."""

    rules: int
    models: int
    shadow: int
    faults_before: frozenset[str]
    good_since_s: float | None = None
    bad_since_s: float | None = None
    silent_since_s: float | None = None


GOOD = ""
OF_THE_PLACE = "scene: "
GAVE_UP = "update: "
"""So begins what vision says of an update that it could not start with."""


def judged(trial: Trial, health: VisionHealth | None, now_s: float, patience: Patience) -> tuple[Trial, str | None]:
    """The trial as it goes on, and its verdict: None while there is none, GOOD, or the sentence that says why not."""
    runs = health is not None and (health.rules, health.models, health.shadow) == (trial.rules, trial.models, trial.shadow)
    fresh = sorted(_own_faults(health) - trial.faults_before) if health is not None else []
    gave_up = next((fault for fault in fresh if fault.startswith(GAVE_UP)), None)
    if gave_up is not None:
        return trial, gave_up.removeprefix(GAVE_UP)[:500]
    trial = replace(
        trial, good_since_s=_since(trial.good_since_s, runs and not fresh, now_s),
        bad_since_s=_since(trial.bad_since_s, runs and fresh, now_s),
        silent_since_s=_since(trial.silent_since_s, health is None, now_s),
    )  # fmt: skip
    if _lasted(trial.bad_since_s, now_s, patience.fault_stays_s):
        return trial, f"vision has a fault that it did not have before: {fresh[0][:300]}"
    if _lasted(trial.silent_since_s, now_s, patience.comes_up_s):
        return trial, f"vision did not come up with it within {patience.comes_up_s:g} s"
    return trial, GOOD if _lasted(trial.good_since_s, now_s, patience.stays_good_s) else None


def _own_faults(health: VisionHealth) -> set[str]:
    """Without what it says of the place: a wall that is too plain is no fault of an update."""
    return {fault for fault in health.faults if not fault.startswith(OF_THE_PLACE)}


def _since(since_s: float | None, is_so: object, now_s: float) -> float | None:
    return (since_s if since_s is not None else now_s) if is_so else None


def _lasted(since_s: float | None, now_s: float, least_s: float) -> bool:
    return since_s is not None and now_s - since_s >= least_s
