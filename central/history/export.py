"""Events in files: CloudEvents, one a line, which `doorward central replay` and `doorward explain --events` read; or CSV for spreadsheets.

A line is the event as the door sent it, with one attribute more: `received`, when the centre had it. Where the door did not know the time
there is another, `corrected` (or `latest`): when it was, as it is known by now, or the latest that it can have been.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta, timezone
from typing import BinaryIO, Literal

import msgspec
from msgspec.structs import replace

from agent.errors import ConfigError
from agent.link.cloudevents import to_cloudevent
from central.history.clocks import CORRECTED, UNSURE
from central.history.events import EventStore, Wanted
from central.history.kept import Kept

Format = Literal["jsonl", "csv"]
TELL_EVERY = 50_000
COLUMNS = (
    "n", "site", "door", "journal", "sequence", "id", "kind", "at", "clock", "told_at", "received", "mono_s", "person", "alert", "data",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection)."""


def write_events(
    store: EventStore, wanted: Wanted, form: Format, out: BinaryIO, tell: Callable[[int], None] = lambda count: None
) -> int:
    """Write what is wanted, page by page; returns how many events. `tell` hears the count now and then. Raises StoreError, OSError."""
    count = 0
    if form == "csv":
        out.write(_csv_row(COLUMNS))
    for kept in store.stream(wanted):
        out.write(as_csv(kept) if form == "csv" else as_line(kept))
        count += 1
        if count % TELL_EVERY == 0:
            tell(count)
    out.flush()
    return count


def as_line(kept: Kept) -> bytes:
    """A CloudEvent with `received`, and a line feed."""
    return as_told(kept)[:-1] + b',"received":' + msgspec.json.encode(kept.received) + b"}\n"


def as_told(kept: Kept) -> bytes:
    """The CloudEvent as the door sent it, with what is known of its time by now beside it."""
    told, known = kept.told.event, b""
    if kept.told_at is not None:
        word = b"corrected" if told.clock == CORRECTED else b"latest"
        known = b',"' + word + b'":' + msgspec.json.encode(told.at)
        told = replace(told, at=kept.told_at, clock=UNSURE)
    return to_cloudevent(told, kept.told.site, kept.told.door)[:-1] + known + b"}"


def as_csv(kept: Kept) -> bytes:
    """A row of COLUMNS, RFC 4180."""
    told, event = kept.told, kept.told.event
    return _csv_row(
        (kept.n, told.site, told.door, event.journal, event.sequence, event.id, event.kind, _rfc3339(event.at), event.clock,
         "" if kept.told_at is None else _rfc3339(kept.told_at), _rfc3339(kept.received),
         event.mono_s, kept.person, int(kept.alert), msgspec.json.encode(event.data).decode())
    )  # fmt: skip


def moment_of(words: str, *, end: bool = False) -> datetime | None:
    """A day, or a day and time, of ISO 8601; UTC where no zone is told. A day that is an `end` is within. Raises ConfigError."""
    if not words:
        return None
    try:
        day = date.fromisoformat(words)
        return datetime.combine(day + timedelta(days=1 if end else 0), time(), timezone.utc)
    except (ValueError, OverflowError):
        pass
    try:
        at = datetime.fromisoformat(words.replace("Z", "+00:00"))
        return at.astimezone(timezone.utc) if at.tzinfo else at.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{words!r} is no time; allowed: 2026-03-02, 2026-03-02T08:30, 2026-03-02T08:30:00+01:00") from error


def _rfc3339(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _csv_row(cells: tuple[object, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in cells])
    return line.getvalue().encode()


def lines_of(file: BinaryIO, longest: int) -> Iterator[bytes]:
    """Lines without their end; one that is longer than `longest` comes cut, so that a reader refuses it and memory does not fill."""
    while line := file.readline(longest + 1):
        yield line.rstrip(b"\r\n")
