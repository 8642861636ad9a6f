"""Whom an account of some sites may see: people whose profiles open a door there. Nobody is written down as of a site; their rules say it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, exists, true

from central.database.tables_people import CARDHOLDER_PROFILES, CARDHOLDERS
from central.people import rows
from central.people.rules import RuleBook, covers

_EVERYWHERE = "*"


def profiles_at(book: RuleBook, sites: Collection[str]) -> list[str]:
    """Ids of the profiles that open something at one of these sites."""
    doors = [(each.site, each.door) for each in book.doors if each.site in sites]
    words = {_EVERYWHERE, *(f"{site}/*" for site in sites)}
    return [id for id, profile in book.profiles.items()
            if not words.isdisjoint(profile.doors) or any(covers(profile, *door) for door in doors)]  # fmt: skip


def in_sight(connection: Connection, sites: Collection[str]) -> ColumnElement[bool]:
    """A condition on CARDHOLDERS; no sites: everybody."""
    if not sites:
        return true()
    theirs = CARDHOLDER_PROFILES.c
    here = theirs.profile.in_(profiles_at(rows.book_from(connection), sites))
    return exists().where(theirs.cardholder == CARDHOLDERS.c.id, here)
