"""Credentials that were withdrawn since the bundle in force was made: a door may not wait for the next bundle to refuse them.

They only ever take away: whoever is withdrawn is found as before, with a state that lets nobody in. Nobody is named: a withdrawal has the
keyed hash under which the bundle knows the credential, so a door learns nothing of people whom it does not know already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agent.core.people import Directory, Known

State = Literal["lost", "stolen", "revoked", "suspended", "over", "not_begun", "unknown"]
LONG_AGO, NEVER = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9999, 1, 1, tzinfo=timezone.utc)


class Withdrawal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One credential that lets nobody in any more."""

    hashed: int
    """Of its name, as the door's bundles hash it (agent.records.people_file)."""
    state: State
    """`suspended` is said of its cardholder, `over` and `not_begun` of the times of either; `unknown`: nobody's, or none of this door's."""
    since: int
    """The version by which it was withdrawn: a bundle of that version, or a newer one, knows of it."""


def since_bundle(withdrawn: Iterable[Withdrawal], version: int) -> dict[int, State]:
    """Hash -> state of what a bundle of that version cannot know."""
    return {each.hashed: each.state for each in withdrawn if each.since > version}


class WithdrawnRoll:
    """A directory in which some credentials have been withdrawn."""

    def __init__(self, people: Directory, hash_of: Callable[[str], int], states: dict[int, State]) -> None:
        self._people, self._hash_of, self._states = people, hash_of, states

    def find(self, key: str) -> Known | None:
        known = self._people.find(key)
        state = self._states.get(self._hash_of(key)) if known is not None else None
        return known if known is None or state is None else _withdrawn(known, state)

    def __len__(self) -> int:
        return len(self._people)


def _withdrawn(known: Known, state: State) -> Known | None:
    if state == "unknown":
        return None
    if state == "suspended":
        return Known(known.credential, replace(known.cardholder, suspended=True))
    if state == "over":
        return Known(replace(known.credential, valid_until=LONG_AGO), known.cardholder)
    if state == "not_begun":
        return Known(replace(known.credential, valid_from=NEVER), known.cardholder)
    return Known(replace(known.credential, state=state), known.cardholder)
