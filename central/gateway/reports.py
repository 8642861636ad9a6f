"""Who was in the building, who was refused, which doors stood open: from events, oldest first. Pure; each says what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from central.database.types import from_us
from central.gateway.door_rows import sentence_of
from central.history.kept import Kept
from central.history.passages import Passage

PRESENCE_RESTS_ON = (
    "Reads at doors alone. Whoever was let in counts as having come, whether they went through or not; whoever left by the button, behind"
    " somebody else or in a fire still counts as inside. Not fit for counting heads in an evacuation."
)
DENIALS_REST_ON = "Every fob that was read and refused. Whoever presented none, or one that could not be read, is not in here."
HELD_RESTS_ON = "The door contacts. Where a door has none, or its contact is broken, nothing is told."
DENIAL_KINDS = ("access.denied",)
HELD_KINDS = ("door.forced", "door.held", "door.propped", "door.closed")


class Present(Struct, kw_only=True):
    """One person, as far as reads tell."""

    person: str
    name: str
    site: str
    first_in: datetime | None = None
    last_in: datetime | None = None
    last_out: datetime | None = None
    inside: bool = False
    """They came in, and have not been seen to leave."""
    last_door: str = ""
    entries: int = 0


class Denial(Struct, frozen=True, kw_only=True):
    n: int
    at: datetime
    site: str
    door: str
    person: str
    reasons: list[str]
    alert: bool


class Opening(Struct, kw_only=True):
    """A door that stood open too long, or was opened by force."""

    n: int
    at: datetime
    site: str
    door: str
    kind: str
    sentence: str
    closed_at: datetime | None = None
    open_s: float | None = None
    """How long it was open in all; None while it is, or where nothing told."""


def presence(told: Iterable[Passage], names_of: Callable[[Collection[str]], Mapping[str, str]]) -> list[Present]:
    """By site and person: who leaves one building may be in another."""
    found: dict[tuple[str, str], _Came] = {}
    for passage in told:
        key = (passage.site, passage.person)
        came = found.get(key)
        if came is None:
            came = found[key] = _Came()
        came.count(passage)
    names = names_of({person for _, person in found})
    rows = [_present(site, person, names.get(person, person), came) for (site, person), came in found.items()]
    return sorted(rows, key=lambda each: (each.site, not each.inside, each.name.casefold(), each.person))


class _Came:
    """What is known of one person at one site; times in microseconds since 1970, 0 for none."""

    __slots__ = ("door", "entries", "first_in", "inside", "last_in", "last_out")

    def __init__(self) -> None:
        self.first_in = self.last_in = self.last_out = self.entries = 0
        self.inside, self.door = False, ""

    def count(self, told: Passage) -> None:
        if self.last_in > told.at_us or self.last_out > told.at_us:
            return  # a door that was away tells late: what is newer is known already
        self.door = told.door
        if told.leaving:
            self.last_out, self.inside = told.at_us, False
            return
        self.first_in, self.last_in = self.first_in or told.at_us, told.at_us
        self.inside, self.entries = True, self.entries + 1


def _present(site: str, person: str, name: str, came: _Came) -> Present:
    first_in, last_in, last_out = (from_us(at_us) if at_us else None for at_us in (came.first_in, came.last_in, came.last_out))
    return Present(person=person, name=name, site=site, first_in=first_in, last_in=last_in, last_out=last_out, inside=came.inside,
                   last_door=came.door, entries=came.entries)  # fmt: skip


def denials(events: Iterable[Kept]) -> list[Denial]:
    return [Denial(n=kept.n, at=kept.told.event.at, site=kept.told.site, door=kept.told.door, person=kept.person,
                   reasons=_words(kept.told.event.data), alert=kept.alert) for kept in events]  # fmt: skip


def openings(events: Iterable[Kept]) -> list[Opening]:
    """A door that is held and then propped is one row, of the worse kind."""
    rows: list[Opening] = []
    standing: dict[tuple[str, str], Opening] = {}
    for kept in events:
        event, key = kept.told.event, (kept.told.site, kept.told.door)
        if event.kind == "door.closed":
            _close(standing.pop(key, None), event.at, event.data)
        elif key in standing:
            standing[key].kind, standing[key].sentence = event.kind, sentence_of(event.kind, event.data)
        else:
            standing[key] = Opening(n=kept.n, at=event.at, site=key[0], door=key[1], kind=event.kind,
                                    sentence=sentence_of(event.kind, event.data))  # fmt: skip
            rows.append(standing[key])
    return rows


def _close(row: Opening | None, at: datetime, data: Mapping[str, Any]) -> None:
    open_s = data.get("open_s")
    if row is not None and at - row.at < timedelta(days=7):
        row.closed_at = at
        row.open_s = round(float(open_s), 1) if isinstance(open_s, int | float) and abs(open_s) < 1e9 else None


def _words(data: Mapping[str, Any]) -> list[str]:
    told = data.get("sentences") or data.get("reasons")
    return [str(each)[:200] for each in told[:10]] if isinstance(told, list) else []
