"""From a fob's last bit to the relay: with the owner's face in view, with the fob alone, and with vision dead."""

from __future__ import annotations

import random
import time
from typing import Any

from agent.core.messages import Event
from demo.stage import OWNER_FOB, UNKNOWN_FOB, Stage, StageOptions
from tools.bench.figures import Figure, Section, Setting, distribution, percentile
from tools.bench.site import (
    READY_WITHIN_S,
    Passage,
    cast,
    demand_audit,
    film_of_owner,
    pass_once,
    site,
    told,
)

READS = 1000
SLOW_READS = 200
VISIONLESS_READS = 20
FRAME_S = 1 / 15
FACE_P99_MS, FOB_P99_MS, FALLBACK_MAX_MS = 20.0, 10.0, 1000.0
SLOW_INTERVAL_S = 0.002
VISION_WAIT_MS = 500.0
"""policy.vision_wait_s of the stage."""


def fob_and_face(setting: Setting) -> Section:
    """The job itself: the owner stands before the door, vision at its full rate, everything on the same cores."""
    people = cast(setting)
    options = StageOptions()
    with site(setting, "fob-and-face", options, people) as stage:
        stage.show(film_of_owner(people, options, setting.seed))
        stage.start()
        stage.wait_until_guarding(READY_WITHIN_S)
        time.sleep(2.0)
        quick = _passes(setting, stage, setting.repeats(READS), 0.001)
        slow = _passes(setting, stage, setting.repeats(SLOW_READS), SLOW_INTERVAL_S)
        granted = told(stage, "access.granted", len(_relays(quick)) + len(_relays(slow)))
        demand_audit(stage)
        refusals = _refusals(stage)
    by_face = [event for event in granted if event.data["reasons"] == ["face_match"]]
    relays = _relays(quick)
    return Section(
        name="fob_and_face", title="Last Wiegand bit to relay, owner's face in view",
        how=f"{len(quick)} reads of the owner's fob, each a case of its own: bits, relay, door opens (relock), door shuts, then a random "
            "pause so that reads and camera frames do not keep step. Broker, historian, door and vision run as their own "
            "processes on the same "
            "cores; vision looks at every frame and keeps a picture of each decision; the owner sways 1.2 m before the camera. "
            "The time of the last bit "
            "is that of a reader's own even pace; the relay's is taken when its pin changes.",
        figures=(
            *distribution("bit to relay", relays, FACE_P99_MS),
            Figure(what="grants for another reason than the face", value=float(len(granted) - len(by_face)), unit="", most=0),
            *_unanswered("reads that did not open the door", [*quick, *slow]),
            Figure(what="frames vision looked at", value=_frames_per_s(by_face), unit="a second"),
            Figure(what="age of the view that decided, p99", value=percentile(_ages_ms(by_face), 0.99), unit="ms"),
            *_rig(quick),
            *distribution("bit to relay, reader with 2 ms between bits", _relays(slow))[:3:2],
        ),
        notes=(
            "About 3 ms of every figure is the silence that ends a Wiegand frame (three of the reader's own bit intervals, here 1 ms each; "
            "6 ms where a reader paces its bits at 2 ms): a frame has no end mark, and deciding at the 26th bit would read a longer "
            "card as a shorter one.",
            "A read is spoilt when the simulated reader, a thread on the same busy cores, was more than 100 ms late with a bit and nothing "
            "came of the read: the door gives an unfinished frame up after 150 ms, reports a read fault and opens for nothing.",
            *refusals,
        ),
        samples={"face in view": tuple(relays)},
    )  # fmt: skip


def fob_alone(setting: Setting) -> Section:
    """No vision program at all, and decisions that no face can change."""
    with site(setting, "fob-alone", StageOptions(without_template="fob_alone")) as stage:
        stage.start("broker", "central", "door")
        told(stage, "door.started", 1)
        opened = _passes(setting, stage, setting.repeats(READS), 0.001)
        unknown = _unknown(setting, stage, setting.repeats(READS))
        granted = told(stage, "access.granted", len(_relays(opened)))
        demand_audit(stage)
        faults = _faults(stage)
    denied_ms = _relays(unknown)
    alone = [event for event in granted if event.data["reasons"] == ["fob_alone_no_template"]]
    return Section(
        name="fob_alone", title="The fob alone",
        how=f"{len(opened)} reads of a fob whose cardholder has no template, where the policy lets the fob alone decide, "
            f"measured like the above, "
            f"with the vision program not running; then {len(denied_ms)} reads of a fob that was never issued, which are denied "
            f"at once: no relay moves, so "
            "the door's own clock is taken, from the last bit to the decision (`decided_ms` of the event).",
        figures=(
            *distribution("bit to relay, fob alone", _relays(opened), FOB_P99_MS),
            Figure(what="grants for another reason than the fob", value=float(len(granted) - len(alone)), unit="", most=0),
            *_unanswered("reads that did not open the door", opened),
            *_rig(opened),
            *distribution("bit to denial, unknown fob", denied_ms, FOB_P99_MS),
            *_unanswered("unknown fobs that were not denied", unknown),
        ),
        notes=faults,
        samples={"fob alone": tuple(_relays(opened)), "unknown fob denied": tuple(denied_ms)},
    )  # fmt: skip


