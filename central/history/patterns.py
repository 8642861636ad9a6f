"""What may be asked of events: kinds by their beginning, and text by what it says."""

from __future__ import annotations

import msgspec
from sqlalchemy import Column, ColumnElement, Text, or_, type_coerce

from central.database.tables_events import EVENTS


def fits(kind: str, pattern: str) -> bool:
    """`access.*` is every kind that begins with `access.`; an empty word and '*' are all."""
    return kind.startswith(pattern[:-1]) if pattern.endswith("*") else pattern in ("", kind)


def of_kind(column: Column[str], pattern: str) -> list[ColumnElement[bool]]:
    """The same as conditions of a question."""
    begins = pattern.removesuffix("*")
    if not begins:
        return []
    return [column == pattern] if begins == pattern else [column.startswith(begins, autoescape=True)]


def says(words: str) -> ColumnElement[bool]:
    """Whose data, kind, door or cardholder contains these words. Capital letters count as small ones (in SQLite those of English only)."""
    in_json = msgspec.json.encode(words).decode()[1:-1]
    data = type_coerce(EVENTS.c.data, Text).icontains(in_json, autoescape=True)
    return or_(data, *(column.icontains(words, autoescape=True) for column in (EVENTS.c.kind, EVENTS.c.door, EVENTS.c.person)))
