"""Column types that mean the same in SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_us(at: datetime) -> int:
    """Microseconds since 1970, of a time with a zone. Exact: no float lies between."""
    return (at - EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """In UTC."""
    return EPOCH + timedelta(microseconds=us)


class Moment(TypeDecorator[datetime]):
    """A point in time, kept as microseconds since 1970: sorts, compares and indexes alike everywhere, and never loses its zone."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_us(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_us(value)


class Json(TypeDecorator[Any]):
    """Anything that msgspec writes as JSON. It is read back as plain dicts and lists; whoever needs a type converts."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)
