"""What other threads put into the door loop's inbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from agent.core.access import AccessRules
from agent.core.clock_watch import ClockNews
from agent.core.commands import Command, Refusal
from agent.core.messages import ReaderNews
from agent.records.enrol_word import Begin, Declined
from agent.updates.at_door import NewSettings


class Edge(Struct, frozen=True, gc=False):
    """A bit from a Wiegand reader."""

    reader: str
    bit: int
    at_s: float


class EdgesLost(Struct, frozen=True, gc=False):
    """Bits of a Wiegand reader were lost before this moment."""

    reader: str
    at_s: float


class InputEdge(Struct, frozen=True, gc=False):
    """A raw edge of a named input."""

    name: str
    active: bool
    at_s: float


class InputFault(Struct, frozen=True, gc=False):
    """The wire of a supervised input is "cut" or "shorted"; "" when it is sound again."""

    name: str
    fault: str
    at_s: float


def nobody_waits() -> None:
    """For rules that nobody waits for."""


class NewRules(Struct, frozen=True):
    """A bundle was accepted, or credentials were withdrawn beside the one in force."""

    rules: AccessRules
    withdrawn: int | None = None
    """How many are withdrawn beside the bundle; None: it is the bundle that is new."""
    taken: Callable[[], None] = nobody_waits
    """To be called when the rules count."""


class EnrolWord(Struct, frozen=True):
    """The centre wants somebody enrolled at this door's camera; Declined where its word is not followed."""

    word: Begin | Declined


class EnrolOver(Struct, frozen=True):
    """The centre says that an enrolment is over."""

    session: str


class Fault(Struct, frozen=True):
    """Another thread met something that people must know."""

    what: str
    text: str


class News(Struct, frozen=True):
    """Something that belongs on record, said by another thread."""

    kind: str
    data: dict[str, Any]


class ClockTold(Struct, frozen=True):
    """The clock is right at last, or was set."""

    news: ClockNews


class Renewed(Struct, frozen=True):
    """Of the door's certificates: an event's kind and data."""

    kind: str
    data: dict[str, Any]


Item = (
    ClockTold | Renewed | Edge | EdgesLost | ReaderNews | InputEdge | InputFault | Command | Refusal | NewRules | EnrolWord | EnrolOver
    | Fault | News | NewSettings
)  # fmt: skip
