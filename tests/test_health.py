"""`doorward health`: what makes a release stay or go. It believes what the programs say, and not that a process exists."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agent import cli
from agent.clock_kernel import boot_id
from agent.health import DOOR, SAFE, STALE_S, STEADY_S, VISION, Seen, UnitNow, Verdict, judge
from agent.health_word import MOST_BYTES, WORD_FILE, HealthTeller, HealthWord, read_word, status_line

NOW_S = 1000.0
CALM: dict[str, Any] = {"link": {"connected": True, "error": ""}, "frames_per_s": 14.9, "engine": "litert"}
WORD = HealthWord(
    boot="this", at_s=NOW_S - 2, pid=1, since_s=NOW_S - 600, vision_since_s=NOW_S - 590, site="hq", door="front", mode="Locked",
    version="1", health=CALM,
)  # fmt: skip
RUNS = UnitNow(load="loaded", enabled="enabled", active="active", sub="running", result="success")
UNITS = {DOOR: RUNS, VISION: RUNS, SAFE: UnitNow(load="loaded", active="inactive")}
SEEN = Seen(word=WORD, hidden=False, boot="this", now_s=NOW_S, alive=True, units=UNITS)


def with_word(**changes: Any) -> Verdict:
    return judge(replace(SEEN, word=replace(WORD, **changes)))


def with_units(word: HealthWord | None = None, **units: UnitNow) -> Verdict:
    named = {"door": DOOR, "vision": VISION, "safe": SAFE}
    return judge(replace(SEEN, word=word, units=UNITS | {named[name]: unit for name, unit in units.items()}))


def sentences(verdict: Verdict) -> str:
    return " / ".join(f"{finding.what} {finding.mend}" for finding in verdict.findings)


def test_a_door_and_a_vision_that_tell_are_up():
    verdict = judge(SEEN)
    assert verdict.ok
    assert [finding.level for finding in verdict.findings] == ["well", "well"]


def test_without_systemd_their_own_words_are_enough():
    assert judge(replace(SEEN, units={})).ok


@pytest.mark.parametrize(
    "seen",
    [
        replace(SEEN, word=None),
        replace(SEEN, alive=False),
        replace(SEEN, boot="another"),
        replace(SEEN, hidden=True),
        replace(SEEN, now_s=WORD.at_s + STALE_S + 1),
        replace(SEEN, word=replace(WORD, hung=("reader front: nothing is taken from its lines",))),
        replace(SEEN, word=replace(WORD, since_s=NOW_S - STEADY_S + 1)),
    ],
    ids=[
        "says nothing",
        "is dead",
        "spoke before the restart",
        "may not be looked at",
        "hangs",
        "has a stage that hangs",
        "just began",
    ],
)
def test_a_process_that_systemd_calls_active_is_not_up_by_that_alone(seen):
    verdict = judge(seen)
    assert not verdict.door_up
    assert not verdict.ok


def test_a_door_that_hears_no_vision_is_half_of_what_must_be_up():
    verdict = with_word(vision_since_s=None)
    assert (verdict.door_up, verdict.vision_up) == (True, False)


def test_vision_that_has_only_just_begun_to_speak_may_end_again():
    assert not with_word(vision_since_s=WORD.at_s - STEADY_S + 1).ok


def test_a_door_that_is_meant_to_have_no_camera_is_whole_without_it():
    masked = replace(UNITS[VISION], load="masked", active="inactive")
    assert with_units(replace(WORD, vision_since_s=None), vision=masked).ok


def test_an_unplugged_camera_a_dead_reader_and_a_broker_away_are_told_and_are_not_the_releases_fault():
    verdict = with_word(health=CALM | {
        "vision_faults": ["camera gone"], "readers": {"front": {"online": False}}, "link": {"connected": False, "error": "refused"},
        "journal_faults": ["disk full"], "camera_tamper": ["covered"], "input_faults": {"rex": "cut"},
    })  # fmt: skip
    assert verdict.ok
    told = sentences(verdict)
    assert all(word in told for word in ("camera gone", "reader front", "refused", "disk full", "covered", "input rex is cut"))
    assert all(finding.why and finding.mend for finding in verdict.findings if finding.level == "warn")


@pytest.mark.parametrize(
    ("door", "safe", "said"),
    [
        (UnitNow(load="not-found"), UnitNow(), "is not installed"),
        (UnitNow(load="masked"), UnitNow(), "masked"),
        (replace(RUNS, active="failed", result="exit-code", status=2), UnitNow(active="activating"), "doorward check-config"),
        (
            replace(RUNS, active="failed", result="watchdog"),
            UnitNow(active="activating"),
            "it hung): it rests in the lock's safe state",
        ),
        (replace(RUNS, active="activating", sub="auto-restart", result="signal"), UnitNow(), "it is being started again"),
        (replace(RUNS, active="activating", sub="start"), UnitNow(), "is starting"),
        (RUNS, UnitNow(), "says nothing"),
        (replace(RUNS, active="inactive"), UnitNow(), "systemctl start doorward.target"),
    ],
)
def test_why_a_door_is_not_there_is_said_with_what_to_type(door, safe, said):
    verdict = with_units(None, door=door, safe=safe)
    assert not verdict.ok
    assert said in sentences(verdict)


@given(
    health=st.dictionaries(
        st.sampled_from(["vision_faults", "camera_tamper", "readers", "input_faults", "link", "journal_faults", "engine"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.none() | st.text()),
    )
)
def test_whatever_an_older_or_newer_door_tells_the_question_is_answered(health):
    assert with_word(health=health).ok


# -- the file ------------------------------------------------------------------------------------------------------------------


def test_what_the_door_says_is_read_as_it_was_said(tmp_path):
    tell = HealthTeller(tmp_path, "hq", "front", 5.0)
    tell(10.0, "Locked", True, CALM)
    tell(15.0, "LockedDown", True, CALM)
    word = read_word(tmp_path)
    assert word is not None
    assert (word.mode, word.at_s, word.since_s, word.vision_since_s) == ("LockedDown", 15.0, 5.0, 10.0)
    assert (word.boot, word.pid, word.health) == (boot_id(), os.getpid(), CALM)
    assert (tmp_path / WORD_FILE).stat().st_mode & 0o777 == 0o600


def test_vision_that_was_silent_in_between_counts_from_its_return(tmp_path):
    tell = HealthTeller(tmp_path, "hq", "front", 0.0)
    for at_s, lives in ((5.0, True), (10.0, False), (15.0, True), (20.0, True)):
        tell(at_s, "Locked", lives, {})
    assert read_word(tmp_path).vision_since_s == 15.0


def test_a_run_folder_that_cannot_be_written_stops_no_door(tmp_path, caplog):
    tell = HealthTeller(tmp_path / "not there", "hq", "front", 0.0)
    tell(5.0, "Locked", True, {})
    tell(10.0, "Locked", True, {})
    assert len(caplog.records) == 1


@given(st.binary(max_size=300))
def test_half_a_file_is_no_word(tmp_path_factory, raw):
    run = tmp_path_factory.mktemp("run")
    (run / WORD_FILE).write_bytes(raw)
    assert read_word(run) is None


def test_a_file_of_any_length_is_read_no_further_than_a_word_can_be(tmp_path):
    (tmp_path / WORD_FILE).write_bytes(b" " * (MOST_BYTES + 1) + b"{}")
    assert read_word(tmp_path) is None


def test_the_status_line_is_one_line_and_says_what_hangs():
    assert status_line(WORD) == "hq/front: Locked, vision tells, connected"
    hung = replace(WORD, hung=("reader front:\nsilent",), vision_since_s=None, health={})
    assert status_line(hung) == "hq/front: Locked, vision is silent, not connected, HANGS: reader front: silent"


# -- the command -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "door.toml"
    path.write_text(f'site = "hq"\ndoor = "front"\nrun_folder = "{tmp_path}"\n')
    return path


def say(run: Path, since_s: float) -> None:
    tell = HealthTeller(run, "hq", "front", since_s)
    tell(since_s, "Locked", True, CALM)
    tell(time.monotonic(), "Locked", True, CALM)


def test_a_script_gets_a_status_and_a_person_sentences(config, tmp_path, capsys):
    assert cli.main(["health", "--config", str(config)]) == 1
    assert "✗ " in capsys.readouterr().out
    say(tmp_path, time.monotonic() - 60)
    assert cli.main(["health", "--config", str(config)]) == 0
    assert "✓ door hq/front is up" in capsys.readouterr().out


def test_waiting_ends_as_soon_as_both_are_up(config, tmp_path, capsys):
    say(tmp_path, time.monotonic() - STEADY_S + 0.5)
    assert cli.main(["health", "--config", str(config)]) == 1
    say(tmp_path, time.monotonic() - 60)
    assert cli.main(["health", "--config", str(config), "--wait", "600", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["ok"], told["door_up"], told["vision_up"], told["word"]["mode"]) == (True, True, True, "Locked")


def test_a_wrong_configuration_is_said_and_is_no_door_that_is_up(tmp_path, capsys):
    (tmp_path / "door.toml").write_text('site = "hq"\ndoors = "front"\n')
    assert cli.main(["health", "--config", str(tmp_path / "door.toml"), "--json"]) == 1
    captured = capsys.readouterr()
    assert "doors" in captured.err
    assert json.loads(captured.out)["ok"] is False


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "1e9"])
def test_a_wait_that_is_none_is_wrong_usage(wait, config):
    with pytest.raises(SystemExit) as end:
        cli.main(["health", "--config", str(config), "--wait", wait])
    assert end.value.code == 2
