"""Of two centres that share a PostgreSQL one works, and the other takes over when it is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, text

from agent.clock import SystemClock
from central.database.engine import open_database, reading, writing
from central.database.leading import Displaced, Leadership
from central.database.opening import open_to_write
from central.database.tables_events import UNREADABLE
from central.history.state import state_of
from tests.central.postgres import Cluster
from tests.system.brokers import wait_until

CLOCK = SystemClock()
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


@pytest.fixture
def url(postgres: Cluster, made_database: str) -> str:
    return postgres.new_database(made_database)


class Room:
    """What a centre is to its leadership: an engine that works for it, and an ear."""

    def __init__(self, url: str) -> None:
        self.stop, self.stands_by = threading.Event(), threading.Event()
        self.lead = Leadership(url, CLOCK, self.stop)
        self.engine: Engine = open_database(url)
        self.is_active = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self.lead.wait(self.stands_by.set):
            self.lead.guard(self.engine)
            self.is_active.set()

    def writes(self) -> None:
        with writing(self.engine) as db:
            db.execute(insert(UNREADABLE).values(topic="x", received=NOW, payload=b"", error=""))

    def reads(self) -> int:
        with reading(self.engine) as db:
            return len(db.execute(select(UNREADABLE.c.n)).all())

    def leaves(self) -> bool:
        self.stop.set()
        self._thread.join(10)
        kept = self.lead.end()
        self.engine.dispose()
        return kept


@pytest.fixture
def rooms(url: str) -> Iterator[tuple[Room, Room]]:
    first = Room(url)
    wait_until(first.is_active.is_set, 10, "nobody is active")
    second = Room(url)
    wait_until(second.stands_by.is_set, 10, "the second one does not wait")
    yield first, second
    second.leaves()
    first.leaves()


@pytest.mark.system
def test_one_works_and_the_other_waits_until_it_leaves(rooms: tuple[Room, Room]) -> None:
    first, second = rooms
    first.writes()
    assert not second.is_active.is_set()
    assert first.leaves()
    wait_until(second.is_active.is_set, 10, "nobody takes over")
    second.writes()
    assert second.reads() == 2
    state = state_of(second.engine)
    assert state.active is not None
    assert state.active.term == 2


@pytest.mark.system
def test_whoever_lost_the_lock_is_told_and_can_neither_write_nor_read_what_would_make_it_ring(rooms: tuple[Room, Room]) -> None:
    first, second = rooms
    first.writes()
    with reading(second.engine) as db:  # as the server does it with a centre that stands still
        db.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"))
    wait_until(second.is_active.is_set, 10, "nobody takes over")
    with pytest.raises(Displaced, match="another centre"):
        first.writes()
    with pytest.raises(Displaced, match="another centre"):
        first.reads()
    assert second.reads() == 1
    wait_until(first.stop.is_set, 10, "it does not hear of it")
    assert not first.leaves()


@pytest.mark.system
def test_what_the_former_has_begun_ends_before_the_next_one_begins(url: str) -> None:
    first, second = (Leadership(url, CLOCK, threading.Event()) for _ in range(2))
    engines = [open_database(url) for _ in range(2)]
    first.guard(engines[0])
    with writing(engines[0]) as db:
        taking_over = threading.Thread(target=second.guard, args=(engines[1],))
        taking_over.start()
        with reading(engines[1]) as other:  # it waits for us, and for nothing else
            wait_until(
                lambda: bool(other.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))), 10, "it does not wait"
            )
        db.execute(insert(UNREADABLE).values(topic="x", received=NOW, payload=b"", error=""))
    taking_over.join(10)
    with reading(engines[1]) as db:
        assert len(db.execute(select(UNREADABLE.c.n)).all()) == 1
    for engine in engines:
        engine.dispose()


def test_with_a_file_there_is_nobody_to_wait_for(tmp_path: Path) -> None:
    engine = open_to_write(tmp_path / "central.db")
    lead = Leadership(str(tmp_path / "central.db"), CLOCK, threading.Event())
    assert lead.wait()
    lead.guard(engine)
    assert state_of(engine).active is None
    assert lead.end()
    engine.dispose()
