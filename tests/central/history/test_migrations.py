"""The migrations make exactly the tables that the programs were written for, and take over what an older Doorward has kept."""

from __future__ import annotations

import json
import os
import sqlite3
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine

from agent.cli import main
from agent.core.messages import Event
from agent.link.cloudevents import Told
from central.database.engine import StoreError, reading
from central.database.opening import open_to_read, open_to_write
from central.database.tables import METADATA, ROOMS
from central.history.events import EventStore
from central.history.kept import Gap, Kept
from central.history.usual import usual

FORMER = """
CREATE TABLE events (n INTEGER PRIMARY KEY, site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, sequence INTEGER NOT NULL,
    id TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL, received TEXT NOT NULL, mono_s REAL NOT NULL, data TEXT NOT NULL,
    UNIQUE (site, door, journal, sequence));
CREATE INDEX events_by_time ON events (at);
CREATE TABLE conflicts (n INTEGER PRIMARY KEY, site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, sequence INTEGER NOT NULL,
    id TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL, received TEXT NOT NULL, mono_s REAL NOT NULL, data TEXT NOT NULL,
    UNIQUE (site, door, journal, sequence, id));
CREATE TABLE journals (site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, highest INTEGER NOT NULL, first_heard TEXT NOT NULL,
    last_heard TEXT NOT NULL, PRIMARY KEY (site, door, journal)) WITHOUT ROWID;
CREATE TABLE gaps (n INTEGER PRIMARY KEY, site TEXT NOT NULL, door TEXT NOT NULL, journal TEXT NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, noticed TEXT NOT NULL, closed TEXT);
CREATE INDEX gaps_open ON gaps (site, door, journal) WHERE closed IS NULL;
CREATE TABLE unreadable (n INTEGER PRIMARY KEY, received TEXT NOT NULL, topic TEXT NOT NULL, error TEXT NOT NULL, payload BLOB NOT NULL);
PRAGMA user_version=1;
"""
"""What Doorward wrote before there were migrations."""
AT = datetime(2026, 3, 2, 8, 30, 1, 250, tzinfo=timezone.utc)
RECEIVED = datetime(2026, 3, 2, 8, 30, 2, tzinfo=timezone.utc)


def differences(engine: Engine) -> list[object]:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, METADATA))


def test_the_migrations_make_exactly_the_tables_in_sqlite(tmp_path: Path) -> None:
    assert differences(open_to_write(tmp_path / "central.db")) == []


@pytest.mark.system
def test_the_migrations_make_exactly_the_tables_in_postgresql(postgres_url: str) -> None:
    assert differences(open_to_write(postgres_url)) == []


def test_every_room_with_tables_is_among_those_that_are_compared() -> None:
    folder = Path(open_to_write.__code__.co_filename).parent
    assert {path.stem for path in folder.glob("tables_*.py")} == {room.__name__.rpartition(".")[2] for room in ROOMS}


# -- a database from before there were migrations ----------------------------------------------------------------------------------

DATA = [{"cardholder": "holder-1", "risk": {"alert": True}}, {"cardholder": None, "risk": {"alert": True}, "alert_held_back": True},
        {"cardholder": 7, "risk": None}, {"open_s": 2.5, "name": "Zoë"}]  # fmt: skip