def vision_dead(setting: Setting) -> Section:
    """Vision is killed and stays away; the policy lets the fob decide after its wait."""
    people = cast(setting)
    options = StageOptions(without_vision="fob_alone")
    with site(setting, "vision-dead", options, people) as stage:
        stage.show(film_of_owner(people, options, setting.seed))
        stage.start()
        stage.wait_until_guarding(READY_WITHIN_S)
        stage.take_down("vision")
        told(stage, "vision.lost", 1)
        passes = _passes(setting, stage, setting.repeats(VISIONLESS_READS), 0.001)
        demand_audit(stage)
    relays = _relays(passes)
    return Section(
        name="vision_dead", title="Vision killed",
        how=f"The vision program gets SIGKILL and stays down; {len(passes)} reads of the owner's fob, with `without_vision = "
            f"\"fob_alone\"` and "
            "`vision_wait_s = 0.5`.",
        figures=(
            *distribution("bit to relay, vision killed", relays)[::3],
            Figure(what="worst answer", value=max(relays, default=float("inf")), unit="ms", most=FALLBACK_MAX_MS),
            Figure(what="over the policy's wait, worst", value=max(relays, default=float("inf")) - VISION_WAIT_MS, unit="ms"),
        ),
    )  # fmt: skip


def _passes(setting: Setting, stage: Stage, count: int, interval_s: float) -> list[Passage]:
    chance = random.Random(setting.seed)  # noqa: S311 - pauses, no secrets
    passes: list[Passage] = []
    for number in range(count):
        if number % 100 == 0:
            setting.say(f"  read {number} of {count}")
        passes.append(pass_once(stage, OWNER_FOB, interval_s))
        time.sleep(chance.uniform(0.02, 0.02 + FRAME_S))
    return passes


def _unknown(setting: Setting, stage: Stage, count: int) -> list[Passage]:
    """Reads of a fob that nobody was issued; `relay_ms` is what the door put on record as its time to the denial."""
    chance = random.Random(setting.seed)  # noqa: S311 - pauses, no secrets
    reads: list[tuple[float, float]] = []
    for _ in range(count):
        reads.append((stage.present(UNKNOWN_FOB), 1000 * stage.rig.late_s))
        time.sleep(chance.uniform(0.03, 0.06))
    demand_audit(stage)
    denied = [kept.told.event.data for kept in stage.kept() if kept.told.event.kind == "access.denied"]
    decided_ms = {
        round(data["read"]["read_s"], 6): data["decided_ms"] for data in denied if data["reasons"] == ["unknown_credential"]
    }
    return [Passage(last_bit_s, decided_ms.get(round(last_bit_s, 6)), late_ms) for last_bit_s, late_ms in reads]


def _unanswered(what: str, reads: list[Passage]) -> tuple[Figure, ...]:
    spoilt = sum(read.spoilt for read in reads)
    missed = sum(not read.opened for read in reads) - spoilt
    return (
        Figure(what=what, value=float(missed), unit="", most=0),
        Figure(what="reads spoilt by the simulated reader itself", value=float(spoilt), unit=""),
    )


def _refusals(stage: Stage) -> tuple[str, ...]:
    """A sentence about what the door said of reads that did not open it; nothing when all did."""
    denied = [kept.told.event.data for kept in stage.kept() if kept.told.event.kind == "access.denied"]
    said = ", ".join(" ".join(data["reasons"]) for data in denied)
    return (*((f"Denied: {said}.",) if said else ()), *_faults(stage))


def _faults(stage: Stage) -> tuple[str, ...]:
    """A sentence about frames that the door could not read; nothing when there were none."""
    faults = [kept.told.event.data for kept in stage.kept() if kept.told.event.kind == "reader.fault"]
    said = ", ".join(f"{data['fault']} ({len(data['bits'])} bits)" for data in faults)
    return (f"Frames that the door reported as faults: {said}.",) if said else ()


def _relays(passes: list[Passage]) -> list[float]:
    return [passed.relay_ms for passed in passes if passed.relay_ms is not None]


def _rig(passes: list[Passage]) -> tuple[Figure, ...]:
    late = percentile([passed.rig_late_ms for passed in passes], 0.99)
    return (Figure(what="lateness of the simulated reader itself, p99", value=late, unit="ms"),)


def _frames_per_s(granted: list[Event]) -> float:
    seen: list[dict[str, Any]] = sorted((event.data["seen"] for event in granted), key=lambda seen: seen["frame"])
    if len(seen) < 2:
        return float("nan")
    return float((seen[-1]["frame"] - seen[0]["frame"]) / (seen[-1]["taken_s"] - seen[0]["taken_s"]))


def _ages_ms(granted: list[Event]) -> list[float]:
    return [1000 * event.data["seen"]["age_s"] for event in granted]
