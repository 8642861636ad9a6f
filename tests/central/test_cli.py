"""`doorward central`: what scripts and people get, and the exit codes they rely on."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import pytest

from agent.cli import main
from agent.core.messages import Event
from agent.link.cloudevents import Told, from_cloudevent
from central.database.opening import open_to_write
from central.history.events import EventStore

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


def told(sequence: int) -> Told:
    event = Event(sequence=sequence, journal="aa", id=f"id-{sequence}", kind="access.granted", at=NOW, mono_s=1.0, data={"a": 1})
    return Told("hq", "front", event)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    store = EventStore(open_to_write(tmp_path / "central.db"))
    store.commit([told(1), told(2), told(5)], [], NOW)
    store.engine.dispose()
    return tmp_path / "central.db"


def test_events_come_as_cloudevents_one_a_line(database: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["central", "events", "--database", str(database), "--json"]) == 0
    lines = capfdbinary.readouterr().out.splitlines()
    assert [from_cloudevent(line) for line in lines] == [told(1), told(2), told(5)]


def test_words_for_people_go_to_standard_error(database: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "events", "--database", str(database)]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "hq/front aa:5 access.granted" in err


def test_a_gap_is_a_finding(database: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "gaps", "--database", str(database), "--json"]) == 1
    out, err = capfd.readouterr()
    assert (json.loads(out)["first"], json.loads(out)["last"]) == (3, 4)
    assert "3..4 missing" in err
    store = EventStore(open_to_write(database))
    store.commit([told(3), told(4)], [], NOW)
    store.engine.dispose()
    assert main(["central", "gaps", "--database", str(database)]) == 0


def test_a_database_that_is_not_there_is_a_finding_that_names_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "events", "--database", str(tmp_path / "none.db")]) == 1
    assert "none.db" in capfd.readouterr().err
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("whose", ["centre", "door"])
def test_keys_are_made_once(tmp_path: Path, whose: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "keys", f"--{whose}", str(tmp_path), "--json"]) == 0
    made = json.loads(capfd.readouterr().out)
    assert Path(made["private"]).stat().st_mode & 0o777 == 0o600
    assert Path(made["public"]).exists()
    assert main(["central", "keys", f"--{whose}", str(tmp_path)]) == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", "localhost"])
def test_the_embedded_broker_refuses_to_listen_to_a_network(host: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "broker", "--host", host]) == 2
    assert "binds to 127.0.0.1" in capfd.readouterr().err


def test_a_command_to_a_broker_that_is_not_there_is_told_as_such(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["central", "command", "hq", "front", "lock", "--user", "guard-1", "--port", "1", "--valid-s", "0.3", "--json"]
    assert main(words) == 1
    out, err = capfd.readouterr()
    assert json.loads(out)["reason"] == "no_answer"
    assert "broker 127.0.0.1:1 cannot be reached" in err


def test_a_command_that_no_door_knows_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["central", "command", "hq", "front", "explode", "--user", "guard-1"])
    assert ended.value.code == 2


def test_a_decision_is_told_in_its_sentences_and_not_in_brackets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = {"sentences": ["the face is the cardholder's"], "cardholder": "cardholder-1", "match": {"score": 0.8}, "granted": True}
    store = EventStore(open_to_write(tmp_path / "central.db"))
    store.commit([Told("hq", "front", msgspec.structs.replace(told(1).event, data=data))], [], NOW)
    store.engine.dispose()
    assert main(["central", "events", "--database", str(tmp_path / "central.db")]) == 0
    err = capfd.readouterr().err
    assert "access.granted the face is the cardholder's; cardholder-1\n" in err


@pytest.mark.parametrize(
    "words",
    [
        ["hq", "front", "--user", "Guard 1"],
        ["hq", "fro+nt", "--user", "guard-1"],
        ["", "front", "--user", "guard-1"],
        ["hq", "front", "--user", "guard-1", "--valid-s", "-1"],
        ["hq", "front", "--user", "guard-1", "--valid-s", "nan"],
    ],
)
def test_a_command_that_no_door_could_answer_is_refused_at_once(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    site, door, *rest = words
    assert main(["central", "command", site, door, "unlock", *rest, "--port", "1"]) == 2
    assert "are allowed" in capfd.readouterr().err


def test_a_folder_that_cannot_be_made_for_the_database_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["central", "run", "--database", "/proc/none/central.db"]) == 2
    assert "--database: /proc/none cannot be made" in capfd.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves files that others cannot read")
def test_what_root_types_before_the_first_start_leaves_nothing_that_the_centres_user_cannot_open(tmp_path: Path) -> None:
    state, keys, secret = tmp_path / "state", tmp_path / "keys", tmp_path / "password"
    for folder in (state, keys):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    secret.write_text("four cats on a warm roof", "utf-8")
    secret.chmod(0o600)
    where = ["--database", str(state / "central.db"), "--keys", str(keys)]
    assert main(["central", "account", "add", "ada", "--role", "manager", "--password-file", str(secret), *where]) == 0
    assert main(["central", "people", "add", "Ada Lovelace", *where]) == 0
    made = {path.name: path.stat().st_uid for folder in (state, keys) for path in folder.iterdir()}
    assert {"central.db", "accounts.key", "people.key", "audit.head"} <= made.keys()
    assert set(made.values()) == {65534}


@pytest.mark.parametrize("words", [["events"], ["gaps"], ["database", "status"], ["export"]])
def test_the_history_is_found_by_the_configuration_too(words: list[str], database: Path, tmp_path: Path) -> None:
    config = tmp_path / "central.toml"
    config.write_text(f'site = "hq"\n[database]\nurl = "sqlite:///{database}"\n', "utf-8")
    told_by = {
        option: main(["central", *words, option, str(value)])
        for option, value in (("--config", config), ("--database", database))
    }
    assert told_by["--config"] == told_by["--database"] == (1 if words == ["gaps"] else 0)
    assert main(["central", *words, "--config", str(tmp_path / "nowhere.toml")]) == 2