def text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def event(sequence: int, data: dict[str, Any], identity: str = "") -> Event:
    return Event(
        sequence=sequence, journal="aa", id=identity or f"id-{sequence}", kind="access.granted", at=AT, mono_s=1.5, data=data
    )


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """Events 1 to 4 and 7; 5 and 6 never came, and one claims the number of another."""
    path = tmp_path / "central.db"
    db = sqlite3.connect(path)
    db.executescript(FORMER)
    columns = "(site, door, journal, sequence, id, kind, at, received, mono_s, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

    def row(each: Event) -> tuple[Any, ...]:
        return ("hq", "front", "aa", each.sequence, each.id, each.kind, text(AT), text(RECEIVED), 1.5, json.dumps(each.data))

    for number, data in enumerate(DATA, 1):
        db.execute(f"INSERT INTO events {columns}", row(event(number, data)))
    db.execute(f"INSERT INTO events {columns}", row(event(7, {})))
    db.execute(f"INSERT INTO conflicts {columns}", row(event(1, {}, "another")))
    db.execute("INSERT INTO journals VALUES ('hq', 'front', 'aa', 7, ?, ?)", (text(RECEIVED), text(RECEIVED)))
    db.execute("INSERT INTO gaps VALUES (1, 'hq', 'front', 'aa', 5, 6, ?, NULL)", (text(RECEIVED),))
    db.execute("INSERT INTO unreadable VALUES (1, ?, 'doorward/hq/front/evt', 'no event', x'ff')", (text(RECEIVED),))
    db.commit()
    db.close()
    return path


def test_a_database_of_an_older_doorward_is_taken_over_with_all_it_has(former: Path) -> None:
    engine = open_to_write(former)
    store = EventStore(engine)
    people, alerts = ["holder-1", "", "", "", ""], [True, False, False, False, False]
    wanted = [event(number, data) for number, data in zip((1, 2, 3, 4, 7), [*DATA, {}], strict=True)]
    assert store.events() == [
        Kept(n, Told("hq", "front", each), RECEIVED, person, alert)
        for n, each, person, alert in zip(range(1, 6), wanted, people, alerts, strict=True)
    ]
    assert [kept.told.event.id for kept in store.conflicts()] == ["another"]
    assert store.gaps() == [Gap("hq", "front", "aa", 5, 6, RECEIVED)]
    assert store.counts()["unreadable"] == 1
    assert (usual(engine, "hq", "front").counts[8], sum(usual(engine, "hq", "front").counts)) == (5, 5)
    assert differences(engine) == []


def test_a_door_goes_on_counting_where_the_older_doorward_had_it(former: Path) -> None:
    store = EventStore(open_to_write(former))
    outcome = store.commit([Told("hq", "front", event(number, {})) for number in (5, 7, 8)], [], RECEIVED)
    assert (outcome.new, outcome.repeated, outcome.gaps) == (2, 1, ())
    assert [(gap.first, gap.last) for gap in store.gaps()] == [(6, 6)]
    assert [kept.n for kept in store.events(after=5)] == [6, 7]


def test_a_reader_of_an_old_database_says_what_to_do_and_changes_nothing(former: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = former.read_bytes()
    for words in (["events"], ["gaps"], ["export"]):
        assert main(["central", *words, "--database", str(former)]) == 1
        assert f"`doorward central database upgrade --database {former}`" in capfd.readouterr().err
    assert main(["explain", "id-1x", "--database", str(former)]) == 1
    assert main(["central", "database", "status", "--database", str(former), "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["revision"] == "former"
    assert former.read_bytes() == before
    assert main(["central", "database", "upgrade", "--database", str(former)]) == 0
    assert main(["central", "database", "status", "--database", str(former), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["rows"]["events"] == 5


def test_an_upgrade_that_breaks_off_leaves_the_old_database(former: Path) -> None:
    db = sqlite3.connect(former)
    db.execute("DROP TABLE unreadable")
    db.execute("CREATE TABLE unreadable (n INTEGER PRIMARY KEY)")
    db.commit()
    with pytest.raises(StoreError):
        open_to_write(former)
    assert db.execute("SELECT count(*) FROM events").fetchone() == (5,)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    db.close()


def test_nothing_is_written_through_a_database_that_was_opened_to_read(engine: Engine, tmp_path: Path) -> None:
    reader = open_to_read(engine.url.render_as_string(hide_password=False))
    with pytest.raises(StoreError, match=r"read.?only"):
        EventStore(reader).commit([Told("hq", "front", event(1, {}))], [], AT)
    reader.dispose()


def test_a_new_database_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        engine = open_to_write(tmp_path / "central.db")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    engine.dispose()
    assert modes["central.db"] == 0o600
    assert not [name for name, mode in modes.items() if mode & 0o077], modes
