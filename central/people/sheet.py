"""People as a CSV file: one row for each person and credential. Pure: no database.

Columns may stand in any order and be left out; what a file does not have is left as it is. UTF-8, with or without a byte order mark; commas,
semicolons or tabs between cells, by what the heading has. A person with several credentials has several rows, which say the same of the
person; one without any has empty cells there.

Spreadsheets run cells that begin with = + - @ as formulas (CWE-1236). So such a cell is written with a ' before it, and one ' is taken off
again when it is read: what is exported and imported is unchanged, whatever it begins with.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from agent.core.people import Moment
from agent.errors import DoorwardError
from central.people.records import STATES, Held, Person, faults_of_card, faults_of_key, key_of

SEPARATORS = ",;\t"
MOST_HEADING = 10_000
MOST_CELL = 4000
TOLD = 80
"""So much of a cell is told in a fault."""
YES, NO = frozenset({"yes", "true", "1"}), frozenset({"no", "false", "0", ""})

TEXTS = ("id", "name", "notes")
FLAGS = ("visitor", "suspended", "extended_opening", "passes_lockdown", "free_of_passback")
TIMES = ("valid_from", "valid_until")
PINS = ("pin", "duress_pin")
"""Read and never written; an empty cell leaves the PIN as it is."""
NUMBERS = ("format", "facility", "card")
CREDENTIAL = {"state": "state", "credential_from": "valid_from", "credential_until": "valid_until", "duress": "duress"}
"""Columns, and the fields of a Held that they fill."""
EXPORTED = ("id", "name", "profiles", *FLAGS, *TIMES, "notes", "credential", *CREDENTIAL)
ALLOWED = (*EXPORTED, *NUMBERS, *PINS)

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NEUTRAL = re.compile(r"'+[=+\-@\t\r]")


class Fault(Struct, frozen=True, kw_only=True):
    """What is wrong in one cell, and what is allowed there."""

    row: int
    """As a spreadsheet counts: the heading is 1."""
    column: str
    value: str
    sentence: str


class SheetError(DoorwardError, ValueError):
    """The file as a whole cannot be read; nothing of it was."""


class _Bad(ValueError):
    def __init__(self, column: str, value: str, sentence: str) -> None:
        super().__init__(sentence)
        self.column, self.value, self.sentence = column, value, sentence


class Line(Struct, frozen=True, kw_only=True):
    """A row that could be read: what it says of the person, and of a credential of theirs (None: no word of any)."""

    row: int
    id: str
    person: dict[str, Any]
    """Fields of Person that the file has."""
    pins: dict[str, str]
    key: str = ""
    held: dict[str, Any] = {}
    """Fields of Held that the file has."""


class Sheet:
    """A file that can be gone through more than once. Raises SheetError for a heading that cannot be."""

    def __init__(self, opened: Callable[[], BinaryIO]) -> None:
        self._open = opened
        with self._open() as raw:
            self._separator, self.columns = _heading(raw)

    def __iter__(self) -> Iterator[Line | Fault]:
        """Each row in turn. Raises SheetError where the file is no text or no CSV any more."""
        row = 1
        with self._open() as raw, io.TextIOWrapper(raw, "utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=self._separator, strict=True)
            try:
                for row, cells in enumerate(reader, 1):
                    if row > 1 and any(cells):
                        yield self._line(row, cells)
            except UnicodeDecodeError as error:
                raise SheetError(f"after row {row}: not UTF-8; save the file as 'CSV UTF-8'") from error
            except csv.Error as error:
                raise SheetError(f"after row {row}: no CSV: {error}") from error

    def _line(self, row: int, cells: list[str]) -> Line | Fault:
        if len(cells) > len(self.columns):
            extra = cells[len(self.columns)]
            sentence = f"{len(cells)} cells under {len(self.columns)} columns: put quotes around a cell that holds a separator"
            return Fault(row=row, column="", value=extra[:TOLD], sentence=sentence)
        try:
            return _read(row, {column: _plain(cell) for column, cell in zip(self.columns, cells, strict=False)})
        except _Bad as bad:
            value = "(not told)" if bad.column in PINS else bad.value[:TOLD]
            return Fault(row=row, column=bad.column, value=value, sentence=bad.sentence)


def sheet_of(raw: bytes) -> Sheet:
    return Sheet(lambda: io.BytesIO(raw))


def sheet_at(path: Path) -> Sheet:
    """Raises SheetError."""
    try:
        return Sheet(lambda: path.open("rb"))
    except OSError as error:
        raise SheetError(f"{path}: cannot be read: {error}") from error


def written(people: Iterable[tuple[Person, Iterable[Held]]]) -> Iterator[str]:
    """The file in pieces, heading first; without PINs, templates and consents."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(EXPORTED)
    for person, held in people:
        writer.writerows(_rows(person, held))
        if buffer.tell() > 1 << 16:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _rows(person: Person, held: Iterable[Held]) -> Iterator[list[str]]:
    whose = [_cell(getattr(person, column)) for column in ("id", "name", "profiles", *FLAGS, *TIMES, "notes")]
    said = False
    for each in held:
        said = True
        yield [*whose, each.key, *(_cell(getattr(each, field)) for field in CREDENTIAL.values())]
    if not said:
        yield [*whose, "", *("" for _ in CREDENTIAL)]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    text = "" if value is None else " ".join(value) if isinstance(value, tuple) else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _plain(cell: str) -> str:
    text = cell.strip()
    return text[1:] if text[:1] == "'" and _NEUTRAL.match(text) else text


