"""How a step of a commissioning ended."""

from __future__ import annotations

from msgspec import Struct

from agent.selftest.result import Fault, Status


class Outcome(Struct, frozen=True, kw_only=True):
    """As a self-test's verdict, with what later steps and the report need to know."""

    status: Status
    said: str = ""
    faults: tuple[Fault, ...] = ()
    measured: dict[str, str] = {}
    facts: dict[str, str] = {}


def well(said: str, measured: dict[str, str] | None = None, facts: dict[str, str] | None = None) -> Outcome:
    return Outcome(status="ok", said=said, measured=measured or {}, facts=facts or {})


def absent(said: str) -> Outcome:
    """This door has none, or needs none; no fault."""
    return Outcome(status="absent", said=said)


def left_out(said: str) -> Outcome:
    """The installer does not want it now: the report says so."""
    return Outcome(status="skipped", said=said)


def wrong(what: str, likely: str = "", mend: str = "", measured: dict[str, str] | None = None) -> Outcome:
    return Outcome(status="fault", faults=(Fault(what=what, likely=likely, mend=mend),), measured=measured or {})
