"""Somebody else opens the journal of a door that runs: the doctor, an installer with sqlite3, a backup."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from agent.records.journal_db import JournalDb

DOOR = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from agent.clock import SystemClock
from agent.records.journal import Journal

journal = Journal(Path(sys.argv[1]), SystemClock())
for word in iter(sys.stdin.readline, ""):
    journal.append(word.strip(), {}, datetime.now(timezone.utc), 1.0)
    journal.flush(10.0)
    print(len(journal.pending()), flush=True)
"""


def test_what_is_committed_after_somebody_looked_into_the_journal_survives_a_kill(tmp_path: Path) -> None:
    door = subprocess.Popen([sys.executable, "-c", DOOR, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        _commit(door, "before")
        _look(tmp_path)  # closing the last connection to a file takes its write-ahead log away: the door's own must count as one
        seen = [_look(tmp_path) for number in range(3) if _commit(door, f"event.{number}")]
    finally:
        door.kill()
        door.wait()
    assert seen == [2, 3, 4], "somebody else sees each event as soon as it is committed"
    assert _look(tmp_path) == 4


def _commit(door: subprocess.Popen[str], kind: str) -> str:
    assert door.stdin is not None
    assert door.stdout is not None
    door.stdin.write(f"{kind}\n")
    door.stdin.flush()
    return door.stdout.readline()


def _look(folder: Path) -> int:
    with closing(JournalDb(folder / "journal.db", reader=True)) as journal:
        return journal.count()
