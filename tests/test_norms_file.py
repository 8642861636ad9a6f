"""A door's norms on disk: they outlive restarts, power cuts and damage, and go where nobody's usual may be kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from agent.behaviour.norms import Moment, Norms
from agent.behaviour.sketch import Sparse
from agent.core.norms_word import DoorNorms, VisionWord
from agent.norms_file import (
    EXPORT,
    FOLDER,
    KEPT,
    LEAST_EXPORTED,
    LOOK_EVERY_S,
    SAVE_EVERY_S,
    WORD,
    NormsKeeper,
    Whose,
    forget_norms,
)

WALL = datetime(2026, 3, 2, 8, 30, tzinfo=timezone.utc)


def keeper_at(folder: Path, whose: Whose = "door", place: str = "view 1") -> NormsKeeper:
    return NormsKeeper(folder, place, whose)


def teach(keeper: NormsKeeper, visits: int = 1, norm_key: str = "") -> None:
    for visit in range(visits):
        keeper.norms.learn({"dwell": 3.0, "glances": 1.0}, Moment(WALL + timedelta(minutes=visit), norm_key))


def test_what_was_learned_is_there_after_a_restart(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper, 30)
    keeper.save()
    again = keeper_at(tmp_path)
    assert (again.norms.visits, again.fault) == (30, "")
    assert again.norms.judge("dwell", 3.0, Moment(WALL))[0] == keeper.norms.judge("dwell", 3.0, Moment(WALL))[0]


def test_it_is_saved_every_ten_minutes_if_something_was_learned(tmp_path: Path) -> None:
    keeper, kept = keeper_at(tmp_path), tmp_path / FOLDER / KEPT
    keeper.turn(0.0, WALL)
    keeper.save()
    assert not kept.exists()
    teach(keeper)
    keeper.turn(1.0, WALL)
    keeper.save()
    assert Norms.decode(kept.read_bytes()).visits == 1
    teach(keeper)
    keeper.turn(SAVE_EVERY_S, WALL)
    assert Norms.decode(kept.read_bytes()).visits == 1
    keeper.turn(SAVE_EVERY_S + 1.0, WALL)
    keeper.save()
    assert Norms.decode(kept.read_bytes()).visits == 2


def test_the_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper)
    keeper.save()
    assert (tmp_path / FOLDER).stat().st_mode & 0o077 == 0
    assert (tmp_path / FOLDER / KEPT).stat().st_mode & 0o077 == 0


def test_a_damaged_file_is_told_of_and_set_aside_and_learning_begins_anew(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper, 30)
    keeper.save()
    kept = tmp_path / FOLDER / KEPT
    kept.write_bytes(kept.read_bytes()[:-1])
    again = keeper_at(tmp_path)
    assert again.norms.visits == 0
    assert "damaged" in again.fault
    assert kept.with_name(f"{KEPT}.damaged").exists()
    teach(again)
    again.save()
    assert (keeper_at(tmp_path).norms.visits, keeper_at(tmp_path).fault) == (1, "")


def test_a_disk_that_takes_nothing_is_a_fault_and_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file where a folder should be")
    keeper = keeper_at(tmp_path)
    teach(keeper)
    keeper.save()
    assert "norms" in keeper.fault
    assert keeper.norms.visits == 1


def test_norms_of_a_view_that_is_another_now_are_kept_but_for_metres(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper, 60)
    keeper.save()
    again = keeper_at(tmp_path, place="view 2")
    (dwell, _), (glances, _) = (again.norms.judge(kind, 1.0, Moment(WALL)) for kind in ("dwell", "glances"))
    assert dwell is not None
    assert glances is not None
    assert (dwell.visits, glances.visits > 0) == (0.0, True)
    assert again.norms.place == "view 2"


def test_where_nobodys_usual_is_learned_what_was_kept_is_deleted(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper, 30)
    keeper.save()
    off = keeper_at(tmp_path, "off")
    assert list((tmp_path / FOLDER).iterdir()) == []
    teach(off, 30)
    off.turn(1e6, WALL)
    off.save()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_where_cardholders_are_no_longer_kept_they_leave_the_disk(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path, "door_and_cardholders")
    teach(keeper, 30, "a key")
    keeper.save()
    assert keeper_at(tmp_path, "door_and_cardholders").norms.cardholders == ("a key",)
    keeper_at(tmp_path).save()
    assert keeper_at(tmp_path, "door_and_cardholders").norms.cardholders == ()


# -- the centre ----------------------------------------------------------------------------------------------------------------


def exported(folder: Path) -> DoorNorms:
    return msgspec.json.decode((folder / FOLDER / EXPORT).read_bytes(), type=DoorNorms)


def test_once_a_day_a_door_tells_its_counts_and_nothing_while_few_have_come(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper, LEAST_EXPORTED - 1)
    keeper.turn(0.0, WALL)
    keeper.save()
    assert not (tmp_path / FOLDER / EXPORT).exists()
    teach(keeper)
    keeper.turn(SAVE_EVERY_S, WALL)
    keeper.save()
    told = exported(tmp_path)
    assert told.visits == LEAST_EXPORTED
    assert "view" not in told.place
    assert set(msgspec.json.decode(told.kinds, type=dict[str, Sparse])) == {"dwell", "glances"}
    teach(keeper)
    keeper.turn(2 * SAVE_EVERY_S, WALL)
    keeper.save()
    assert exported(tmp_path) == told


def tell(folder: Path, kinds: bytes, *forget: str) -> None:
    word = VisionWord(made=WALL, kinds=msgspec.Raw(kinds), forget=forget)
    (folder / FOLDER).mkdir(exist_ok=True)
    (folder / FOLDER / WORD).write_bytes(msgspec.json.encode(word))


def test_what_the_centre_tells_of_similar_doors_counts_within_a_minute(tmp_path: Path) -> None:
    teacher, keeper = Norms(), keeper_at(tmp_path)
    for _ in range(100):
        teacher.learn({"dwell": 60.0}, Moment(WALL))
    tell(tmp_path, msgspec.json.encode(teacher.export()))
    keeper.turn(0.0, WALL)
    keeper.turn(LOOK_EVERY_S, WALL)
    usual, _ = keeper.norms.judge("dwell", 60.0, Moment(WALL))
    assert usual is not None
    assert usual.of == "similar_doors"


def test_what_was_set_aside_holds_nothing_of_whoever_has_withdrawn(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path, "door_and_cardholders")
    teach(keeper, norm_key="somebody")
    keeper.save()
    kept = tmp_path / FOLDER / KEPT
    kept.write_bytes(kept.read_bytes()[:-1])
    again = keeper_at(tmp_path, "door_and_cardholders")
    damaged = kept.with_name(f"{KEPT}.damaged")
    assert damaged.exists()
    word = VisionWord(made=WALL, kinds=msgspec.Raw(b"{}"), forget=("somebody",))
    (tmp_path / FOLDER / WORD).write_bytes(msgspec.json.encode(word))
    again.turn(LOOK_EVERY_S, WALL)
    assert not damaged.exists()


def test_what_was_set_aside_leaves_with_what_is_no_longer_kept(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper)
    keeper.save()
    damaged = tmp_path / FOLDER / f"{KEPT}.damaged"
    damaged.write_bytes(b"counts of cardholders, perhaps, and of expressions")
    assert keeper_at(tmp_path).fault == ""
    assert not damaged.exists()


def test_a_cardholder_who_has_withdrawn_is_gone_from_memory_and_disk(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path, "door_and_cardholders")
    teach(keeper, 5, "gone")
    teach(keeper, 5, "stays")
    keeper.turn(0.0, WALL)
    keeper.save()
    tell(tmp_path, b"{}", "gone", "nobody here")
    keeper.turn(LOOK_EVERY_S, WALL)
    keeper.save()
    assert keeper.norms.cardholders == ("stays",)
    assert Norms.decode((tmp_path / FOLDER / KEPT).read_bytes(), cardholders=True).cardholders == ("stays",)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"made":"2026-03-02T08:30:00Z","kinds":{"dwell":3}}', b" " * 300_000])
def test_a_word_that_cannot_be_read_changes_nothing_and_is_told(tmp_path: Path, raw: bytes) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper, 10)
    before = keeper.norms.judge("dwell", 3.0, Moment(WALL))
    keeper.save()
    (tmp_path / FOLDER / WORD).write_bytes(raw)
    keeper.turn(LOOK_EVERY_S, WALL)
    assert keeper.norms.judge("dwell", 3.0, Moment(WALL)) == before
    assert WORD in keeper.fault


# -- a power cut ---------------------------------------------------------------------------------------------------------------

SAVES = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from agent.behaviour.norms import Moment
from agent.norms_file import NormsKeeper
keeper = NormsKeeper(Path(sys.argv[1]), "view", "door")
for _ in range(100):
    keeper.norms.learn({"dwell": 3.0}, Moment(datetime.now(timezone.utc)))
    keeper.save()
    print(keeper.norms.visits, flush=True)
sys.stdin.read()
"""


def test_a_program_that_is_killed_while_it_saves_leaves_norms_that_are_whole(tmp_path: Path) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", SAVES, str(tmp_path)], stdout=subprocess.PIPE, stdin=subprocess.PIPE
        ) as program:
            assert program.stdout is not None
            said = [int(program.stdout.readline()) for _ in range(3)]
            os.kill(program.pid, signal.SIGKILL)
        keeper = keeper_at(tmp_path, place="view")
        assert keeper.fault == ""
        assert keeper.norms.visits >= said[-1]


def test_a_door_that_measures_no_behaviour_any_more_keeps_nobodys_usual(tmp_path: Path) -> None:
    keeper = keeper_at(tmp_path)
    teach(keeper, 30)
    keeper.save()
    forget_norms(tmp_path)
    assert list((tmp_path / "norms").iterdir()) == []
