"""Events go into files and come back the same, into a new database or one that has some of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Engine

from agent.cli import main
from agent.core.messages import Event
from agent.errors import ConfigError, WireError
from agent.link.cloudevents import Told
from central.database.opening import open_to_write
from central.gateway.audit import AuditLog
from central.history.events import EventStore, Wanted
from central.history.export import COLUMNS, as_csv, as_line, moment_of, write_events
from central.history.kept import Kept
from central.history.replay import replay
from central.history.usual import usual
from tests.door_under_test import TestClock

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)  # fmt: skip


def told(
    sequence: int, *, door: str = "front", kind: str = "access.granted", at: datetime = NOW, data: dict[str, Any] | None = None
) -> Told:
    event = Event(
        sequence=sequence, journal=f"j{door}", id=f"{door}-{sequence}", kind=kind, at=at, mono_s=0.1 * sequence, data=data or {}
    )
    return Told("hq", door, event)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    engine = open_to_write(tmp_path / "central.db")
    store = EventStore(engine)
    for number in range(1, 4):
        at = NOW + timedelta(days=number)
        store.commit(
            [told(number, at=at, data={"cardholder": f"holder-{number}"}), told(number, door="back", kind="door.opened", at=at)],
            [],
            at,
        )
    yield store
    engine.dispose()


@pytest.fixture
def fresh(engine: Engine) -> EventStore:
    """Over both databases."""
    return EventStore(engine)


def exported(store: EventStore, **wanted: Any) -> io.BytesIO:
    out = io.BytesIO()
    write_events(store, Wanted(**wanted), "jsonl", out)
    out.seek(0)
    return out


def test_what_was_exported_and_replayed_is_the_same_to_the_last_field(store: EventStore, fresh: EventStore) -> None:
    done = replay(fresh, exported(store), "events.jsonl", NOW)
    assert (done.new, done.repeated, done.conflicts, done.gaps) == (6, 0, 0, 0)
    assert fresh.events() == store.events()
    assert usual(fresh.engine, "hq", "front") == usual(store.engine, "hq", "front")
    assert exported(fresh).getvalue() == exported(store).getvalue()


def test_a_file_that_is_replayed_twice_changes_nothing(store: EventStore, fresh: EventStore) -> None:
    replay(fresh, exported(store), "events.jsonl", NOW)
    before = fresh.events()
    assert replay(fresh, exported(store), "events.jsonl", NOW).repeated == 6
    assert fresh.events() == before


def test_two_halves_in_the_wrong_order_leave_no_gap(store: EventStore, fresh: EventStore) -> None:
    assert replay(fresh, exported(store, after=2), "late.jsonl", NOW).gaps == 2
    replay(fresh, exported(store, before=3), "early.jsonl", NOW)
    assert fresh.gaps() == []
    assert len(fresh.events()) == 6


def test_a_line_that_is_no_event_is_named_and_what_was_whole_before_it_is_kept_by_the_next_try(
    store: EventStore, tmp_path: Path
) -> None:
    lines = exported(store).getvalue().splitlines(keepends=True)
    fresh = EventStore(open_to_write(tmp_path / "fresh.db"))
    with pytest.raises(WireError, match=r"events\.jsonl, line 4"):
        replay(fresh, io.BytesIO(b"".join([*lines[:3], b'{"specversion":"1.0"}\n', *lines[3:]])), "events.jsonl", NOW)
    assert replay(fresh, io.BytesIO(b"".join(lines)), "events.jsonl", NOW).new == 6


@pytest.mark.parametrize("bad", [b"\xff\xfe\n", b"[]\n", b"x" * 300_000, b"[" * 100_000, b'{"received":"yesterday"}\n'])
def test_bytes_that_are_no_event_are_refused_with_their_line(tmp_path: Path, bad: bytes) -> None:
    fresh = EventStore(open_to_write(tmp_path / "fresh.db"))
    with pytest.raises(WireError, match="line 1"):
        replay(fresh, io.BytesIO(bad), "file", NOW)


@given(data=st.dictionaries(st.text(), JSON, max_size=5), us=st.integers(-(10**15), 10**16))
def test_whatever_a_door_says_comes_back_from_a_line(data: dict[str, Any], us: int) -> None:
    from central.history.replay import _event

    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=us)
    kept = Kept(1, told(1, at=at, data=data), NOW)
    assert _event(as_line(kept).rstrip(), "here", at) == (kept.told, NOW)


@given(st.text(max_size=30))
def test_a_spreadsheet_reads_every_field_and_takes_none_for_a_formula(person: str) -> None:
    cells = next(csv.reader(io.StringIO(as_csv(Kept(1, told(1), NOW, person)).decode(), newline="")))
    by_name = dict(zip(COLUMNS, cells, strict=True))
    assert by_name["person"].removeprefix("'") == person.removeprefix("'")
    assert not by_name["person"].startswith(("=", "+", "-", "@"))
    assert by_name["received"] == "2026-03-02T08:30:00.000000Z"


def test_of_a_door_that_did_not_know_the_time_a_line_tells_what_it_said_and_what_is_known() -> None:
    """Replayed it is what came from the door; whoever reads it finds the right time beside it."""
    event = replace(told(1).event, boot="0a" * 16, clock="corrected")
    kept = Kept(1, Told("hq", "front", event), NOW, told_at=datetime(1970, 1, 1, tzinfo=timezone.utc))
    line = json.loads(as_line(kept))
    assert (line["time"], line["clock"]) == ("1970-01-01T00:00:00Z", "unsure")
    assert datetime.fromisoformat(line["corrected"].replace("Z", "+00:00")) == event.at
    cells = dict(zip(COLUMNS, next(csv.reader(io.StringIO(as_csv(kept).decode(), newline=""))), strict=True))
    assert (cells["clock"], cells["told_at"][:4], cells["at"][:4]) == ("corrected", "1970", "2026")


def test_only_what_was_asked_for_is_exported(store: EventStore) -> None:
    assert exported(store, begin=moment_of("2026-03-04"), end=moment_of("2026-03-04", end=True)).getvalue().count(b"\n") == 2
    assert exported(store, kind="door.*").getvalue().count(b"\n") == 3
    assert exported(store, person="holder-2").getvalue().count(b"\n") == 1


@pytest.mark.parametrize("words", ["yesterday", "2026-13-01", "2026-03-02T99", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        moment_of(words)


# -- on the command line -----------------------------------------------------------------------------------------------------------


def test_a_file_is_written_read_again_and_the_audit_log_knows_who_took_it(store: EventStore, tmp_path: Path, capfd: Any) -> None:
    database, file = str(tmp_path / "central.db"), tmp_path / "events.jsonl"
    assert main(["central", "export", "--database", database, "--kind", "access.*", "--output", str(file)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["central", "replay", str(file), "--database", str(tmp_path / "new.db"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"new": 3, "repeated": 0, "conflicts": 0, "gaps": 0}
    taken = AuditLog(store.engine, TestClock()).rows()[0]
    assert (taken.what, taken.details) == ("history.exported", {"format": "jsonl", "kind": "access.*"})
    assert taken.who.startswith("os:")


def test_csv_goes_to_standard_output_with_a_heading(store: EventStore, tmp_path: Path, capfdbinary: Any) -> None:
    assert main(["central", "export", "--database", str(tmp_path / "central.db"), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode(), newline="")))
    assert [row["n"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert json.loads(rows[0]["data"]) == {"cardholder": "holder-1"}


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [(["export", "--database", "absent.db"], 1, "no such database"), (["export", "--from", "soon"], 2, "is no time"),
     (["replay", "absent.jsonl"], 2, "absent.jsonl: cannot be read"), (["replay", "/dev/null", "--time-zone", "Mars"], 2, "Mars"),
     (["database", "status", "--database", "absent.db"], 1, "no such database")],
)  # fmt: skip
def test_what_cannot_be_done_is_told(words: list[str], status: int, sentence: str, capfd: Any) -> None:
    assert main(["central", *words]) == status
    assert sentence in capfd.readouterr().err
