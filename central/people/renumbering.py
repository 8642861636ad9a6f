"""A database that was put back from an older copy: doors know revisions that it has not reached, and would take no word of it for newer."""

from __future__ import annotations

import logging

from central.people import rows
from central.people.people import People

log = logging.getLogger(__name__)

MOST_AHEAD = 10_000_000
"""Revisions that nobody can have made meanwhile: whoever claims more lies, and moves nothing."""


def go_on_behind(people: People, known: int) -> bool:
    """Continue behind the highest revision that a door knows. Returns whether that was needed. On record. Raises StoreError."""
    if not 0 < known - people.revision <= MOST_AHEAD:
        return False
    with people.changing("centre") as change:
        behind_by = known - rows.revision_of(change.connection)
        if behind_by <= 0:
            return False
        rows.advance(change.connection, behind_by)
        change.for_doors = True
        change.on_record("people.renumbered", "", {"doors_knew": known, "behind_by": behind_by})
    log.error("people: doors know revision %d, and this database was %d behind: was it put back from a copy?", known, behind_by)
    return True
