"""`doorward explain`: an operator asks why, of the centre's database, of a door's own journal, or of events in a file."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from agent import cli
from agent.core.messages import Event
from agent.link.cloudevents import Told, to_cloudevent
from agent.records.journal import Journal
from central.database.opening import open_to_write
from central.history.events import EventStore
from tests.door_under_test import TestClock

NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)


def event(number: int, kind: str, **data: object) -> Event:
    return Event(sequence=number, journal="j1", id=f"0190{number:04d}-{kind}", kind=kind, at=NOON + timedelta(seconds=number), mono_s=1.0,
                 data=data)  # fmt: skip


EVENTS = [event(1, "access.denied", sentences=["this fob was reported stolen"], reasons=["credential_stolen"]),
          event(2, "risk.raised", about="tailgating", risk={"band": "high", "score": 0.7, "items": []}),
          event(3, "door.opened", at_start=False)]  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "central.db"
    store = EventStore(open_to_write(path))
    store.commit([Told("hq", "front", each) for each in EVENTS], [], NOON)
    store.engine.dispose()
    return path


def run(*words: str) -> int:
    try:
        return cli.main(["explain", *words])
    except SystemExit as stop:
        return int(stop.code or 0)


def test_the_beginning_of_an_id_finds_its_event(database, capsys):
    assert run("01900001", "--database", str(database)) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "hq/front  access.denied  01900001-access.denied" in err
    assert "Why: this fob was reported stolen" in err


def test_last_is_the_newest_decision_or_risk(database, capsys):
    assert run("last", "--database", str(database)) == 0
    assert "the risk of tailgating is high" in capsys.readouterr().err


def test_json_is_one_object_for_programs(database, capsys):
    assert run("01900003", "--database", str(database), "--json") == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["kind"], told["what"], told["door"], err) == ("door.opened", "the door opened", "hq/front", "")


@pytest.mark.parametrize(
    ("wanted", "status", "words"),
    [
        ("0190000", 1, "3 events have an id that begins with '0190000'"),
        ("ffff", 1, "no event here has an id that begins with 'ffff'"),
        ("01", 2, "at least the first 4 characters"),
    ],
)
def test_an_event_that_is_not_there_or_not_one_is_told(database, capsys, wanted, status, words):
    assert run(wanted, "--database", str(database)) == status
    assert words in capsys.readouterr().err


def test_a_door_explains_what_it_has_not_delivered_yet(tmp_path, capsys):
    journal = Journal(tmp_path / "records", TestClock())
    journal.append("rex.pressed", {"pulse_s": 5.0}, NOON, 1.0)
    told = journal.append("access.granted", {"sentences": ["the face is the cardholder's"]}, NOON, 1.0)
    assert journal.flush(5.0)
    assert run(told.id, "--records", str(tmp_path / "records")) == 0
    assert "Why: the face is the cardholder's" in capsys.readouterr().err
    journal.close()


def test_events_in_a_file_are_explained(tmp_path, capsys):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(to_cloudevent(each, "hq", "front") for each in EVENTS) + b"\n")
    assert run("last", "--events", str(path)) == 0
    assert "tailgating" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "words"), [("--database", "no such database"), ("--records", "no such journal"),
                                               ("--events", "cannot be read")])  # fmt: skip
def test_a_place_that_is_not_there_is_named(tmp_path, capsys, option, words):
    assert run("last", option, str(tmp_path / "absent")) in (1, 2)
    assert words in capsys.readouterr().err


def test_a_file_that_holds_no_events_says_which_line(tmp_path, capsys):
    path = tmp_path / "events.jsonl"
    path.write_bytes(to_cloudevent(EVENTS[0], "hq", "front") + b"\nhello\n")
    assert run("last", "--events", str(path)) == 1
    assert "line 2" in capsys.readouterr().err
