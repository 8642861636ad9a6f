"""The centre's store: an event once, a gap for what is missing, and both when two events claim one number."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.engine import StoreError
from central.database.opening import open_to_write
from central.history.events import EventStore
from central.history.kept import Gap, Unreadable

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


def told(sequence: int, *, journal: str = "aa", door: str = "front", identity: str = "", kind: str = "access.granted") -> Told:
    identity = identity or f"{door}-{journal}-{sequence}"
    data = {"score": 0.61, "name": "Zoë"}
    return Told("hq", door, Event(sequence=sequence, journal=journal, id=identity, kind=kind, at=NOW, mono_s=1.5, data=data))


@pytest.fixture
def store(engine: Engine) -> EventStore:
    """Over both databases."""
    return EventStore(engine)


@pytest.fixture(scope="module")
def long_lived(tmp_path_factory: pytest.TempPathFactory) -> EventStore:
    return EventStore(open_to_write(tmp_path_factory.mktemp("gaps") / "central.db"))


def commit(store: EventStore, *sequences: int, **how: str) -> None:
    store.commit([told(sequence, **how) for sequence in sequences], [], NOW)


def be_impatient(engine: Engine) -> None:
    """Its one connection waits for no other writer."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")


def spans(gaps: list[Gap]) -> list[tuple[int, int]]:
    return [(gap.first, gap.last) for gap in gaps]


def test_an_event_comes_back_as_it_was_committed(store: EventStore) -> None:
    commit(store, 1)
    kept = store.events()[0]
    assert (kept.told, kept.received) == (told(1), NOW)


def test_an_event_that_comes_twice_is_kept_once(store: EventStore) -> None:
    outcome = store.commit([told(1), told(1), told(2)], [], NOW)
    assert (outcome.new, outcome.repeated, outcome.conflicts) == (2, 1, ())
    assert store.commit([told(1), told(2)], [], NOW).repeated == 2
    assert store.counts()["events"] == 2


def test_a_new_journal_of_a_door_that_counts_from_one_again_is_no_repetition(store: EventStore) -> None:
    commit(store, 1, 2)
    outcome = store.commit([told(1, journal="bb"), told(1, door="back")], [], NOW)
    assert outcome.new == 2


def test_two_events_that_claim_one_number_are_both_kept_and_reported(store: EventStore) -> None:
    commit(store, 1)
    other = told(1, identity="another")
    assert store.commit([other], [], NOW).conflicts == (other,)
    assert store.commit([other], [], NOW).conflicts == ()
    assert [kept.told for kept in store.conflicts()] == [other]
    assert [kept.told for kept in store.events()] == [told(1)]


def test_a_gap_is_noticed_narrowed_and_closed(store: EventStore) -> None:
    outcome = store.commit([told(1), told(5)], [], NOW)
    assert spans(list(outcome.gaps)) == spans(store.gaps()) == [(2, 4)]
    later = NOW + timedelta(seconds=9)
    store.commit([told(3)], [], later)
    assert spans(store.gaps()) == [(2, 2), (4, 4)]
    store.commit([told(2), told(4)], [], later)
    assert store.gaps() == []
    assert sorted(spans(store.gaps(closed=True))) == [(2, 2), (3, 3), (4, 4)]
    assert all((gap.noticed, gap.closed) == (NOW, later) for gap in store.gaps(closed=True))


def test_a_door_first_heard_of_in_the_middle_of_its_count_shows_what_this_historian_never_had(store: EventStore) -> None:
    commit(store, 100)
    assert spans(store.gaps()) == [(1, 99)]


def test_events_that_overtake_each_other_within_a_batch_leave_no_gap(store: EventStore) -> None:
    commit(store, 3, 1, 2)
    assert store.gaps(closed=True) == []


@given(st.lists(st.lists(st.integers(1, 30), max_size=8), max_size=8))
def test_open_gaps_are_exactly_the_numbers_missing_below_the_highest(long_lived: EventStore, batches: list[list[int]]) -> None:
    journal = uuid4().hex  # a fresh one for every example, in one database
    for batch in batches:
        commit(long_lived, *batch, journal=journal)
    came = {number for batch in batches for number in batch}
    mine = [gap for gap in long_lived.gaps() if gap.journal == journal]
    missing = {number for first, last in spans(mine) for number in range(first, last + 1)}
    assert missing == set(range(1, max(came, default=0))) - came
    stored = [kept.told.event.sequence for kept in long_lived.events() if kept.told.event.journal == journal]
    assert sorted(stored) == sorted(came)


def test_events_are_found_by_door_and_kind(store: EventStore) -> None:
    commit(store, 1, 2)
    commit(store, 3, kind="door.opened")
    commit(store, 1, door="back")
    assert [kept.told.event.sequence for kept in store.events(door="front", kind="access.*")] == [1, 2]
    assert [kept.told.door for kept in store.events(door="back")] == ["back"]
    assert [kept.n for kept in store.events(after=2, limit=1)] == [3]


def test_what_cannot_be_read_is_kept_with_the_reason(store: EventStore) -> None:
    store.commit([], [Unreadable("doorward/hq/front/evt", "not an event", b"\xff")], NOW)
    assert store.counts()["unreadable"] == 1


def test_a_database_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "central.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match=r"central\.db"):
        open_to_write(path)


def test_a_batch_that_cannot_be_committed_leaves_nothing_behind(tmp_path: Path) -> None:
    store = EventStore(open_to_write(tmp_path / "central.db"))
    thief = sqlite3.connect(tmp_path / "central.db", isolation_level=None)
    thief.execute("BEGIN EXCLUSIVE")
    be_impatient(store.engine)
    with pytest.raises(StoreError, match="locked"):
        commit(store, 1)
    thief.execute("ROLLBACK")
    thief.close()
    commit(store, 1)
    assert store.counts()["events"] == 1
