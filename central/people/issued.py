"""Everybody whom a door must know, one after the other: a quarter of a million of them pass through a few pages of memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select, true

from agent.core.people import Cardholder, Credential, Issued
from central.database.tables_people import CARDHOLDER_PROFILES, CARDHOLDERS, CREDENTIALS
from central.people.records import Held
from central.people.rows import chunks, held_by, held_from, profiles_of, templates_by
from central.people.vault import Vault


def issued(connection: Connection, vault: Vault, profiles: frozenset[str], now: datetime) -> Iterator[Issued]:
    """Who has one of these profiles; then, without anything else of them, fobs of others that are lost, stolen or revoked.

    So a stolen fob is known for one at every door, and a template lies only where its owner may pass. Of somebody whose time
    is over neither templates nor PINs go anywhere. Raises VaultError.
    """
    for page in _pages(connection, profiles):
        yield from _whole(connection, vault, page, profiles, now)
    yield from _barred(connection, _covered(profiles), true())


def issued_of(
    connection: Connection, vault: Vault, profiles: frozenset[str], now: datetime, keys: Iterable[str]
) -> Iterator[Issued]:
    """As `issued`, of whoever has one of these credentials; what is nobody's any more, or nothing to this door, is not in it."""
    for chunk in chunks(sorted(keys)):
        held = CREDENTIALS.c.key.in_(chunk)
        asked = select(CREDENTIALS.c.cardholder).where(held, CREDENTIALS.c.cardholder.is_not(None)).distinct()
        ids = sorted(connection.execute(asked).scalars())
        covered = _covered(profiles).where(CARDHOLDER_PROFILES.c.cardholder.in_(ids))
        page = connection.execute(select(CARDHOLDERS).where(CARDHOLDERS.c.id.in_(covered)).order_by(CARDHOLDERS.c.id)).all()
        yield from _whole(connection, vault, page, profiles, now)
        yield from _barred(connection, covered, held)


def _pages(connection: Connection, profiles: frozenset[str]) -> Iterator[Sequence[Row[Any]]]:
    """Rows of `cardholders`. Only ids are asked for at once: asked for page by page, the database would join all of them each time."""
    table = CARDHOLDER_PROFILES
    asked = select(table.c.cardholder).where(table.c.profile.in_(sorted(profiles))).distinct()
    for ids in chunks(sorted(connection.execute(asked).scalars())):
        yield connection.execute(select(CARDHOLDERS).where(CARDHOLDERS.c.id.in_(ids)).order_by(CARDHOLDERS.c.id)).all()


def _whole(
    connection: Connection, vault: Vault, page: Sequence[Row[Any]], allowed: frozenset[str], now: datetime
) -> Iterator[Issued]:
    ids = [row.id for row in page]
    profiles, held, templates = profiles_of(connection, ids), held_by(connection, ids), templates_by(connection, ids)
    for row in page:
        if mine := held.get(row.id):
            secret = _secrets(vault, row, templates.get(row.id, []), now)
            here = tuple(each for each in profiles[row.id] if each in allowed)
            yield Issued(_cardholder(row, here, secret), tuple(_credential(row.id, each) for each in mine))


def _secrets(vault: Vault, row: Row[Any], templates: list[Row[Any]], now: datetime) -> dict[str, Any]:
    if row.valid_until is not None and row.valid_until <= now:
        return {}
    embedder = templates[-1].embedder_id if templates else ""
    opened = tuple(vault.open("template", row.id, each.sealed) for each in templates if each.embedder_id == embedder)
    pin = "" if row.pin is None else vault.open("pin", row.id, row.pin).decode()
    duress_pin = "" if row.duress_pin is None else vault.open("duress_pin", row.id, row.duress_pin).decode()
    return {"templates": opened, "embedder_id": embedder, "pin": pin, "duress_pin": duress_pin}


def _cardholder(row: Row[Any], profiles: tuple[str, ...], secret: dict[str, Any]) -> Cardholder:
    return Cardholder(
        id=row.id, profiles=profiles, extended_opening=row.extended_opening, suspended=row.suspended, visitor=row.visitor,
        valid_from=row.valid_from, valid_until=row.valid_until, passes_lockdown=row.passes_lockdown,
        free_of_passback=row.free_of_passback, norms_consent=row.norms_consent, **secret,
    )  # fmt: skip


def _credential(holder: str, held: Held) -> Credential:
    return Credential(key=held.key, cardholder=holder, state=held.state, valid_from=held.valid_from,
                      valid_until=held.valid_until, duress=held.duress)  # fmt: skip


def _covered(profiles: frozenset[str]) -> Select[tuple[str]]:
    """Cardholders who have one of these profiles."""
    return select(CARDHOLDER_PROFILES.c.cardholder).where(CARDHOLDER_PROFILES.c.profile.in_(sorted(profiles)))


def _barred(connection: Connection, covered: Select[tuple[str]], which: ColumnElement[bool]) -> Iterator[Issued]:
    asked = (
        select(CREDENTIALS)
        .where(CREDENTIALS.c.state != "active", CREDENTIALS.c.cardholder.is_not(None), CREDENTIALS.c.cardholder.not_in(covered))
        .where(which)
        .order_by(CREDENTIALS.c.cardholder, CREDENTIALS.c.key)
    )
    for holder, rows in groupby(connection.execute(asked), lambda row: str(row.cardholder)):
        yield Issued(Cardholder(id=holder), tuple(_credential(holder, held_from(row)) for row in rows))
