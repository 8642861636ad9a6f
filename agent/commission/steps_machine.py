"""The steps of wires and machine: the self-test's, one by one, and the doctor's letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.commission.desk import Desk
from agent.commission.handover import unnumbered
from agent.commission.outcome import Outcome, well
from agent.commission.session import untested, with_result
from agent.selftest.names import NAMES
from agent.selftest.result import Fault, Result, Status

if TYPE_CHECKING:
    from agent.selftest.bench import Bench

NOT_NOW = frozenset({"units", "programs"})
"""Checks of the doctor that would find what we have done ourselves: services and programs rest while this runs."""
TESTED = frozenset({"accelerator", "clock", "broker"})
"""Checks that the self-test makes as well: what it found is not told twice."""


BAD: frozenset[Status] = frozenset({"fault", "unsure"})
MOST_TRIES = 5
"""In one walk: what cannot be mended now is a finding, and `--only` tries it later."""


def test(desk: Desk) -> Outcome:
    """As `doorward selftest`: reader, inputs, lock, way out, lights, camera, accelerator, broker, clock. Kept one by one."""
    from agent.selftest.bench import Bench

    bench = Bench(desk.config)
    try:
        for name in wanted(desk):
            _try(desk, bench, name)
    finally:
        bench.close()
    return summed_up(desk.session.tests)


def wanted(desk: Desk) -> tuple[str, ...]:
    """Those that were named, or else those that have no result; all, where `test` itself was named or none is open."""
    if desk.options.tests:
        return tuple(name for name in NAMES if name in desk.options.tests)
    return NAMES if desk.options.anew else untested(desk.session) or NAMES


def _try(desk: Desk, bench: Bench, name: str) -> None:
    """A step of the self-test; a few times more while it finds something and the installer has mended it."""
    for tries_left in reversed(range(MOST_TRIES)):
        results = _run(desk, bench, name)
        for result in results:
            desk.keep(with_result(desk.session, unnumbered(result)))
        if all(result.status not in BAD for result in results) or not tries_left or not desk.guide.again(name):
            return


def _run(desk: Desk, bench: Bench, name: str) -> tuple[Result, ...]:
    from agent.selftest.steps import Options, SelfTest

    bench.doubtful.discard(name)
    options = Options(only=frozenset((name,)), timeout_s=desk.options.timeout_s, hold_s=desk.options.hold_s, picture=False)
    return SelfTest(desk.config, bench, desk.guide, options).run()


def summed_up(results: tuple[Result, ...]) -> Outcome:
    """Of all of the self-test's steps."""
    bad = [result for result in results if result.status in BAD]
    skipped = [result for result in results if result.status == "skipped"]
    count = sum(result.status == "ok" for result in results)
    said = f"{count} well" + (f", {len(bad)} with findings" if bad else "") + (f", {len(skipped)} left out" if skipped else "")
    status: Status = "fault" if bad else "skipped" if skipped or len({result.step for result in results}) < len(NAMES) else "ok"
    return Outcome(status=status, said=said)


def doctor(desk: Desk) -> Outcome:
    """All that `doorward doctor` looks at, but for what rests now."""
    from agent.doctor.checks import CHECKS
    from agent.doctor.machine import Machine
    from agent.doctor_cli import look

    machine, faults, count = Machine(desk.config_file), [], 0
    tested_before = {result.step for result in desk.session.tests} & TESTED
    for check in CHECKS:
        if check.name in NOT_NOW or check.name in tested_before:
            continue
        desk.guide.over(f"… {check.title}")
        for finding in look(check.run, machine):
            count += finding.level == "well"
            if finding.level in ("warn", "bad"):
                faults.append(Fault(what=f"{check.title}: {finding.what}", likely=finding.why, mend=finding.mend))
    desk.guide.notes(
        "Not looked at: the services, which rest now. `doorward health --wait 60` says afterwards whether all came up."
    )
    if faults:
        return Outcome(status="fault", faults=tuple(faults), measured={"well": str(count)})
    return well(f"{count} things are well, nothing to mend")
