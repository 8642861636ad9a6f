"""A door that goes back to the system before finds files that a newer one has written."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from agent.records.journal import Journal
from tests.records.test_journal import FixedClock

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
NEWER = {
    "another version": "PRAGMA user_version = 2",
    "another column": "ALTER TABLE events ADD COLUMN sealed BLOB",
    "another table": "CREATE TABLE keys (id INTEGER PRIMARY KEY)",
}


@pytest.mark.parametrize("change", NEWER.values(), ids=NEWER.keys())
def test_it_opens_the_journal_of_a_newer_release_and_no_event_is_lost(folder: Path, change: str) -> None:
    journal = Journal(folder, FixedClock())
    for number in range(3):
        journal.append("access.granted", {"number": number}, NOON, float(number))
    assert journal.flush(5)
    journal.close()
    db = sqlite3.connect(folder / "journal.db")
    db.execute(change)
    db.commit()
    db.close()

    journal = Journal(folder, FixedClock())
    journal.append("access.denied", {"number": 3}, NOON, 3.0)
    assert journal.flush(5)
    told = [pending.event for pending in journal.pending()]
    journal.close()
    assert [event.data["number"] for event in told if event.kind.startswith("access.")] == [0, 1, 2, 3]
    assert [event.kind for event in told if event.kind == "journal.set_aside"], "and it is told that there was something odd"
