"""An event as a dashboard shows it, and who may see which. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from agent.core.event_time import said_time
from agent.core.explain import explain, lines_of
from central.gateway.asking import Caller, Role
from central.gateway.door_rows import DoorRow, sentence_of
from central.history.kept import Kept

ABOUT_PEOPLE = ("access.", "risk.")
SEES_PEOPLE: frozenset[Role] = frozenset(("guard", "manager", "privacy", "auditor"))
"""Installers see how doors and devices are, and not who comes and goes."""


class EventRow(Struct, frozen=True, kw_only=True):
    """What GET /events tells of an event."""

    n: int
    id: str
    site: str
    door: str
    kind: str
    at: datetime
    """The best that is known; `clock` says how far it may be believed, `told_at` what the door's clock said, where that is another time."""
    clock: str
    told_at: datetime | None
    sentence: str
    person: str
    alert: bool
    data: dict[str, Any]


class Explained(EventRow, frozen=True, kw_only=True):
    """… and why the door did so, line by line."""

    explain: list[str]


def may_see(caller: Caller, site: str, kind: str) -> bool:
    return caller.sees(site) and (sees_people(caller) or not kind.startswith(ABOUT_PEOPLE))


def sees_people(caller: Caller) -> bool:
    """Whether they are told who comes and goes."""
    return caller.role in SEES_PEOPLE


def without_people(row: DoorRow) -> DoorRow:
    """A door as it is shown to others: its states and devices, and nothing of who is there or was."""
    last = row.last if row.last is not None and not row.last.kind.startswith(ABOUT_PEOPLE) else None
    return replace(row, risk=None, people=None, last=last)


def rows_of(found: Iterable[Kept], caller: Caller) -> list[EventRow]:
    """Those that the caller may see."""
    return [event_row(kept) for kept in found if may_see(caller, kept.told.site, kept.told.event.kind)]


def event_row(kept: Kept) -> EventRow:
    event = kept.told.event
    return EventRow(n=kept.n, id=event.id, site=kept.told.site, door=kept.told.door, kind=event.kind, at=event.at,
                    clock=event.clock, told_at=kept.told_at, sentence=sentence_of(event.kind, event.data), person=kept.person,
                    alert=kept.alert, data=event.data)  # fmt: skip


def explained(kept: Kept) -> Explained:
    """The same words as `doorward explain`, without its first line, which says what stands in the row."""
    event, row = kept.told.event, event_row(kept)
    told = explain(event.id, event.kind, said_time(event.at, event.clock, kept.told_at), f"{row.site}/{row.door}", event.data)
    fields = {name: getattr(row, name) for name in EventRow.__struct_fields__}
    return Explained(**fields, explain=list(lines_of(told))[1:])