def _heading(raw: BinaryIO) -> tuple[str, tuple[str, ...]]:
    try:
        line = raw.readline(MOST_HEADING).decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise SheetError("row 1: not UTF-8; save the file as 'CSV UTF-8'") from error
    separators = [each for each in SEPARATORS if each in line] or [","]
    if len(separators) > 1:
        raise SheetError(f"row 1: {' and '.join(map(repr, separators))} both stand in the heading; use one of them")
    columns = tuple(cell.strip().strip('"').strip().lower() for cell in line.split(separators[0]))
    _check_columns(columns)
    return separators[0], columns


def _check_columns(columns: tuple[str, ...]) -> None:
    for column in columns:
        if column not in ALLOWED:
            raise SheetError(f"row 1: column {column[:TOLD]!r} is not known; allowed: {', '.join(ALLOWED)}")
        if columns.count(column) > 1:
            raise SheetError(f"row 1: column {column!r} is there twice")
    if "id" not in columns:
        raise SheetError("row 1: there is no column 'id': it says who is meant")
    some, all_three = not {*NUMBERS}.isdisjoint(columns), {*NUMBERS} <= {*columns}
    if "credential" in columns and some:
        raise SheetError("row 1: a card is named by 'credential' or by 'format', 'facility' and 'card', not by both")
    if some and not all_three:
        raise SheetError("row 1: 'format', 'facility' and 'card' belong together")
    if not (some or "credential" in columns) and not {*CREDENTIAL}.isdisjoint(columns):
        raise SheetError(
            "row 1: it tells of credentials, and no column names them: 'credential', or 'format', 'facility' and 'card'"
        )


def _read(row: int, cells: Mapping[str, str]) -> Line:
    if "id" not in cells:
        raise _Bad("id", "", "the row ends before its cell: every row says whom it is about")
    if max(map(len, cells.values())) > MOST_CELL:
        column = max(cells, key=lambda name: len(cells[name]))
        raise _Bad(column, cells[column], f"{len(cells[column])} characters; at most {MOST_CELL}")
    person = {column: _FIELDS[column](column, cells[column]) for column in _FIELDS if column in cells}
    pins = {column: cells[column] for column in PINS if cells.get(column)}
    key = _key(cells)
    told = {field: _HELD[column](column, cells[column]) for column, field in CREDENTIAL.items() if column in cells} if key else {}
    return Line(row=row, id=person["id"], person=person, pins=pins, key=key, held=told)


def _key(cells: Mapping[str, str]) -> str:
    """The credential's name; empty where the row has none."""
    if "format" in cells:
        return _numbered(cells)
    key = cells.get("credential", "")
    for sentence in faults_of_key(key) if key else ():
        raise _Bad("credential", key, sentence)
    return key


def _numbered(cells: Mapping[str, str]) -> str:
    form, facility, card = (cells.get(column, "") for column in NUMBERS)
    if not (form or facility or card):
        return ""
    for column, number in (("facility", facility or "0"), ("card", card)):
        if not (number.isascii() and number.isdigit() and len(number) <= 20):
            raise _Bad(column, number, "a plain number is allowed")
    for sentence in faults_of_card(form, int(facility or 0), int(card)):
        raise _Bad(
            sentence.partition(" ")[0], {"format": form, "facility": facility}.get(sentence.partition(" ")[0], card), sentence
        )
    return key_of(form, int(facility or 0), int(card))


def _text(column: str, cell: str) -> str:
    return cell


def _flag(column: str, cell: str) -> bool:
    word = cell.lower()
    if word not in YES and word not in NO:
        raise _Bad(column, cell, "yes or no are allowed (or true, false, 1, 0)")
    return word in YES


def _time(column: str, cell: str) -> datetime | None:
    if not cell:
        return None
    try:
        at = msgspec.convert(cell, Moment)
    except msgspec.ValidationError as error:
        raise _Bad(column, cell, "a time with its zone is allowed, such as 2026-12-31T18:00:00+01:00, or nothing") from error
    return at.astimezone(timezone.utc) if 1970 <= at.year < 2200 else _bad_year(column, cell)


def _bad_year(column: str, cell: str) -> datetime:
    raise _Bad(column, cell, "years from 1970 to 2199 are allowed")


def _names(column: str, cell: str) -> tuple[str, ...]:
    return tuple(sorted({*cell.split()}))


def _state(column: str, cell: str) -> str:
    if cell and cell not in STATES:
        raise _Bad(column, cell, f"{', '.join(STATES)} are allowed")
    return cell or "active"


_FIELDS: dict[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(TEXTS, _text), **dict.fromkeys(FLAGS, _flag), **dict.fromkeys(TIMES, _time), "profiles": _names,
}  # fmt: skip
_HELD: dict[str, Callable[[str, str], Any]] = {
    "state": _state, "credential_from": _time, "credential_until": _time, "duress": _flag,
}  # fmt: skip
