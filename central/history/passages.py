"""Who was let in or out, and when: the few words of many events that a report of presence needs, without reading the rest of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Connection, Engine, Text, case, func, select, type_coerce

from central.database.engine import reading
from central.database.tables_events import EVENTS
from central.database.types import to_us

KIND = "access.granted"
_MARK = '"leaving":true'
"""As central.database.types.Json writes it. It may stand elsewhere in what a door sent, so where it is found the event is read."""


class Passage(Struct, frozen=True):
    """Somebody was let through."""

    site: str
    door: str
    person: str
    at_us: int
    """Microseconds since 1970, by the door's clock."""
    leaving: bool


class _Data(Struct):
    leaving: Any = False


def passages(engine: Engine, sites: Collection[str], door: str, begin: datetime, end: datetime, limit: int) -> list[Passage]:
    """Of cardholders who are known, at these sites (none: all), in the order in which they were committed. Raises StoreError."""
    c = EVENTS.c
    data, at_us = type_coerce(c.data, Text), type_coerce(c.at, BigInteger)
    where = [c.kind == KIND, c.person != "", at_us >= to_us(begin), at_us < to_us(end)]
    where += [c.site.in_(sites)] if sites else []
    where += [c.door == door] if door else []
    with reading(engine) as db:
        marked = case((_at(db, data) > 0, data), else_="")
        rows = db.execute(select(c.site, c.door, c.person, at_us, marked).where(*where).order_by(c.n).limit(limit))
        return list(_read(rows))


def _at(db: Connection, data: Any) -> Any:
    """Where the mark stands in it; 0: nowhere."""
    return (func.instr if db.dialect.name == "sqlite" else func.strpos)(data, _MARK)


def _read(rows: Any) -> Iterator[Passage]:
    leaving = msgspec.json.Decoder(_Data)
    for site, door, person, at_us, data in rows:
        yield Passage(site, door, person, at_us, bool(data) and leaving.decode(data).leaving is True)
