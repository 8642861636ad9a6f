"""What every board's boot loader promises a door: a system that was found good starts, whatever happens to the other one."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rauc.boards import Board, BootError, Jetson, Pi

pytestmark = pytest.mark.system
BOARDS = [Pi, Jetson]


@pytest.fixture(params=BOARDS, ids=lambda board: board.backend)
def board(request: pytest.FixtureRequest, folder: Path) -> Board:
    made: Board = request.param(folder)
    return made


def proven(board: Board) -> None:
    """What doorward-mark-good.service says when the door is up."""
    board.words("set-state", board.runs, "good")


def test_a_new_card_starts_the_first_system(board: Board) -> None:
    assert board.runs == "A"
    assert board.words("get-current") == "A"
    assert board.words("get-primary") == "A"
    assert board.words("get-state", "A") == "good"


def test_what_was_installed_is_started_once_asked(board: Board) -> None:
    board.install("B")
    assert board.words("get-primary") == "B"
    board.restart()
    assert board.runs == board.words("get-current") == "B"


def test_what_nobody_found_good_is_left_at_the_next_start(board: Board) -> None:
    board.install("B")
    board.restart()
    board.restart()
    assert board.runs == "A"


def test_a_power_cut_on_trial_starts_what_was_good(board: Board) -> None:
    board.install("B")
    board.restart()
    board.power_cut()
    assert board.runs == "A"


def test_what_was_found_good_starts_from_then_on(board: Board) -> None:
    board.install("B")
    board.restart()
    proven(board)
    for start in (board.restart, board.power_cut, board.restart):
        start()
        assert board.runs == "B"
        assert board.words("get-state", "B") == "good"
        proven(board)


def test_a_system_that_hangs_is_left(board: Board) -> None:
    board.install("B", whole=False)
    board.restart()
    assert board.runs == "A"


def test_a_system_that_is_being_written_never_starts(board: Board) -> None:
    board.words("set-state", "B", "bad")
    board.broken.add("B")
    for start in (board.power_cut, board.restart, board.power_cut):
        start()
        assert board.runs == "A"
        assert board.words("get-state", "B") == "bad"
        proven(board)


def test_whoever_changes_their_mind_stays(board: Board) -> None:
    board.install("B")
    board.words("set-primary", "A")
    board.restart()
    assert board.runs == "A"


def test_a_trial_that_failed_goes_back_by_its_own_word(board: Board) -> None:
    board.install("B")
    board.restart()
    board.words("set-state", "B", "bad")
    board.restart()
    assert board.runs == "A"
    assert board.words("get-state", "B") == "bad"


def test_updates_go_to_and_fro(board: Board) -> None:
    for slot in "BABAB":
        board.install(slot)
        board.restart()
        assert board.runs == slot
        proven(board)


@pytest.mark.parametrize(
    "words", [("set-primary",), ("set-primary", "C"), ("set-state", "A", "fine"), ("get-state", ""), ("reboot",), ()]
)
def test_a_wrong_word_is_refused_with_a_sentence(board: Board, words: tuple[str, ...]) -> None:
    with pytest.raises(BootError, match=r"boot-(pi|jetson): '"):
        board.words(*words)
    board.power_cut()
    assert board.runs == "A"


STEPS = ["install", "install broken", "being written", "restart", "power cut", "found good", "found bad"]


@pytest.mark.parametrize("kind", BOARDS, ids=lambda board: board.backend)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), max_size=8))
def test_whatever_happens_in_whatever_order_some_door_starts(kind: type[Board], steps: list[str], folder: Path) -> None:
    board = kind(Path(tempfile.mkdtemp(dir=folder)))
    good = {"A"}
    for step in steps:
        other = "B" if board.runs == "A" else "A"
        if step in ("install", "install broken", "being written") and board.runs not in good:
            continue  # doorward-system's may-install: nothing is installed by a system on trial
        try:
            if step == "being written":
                board.words("set-state", other, "bad")
                board.broken.add(other)
            elif step.startswith("install"):
                board.install(other, whole=step == "install")
        except BootError as refused:
            assert "unbootable" in str(refused)  # noqa: PT017 - any other refusal is a fault
            assert isinstance(board, Jetson)
            board.cleared()
        if step in ("install", "install broken", "being written"):
            good.discard(other)
        if step == "found good":
            proven(board)
            good.add(board.runs)
        if step == "found bad" and board.runs not in good:
            board.words("set-state", board.runs, "bad")
        if step == "restart":
            board.restart()
        if step == "power cut":
            board.power_cut()
        if board.runs in good:
            proven(board)  # at each start of a system that was found good
        assert board.runs not in board.broken


# -- the Raspberry Pi's one file ---------------------------------------------------------------------------------------------------


def torn(old: bytes, new: bytes) -> Iterator[bytes]:
    """All that a sector can hold of which any bytes were written and the others not yet."""
    different = [at for at, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    for written in itertools.product([False, True], repeat=len(different)):
        mixed = bytearray(old)
        for at, is_new in zip(different, written, strict=True):
            if is_new:
                mixed[at] = new[at]
        yield bytes(mixed)


def test_a_sector_that_was_torn_while_it_was_written_starts_a_system_that_is_whole(folder: Path) -> None:
    pi = Pi(folder)
    pi.install("B")
    pi.restart()
    file = pi.root / "boot/select/autoboot.txt"
    old = file.read_bytes()
    proven(pi)
    states = list(torn(old, file.read_bytes()))
    assert len(states) == 4, "more than two digits differ"
    for state in states:
        file.write_bytes(state)
        pi.write_sector(state)
        pi.power_cut()
        assert pi.runs in ("A", "B")
        proven(pi)
        other = "B" if pi.runs == "A" else "A"
        pi.install(other)
        pi.restart()
        assert pi.runs == other, "after a torn sector, updates go on"


def test_a_file_of_somebody_else_is_left_alone(folder: Path) -> None:
    pi = Pi(folder)
    file = pi.root / "boot/select/autoboot.txt"
    file.write_text(file.read_text().replace("tryboot_a_b=1", "tryboot_a_b=0"))
    before = file.read_bytes()
    with pytest.raises(BootError, match="not as Doorward wrote it"):
        pi.words("set-primary", "B")
    assert file.read_bytes() == before


def test_the_system_that_surely_starts_is_not_overwritten_by_one_on_trial(folder: Path) -> None:
    pi = Pi(folder)
    pi.install("B")
    pi.restart()
    with pytest.raises(BootError, match="A stays: B was never found good"):
        pi.words("set-state", "A", "bad")
