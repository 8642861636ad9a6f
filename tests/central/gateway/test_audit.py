"""What people did is on record, and whoever changes the record is found out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, text, update

from central.database.engine import writing
from central.database.tables_accounts import AUDIT, AUDIT_HEAD
from central.gateway.audit import BEGINNING, AuditLog, Head, digest_of, read_anchor, verify
from tests.central.gateway.house import NOW, HandClock, database


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return database(tmp_path)


@pytest.fixture
def audit(engine: Engine, tmp_path: Path) -> AuditLog:
    audit = AuditLog(engine, HandClock(), tmp_path / "audit.head")
    for number in range(1, 6):
        audit.write("ada", "unlock", "hq/front", {"number": number, "why": "Überfall – 門"})
    return audit


def change(engine: Engine, statement: Any) -> None:
    with writing(engine) as connection:
        connection.execute(statement)


def broken(engine: Engine, *kept: Head) -> tuple[int, str]:
    found = verify(engine, list(kept)).broken
    return (found.n, found.sentence) if found else (0, "")


def test_a_chain_that_nobody_touched_is_whole(engine: Engine, audit: AuditLog) -> None:
    verdict = verify(engine, [audit.head()])
    assert (verdict.rows, verdict.broken, verdict.head.n) == (5, None, 5)


def test_an_empty_log_is_whole(engine: Engine) -> None:
    assert verify(engine, []).broken is None


@pytest.mark.parametrize(
    "values",
    [
        {"who": "grace"},
        {"what": "look"},
        {"about": "hq/back"},
        {"details": '{"number":4}'},
        {"at": NOW.replace(year=2027)},
        {"digest": "0" * 64},
    ],
)
def test_a_row_that_was_changed_is_found(engine: Engine, audit: AuditLog, values: dict[str, Any]) -> None:
    change(engine, update(AUDIT).where(AUDIT.c.n == 3).values(values))
    assert broken(engine)[0] == 3


def test_a_row_that_was_taken_out_is_found(engine: Engine, audit: AuditLog) -> None:
    change(engine, delete(AUDIT).where(AUDIT.c.n == 2))
    assert broken(engine) == (2, "row 2 is missing: 3 follows 1")


def test_rows_that_changed_places_are_found(engine: Engine, audit: AuditLog) -> None:
    change(engine, update(AUDIT).where(AUDIT.c.n == 2).values(n=99))
    change(engine, update(AUDIT).where(AUDIT.c.n == 3).values(n=2))
    change(engine, update(AUDIT).where(AUDIT.c.n == 99).values(n=3))
    assert broken(engine)[0] == 2


def test_rows_that_were_cut_off_are_found_by_the_head(engine: Engine, audit: AuditLog) -> None:
    change(engine, delete(AUDIT).where(AUDIT.c.n > 3))
    assert broken(engine)[0] == 4
    assert "head is row 5" in broken(engine)[1]


def test_rows_cut_off_together_with_the_head_are_found_by_what_was_kept_outside(
    engine: Engine, audit: AuditLog, tmp_path: Path
) -> None:
    audit.anchor()
    with writing(engine) as connection:
        connection.execute(delete(AUDIT).where(AUDIT.c.n > 3))
        digest = connection.scalar(select(AUDIT.c.digest).where(AUDIT.c.n == 3))
        connection.execute(update(AUDIT_HEAD).values(n=3, digest=digest))
    assert broken(engine) == (0, "")
    anchor = read_anchor(tmp_path / "audit.head")
    assert anchor is not None
    assert "rows were cut off" in broken(engine, anchor)[1]
    AuditLog(engine, HandClock(), tmp_path / "audit.head").anchor()
    assert read_anchor(tmp_path / "audit.head") == anchor, "the proof is not written over"


def test_a_chain_that_was_counted_anew_is_found_by_what_was_kept_outside(engine: Engine, audit: AuditLog) -> None:
    kept, previous = audit.head(), BEGINNING
    with writing(engine) as connection:
        for row in connection.execute(select(AUDIT).order_by(AUDIT.c.n)).all():
            digest = digest_of(row.n, row.at, "grace", row.what, row.about, row.details, previous)
            connection.execute(update(AUDIT).where(AUDIT.c.n == row.n).values(who="grace", previous=previous, digest=digest))
            previous = digest
        connection.execute(update(AUDIT_HEAD).values(digest=previous))
    assert broken(engine) == (0, "")
    assert "counted anew" in broken(engine, kept)[1]


def test_many_who_write_at_once_make_one_chain(engine: Engine) -> None:
    write_at_once(engine)


@pytest.mark.system
def test_many_who_write_to_postgresql_at_once_make_one_chain(tmp_path: Path, postgres_url: str) -> None:
    write_at_once(database(tmp_path, postgres_url))


def write_at_once(engine: Engine) -> None:
    logs = [AuditLog(engine, HandClock()) for _ in range(4)]
    threads = [threading.Thread(target=lambda log=log: [log.write("ada", "look", "", {}) for _ in range(10)]) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (verify(engine, []).rows, verify(engine, []).broken) == (40, None)


def test_a_record_goes_with_the_change_that_it_tells_of(engine: Engine, audit: AuditLog) -> None:
    def fail() -> None:
        with writing(engine) as connection:
            audit.write("ada", "change", "", {}, connection=connection)
            connection.execute(text("SELECT 1"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert audit.head().n == 5


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    who=st.text(max_size=200),
    about=st.text(max_size=400),
    details=st.dictionaries(st.text(), st.floats(allow_nan=False) | st.text()),
)
def test_whatever_is_written_verifies(engine: Engine, who: str, about: str, details: dict[str, Any]) -> None:
    AuditLog(engine, HandClock()).write(who, "anything", about, details)
    assert verify(engine, []).broken is None


def test_details_that_are_too_long_leave_their_digest(engine: Engine) -> None:
    audit = AuditLog(engine, HandClock())
    audit.write("ada", "import", "", {"rows": "x" * 100_000})
    assert audit.rows()[0].details.keys() == {"left_out_bytes", "sha256"}
