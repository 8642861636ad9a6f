"""Walks an installer through a commissioning: each step is begun, done, and kept before the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

import msgspec

from agent.commission.desk import Desk
from agent.commission.outcome import Outcome, wrong
from agent.commission.session import STEPS, TITLES, Done, begun, ended, upcoming
from agent.commission.steps_camera import aim, floor, scene
from agent.commission.steps_keys import osdp, pair, who
from agent.commission.steps_machine import doctor, test
from agent.commission.steps_report import report
from agent.errors import DoorwardError
from agent.selftest.result import Result

Step = Callable[[Desk], Outcome]

RUN: Mapping[str, Step] = {
    "who": who, "pair": pair, "osdp": osdp, "aim": aim, "floor": floor, "test": test, "scene": scene, "doctor": doctor, "report": report,
}  # fmt: skip


def walk(desk: Desk, only: tuple[str, ...]) -> None:
    """The named steps; or, from wherever the session stands, all that are not done."""
    for step in only:
        take(desk, step)
    while not only and (step := upcoming(desk.session)):
        take(desk, step)


def take(desk: Desk, step: str) -> None:
    """One step. What goes wrong in it is its result, and no reason not to do the next one."""
    guide = desk.guide
    guide.commission_step(STEPS.index(step) + 1, len(STEPS), step, TITLES[step])
    desk.keep(begun(desk.session, step))
    began_s = time.monotonic()
    try:
        outcome = RUN[step](desk)
    except DoorwardError as error:
        outcome = wrong(str(error), mend=f"doorward commission --only {step}")
    took_s = round(time.monotonic() - began_s, 1)
    done = Done(status=outcome.status, said=outcome.said, faults=outcome.faults, measured=outcome.measured, facts=outcome.facts,
                at=datetime.now(timezone.utc), took_s=took_s, config=desk.config_sum())  # fmt: skip
    desk.keep(ended(desk.session, step, done))
    _tell(desk, step, done)


def _tell(desk: Desk, step: str, done: Done) -> None:
    shown = Result(
        step=step, title=TITLES[step], status=done.status, said=done.said, faults=() if step == "test" else done.faults
    )
    desk.guide.result_of(shown)
    told = msgspec.to_builtins(done)
    desk.guide.done({"step": step, **{key: told[key] for key in ("status", "said", "faults", "measured", "took_s")}})
