"""Tables for spreadsheets. A cell that a spreadsheet would take for a formula gets an apostrophe before it: somebody's name may be one."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: Any) -> str:
    """Numbers stay numbers, times are UTC, what is None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return "'" + text if text.startswith(FORMULA) else text


def csv_of(columns: Sequence[str], rows: Iterable[Any]) -> bytes:
    """`rows` have an attribute for each column. UTF-8 with the mark that spreadsheets look for; lines end as RFC 4180 says."""
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(getattr(row, column)) for column in columns])
    return b"\xef\xbb\xbf" + told.getvalue().encode()
