"""A commissioning session: which steps are done, what comes next, and what must be done again. Pure.

A step is begun, then done; one that was begun only was cut off and is next. Whoever aims the camera anew has moved it: the floor that was
marked and the view that was learned are of another picture then, and are doubted until they are done again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from agent.errors import ConfigError
from agent.selftest.names import NAMES
from agent.selftest.result import SOUND, Fault, Result, Status

TITLES: Mapping[str, str] = {
    "who": "Whose door is this",
    "pair": "Pairing with the centre",
    "osdp": "Keys of OSDP readers",
    "aim": "Aiming the camera",
    "floor": "Marking the floor",
    "test": "Testing every wire",
    "scene": "Learning the empty view",
    "doctor": "A last look at the machine",
    "report": "The handover report",
}
"""The steps, in the order in which an installer walks."""
STEPS = tuple(TITLES)
SPOILS: Mapping[str, tuple[str, ...]] = {"aim": ("floor", "scene"), "floor": ("scene",)}
"""What was done before with another view of the camera."""
DOUBT: Mapping[str, str] = {"aim": "the camera was aimed anew since", "floor": "the floor was marked anew since"}
LAST = "report"


class Done(Struct, frozen=True, kw_only=True):
    """How a step ended."""

    status: Status
    said: str = ""
    faults: tuple[Fault, ...] = ()
    measured: dict[str, str] = {}
    facts: dict[str, str] = {}
    """What later steps and the report need to know."""
    at: datetime
    took_s: float = 0.0
    config: str = ""
    """Sum of the configuration that it was done with."""
    doubt: str = ""
    """Why it counts no more."""


class Session(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is kept between two runs of the program."""

    format: int = 1
    site: str
    door: str
    began_at: datetime
    running: str = ""
    """The step that was begun and not done."""
    done: dict[str, Done] = {}
    tests: tuple[Result, ...] = ()
    """Of the step `test`, one by one: a walk that was cut off goes on behind the last one."""


def begun(session: Session, step: str) -> Session:
    """A step is being done."""
    return replace(session, running=step)


def ended(session: Session, step: str, done: Done) -> Session:
    """It is done; what depends on it, and the report, are doubted."""
    results = dict(session.done) | {step: done}
    for spoilt in SPOILS.get(step, ()):
        results = _doubted(results, spoilt, DOUBT[step])
    if step != LAST:
        results = _doubted(results, LAST, f"'{step}' was done after it")
    return replace(session, running="", done=results)


def with_result(session: Session, result: Result) -> Session:
    """With a self-test's result, in the place of the same step's last one; what was told in the report before holds no more."""
    key = (result.step, result.title)
    if key in [(known.step, known.title) for known in session.tests]:
        tests = tuple(result if (known.step, known.title) == key else known for known in session.tests)
    else:
        tests = (*session.tests, result)
    order = {name: place for place, name in enumerate(NAMES)}
    tests = tuple(sorted(tests, key=lambda known: order.get(known.step, len(order))))
    return replace(session, tests=tests, done=_doubted(dict(session.done), LAST, f"{result.title} was tested after it"))


def upcoming(session: Session) -> str:
    """The first step that is not done, or whose result is doubted; empty when all are."""
    return next((step for step in STEPS if step not in session.done or session.done[step].doubt), "")


def untested(session: Session) -> tuple[str, ...]:
    """The self-test's steps that have no result yet."""
    known = {result.step for result in session.tests}
    return tuple(name for name in NAMES if name not in known)


def findings(session: Session) -> int:
    """How many things are wrong; what was left out is none."""
    steps = sum(
        len(done.faults) or 1 for step, done in session.done.items() if step != "test" and done.status in ("fault", "unsure")
    )
    return steps + sum(len(result.faults) or 1 for result in session.tests if result.status in ("fault", "unsure"))


def left_out(session: Session) -> tuple[str, ...]:
    """In words, what nobody did or nobody could do."""
    undone = [
        TITLES[step] for step in STEPS if step != LAST and (step not in session.done or session.done[step].status == "skipped")
    ]
    doubted = [f"{TITLES[step]} ({session.done[step].doubt})" for step in STEPS
               if step != LAST and step in session.done and session.done[step].doubt]  # fmt: skip
    results = [result.title for result in session.tests if result.status == "skipped"]
    return (*undone, *doubted, *results)


def complete(session: Session) -> bool:
    """Whether everything was done and is well."""
    steps = all(step in session.done and session.done[step].status in SOUND and not session.done[step].doubt
                for step in STEPS if step != LAST)  # fmt: skip
    return steps and all(result.status in SOUND for result in session.tests) and not untested(session)


def chosen(words: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """The steps, and the self-test's steps, that `--only` names. Raises ConfigError for a name that is neither."""
    names = [word.strip() for word in words.split(",") if word.strip()]
    if unknown := [name for name in names if name not in (*STEPS, *NAMES)]:
        raise ConfigError(f"--only {', '.join(unknown)}: steps are {', '.join(STEPS)}, and of 'test' {', '.join(NAMES)}")
    tests = frozenset(name for name in names if name in NAMES)
    steps = tuple(step for step in STEPS if step in names or (step == "test" and tests))
    return steps, frozenset() if "test" in names else tests


def _doubted(results: dict[str, Done], step: str, why: str) -> dict[str, Done]:
    if step not in results:
        return results
    return results | {step: replace(results[step], doubt=why)}
